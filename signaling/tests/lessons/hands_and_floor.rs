//! Hands, the floor, camera grants.

use qism_signaling::protocol::{Command, CommandId, ErrorCode, Event, Recipients, RemovalReason, Source};
use uuid::Uuid;

use crate::class::{Class, settle, wait};

#[tokio::test(start_paused = true)]
async fn hands_queue_first_come_first_and_the_floor_lowers_them() {
    let class = Class::of(3);
    let (mut teacher, mut students) = class.full().await;
    for index in [2, 0, 1] {
        students[index].ask(Command::RaiseHand {}).await.expect("raised");
    }
    students[2].ask(Command::RaiseHand {}).await.expect("again changes nothing");
    let user = class.students[0];
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    let visitor = class.enter(class.director).await;
    assert_eq!(visitor.snapshot().hands, [class.students[2], class.students[1]]);
}

#[tokio::test(start_paused = true)]
async fn without_the_floor_nothing_is_published() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let (student, user) = (&mut students[0], class.students[0]);
    let publish = |source| Command::Publish { source, muted: false };
    assert_eq!(student.ask(publish(Source::Microphone)).await, Err(ErrorCode::NeedsFloor));
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    student.ask(publish(Source::Microphone)).await.expect("published");
    assert_eq!(student.ask(publish(Source::Camera)).await, Err(ErrorCode::NeedsCameraGrant));
    teacher.ask(Command::GrantCamera { user, to: Recipients::Teachers }).await.expect("granted");
    student.ask(publish(Source::Camera)).await.expect("published");
    teacher.ask(Command::TakeFloor { user }).await.expect("taken");
    assert_eq!(student.ask(publish(Source::Microphone)).await, Err(ErrorCode::NeedsFloor));
}

#[tokio::test(start_paused = true)]
async fn the_gate_opens_with_the_event_and_shuts_before_it() {
    let class = Class::of(1);
    let (teacher, _students) = class.with_speaker().await;
    let user = class.students[0];
    settle().await;
    assert!(class.media.take().iter().any(|o| o.contains("Permit") && o.contains("[Microphone]")));
    class.journal.set_delay_ms(5_000);
    let id = CommandId(Uuid::now_v7());
    let mute = qism_signaling::protocol::ClientFrame::Command { id, command: Command::Mute { user } };
    teacher.attached.receive(mute).await;
    settle().await;
    assert!(
        class.media.take().iter().any(|o| o.contains("Permit") && o.contains("sources: []")),
        "before the commit"
    );
    assert!(!class.log().iter().any(|event| matches!(event, Event::MutedSet { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_mute_that_cannot_be_written_holds_while_its_sender_tries() {
    let class = Class::of(1);
    let (mut teacher, _students) = class.with_speaker().await;
    let user = class.students[0];
    class.media.take();
    class.journal.set_down(true);
    let id = CommandId(Uuid::now_v7());
    for _ in 0..15 {
        assert_eq!(teacher.ask_as(id, Command::Mute { user }).await, Err(ErrorCode::Unavailable));
        wait(1).await;
    }
    let orders = class.media.take();
    assert!(orders.first().is_some_and(|order| order.contains("sources: []")), "{orders:?}");
    assert!(
        !orders.iter().any(|order| order.contains("[Microphone]")),
        "the voice never came back: {orders:?}"
    );
    // Whoever gives up leaves it as the log has it.
    wait(7).await;
    assert!(class.media.take().iter().any(|order| order.contains("[Microphone]")));
    class.journal.set_down(false);
    assert!(teacher.ask_as(id, Command::Mute { user }).await.is_ok());
    assert!(class.log().iter().any(|event| matches!(event, Event::MutedSet { muted: true, .. })));
}

#[tokio::test(start_paused = true)]
async fn a_student_may_not_do_what_is_the_teachers() {
    let class = Class::of(2);
    let (_teacher, mut students) = class.full().await;
    let user = class.students[1];
    for command in [
        Command::GiveFloor { user: class.students[0] },
        Command::Mute { user },
        Command::MuteAll {},
        Command::SetLocked { locked: true },
        Command::End {},
        Command::LowerHand { user },
        Command::StopSource { user, source: Source::Screen },
    ] {
        assert_eq!(students[0].ask(command.clone()).await, Err(ErrorCode::NotAllowed), "{command:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn mute_all_shuts_every_students_gate_while_nothing_can_be_written_and_no_teachers() {
    let class = Class::of(3);
    let (mut teacher, mut students) = class.full().await;
    let publish = Command::Publish { source: Source::Microphone, muted: false };
    teacher.ask(publish.clone()).await.expect("a teacher may");
    for index in [0, 1] {
        teacher.ask(Command::GiveFloor { user: class.students[index] }).await.expect("given");
        students[index].ask(publish.clone()).await.expect("published");
    }
    class.media.take();
    class.journal.set_down(true);
    let id = CommandId(Uuid::now_v7());
    for _ in 0..15 {
        assert_eq!(teacher.ask_as(id, Command::MuteAll {}).await, Err(ErrorCode::Unavailable));
        wait(1).await;
    }
    let orders = class.media.take();
    let shut =
        orders.iter().filter(|order| order.contains("Permit") && order.contains("sources: []")).count();
    assert_eq!(shut, 2, "{orders:?}");
    assert!(!orders.iter().any(|order| order.contains("[Microphone]")), "none opens meanwhile: {orders:?}");
    class.journal.set_down(false);
    teacher.ask_as(id, Command::MuteAll {}).await.expect("written");
    wait(10).await;
    let orders = class.media.take();
    assert!(!orders.iter().any(|order| order.contains("[Microphone]")), "the log confirms it: {orders:?}");
}

#[tokio::test(start_paused = true)]
async fn who_is_removed_while_nothing_can_be_written_is_not_heard_any_more() {
    let class = Class::of(1);
    let (mut teacher, _students) = class.with_speaker().await;
    let user = class.students[0];
    class.media.take();
    class.journal.set_down(true);
    let reason = RemovalReason::Disturbing;
    let remove = Command::Remove { user, reason, note: String::new(), keep_out: true };
    assert_eq!(teacher.ask(remove).await, Err(ErrorCode::Unavailable));
    let orders = class.media.take();
    assert!(orders.first().is_some_and(|order| order.contains("sources: []")), "{orders:?}");
}
