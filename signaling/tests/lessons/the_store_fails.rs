//! The store takes nothing for a while: lines keep their order, and what the server itself must write is not lost.

use std::time::Duration;

use qism_signaling::protocol::{
    ClientFrame, CloseCode, Command, CommandId, ErrorCode, Event, LeftReason, Recipients, ServerFrame,
};
use uuid::Uuid;

use crate::class::{Class, Seated, settle, wait};

async fn send(seat: &Seated, text: &str) -> CommandId {
    let id = CommandId(Uuid::now_v7());
    let command = Command::Say { text: text.into(), to: Recipients::Everyone };
    seat.attached.receive(ClientFrame::Command { id, command }).await;
    settle().await;
    id
}

#[tokio::test(start_paused = true)]
async fn a_line_behind_one_that_failed_does_not_overtake_it() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    class.journal.set_delay_ms(2_000);
    let first = send(&students[0], "first").await;
    class.journal.set_down(true);
    let second = send(&students[0], "second").await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    class.journal.set_down(false);
    wait(5).await;
    let frames = students[0].now().await;
    let refused = |wanted: CommandId| {
        let told = |frame: &ServerFrame| matches!(frame, ServerFrame::Refused { id, error: ErrorCode::Unavailable, .. } if *id == wanted);
        frames.iter().any(told)
    };
    assert!(refused(first) && refused(second), "{frames:?}");
    assert_eq!(teacher.lines().await, Vec::<String>::new());
}

/// The store is slow: the seventh line is too fast when its turn comes, and the eighth, whose turn comes later, would not be.
#[tokio::test(start_paused = true)]
async fn a_line_behind_one_that_was_too_fast_does_not_overtake_it_when_its_connection_ends() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    class.journal.set_delay_ms(2_000);
    let student = students.remove(0);
    let mut ids = Vec::new();
    for line in 0..7 {
        ids.push(send(&student, &line.to_string()).await);
    }
    tokio::time::sleep(Duration::from_millis(2_500)).await;
    ids.push(send(&student, "7").await);
    student.attached.disconnected().await;
    wait(5).await;
    assert_eq!(teacher.lines().await, ["0", "1", "2", "3", "4", "5"]);
    class.journal.set_delay_ms(0);
    let back = class.try_enter(student.entry.user, 99, Some(student.position)).await;
    let mut back = back.expect("back");
    for (line, id) in ids.into_iter().enumerate().skip(6) {
        let say = Command::Say { text: line.to_string(), to: Recipients::Everyone };
        back.ask_as(id, say).await.expect("said");
    }
    assert_eq!(teacher.lines().await, ["6", "7"]);
}

#[tokio::test(start_paused = true)]
async fn a_cut_that_could_not_be_written_is_written_later() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    class.journal.set_down(true);
    students.remove(0).attached.disconnected().await;
    wait(10).await;
    class.journal.set_down(false);
    wait(2).await;
    assert!(matches!(class.log().last(), Some(Event::Left { reason: LeftReason::Cut, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_withdrawal_that_cannot_be_written_puts_out_all_the_same_and_is_written_once() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    class.journal.set_down(true);
    for _ in 0..2 {
        class.hub.withdraw(class.students[0], None).await;
    }
    settle().await;
    assert_eq!(students[0].closed().await, CloseCode::Withdrawn);
    assert!(class.media.take().iter().any(|order| order.starts_with("Close")), "the legs end");
    wait(10).await;
    class.journal.set_down(false);
    wait(2).await;
    let removed = class.log().iter().filter(|event| matches!(event, Event::Removed { .. })).count();
    assert_eq!(removed, 1);
}

#[tokio::test(start_paused = true)]
async fn a_visitor_whom_the_store_does_not_tell_of_keeps_nobody_waiting() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    class.admissions.set_hanging(true);
    let visit = class.enter(class.director);
    tokio::pin!(visit);
    assert!(tokio::time::timeout(Duration::from_secs(4), visit.as_mut()).await.is_err(), "still at the door");
    teacher.say("the lesson goes on").await.expect("said");
    assert_eq!(students[0].lines().await, ["the lesson goes on"]);
    class.admissions.set_hanging(false);
    assert_eq!(visit.await.snapshot().participants.len(), 3);
}

#[tokio::test(start_paused = true)]
async fn a_visitor_whose_right_is_withdrawn_at_the_door_does_not_come_in() {
    let class = Class::of(1);
    let (_teacher, _students) = class.full().await;
    class.admissions.set_hanging(true);
    let visit = class.try_enter(class.director, 7, None);
    tokio::pin!(visit);
    let _ = tokio::time::timeout(Duration::from_secs(1), visit.as_mut()).await;
    class.hub.withdraw(class.director, None).await;
    settle().await;
    class.admissions.set_hanging(false);
    assert_eq!(visit.await.err(), Some(CloseCode::Withdrawn));
    wait(1).await;
    let came = |event: &Event| matches!(event, Event::Attached { user, .. } if *user == class.director);
    assert!(!class.log().iter().any(came));
}
