//! Minors are never left alone: pause after a minute, end after ten.

use qism_signaling::protocol::{CloseCode, ErrorCode, Event, Phase, event::EndReason};

use crate::class::{Class, stay, wait};

#[tokio::test(start_paused = true)]
async fn a_minute_without_an_adult_pauses_and_the_teacher_resumes() {
    let class = Class::of(1);
    let (teacher, mut students) = class.with_speaker().await;
    class.media.take();
    let entry = teacher.entry;
    teacher.attached.disconnected().await;
    stay(&[&students[0]], 70).await;
    students[0].until(|event| matches!(event, Event::Paused { .. })).await;
    assert_eq!(students[0].say("anybody here?").await, Err(ErrorCode::Paused));
    assert!(class.media.take().iter().any(|o| o.contains("Permit") && o.contains("sources: []")));
    let back = class.try_enter(entry.user, entry.session.0.as_u128(), None).await.expect("admitted");
    assert_eq!(back.snapshot().phase, Phase::Open);
    students[0].until(|event| matches!(event, Event::Resumed {})).await;
    students[0].say("welcome back").await.expect("said");
    assert!(class.media.take().iter().any(|o| o.contains("Permit") && o.contains("[Microphone]")));
}

#[tokio::test(start_paused = true)]
async fn a_short_absence_pauses_nothing() {
    let class = Class::of(1);
    let (teacher, students) = class.full().await;
    let entry = teacher.entry;
    teacher.attached.disconnected().await;
    wait(50).await;
    class.try_enter(entry.user, entry.session.0.as_u128(), None).await.expect("admitted");
    wait(50).await;
    students[0].attached.receive(qism_signaling::protocol::ClientFrame::Ping { nonce: 1 }).await;
    assert!(!class.log().iter().any(|event| matches!(event, Event::Paused { .. })));
}

#[tokio::test(start_paused = true)]
async fn ten_minutes_without_an_adult_end_the_lesson() {
    let class = Class::of(1);
    let (teacher, mut students) = class.full().await;
    teacher.attached.disconnected().await;
    for nonce in 0..62 {
        students[0].attached.receive(qism_signaling::protocol::ClientFrame::Ping { nonce }).await;
        wait(10).await;
    }
    assert_eq!(students[0].closed().await, CloseCode::Ended);
    assert!(matches!(class.log().last(), Some(Event::Ended { by: None, reason: EndReason::NoAdult })));
}

#[tokio::test(start_paused = true)]
async fn a_lesson_that_was_only_prepared_is_still_given_at_its_hour() {
    let class = Class::starting_in(1, 15 * 60_000);
    let (teacher, students) = class.full().await;
    let entry = teacher.entry;
    teacher.attached.disconnected().await;
    stay(&[&students[0]], 15 * 60).await;
    assert!(class.log().iter().any(|event| matches!(event, Event::Paused { .. })));
    let back = class.try_enter(entry.user, entry.session.0.as_u128(), None).await.expect("not over");
    assert_eq!(back.snapshot().phase, Phase::Open);
}

#[tokio::test(start_paused = true)]
async fn a_teacher_who_does_not_come_back_to_a_prepared_lesson_ends_it_ten_minutes_after_its_hour() {
    let class = Class::starting_in(1, 15 * 60_000);
    let (teacher, mut students) = class.full().await;
    teacher.attached.disconnected().await;
    stay(&[&students[0]], 26 * 60).await;
    assert_eq!(students[0].closed().await, CloseCode::Ended);
}

#[tokio::test(start_paused = true)]
async fn an_hour_after_its_time_a_forgotten_lesson_ends() {
    let class = Class::of(0);
    let mut teacher = class.enter(class.teacher).await;
    for nonce in 0..730 {
        teacher.attached.receive(qism_signaling::protocol::ClientFrame::Ping { nonce }).await;
        wait(10).await;
    }
    assert_eq!(teacher.closed().await, CloseCode::Ended);
    assert!(matches!(class.log().last(), Some(Event::Ended { reason: EndReason::TimeOver, .. })));
}
