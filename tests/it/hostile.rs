//! A clever student against the server, over real sockets: descriptions that no browser makes, frames without end, entries without
//! end, doors that are not for them. What each costs is theirs to bear: the lesson goes on.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _, stream::FuturesUnordered};
use qism::school::demo::PASSWORD;
use qism_signaling::protocol::{
    ClientFrame, CloseCode, Command, ErrorCode, LegKind, Recipients, ServerFrame, SessionId, Source, VERSION,
    limits, media::OfferedTrack,
};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::{
    server::{Line, SOON, Server, eventually},
    sfu::forged_check,
};

/// A line is said and acknowledged: the lesson goes on.
async fn goes_on(teacher: &mut Line) {
    let id = teacher.command(Command::Say { text: "نتابع".into(), to: Recipients::Everyone }).await;
    teacher.accepted(id).await;
}

/// An offer of these sections behind everything that a transport needs.
fn offer(sections: &str) -> String {
    format!(
        "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:actpass\r\na=fingerprint:sha-256 {}\r\n{sections}",
        ["0A"; 32].join(":")
    )
}

fn audio(mid: &str) -> String {
    format!("m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:{mid}\r\na=rtpmap:111 opus/48000/2\r\n")
}

fn microphone(mid: &str) -> Vec<OfferedTrack> {
    vec![OfferedTrack { mid: mid.into(), source: Source::Microphone }]
}

/// What comes of an offer.
async fn answer(line: &mut Line, sdp: String, tracks: Vec<OfferedTrack>) -> Result<String, ErrorCode> {
    line.socket.send(&ClientFrame::PublisherOffer { sdp, tracks }).await;
    let answered = |frame: &ServerFrame| match frame {
        ServerFrame::PublisherAnswer { sdp } => Some(Ok(sdp.clone())),
        ServerFrame::Error { error } => Some(Err(*error)),
        _ => None,
    };
    line.socket.find(answered).await
}

#[tokio::test]
async fn descriptions_that_no_browser_makes_are_refused_and_the_next_one_is_answered() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    let hostile = [
        (String::new(), microphone("0")),
        (offer(""), microphone("0")),
        (offer(&audio("0").repeat(2)), microphone("0")),
        (offer(&(0..40).map(|n| audio(&n.to_string())).collect::<String>()), microphone("0")),
        (offer(&(audio("0") + &audio("1"))), [microphone("0"), microphone("1")].concat()),
        (offer(&audio("0")), microphone("of somebody else")),
        (offer(&audio("0")), vec![OfferedTrack { mid: "0".into(), source: Source::Camera }]),
        (offer(&format!("{}{}", audio("0"), "a=candidate:x\r\n".repeat(400))), microphone("0")),
        (offer(&format!("{}a=rid:\u{202e} send\r\n", audio("0"))), microphone("0")),
        (offer(&format!("{}{}", audio("0"), "a=ssrc:1 x\r\n".repeat(700))), microphone("0")),
    ];
    for (place, (sdp, tracks)) in hostile.into_iter().enumerate() {
        assert_eq!(answer(&mut student, sdp, tracks).await, Err(ErrorCode::BadMedia), "{place}");
        // Within the pace of frames.
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let answered = answer(&mut student, offer(&audio("0")), microphone("0")).await.expect("as a browser's");
    assert_eq!(answered.matches("m=audio").count(), 1);
    student.socket.send(&ClientFrame::SubscriberAnswer { sdp: offer(&audio("0")) }).await;
    let no_leg = |frame: &ServerFrame| match frame {
        ServerFrame::Error { error } => Some(*error),
        ServerFrame::LegLost { leg } => {
            assert_eq!(*leg, LegKind::Subscriber);
            Some(ErrorCode::BadMedia)
        }
        _ => None,
    };
    assert_eq!(student.socket.find(no_leg).await, ErrorCode::BadMedia, "nobody offered anything");
    goes_on(&mut teacher).await;
}

#[tokio::test]
async fn offers_without_end_are_too_fast_and_then_a_flood() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    for _ in 0..400 {
        student.socket.send(&ClientFrame::OpenSubscriber { cameras: 255, packed: false }).await;
        let (sdp, tracks) = (offer(&audio("0")), microphone("0"));
        student.socket.send(&ClientFrame::PublisherOffer { sdp, tracks }).await;
    }
    assert_eq!(student.socket.closed().await, Some(CloseCode::Flood.number()));
    goes_on(&mut teacher).await;
}

#[tokio::test]
async fn pings_of_the_transport_count_like_any_frame() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    for _ in 0..limits::FRAME_BURST {
        let _ = student.socket.0.send(Message::Ping(vec![7; 100].into())).await;
    }
    goes_on(&mut teacher).await;
    let before = server.running.open_connections();
    for _ in 0..5_000 {
        if student.socket.0.send(Message::Ping(vec![7; 100].into())).await.is_err() {
            break;
        }
    }
    let code = student.socket.closed().await;
    assert!(code.is_none() || code == Some(CloseCode::Flood.number()), "{code:?}");
    eventually(async || (server.running.open_connections() < before).then_some(())).await;
    goes_on(&mut teacher).await;
}

#[tokio::test]
async fn nobody_pings_instead_of_saying_hello() {
    let server = Server::demo().await;
    let mut stranger = server.socket().await;
    for _ in 0..40 {
        let _ = stranger.0.send(Message::Ping(Vec::new().into())).await;
    }
    assert_eq!(stranger.closed().await, Some(CloseCode::Malformed.number()));
}

#[tokio::test]
async fn what_only_a_teacher_may_is_refused_to_whoever_asks_for_it() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let said = teacher.command(Command::Say { text: "درس".into(), to: Recipients::Everyone }).await;
    let number = teacher.accepted(said).await;
    let (_, mut student) = server.enter("student1").await;
    let (me, you) = (student.welcome.user, teacher.welcome.user);
    let wishes = [
        (Command::GiveFloor { user: me }, ErrorCode::NotAllowed),
        (Command::GrantCamera { user: me, to: Recipients::Everyone }, ErrorCode::NotAllowed),
        (Command::Publish { source: Source::Camera, muted: false }, ErrorCode::NeedsFloor),
        (Command::Publish { source: Source::ScreenAudio, muted: true }, ErrorCode::NeedsFloor),
        (Command::SetMuted { source: Source::Microphone, muted: false }, ErrorCode::NeedsFloor),
        (Command::StopSource { user: you, source: Source::Microphone }, ErrorCode::NotAllowed),
        (Command::Mute { user: you }, ErrorCode::NotAllowed),
        (Command::TakeFloor { user: you }, ErrorCode::NotAllowed),
        (Command::Readmit { user: me }, ErrorCode::NotAllowed),
        (Command::SetLocked { locked: true }, ErrorCode::NotAllowed),
        (Command::DeleteLine { number }, ErrorCode::NotAllowed),
        (Command::DeleteLine { number: u64::MAX }, ErrorCode::NoSuchLine),
        (Command::DeleteLine { number: 1 << 63 }, ErrorCode::NoSuchLine),
        (Command::DeleteLine { number: 0 }, ErrorCode::NoSuchLine),
        (Command::Say { text: "a\0b".into(), to: Recipients::Everyone }, ErrorCode::Invalid),
        (Command::Report { note: "\0".into() }, ErrorCode::Invalid),
        (Command::End {}, ErrorCode::NotAllowed),
    ];
    for (wish, expected) in wishes {
        let id = student.command(wish.clone()).await;
        assert_eq!(student.refused(id).await, expected, "{wish:?}");
        tokio::time::sleep(Duration::from_millis(30)).await;
    }
    goes_on(&mut teacher).await;
}

#[tokio::test]
async fn who_comes_in_again_and_again_is_told_to_wait_and_the_class_is_spared() {
    let server = Server::demo().await;
    let student = server.sign_in("student1").await;
    let path = format!("/api/lessons/{}/ticket", student.first_lesson().await);
    let mut granted = 0;
    let refused = loop {
        let answer = student.post(&path, &json!({ "session": SessionId(Uuid::now_v7()) })).await;
        if answer.status() != 200 {
            break answer;
        }
        granted += 1;
        assert!(granted < 100, "without end");
    };
    assert_eq!(refused.status(), 429);
    assert!(refused.headers().contains_key("retry-after"));
    assert!(granted >= 20, "a bad network is no attack: {granted}");
    server.enter("student2").await;
}

#[tokio::test]
async fn guesses_by_the_hundred_from_one_address_let_everybody_else_sign_in() {
    let proxy = "127.0.0.1/32".parse().expect("a network");
    let server = Server::demo_with(|config| config.server.trusted_proxies = vec![proxy]).await;
    let sign_in = |address: &'static str, login: String, password: &'static str| {
        let request = server.http.post(server.url("/api/session")).header("x-forwarded-for", address);
        let request = request.header("origin", server.running.url());
        async move {
            let body = json!({ "login": login, "password": password });
            request.json(&body).send().await.map(|answer| answer.status().as_u16())
        }
    };
    let flood = (0..300).map(|n| sign_in("203.0.113.66", format!("nobody{n}"), "guess"));
    let mut flood: FuturesUnordered<_> = flood.collect();
    // The queue stands.
    assert_eq!(flood.next().await.and_then(Result::ok), Some(401));
    let mut done = 1;
    let mut own = std::pin::pin!(sign_in("203.0.113.1", "student1".into(), PASSWORD));
    let status = loop {
        tokio::select! {
            biased;
            status = &mut own => break status.expect("answered"),
            _ = flood.next(), if !flood.is_empty() => done += 1,
        }
    };
    assert_eq!(status, 200);
    assert!(done < 60, "behind {done} guesses of somebody else");
    let answers: Vec<_> = flood.collect().await;
    assert!(answers.iter().any(|status| matches!(status, Ok(429))), "the rest is not even checked");
}

#[tokio::test]
async fn one_pupil_who_guesses_at_school_keeps_no_browser_from_signing_in_that_did_so_before() {
    let server = Server::demo().await;
    let sign_in = async |login: &str, password: &str, cookies: &str| {
        let request = server.http.post(server.url("/api/session")).header("cookie", cookies);
        let request = request.header("origin", server.running.url());
        let body = json!({ "login": login, "password": password });
        request.json(&body).send().await.expect("answered")
    };
    let status = async |login: &str, password: &str, cookies: &str| {
        sign_in(login, password, cookies).await.status().as_u16()
    };
    let first = sign_in("student1", PASSWORD, "").await;
    let cookies = first.headers().get_all("set-cookie").iter();
    let pairs = cookies.map(|cookie| cookie.to_str().expect("ASCII").split(';').next().expect("a pair"));
    let known = pairs.collect::<Vec<_>>().join("; ");
    assert!(known.contains("qism-known="), "{known}");
    let other = known.replace("known=", "known=00");
    // From the address that all of them have.
    for _ in 0..6 {
        assert_eq!(status("student1", "guess", "").await, 401);
    }
    for _ in 0..2 {
        assert_eq!(status("student1", PASSWORD, "").await, 429, "a browser that nobody knows");
        assert_eq!(status("student1", PASSWORD, &other).await, 429, "with a mark that is none");
    }
    assert_eq!(status(" Student1", PASSWORD, &known).await, 200);
    // Nor does it help to guess there: six at once, then one by one.
    let mut guesses = Vec::new();
    for _ in 0..7 {
        guesses.push(status("student1", "guess", &known).await);
    }
    assert_eq!(guesses, [401, 401, 401, 401, 401, 401, 429]);
}

#[tokio::test]
async fn a_sign_in_name_that_no_store_takes_is_nobodys() {
    let server = Server::demo().await;
    for login in ["a\0b", "\u{202e}student1", &"x".repeat(10_000)] {
        let answer =
            server.stranger().post("/api/session", &json!({ "login": login, "password": PASSWORD })).await;
        assert_eq!(answer.status(), 401, "{}", login.len());
    }
}

#[tokio::test]
async fn no_path_leads_out_of_the_app() {
    let server = Server::demo().await;
    for path in [
        "/../Cargo.toml",
        "/assets/../../Cargo.toml",
        "/..%2f..%2fCargo.toml",
        "/%2e%2e/%2e%2e/Cargo.toml",
        "/assets/..%5c..%5cCargo.toml",
        "//etc/passwd",
        "/assets//../../../etc/passwd.x",
        "/./../x.toml",
    ] {
        let mut stream = TcpStream::connect(server.address()).await.expect("connected");
        let head = format!("GET {path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
        stream.write_all(head.as_bytes()).await.expect("sent");
        let mut answer = Vec::new();
        timeout(SOON, stream.read_to_end(&mut answer)).await.expect("in time").expect("read");
        let answer = String::from_utf8_lossy(&answer);
        assert!(!answer.contains("[package]") && !answer.contains("root:"), "{path}: {answer}");
        assert!(answer.contains("x-content-type-options: nosniff"), "{path}");
    }
}

/// What comes to the HTTP port and begins like media.
#[tokio::test]
async fn connections_that_begin_like_media_and_are_none_are_closed_and_count_until_then() {
    let server = Server::demo().await;
    let before = server.running.open_connections();
    let check = forged_check(&"0".repeat(24));
    let framed = [&(check.len() as u16).to_be_bytes()[..], &check].concat();
    // Too long a frame, half a check, a forged one, and forged ones behind each other.
    let long = [&[5, 0xff][..], &check[..20]].concat();
    let begins = [long, framed[..30].to_vec(), framed.clone(), framed.repeat(50)];
    let mut held = Vec::new();
    for begin in begins.iter().cycle().take(40) {
        let mut stream = TcpStream::connect(server.address()).await.expect("connected");
        stream.write_all(begin).await.expect("sent");
        held.push(stream);
    }
    eventually(async || (server.running.open_connections() == before).then_some(())).await;
    let mut teacher = server.enter("teacher1").await.1;
    goes_on(&mut teacher).await;
}

/// A socket that says hello with a ticket of somebody who is in the lesson already puts nobody out but that somebody.
#[tokio::test]
async fn a_stale_and_a_strange_ticket_open_nothing() {
    let server = Server::demo().await;
    let (teacher, mut line) = server.enter("teacher1").await;
    let lesson = line.lesson;
    let ticket = teacher.ticket(lesson, SessionId(Uuid::now_v7())).await;
    let (claims, seal) = ticket.split_once('.').expect("two parts");
    let longer = format!("{claims}{claims}.{seal}");
    let upper = ticket.to_uppercase();
    let role = claims.replace(&hex("teacher"), &hex("student"));
    assert_ne!(role, claims);
    for bad in [longer, format!("{role}.{seal}"), format!("{claims}."), format!(".{seal}"), "é".repeat(100)]
    {
        let mut socket = server.socket().await;
        socket.send(&ClientFrame::Hello { version: VERSION, ticket: bad, position: None }).await;
        assert_eq!(socket.closed().await, Some(CloseCode::Ticket.number()));
    }
    goes_on(&mut line).await;
    // Hexadecimal is the same in capitals: used once all the same.
    for (ticket, expected) in [(upper, None), (ticket, Some(CloseCode::Ticket.number()))] {
        let mut socket = server.socket().await;
        socket.send(&ClientFrame::Hello { version: VERSION, ticket, position: None }).await;
        match expected {
            Some(code) => assert_eq!(socket.closed().await, Some(code)),
            None => assert!(matches!(socket.frame().await, ServerFrame::Welcome(_))),
        }
    }
}

fn hex(text: &str) -> String {
    text.bytes().map(|byte| format!("{byte:02x}")).collect()
}
