//! Coming in: waiting, opening, locking, replacing, resuming.

use qism_signaling::protocol::{CloseCode, Command, Event, LeftReason, Phase, RemovalReason, ServerFrame};

use crate::class::{Class, wait};

#[tokio::test(start_paused = true)]
async fn students_wait_until_the_teacher_opens_the_lesson() {
    let class = Class::of(2);
    let mut early = class.enter(class.students[0]).await;
    assert_eq!(early.snapshot().phase, Phase::Waiting);
    let teacher = class.enter(class.teacher).await;
    assert_eq!(teacher.snapshot().phase, Phase::Open);
    early.until(|event| matches!(event, Event::Opened { .. })).await;
    let late = class.enter(class.students[1]).await;
    assert_eq!(late.snapshot().phase, Phase::Open);
    assert_eq!(late.snapshot().participants.len(), 3);
    assert_eq!(late.snapshot().students_present, 2);
}

#[tokio::test(start_paused = true)]
async fn a_ticket_works_once() {
    let class = Class::of(1);
    let student = class.enter(class.students[0]).await;
    let again = class.knock(student.entry, None).await;
    assert_eq!(again.err(), Some(CloseCode::Ticket));
}

#[tokio::test(start_paused = true)]
async fn a_lesson_that_does_not_exist_admits_nobody() {
    let class = Class::of(1);
    let mut entry = class.enter(class.students[0]).await.entry;
    entry.lesson = qism_signaling::protocol::LessonId(uuid::Uuid::from_u128(404));
    assert_eq!(class.knock(entry, None).await.err(), Some(CloseCode::NotAdmitted));
}

#[tokio::test(start_paused = true)]
async fn another_device_replaces_this_one() {
    let class = Class::of(1);
    let mut teacher = class.enter(class.teacher).await;
    let mut phone = class.enter(class.students[0]).await;
    let laptop = class.try_enter(class.students[0], 77, None).await.expect("admitted");
    assert_eq!(phone.closed().await, CloseCode::Replaced);
    let left = teacher.until(|event| matches!(event, Event::Left { .. })).await;
    assert!(matches!(left.event, Event::Left { reason: LeftReason::Replaced, .. }));
    assert!(laptop.snapshot().participants.iter().any(|p| p.user == class.students[0] && p.present));
}

#[tokio::test(start_paused = true)]
async fn a_cut_and_back_within_the_grace_is_no_leave_and_misses_nothing() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let mut cut = students.remove(0);
    cut.now().await;
    let (entry, position) = (cut.entry, cut.position);
    cut.attached.disconnected().await;
    teacher.say("first").await.expect("said");
    teacher.say("second").await.expect("said");
    wait(2).await;
    let mut back =
        class.try_enter(entry.user, entry.session.0.as_u128(), Some(position)).await.expect("admitted");
    assert!(back.welcome.as_ref().is_some_and(|welcome| welcome.snapshot.is_none()), "resumed, not reset");
    assert_eq!(back.lines().await, ["first", "second"]);
    wait(10).await;
    assert!(!class.log().iter().any(|event| matches!(event, Event::Left { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_line_cut_for_longer_is_written_and_the_place_in_the_queue_kept() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    let mut student = students.remove(0);
    student.ask(Command::RaiseHand {}).await.expect("raised");
    let entry = student.entry;
    student.attached.disconnected().await;
    wait(6).await;
    assert!(matches!(class.log().last(), Some(Event::Left { reason: LeftReason::Cut, .. })));
    let back = class.try_enter(entry.user, entry.session.0.as_u128(), None).await.expect("admitted");
    assert_eq!(back.snapshot().hands, [entry.user]);
}

#[tokio::test(start_paused = true)]
async fn a_locked_lesson_takes_back_only_who_was_here() {
    let class = Class::of(2);
    let mut teacher = class.enter(class.teacher).await;
    let here = class.enter(class.students[0]).await;
    teacher.ask(Command::SetLocked { locked: true }).await.expect("locked");
    assert_eq!(class.try_enter(class.students[1], 5, None).await.err(), Some(CloseCode::Locked));
    here.attached.disconnected().await;
    wait(10).await;
    assert!(class.try_enter(class.students[0], 6, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn removed_and_kept_out_until_readmitted_and_the_director_reads_why() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    let user = class.students[0];
    let remove =
        Command::Remove { user, reason: RemovalReason::Insulting, note: "words".into(), keep_out: true };
    teacher.ask(remove).await.expect("removed");
    assert_eq!(students[0].closed().await, CloseCode::KeptOut);
    assert_eq!(class.try_enter(user, 5, None).await.err(), Some(CloseCode::KeptOut));
    wait(1).await;
    let notices = class.admissions.notices();
    assert!(matches!(&notices[0].1.event, Event::Removed { note: Some(note), .. } if note == "words"));
    assert!(!notices[0].2.is_empty(), "the last events go with it");
    teacher.ask(Command::Readmit { user }).await.expect("readmitted");
    assert!(class.try_enter(user, 6, None).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_visit_is_announced_by_name_and_publishes_nothing() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    let mut director = class.enter(class.director).await;
    let frames = students[0].now().await;
    let named = frames.iter().position(|frame| matches!(frame, ServerFrame::People { .. }));
    let announced = frames.iter().position(
        |frame| matches!(frame, ServerFrame::Event(logged) if matches!(logged.event, Event::Attached { visit: true, .. })),
    );
    assert!(named.is_some() && named < announced, "the name comes before the event");
    let publish = Command::Publish { source: qism_signaling::protocol::Source::Microphone, muted: false };
    assert_eq!(director.ask(publish).await, Err(qism_signaling::protocol::ErrorCode::NotAllowed));
}

#[tokio::test(start_paused = true)]
async fn after_the_end_nobody_comes_in() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    teacher.attached.receive(end()).await;
    assert_eq!(teacher.closed().await, CloseCode::Ended);
    assert_eq!(students[0].closed().await, CloseCode::Ended);
    assert_eq!(class.try_enter(class.students[0], 9, None).await.err(), Some(CloseCode::Ended));
}

fn end() -> qism_signaling::protocol::ClientFrame {
    let id = qism_signaling::protocol::CommandId(uuid::Uuid::now_v7());
    qism_signaling::protocol::ClientFrame::Command { id, command: Command::End {} }
}

#[tokio::test(start_paused = true)]
async fn after_a_restart_the_room_is_as_the_log_says_and_the_absent_are_cut_off() {
    let journal = std::sync::Arc::new(qism_signaling::hub::memory::MemoryJournal::default());
    let before = Class::with(2, journal.clone());
    let (mut teacher, _students) = before.full().await;
    teacher.ask(Command::GiveFloor { user: before.students[0] }).await.expect("given");
    before.hub.shutdown().await;
    let after = Class::with(2, journal);
    let teacher = after.try_enter(after.teacher, after.teacher.0.as_u128(), None).await.expect("admitted");
    assert!(teacher.snapshot().participants.iter().any(|p| p.user == after.students[0] && p.floor));
    wait(7).await;
    let cut = after.log().iter().filter(|e| matches!(e, Event::Left { reason: LeftReason::Cut, .. })).count();
    assert_eq!(cut, 2, "both students, not the teacher");
}
