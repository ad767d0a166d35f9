//! Whole lessons with voice and pictures: peers of `qism probe` against a real server, over real sockets only.

use std::time::{Duration, Instant};

use qism::{
    probe::{Door, Entrance, Peer, Reception, SignedIn, Trust},
    school::demo::PASSWORD,
};
use qism_signaling::protocol::{
    Command, Event, Publication, ReceiveMode, RemovalReason, ServerFrame, Slot, Source, UserId, WantedVideo,
};

use crate::{
    peer::stops,
    server::{SOON, Server},
};

async fn sign_in(url: &str, login: &str) -> SignedIn {
    let address = url.parse().expect("the server's address");
    let door = Door::new(address, &Trust::System).expect("no TLS needed").only();
    door.sign_in(login, PASSWORD).await.expect("signed in")
}

/// Enters the lesson that is on, at a server with this address.
pub async fn enter_at(url: &str, login: &str) -> Peer {
    let person = sign_in(url, login).await;
    let lesson = person.current_lesson().await.expect("a lesson is on");
    Peer::enter(&person, Entrance::first(lesson)).await.expect("admitted")
}

/// A student who listens, and wants the camera of `teacher`.
pub async fn listener_at(url: &str, login: &str, teacher: UserId) -> (Peer, Reception) {
    let mut peer = enter_at(url, login).await;
    let reception = peer.listen(2).await.expect("an offer");
    let cameras = vec![WantedVideo { user: teacher, width: 640, height: 360 }];
    peer.receive(ReceiveMode::Everything, cameras).await.expect("sent");
    (peer, reception)
}

async fn enter(server: &Server, login: &str) -> Peer {
    enter_at(&server.url(""), login).await
}

async fn listener(server: &Server, login: &str, teacher: UserId) -> (Peer, Reception) {
    listener_at(&server.url(""), login, teacher).await
}

/// Waits until `condition` holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    let end = Instant::now() + SOON;
    while !condition() {
        assert!(Instant::now() < end, "never: {what}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

/// The slot of `peer` that carries this track now.
fn slot_of(peer: &Peer, user: UserId, source: Source) -> Option<Slot> {
    let wanted = Publication { user, source };
    let mut slots = [None; 256];
    for (_, slot, publication) in peer.assignments() {
        slots[usize::from(slot.0)] = publication;
    }
    let found = slots.iter().position(|publication| *publication == Some(wanted))?;
    Some(Slot(found as u8))
}

/// Waits until packets of that track arrive; the slot.
pub async fn hears(peer: &Peer, reception: &Reception, user: UserId, source: Source) -> Slot {
    let mut found = None;
    until("the track arrives", || {
        found = slot_of(peer, user, source).filter(|slot| reception.slot(*slot).packets > 5);
        found.is_some()
    })
    .await;
    found.expect("just found")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn three_students_hear_and_see_their_teacher() {
    let server = Server::demo().await;
    let mut teacher = enter(&server, "teacher1").await;
    let me = teacher.welcome.user;
    let early = listener(&server, "student1", me).await;
    for source in [Source::Microphone, Source::Camera, Source::Screen] {
        teacher.publish(source).await.expect("a teacher may");
    }
    let late = [listener(&server, "student2", me).await, listener(&server, "student3", me).await];
    for (student, reception) in std::iter::once(&early).chain(&late) {
        assert_eq!(hears(student, reception, me, Source::Microphone).await, Slot::TEACHER_AUDIO);
        for source in [Source::Camera, Source::Screen] {
            let slot = hears(student, reception, me, source).await;
            until("a key frame arrives", || reception.slot(slot).size == Some((320, 180))).await;
        }
        assert!(reception.slot(Slot::TEACHER_AUDIO).with_sound > 5);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_student_is_heard_with_the_floor_and_only_then() {
    let server = Server::demo().await;
    let mut teacher = enter(&server, "teacher1").await;
    let at_teacher = teacher.listen(2).await.expect("an offer");
    let mut student = enter(&server, "student1").await;
    let user = student.welcome.user;
    let other = listener(&server, "student2", teacher.welcome.user).await;
    // Without the floor: refused, and what is sent anyway goes nowhere.
    student.prepare_to_publish().await.expect("the leg may be ready before the floor");
    assert!(student.publish(Source::Microphone).await.is_err());
    student.feed(Source::Microphone).expect("the leg is open");
    until("packets are on their way", || student.sent(Source::Microphone) > 50).await;
    assert!(at_teacher.all().is_empty() && other.1.all().is_empty(), "nothing leaves the SFU");
    // Hand, floor, voice.
    student.raise_hand().await.expect("open");
    teacher.event("the hand", |event| *event == Event::HandRaised { user }).await.expect("seen");
    teacher.command(Command::GiveFloor { user }).await.expect("a teacher may");
    student.event("the floor", |event| matches!(event, Event::FloorGiven { .. })).await.expect("told");
    student.publish(Source::Microphone).await.expect("has the floor");
    let slot = hears(&other.0, &other.1, user, Source::Microphone).await;
    let slot_at_teacher = hears(&teacher, &at_teacher, user, Source::Microphone).await;
    // Taken: the student's page goes on sending, and within a second nobody hears it.
    teacher.command(Command::TakeFloor { user }).await.expect("a teacher may");
    let arrived = || other.1.slot(slot).packets + at_teacher.slot(slot_at_teacher).packets;
    stops("the voice, though it is still sent", arrived, || student.sent(Source::Microphone)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_is_put_out_is_told_so_and_hears_no_more() {
    let server = Server::demo().await;
    let mut teacher = enter(&server, "teacher1").await;
    let me = teacher.welcome.user;
    teacher.publish(Source::Microphone).await.expect("a teacher may");
    let (student, reception) = listener(&server, "student1", me).await;
    let slot = hears(&student, &reception, me, Source::Microphone).await;
    let removal = Command::Remove {
        user: student.welcome.user,
        reason: RemovalReason::Disturbing,
        note: String::new(),
        keep_out: false,
    };
    teacher.command(removal).await.expect("a teacher may");
    assert_eq!(student.closed().await.expect("closed"), 4404);
    let sent = || teacher.sent(Source::Microphone);
    stops("the media too", || reception.slot(slot).packets as u64, sent).await;
}

/// (event number, text) of the chat lines, in the order they came.
fn lines(peer: &Peer) -> Vec<(u64, String)> {
    peer.heard(|frame| match frame {
        ServerFrame::Event(logged) => match &logged.event {
            Event::Said { text, .. } => Some((logged.number, text.clone().unwrap_or_default())),
            _ => None,
        },
        _ => None,
    })
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_cut_line_misses_no_chat_line_and_repeats_none() {
    let server = Server::demo().await;
    let teacher = enter(&server, "teacher1").await;
    let mut student = enter(&server, "student1").await;
    let mut seen = Vec::new();
    for round in 0..3 {
        teacher.say(&format!("here {round}")).await.expect("said");
        until("the line comes", || lines(&student).iter().any(|(_, text)| *text == format!("here {round}")))
            .await;
        // What is said while the line is cut, and while it comes back.
        seen.extend(lines(&student));
        let away = student.cut();
        teacher.say(&format!("away {round}")).await.expect("said");
        let coming = format!("coming {round}");
        let (back, said) = tokio::join!(away.come_back(), teacher.say(&coming));
        said.expect("said");
        student = back.expect("back");
        // Five lines a second are the limit of the chat.
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert!(student.welcome.snapshot.is_none(), "the missing events follow");
    }
    teacher.say("end").await.expect("said");
    until("the end comes", || lines(&student).iter().any(|(_, text)| text == "end")).await;
    seen.extend(lines(&student));
    let mut expected: Vec<String> =
        (0..3).flat_map(|n| ["here", "away", "coming"].map(|when| format!("{when} {n}"))).collect();
    expected.push("end".into());
    assert_eq!(seen.iter().map(|(_, text)| text.clone()).collect::<Vec<_>>(), expected);
    assert!(seen.windows(2).all(|pair| pair[0].0 < pair[1].0), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_second_device_replaces_the_first_and_has_the_voice() {
    let server = Server::demo().await;
    let mut teacher = enter(&server, "teacher1").await;
    let me = teacher.welcome.user;
    teacher.publish(Source::Microphone).await.expect("a teacher may");
    let (first, at_first) = listener(&server, "student1", me).await;
    hears(&first, &at_first, me, Source::Microphone).await;
    let (second, at_second) = listener(&server, "student1", me).await;
    assert_eq!(first.closed().await.expect("closed"), 4409);
    hears(&second, &at_second, me, Source::Microphone).await;
}
