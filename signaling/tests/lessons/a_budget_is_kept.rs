//! What a lesson costs in data is counted by person, told, and kept within a budget.

use std::time::Duration;

use qism_signaling::{
    hub::ports::MediaEvent,
    protocol::{ClientFrame, ErrorCode, ReceiveMode, ServerFrame, limits, media::Pictures},
};

use crate::class::{Class, Seated, settle, stay, wait};

const MB: u64 = 1_000_000;

/// What was last told of used bytes, budget and pictures.
async fn told(seated: &mut Seated) -> Option<(u64, Option<u64>, Pictures)> {
    let used = |frame| match frame {
        ServerFrame::DataUsed { bytes, budget, pictures } => Some((bytes, budget, pictures)),
        _ => None,
    };
    seated.now().await.into_iter().filter_map(used).next_back()
}

async fn carried(class: &Class, seated: &Seated, bytes: u64) {
    let bytes = vec![(seated.entry.user, bytes)];
    class.media_events.send(MediaEvent::Carried { lesson: class.lesson, bytes }).await.expect("the hub runs");
    settle().await;
}

/// The last order of a plan, as text.
fn plan(class: &Class) -> String {
    let mut orders = class.media.take().into_iter().filter(|order| order.starts_with("Spare"));
    orders.next_back().expect("an order")
}

#[tokio::test(start_paused = true)]
async fn legs_and_socket_count_and_a_reload_goes_on_with_the_account() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    wait(1).await;
    assert_eq!(told(&mut student).await, Some((0, None, Pictures::Full)), "on entry");
    carried(&class, &student, 2 * MB).await;
    student.attached.carried(MB / 2);
    stay(&[&student], limits::DATA_USED_INTERVAL.as_secs() + 1).await;
    assert_eq!(told(&mut student).await, Some((2 * MB + MB / 2, None, Pictures::Full)));
    student.attached.carried(MB / 10);
    student.attached.disconnected().await;
    let mut reloaded = class.enter(class.students[0]).await;
    wait(1).await;
    assert_eq!(told(&mut reloaded).await, Some((2 * MB + 6 * MB / 10, None, Pictures::Full)));
}

#[tokio::test(start_paused = true)]
async fn what_was_used_is_told_seldom_and_only_when_it_grew() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    wait(1).await;
    told(&mut student).await;
    let mut frames = 0;
    for _ in 0..40 {
        carried(&class, &student, limits::DATA_USED_STEP).await;
        wait(1).await;
        student.attached.receive(ClientFrame::Ping { nonce: 0 }).await;
        frames += usize::from(told(&mut student).await.is_some());
    }
    assert!((3..=5).contains(&frames), "{frames}");
    carried(&class, &student, limits::DATA_USED_STEP / 2).await;
    stay(&[&student], 20).await;
    told(&mut student).await;
    stay(&[&student], 20).await;
    assert_eq!(told(&mut student).await, None, "nothing new");
    let mut used = Vec::new();
    for carries in [7 * MB, MB / 2, MB / 2] {
        carried(&class, &student, carries).await;
        stay(&[&student], limits::DATA_USED_INTERVAL.as_secs() + 1).await;
        used.push(told(&mut student).await.map(|(bytes, ..)| bytes / MB));
    }
    assert_eq!(used, [Some(11), None, Some(12)], "whole megabytes from ten on");
}

#[tokio::test(start_paused = true)]
async fn a_budget_and_the_time_left_are_ordered_and_what_it_leaves_is_told() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    student.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    student.attached.receive(ClientFrame::SetBudget { bytes: Some(25 * MB), used: 0 }).await;
    settle().await;
    assert!(plan(&class).contains("bytes: 25000000, time: 3600s"), "the lesson lasts an hour");
    carried(&class, &student, 10 * MB).await;
    assert!(plan(&class).contains("bytes: 15000000"), "it shrinks");
    carried(&class, &student, 20 * MB).await;
    assert!(plan(&class).contains("bytes: 0,"), "and ends");
    let leg = qism_signaling::hub::ports::Leg {
        lesson: class.lesson,
        user: student.entry.user,
        session: student.entry.session,
        kind: qism_signaling::protocol::LegKind::Subscriber,
    };
    let pictures = Pictures::None;
    class.media_events.send(MediaEvent::PicturesSpared { leg, pictures }).await.expect("the hub runs");
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(told(&mut student).await, Some((30 * MB, Some(25 * MB), Pictures::None)));
    student.attached.receive(ClientFrame::SetBudget { bytes: None, used: 0 }).await;
    wait(1).await;
    assert!(plan(&class).contains("left: None"));
    assert_eq!(told(&mut student).await, Some((30 * MB, None, Pictures::Full)));
}

#[tokio::test(start_paused = true)]
async fn a_budget_out_of_its_limits_is_refused() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    for bytes in [0, limits::BUDGET_BYTES.start() - 1, limits::BUDGET_BYTES.end() + 1] {
        student.attached.receive(ClientFrame::SetBudget { bytes: Some(bytes), used: 0 }).await;
        let refused = ServerFrame::Error { error: ErrorCode::Invalid };
        assert!(student.now().await.contains(&refused), "{bytes}");
    }
    for bytes in [*limits::BUDGET_BYTES.start(), *limits::BUDGET_BYTES.end()] {
        student.attached.receive(ClientFrame::SetBudget { bytes: Some(bytes), used: 0 }).await;
        wait(1).await;
        assert_eq!(told(&mut student).await, Some((0, Some(bytes), Pictures::Full)));
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_page_was_told_counts_where_the_server_knows_less() {
    let class = Class::of(1);
    let mut student = class.enter(class.students[0]).await;
    student.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    let mut used = Vec::new();
    for (claimed, carries) in [(10 * MB, 0), (10 * MB, MB), (11 * MB, MB), (12 * MB, 0), (9 * MB, 0)] {
        student.attached.receive(ClientFrame::SetBudget { bytes: Some(25 * MB), used: claimed }).await;
        carried(&class, &student, carries).await;
        wait(1).await;
        used.push(told(&mut student).await.expect("told of each budget").0 / MB);
    }
    assert_eq!(used, [10, 11, 12, 12, 12], "a page that is told more claims more, and it counts once");
    assert!(plan(&class).contains("bytes: 13000000"), "of the budget, too");
    student.attached.receive(ClientFrame::SetBudget { bytes: None, used: limits::MOST_USED + 1 }).await;
    assert!(student.now().await.contains(&ServerFrame::Error { error: ErrorCode::Invalid }));
    student.attached.receive(ClientFrame::SetBudget { bytes: None, used: limits::MOST_USED }).await;
    wait(1).await;
    assert_eq!(told(&mut student).await, Some((limits::MOST_USED, None, Pictures::Full)));
}

#[tokio::test(start_paused = true)]
async fn voice_only_and_a_tight_budget_save_on_the_voice_too_and_microphones_follow() {
    let class = Class::of(1);
    let (mut teacher, student) = (class.enter(class.teacher).await, class.enter(class.students[0]).await);
    assert_eq!(rates(&mut teacher).await, [limits::VOICE_BITRATE], "on entry");
    let receive = |mode| student.attached.receive(ClientFrame::Receive { mode, cameras: vec![] });
    let budget = |bytes| student.attached.receive(ClientFrame::SetBudget { bytes, used: 0 });
    student.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
    settle().await;
    assert!(plan(&class).contains("saver: false"));
    receive(ReceiveMode::Voice).await;
    wait(1).await;
    assert!(plan(&class).contains("saver: true"));
    assert_eq!(rates(&mut teacher).await, [limits::SAVER_VOICE_BITRATE]);
    receive(ReceiveMode::Everything).await;
    wait(1).await;
    assert!(plan(&class).contains("saver: false"));
    assert_eq!(rates(&mut teacher).await, [limits::VOICE_BITRATE]);
    budget(Some(500 * MB)).await;
    settle().await;
    assert!(plan(&class).contains("saver: false"), "enough for an hour");
    budget(Some(25 * MB)).await;
    settle().await;
    assert!(plan(&class).contains("saver: true"));
    student.attached.disconnected().await;
    wait(1).await;
    assert_eq!(rates(&mut teacher).await, [0; 0], "told only of changes that last");
}

/// The rates that microphones were told.
async fn rates(seated: &mut Seated) -> Vec<u32> {
    let rate = |frame| match frame {
        ServerFrame::VoiceRate { bitrate } => Some(bitrate),
        _ => None,
    };
    seated.now().await.into_iter().filter_map(rate).collect()
}
