//! What a socket may not do: come from a foreign page, be silent, reuse a ticket, shout, babble, stall.

use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    ClientFrame, CloseCode, Command, ErrorCode, Recipients, ServerFrame, SessionId, VERSION, limits,
};
use tokio_tungstenite::tungstenite::{Error, Message};
use uuid::Uuid;

use crate::server::{Server, Socket};

fn session() -> SessionId {
    SessionId(Uuid::now_v7())
}

async fn closed_with(socket: &mut Socket, code: CloseCode) {
    assert_eq!(socket.closed().await, Some(code.number()));
}

#[tokio::test]
async fn a_foreign_page_gets_no_socket() {
    let server = Server::demo().await;
    for origin in ["https://evil.example", "null", "http://127.0.0.1:1"] {
        match server.socket_from(origin).await {
            Err(Error::Http(answer)) => assert_eq!(answer.status(), 403, "{origin}"),
            other => panic!("{origin}: {:?}", other.map(|_| "upgraded")),
        }
    }
}

#[tokio::test]
async fn the_first_frame_must_be_a_hello_of_our_version() {
    let server = Server::demo().await;
    for nonsense in ["", "hello", "{}", r#"{"type":"ping","nonce":1}"#, r#"{"type":"hello"}"#] {
        let mut socket = server.socket().await;
        socket.text(nonsense).await;
        closed_with(&mut socket, CloseCode::Malformed).await;
    }
    let mut socket = server.socket().await;
    socket.send(&ClientFrame::Hello { version: VERSION + 1, ticket: String::new(), position: None }).await;
    closed_with(&mut socket, CloseCode::Version).await;
}

#[tokio::test]
async fn a_silent_socket_is_closed_after_ten_seconds() {
    let server = Server::demo().await;
    let start = std::time::Instant::now();
    let mut socket = server.socket().await;
    closed_with(&mut socket, CloseCode::Malformed).await;
    assert!(start.elapsed() >= limits::HELLO - Duration::from_millis(100));
}

#[tokio::test]
async fn a_ticket_is_ours_and_for_one_use() {
    let server = Server::demo().await;
    let teacher = server.sign_in("teacher1").await;
    let lesson = teacher.first_lesson().await;
    let ticket = teacher.ticket(lesson, session()).await;
    let hello = |ticket: &str| ClientFrame::Hello { version: VERSION, ticket: ticket.into(), position: None };
    let mut first = server.socket().await;
    first.send(&hello(&ticket)).await;
    assert!(matches!(first.frame().await, ServerFrame::Welcome(_)));
    for bad in [ticket.as_str(), "", "00.00", &ticket.replace('a', "b")] {
        let mut again = server.socket().await;
        again.send(&hello(bad)).await;
        closed_with(&mut again, CloseCode::Ticket).await;
    }
    first.send(&ClientFrame::Ping { nonce: 7 }).await;
    first.find(|frame| matches!(frame, ServerFrame::Pong { nonce: 7, .. }).then_some(())).await;
}

#[tokio::test]
async fn an_oversized_message_closes_its_sender_and_nobody_else() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    for bytes in [limits::CLIENT_MESSAGE_BYTES + 1, 60 * 1024] {
        let (_, mut student) = server.enter("student1").await;
        student.socket.text(&"x".repeat(bytes)).await;
        closed_with(&mut student.socket, CloseCode::Malformed).await;
    }
    let (_, mut student) = server.enter("student2").await;
    student.socket.text(&"x".repeat(5 * 1024 * 1024)).await;
    let code = student.socket.closed().await;
    assert!(code.is_none() || code == Some(CloseCode::Malformed.number()), "{code:?}");
    teacher.socket.send(&ClientFrame::Ping { nonce: 1 }).await;
    teacher.socket.find(|frame| matches!(frame, ServerFrame::Pong { .. }).then_some(())).await;
}

#[tokio::test]
async fn a_binary_message_closes_its_sender() {
    let server = Server::demo().await;
    let (_, mut student) = server.enter("student1").await;
    student.socket.0.send(Message::binary(vec![0, 1, 2])).await.expect("sent");
    closed_with(&mut student.socket, CloseCode::Malformed).await;
}

#[tokio::test]
async fn malformed_frames_are_answered_and_then_closed() {
    let server = Server::demo().await;
    let (_, mut student) = server.enter("student1").await;
    student.socket.text(r#"{"type":"command","id":1}"#).await;
    let malformed = |frame: &ServerFrame| {
        matches!(frame, ServerFrame::Error { error: ErrorCode::Malformed }).then_some(())
    };
    student.socket.find(malformed).await;
    for _ in 0..20 {
        student.socket.text("nonsense").await;
    }
    closed_with(&mut student.socket, CloseCode::Malformed).await;
}

#[tokio::test]
async fn frames_too_fast_are_refused_and_a_flood_is_closed() {
    let server = Server::demo().await;
    let (_, mut student) = server.enter("student1").await;
    let ping = |nonce| ClientFrame::Ping { nonce };
    for nonce in 0..(limits::FRAME_BURST + 20) {
        student.socket.send(&ping(nonce)).await;
    }
    let too_fast =
        |frame: &ServerFrame| matches!(frame, ServerFrame::Error { error: ErrorCode::TooFast }).then_some(());
    student.socket.find(too_fast).await;
    for nonce in 0..2_000 {
        student.socket.send(&ping(nonce)).await;
    }
    closed_with(&mut student.socket, CloseCode::Flood).await;
}

#[tokio::test]
async fn a_reader_that_takes_nothing_is_cut_and_the_class_goes_on() {
    let server = Server::demo_with(|config| config.limits.write_stall_s = 1).await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let mut talkers = Vec::new();
    for n in 2..10 {
        talkers.push(server.enter(&format!("student{n}")).await.1);
    }
    // Never read again; what the others say fills the pipe, then the outbox.
    let stalled = server.enter_slowly("student1").await;
    let before = server.running.open_connections();
    let filling = async {
        while server.running.open_connections() >= before {
            for talker in &mut talkers {
                let text = "ا".repeat(limits::CHAT_TEXT_CHARS);
                let id = talker.command(Command::Say { text, to: Recipients::Everyone }).await;
                talker.accepted(id).await;
            }
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), filling).await.expect("the stalled reader is cut");
    drop(stalled);
    let id = teacher.command(Command::Say { text: "ok".into(), to: Recipients::Everyone }).await;
    teacher.accepted(id).await;
}

#[tokio::test]
async fn at_shutdown_everybody_is_told_to_come_back() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (_, mut student) = server.enter("student1").await;
    let stopping = tokio::spawn(server.running.stop());
    closed_with(&mut teacher.socket, CloseCode::Draining).await;
    closed_with(&mut student.socket, CloseCode::Draining).await;
    assert!(teacher.socket.0.next().await.is_none_or(|message| message.is_err()));
    tokio::time::timeout(crate::server::SOON, stopping).await.expect("ends").expect("well");
}
