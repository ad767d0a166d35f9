//! Too fast, too much, too slow: an answer to the sender alone, and nobody else notices.

use std::time::Duration;

use qism_signaling::protocol::{
    ClientFrame, CloseCode, Command, CommandId, ErrorCode, Event, Publication, Pull, ReceiveMode, Recipients,
    ServerFrame, Source, WantedVideo, limits,
};
use uuid::Uuid;

use crate::class::{Class, settle, stay, user, wait};

#[tokio::test(start_paused = true)]
async fn a_burst_is_answered_too_fast_and_a_flood_closed() {
    let class = Class::of(2);
    let (_teacher, mut students) = class.full().await;
    for nonce in 0..limits::FRAME_BURST + 1 {
        students[0].attached.receive(ClientFrame::Ping { nonce }).await;
    }
    let answers = students[0].now().await;
    assert!(answers.iter().any(|f| matches!(f, ServerFrame::Error { error: ErrorCode::TooFast })));
    for nonce in 0..300 {
        students[0].attached.receive(ClientFrame::Ping { nonce }).await;
    }
    assert_eq!(students[0].closed().await, CloseCode::Flood);
    students[1].say("nothing happened here").await.expect("said");
}

#[tokio::test(start_paused = true)]
async fn malformed_frames_are_answered_then_closed() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    students[0].attached.malformed().await;
    let answers = students[0].now().await;
    assert!(answers.iter().any(|f| matches!(f, ServerFrame::Error { error: ErrorCode::Malformed })));
    for _ in 0..10 {
        students[0].attached.malformed().await;
    }
    assert_eq!(students[0].closed().await, CloseCode::Malformed);
}

#[tokio::test(start_paused = true)]
async fn five_lines_a_second_pass_and_the_sixth_does_not() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    for i in 0..limits::CHAT_LINES_PER_SECOND {
        students[0].say(&format!("{i}")).await.expect("said");
    }
    let (id, more) = (CommandId(Uuid::now_v7()), say("one more"));
    assert_eq!(students[0].ask_as(id, more.clone()).await, Err(ErrorCode::TooFast));
    wait(1).await;
    assert_eq!(
        students[0].say("behind it").await,
        Err(ErrorCode::TooFast),
        "it would overtake the other one"
    );
    students[0].ask_as(id, more).await.expect("said");
    students[0].say("behind it").await.expect("said");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_its_writer_thought_better_of_holds_the_others_for_five_seconds() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    while students[0].say("many").await.is_ok() {}
    wait(4).await;
    assert_eq!(students[0].say("another").await, Err(ErrorCode::TooFast));
    wait(2).await;
    students[0].say("another").await.expect("said");
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

/// What an outbox does that has waited for a server to come back: all at once, then again what was refused.
#[tokio::test(start_paused = true)]
async fn many_lines_that_come_at_once_keep_their_order() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    let lines: Vec<CommandId> = (0..25).map(|_| CommandId(Uuid::now_v7())).collect();
    let mut waiting = lines.clone();
    for _ in 0..20 {
        for id in &waiting {
            let command = say("line");
            students[0].attached.receive(ClientFrame::Command { id: *id, command }).await;
            // Sooner or later the limit lets one through again.
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        for frame in students[0].now().await {
            if let ServerFrame::Accepted { id, .. } = frame {
                waiting.retain(|line| *line != id);
            }
        }
        tokio::time::sleep(Duration::from_millis(1_000)).await;
    }
    let log = class.journal.log(class.lesson);
    let said: Vec<CommandId> =
        log.iter().filter(|l| matches!(l.event, Event::Said { .. })).map(|l| l.command).collect();
    assert_eq!(said, lines);
}

#[tokio::test(start_paused = true)]
async fn texts_have_a_length_and_no_character_that_a_store_refuses() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let long = "ق".repeat(limits::CHAT_TEXT_CHARS);
    students[0].say(&long).await.expect("said");
    assert_eq!(students[0].say(&format!("{long}ق")).await, Err(ErrorCode::Invalid));
    assert_eq!(students[0].say("   ").await, Err(ErrorCode::Invalid));
    assert_eq!(students[0].say("a\0b").await, Err(ErrorCode::Invalid));
    for note in ["x".repeat(limits::NOTE_CHARS + 1), "a\0b".into()] {
        assert_eq!(students[0].ask(Command::Report { note }).await, Err(ErrorCode::Invalid));
    }
    let slow = Command::SetChat {
        mode: qism_signaling::protocol::ChatMode::Open,
        slow_mode_s: limits::SLOW_MODE_MAX_S + 1,
    };
    assert_eq!(teacher.ask(slow).await, Err(ErrorCode::Invalid));
}

#[tokio::test(start_paused = true)]
async fn a_reader_that_does_not_read_is_closed_and_the_class_goes_on() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let text = "ق".repeat(limits::CHAT_TEXT_CHARS);
    for _ in 0..200 {
        teacher.say(&text).await.expect("said");
        students[1].now().await;
        stay(&[&students[0], &students[1]], 1).await;
    }
    assert_eq!(students[0].closed().await, CloseCode::SlowReader);
    students[1].say("still here").await.expect("said");
}

#[tokio::test(start_paused = true)]
async fn a_full_queue_says_busy_and_the_safety_lane_still_moves() {
    let class = Class::of(30);
    let (mut teacher, mut students) = class.full().await;
    class.journal.set_delay_ms(30_000);
    for round in 0..40 {
        for student in &students {
            let say = Command::Say { text: format!("{round}"), to: Recipients::Everyone };
            let id = CommandId(Uuid::now_v7());
            student.attached.receive(ClientFrame::Command { id, command: say }).await;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let busy = students[0].now().await.into_iter().chain(students[29].now().await);
    let busy = busy.filter(|f| matches!(f, ServerFrame::Refused { error: ErrorCode::Busy, .. })).count();
    assert!(busy > 0, "the bounded queue refused somebody");
    class.journal.set_delay_ms(0);
    teacher.ask(Command::SetLocked { locked: true }).await.expect("locked");
}

#[tokio::test(start_paused = true)]
async fn who_says_nothing_for_half_a_minute_is_closed_as_idle() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    settle().await;
    assert_eq!(student.closed().await, CloseCode::Idle);
}

#[tokio::test(start_paused = true)]
async fn the_floor_has_ten_holders_at_most() {
    let class = Class::of(11);
    let (mut teacher, _students) = class.full().await;
    for user in &class.students[..limits::FLOOR_HOLDERS] {
        teacher.ask(Command::GiveFloor { user: *user }).await.expect("given");
    }
    let one_more = Command::GiveFloor { user: class.students[10] };
    assert_eq!(teacher.ask(one_more).await, Err(ErrorCode::Invalid));
}

#[tokio::test(start_paused = true)]
async fn who_missed_more_bytes_than_may_wait_starts_from_a_snapshot() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    students[1].now().await;
    let away = students.pop().expect("two");
    let (entry, position) = (away.entry, away.position);
    away.attached.disconnected().await;
    let text = "ق".repeat(limits::CHAT_TEXT_CHARS);
    for _ in 0..limits::RESUME_BYTES / text.len() {
        teacher.say(&text).await.expect("said");
        students[0].now().await;
        stay(&[&students[0]], 1).await;
    }
    let mut back = class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await.expect("in");
    assert!(back.welcome.as_ref().is_some_and(|welcome| welcome.snapshot.is_some()));
    assert!(!back.now().await.iter().any(|f| matches!(f, ServerFrame::Event(_))));
}

#[tokio::test(start_paused = true)]
async fn as_many_missed_events_as_the_limit_says_are_sent_one_by_one_and_with_more_it_is_a_snapshot() {
    let class = Class::of(3);
    let (teacher, mut students) = class.full().await;
    let mut away = Vec::new();
    for mut seat in students.split_off(1) {
        seat.now().await;
        away.push((seat.entry, seat.position));
        seat.attached.disconnected().await;
    }
    let student = &mut students[0];
    let before_return = away[0].1.number + limits::RESUME_EVENTS as u64 - 1;
    let mut next = Command::RaiseHand {};
    while (class.log().len() as u64) < before_return {
        student.ask(next.clone()).await.expect("done");
        next = match next {
            Command::RaiseHand {} => Command::LowerHand { user: student.entry.user },
            _ => Command::RaiseHand {},
        };
        teacher.attached.receive(ClientFrame::Ping { nonce: 0 }).await;
        tokio::time::sleep(Duration::from_millis(60)).await;
    }
    let mut missed = Vec::new();
    for (entry, position) in away {
        let back = class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await;
        let mut back = back.expect("admitted");
        let events = back.now().await.into_iter().filter(|f| matches!(f, ServerFrame::Event(_))).count();
        let from_snapshot = back.welcome.is_some_and(|welcome| welcome.snapshot.is_some());
        missed.push((events, from_snapshot));
    }
    assert_eq!(
        missed,
        [(limits::RESUME_EVENTS, false), (0, true)],
        "the second also missed the first's return"
    );
}

#[tokio::test(start_paused = true)]
async fn no_more_cameras_are_wanted_than_the_limit_says() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    teacher.ask(Command::Publish { source: Source::Camera, muted: false }).await.expect("published");
    let viewer = &mut students[0];
    viewer.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    let wanted = |others: usize| {
        let users = (0..others).map(|n| user(5_000 + n as u128)).chain([class.teacher]);
        let cameras = users.map(|user| WantedVideo { user, width: 640, height: 360 }).collect();
        ClientFrame::Receive { mode: ReceiveMode::Everything, cameras }
    };
    let is_face = |frame: &ServerFrame| {
        let face = Some(Publication { user: class.teacher, source: Source::Camera });
        matches!(frame, ServerFrame::SlotAssigned { publication, .. } if *publication == face)
    };
    viewer.attached.receive(wanted(limits::WANTED_VIDEOS)).await;
    assert!(!viewer.now().await.iter().any(is_face), "one too many");
    viewer.attached.receive(wanted(limits::WANTED_VIDEOS - 1)).await;
    assert!(viewer.now().await.iter().any(is_face), "the last of so many");
}

#[tokio::test(start_paused = true)]
async fn a_page_of_long_lines_ends_at_its_bytes_and_says_that_there_are_more() {
    let class = Class::of(0);
    let mut teacher = class.enter(class.teacher).await;
    let text = "ق".repeat(limits::CHAT_TEXT_CHARS);
    for _ in 0..limits::CHAT_PAGE_LINES {
        teacher.say(&text).await.expect("said");
        wait(1).await;
    }
    teacher.now().await;
    let pull = Pull::Chat { before: None };
    teacher.attached.receive(ClientFrame::Pull { request: 1, pull }).await;
    let told = teacher.now().await;
    let page = told.iter().find(|frame| matches!(frame, ServerFrame::ChatPage { .. })).expect("a page");
    let bytes = serde_json::to_vec(page).expect("it came as JSON").len();
    assert!(bytes <= limits::PAGE_BYTES, "{bytes}");
    assert!(bytes > limits::PAGE_BYTES - 3 * text.len(), "{bytes}: one more would have had a place");
    assert!(
        matches!(page, ServerFrame::ChatPage { more: true, lines, .. } if lines.len() < limits::CHAT_PAGE_LINES)
    );
}
