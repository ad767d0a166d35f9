//! Muting, stopping, reporting, withdrawing, draining.

use qism_signaling::protocol::{CloseCode, Command, Event, RemovalReason, ServerFrame, Source};

use crate::class::{Class, wait};

#[tokio::test(start_paused = true)]
async fn mute_all_silences_students_and_not_the_teacher() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let publish = Command::Publish { source: Source::Microphone, muted: false };
    teacher.ask(publish.clone()).await.expect("published");
    for (student, user) in students.iter_mut().zip(&class.students) {
        teacher.ask(Command::GiveFloor { user: *user }).await.expect("given");
        student.ask(publish.clone()).await.expect("published");
    }
    class.media.take();
    teacher.ask(Command::MuteAll {}).await.expect("muted");
    let shut =
        class.media.take().iter().filter(|o| o.contains("Permit") && o.contains("sources: []")).count();
    assert_eq!(shut, 2);
    students[0]
        .ask(Command::SetMuted { source: Source::Microphone, muted: false })
        .await
        .expect("with the floor");
    assert!(class.media.take().iter().any(|o| o.contains("[Microphone]")));
}

#[tokio::test(start_paused = true)]
async fn a_report_reaches_the_director_and_the_class_does_not_see_it() {
    let class = Class::of(2);
    let (_teacher, mut students) = class.full().await;
    students[0].ask(Command::Report { note: "please look".into() }).await.expect("reported");
    let seen = students[1].now().await;
    assert!(
        !seen.iter().any(|f| matches!(f, ServerFrame::Event(l) if matches!(l.event, Event::Reported { .. })))
    );
    wait(1).await;
    let notices = class.admissions.notices();
    assert!(matches!(&notices[0].1.event, Event::Reported { note: Some(note), .. } if note == "please look"));
}

#[tokio::test(start_paused = true)]
async fn a_removals_note_is_for_staff_only() {
    let class = Class::of(2);
    let (mut teacher, mut students) = class.full().await;
    let remove = Command::Remove {
        user: class.students[0],
        reason: RemovalReason::Disturbing,
        note: "third time".into(),
        keep_out: false,
    };
    teacher.ask(remove).await.expect("removed");
    assert_eq!(students[0].closed().await, CloseCode::Removed);
    let seen = students[1].until(|event| matches!(event, Event::Removed { .. })).await;
    assert!(matches!(seen.event, Event::Removed { note: None, .. }));
}

#[tokio::test(start_paused = true)]
async fn a_right_withdrawn_by_the_school_takes_effect_at_once() {
    let class = Class::of(1);
    let (_teacher, mut students) = class.full().await;
    class.hub.withdraw(class.students[0], None).await;
    assert_eq!(students[0].closed().await, CloseCode::Withdrawn);
    class.enter(class.students[0]).await;
}

#[tokio::test(start_paused = true)]
async fn a_server_that_goes_down_says_so() {
    let class = Class::of(1);
    let (mut teacher, mut students) = class.full().await;
    class.hub.shutdown().await;
    assert_eq!(teacher.closed().await, CloseCode::Draining);
    assert_eq!(students[0].closed().await, CloseCode::Draining);
    assert_eq!(class.try_enter(class.students[0], 9, None).await.err(), Some(CloseCode::Draining));
}
