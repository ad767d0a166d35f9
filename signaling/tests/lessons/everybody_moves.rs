//! A node goes down in the middle of a lesson: everybody moves to another one, and nobody is seen to leave.

use std::{sync::Arc, time::Duration};

use qism_signaling::{
    hub::{fleet::Fleet, ports::MediaEvent},
    protocol::{ClientFrame, CloseCode, Command, Event, LeftReason, ServerFrame, Source, UserId, limits},
};
use tokio::time::Instant;

use crate::class::{Class, Seated, incarnation, wait};

/// A lesson on the first of two nodes: its teacher speaks, the first student has the floor, the second one's hand is up.
async fn lesson_on_the_first(students: u128) -> (Vec<Class>, Seated, Vec<Seated>) {
    let (classes, _wire) = Class::on_nodes(2, students);
    keep_beating(&classes);
    let (mut teacher, mut students) = classes[0].full().await;
    publish(&mut teacher).await;
    let user = students[0].entry.user;
    teacher.ask(Command::GiveFloor { user }).await.expect("given");
    publish(&mut students[0]).await;
    students[1].ask(Command::RaiseHand {}).await.expect("raised");
    (classes, teacher, students)
}

/// Each node sees the other alive as long as the test runs.
fn keep_beating(classes: &[Class]) {
    let hubs: Vec<_> = classes.iter().map(|class| class.hub.clone()).collect();
    tokio::spawn(async move {
        loop {
            let alive = vec![incarnation(1), incarnation(2)];
            hubs.iter().for_each(|hub| hub.see(Fleet::seen(alive.clone(), Vec::new(), Instant::now())));
            wait(1).await;
        }
    });
}

async fn publish(seated: &mut Seated) {
    let publish = Command::Publish { source: Source::Microphone, muted: false };
    seated.ask(publish).await.expect("published");
    seated.attached.receive(ClientFrame::OpenSubscriber { cameras: 2, packed: false }).await;
}

/// Begins the departure of a node; how long until nobody is left there.
fn depart(class: &Class) -> tokio::task::JoinHandle<Duration> {
    let (hub, begun) = (class.hub.clone(), Instant::now());
    tokio::spawn(async move {
        hub.move_out().await;
        begun.elapsed()
    })
}

/// Waits to be told; then attaches on the other node as the app does.
async fn follow(mut seated: Seated, to: &Class) -> (Seated, Seated) {
    loop {
        if let Ok(ServerFrame::Move { within_ms }) = seated.frame().await {
            assert!(within_ms >= 5_000, "time enough: {within_ms}");
            break;
        }
    }
    let user = seated.entry.user;
    let moved = to.try_enter(user, seated.entry.session.0.as_u128(), Some(seated.position)).await;
    (seated, moved.expect("attached beside"))
}

fn lefts(class: &Class) -> Vec<Event> {
    class.log().into_iter().filter(|event| matches!(event, Event::Left { .. })).collect()
}

fn closes(orders: &[String], user: UserId) -> bool {
    orders.iter().any(|order| order.starts_with("Close") && order.contains(&user.0.to_string()))
}

#[tokio::test(start_paused = true)]
async fn a_whole_lesson_moves_and_nobody_is_seen_to_leave() {
    let (classes, teacher, students) = lesson_on_the_first(30).await;
    let begun = Instant::now();
    let gone = depart(&classes[0]);
    let (mut old, mut teacher) = follow(teacher, &classes[1]).await;
    assert!(begun.elapsed() < Duration::from_millis(100), "the teacher is sent first");
    assert_eq!(old.closed().await, CloseCode::Replaced);
    let mut moving = tokio::task::JoinSet::new();
    let there = Arc::new(classes);
    for student in students {
        let there = there.clone();
        moving.spawn(async move {
            let (_, moved) = follow(student, &there[1]).await;
            (Instant::now(), moved)
        });
    }
    let moved = moving.join_all().await;
    let classes = there;
    let mut times: Vec<Duration> = moved.iter().map(|(at, _)| *at - begun).collect();
    times.sort_unstable();
    assert!(times[29] <= Duration::from_millis(2_200), "{times:?}");
    assert!(times[20] - times[10] >= Duration::from_millis(300), "spread: {times:?}");
    let took = gone.await.expect("no panic");
    assert!(took >= Duration::from_secs(5) && took <= Duration::from_secs(9), "{took:?}");
    assert!(lefts(&classes[0]).is_empty(), "nobody left");
    let number = teacher.say("هنا").await.expect("the new connection counts");
    let late = classes[1].enter(classes[1].director).await;
    let snapshot = late.snapshot();
    assert!(snapshot.position.number > number);
    assert_eq!(snapshot.students_present, 30);
    let (speaker, waiting) = (classes[1].students[0], classes[1].students[1]);
    let has_floor = |user| snapshot.participants.iter().any(|p| p.user == user && p.floor);
    assert!(has_floor(speaker));
    assert_eq!(snapshot.hands, [waiting]);
    let sends = |user| snapshot.participants.iter().any(|p| p.user == user && p.published.len() == 1);
    assert!(sends(classes[1].teacher) && sends(speaker), "the same publications, not published again");
    let published = classes[1].log().into_iter().filter(|e| matches!(e, Event::Published { .. })).count();
    assert_eq!(published, 2);
}

#[tokio::test(start_paused = true)]
async fn media_goes_on_at_the_old_node_for_as_long_as_a_move_may_take() {
    let (classes, teacher, _students) = lesson_on_the_first(2).await;
    let user = classes[0].teacher;
    classes[0].media.take();
    let _gone = depart(&classes[0]);
    let (_old, _moved) = follow(teacher, &classes[1]).await;
    tokio::time::sleep(Duration::from_millis(4_500)).await;
    let orders = classes[0].media.take();
    assert!(
        !closes(&orders, user) && !orders.iter().any(|o| o.contains("Permit") && o.contains("[]")),
        "{orders:?}"
    );
    wait(2).await;
    assert!(closes(&classes[0].media.take(), user));
    let there = classes[1].media.take();
    let permitted = |order: &&String| order.starts_with("Permit") && order.contains(&user.0.to_string());
    assert!(there.iter().filter(permitted).all(|order| order.contains("Microphone")), "{there:?}");
    assert!(there.iter().any(|order| order.starts_with("Permit")));
}

#[tokio::test(start_paused = true)]
async fn who_does_not_understand_is_closed_and_comes_back_in_the_ordinary_way() {
    let (classes, teacher, mut students) = lesson_on_the_first(3).await;
    let begun = Instant::now();
    let gone = depart(&classes[0]);
    let _teacher = follow(teacher, &classes[1]).await;
    let absent = students[2].entry.user;
    let mut old = students.remove(0);
    assert_eq!(old.closed().await, CloseCode::Draining);
    assert_eq!(begun.elapsed().as_secs(), 7);
    let user = old.entry.user;
    let back =
        classes[1].try_enter(user, old.entry.session.0.as_u128(), Some(old.position)).await.expect("back");
    assert!(back.welcome.is_some_and(|welcome| welcome.snapshot.is_none() && welcome.attach.0 == 2));
    let took = gone.await.expect("no panic");
    assert!(took <= Duration::from_secs(13), "{took:?}");
    let cut = |who| move |event: &Event| matches!(event, Event::Left { user, reason: LeftReason::Cut, .. } if *user == who);
    assert_eq!(lefts(&classes[1]).iter().filter(|e| cut(user)(e)).count(), 0);
    assert_eq!(
        lefts(&classes[1]).iter().filter(|e| cut(absent)(e)).count(),
        1,
        "the old node wrote it before it went"
    );
}

#[tokio::test(start_paused = true)]
async fn whoever_knocks_at_a_node_that_goes_is_sent_elsewhere() {
    let (classes, _teacher, _students) = lesson_on_the_first(2).await;
    let _gone = depart(&classes[0]);
    wait(1).await;
    let refused = classes[0].try_enter(classes[0].director, 77, None).await.err();
    assert_eq!(refused, Some(CloseCode::Draining));
}

#[tokio::test(start_paused = true)]
async fn a_node_without_people_goes_at_once() {
    let (classes, _wire) = Class::on_nodes(1, 2);
    assert!(depart(&classes[0]).await.expect("no panic") < Duration::from_millis(100));
}

#[tokio::test(start_paused = true)]
async fn a_line_on_its_way_during_the_move_is_in_the_log_once() {
    let (classes, teacher, mut students) = lesson_on_the_first(2).await;
    let _gone = depart(&classes[0]);
    let _teacher = follow(teacher, &classes[1]).await;
    let student = students.remove(1);
    let (old, mut moved) = follow(student, &classes[1]).await;
    let id = qism_signaling::protocol::CommandId(uuid::Uuid::now_v7());
    let say = || Command::Say { text: "سؤال".into(), to: qism_signaling::protocol::Recipients::Everyone };
    // The old connection no longer counts: what came over it is sent again over the new one, with the same id.
    old.attached.receive(ClientFrame::Command { id, command: say() }).await;
    moved.ask_as(id, say()).await.expect("said");
    let said = classes[0].log().into_iter().filter(|event| matches!(event, Event::Said { .. })).count();
    assert_eq!(said, 1);
}

#[tokio::test(start_paused = true)]
async fn what_somebody_used_of_their_data_goes_with_them() {
    let (classes, teacher, mut students) = lesson_on_the_first(2).await;
    let (user, lesson) = (students[1].entry.user, classes[0].lesson);
    let carried = MediaEvent::Carried { lesson, bytes: vec![(user, 5_000_000)] };
    classes[0].media_events.send(carried).await.expect("the hub listens");
    let _gone = depart(&classes[0]);
    let _teacher = follow(teacher, &classes[1]).await;
    let (_old, mut moved) = follow(students.remove(1), &classes[1]).await;
    moved.attached.receive(ClientFrame::SetBudget { bytes: None, used: 5_000_000 }).await;
    // Legs at the old node carry on for a while.
    wait(1).await;
    let later = MediaEvent::Carried { lesson, bytes: vec![(user, 1_000_000)] };
    classes[0].media_events.send(later).await.expect("the hub listens");
    wait(limits::DATA_USED_INTERVAL.as_secs() + 2).await;
    let used = |frame: ServerFrame| match frame {
        ServerFrame::DataUsed { bytes, .. } => Some(bytes),
        _ => None,
    };
    let told: Vec<u64> = moved.now().await.into_iter().filter_map(used).collect();
    let last = told.last().copied().unwrap_or_default();
    assert!((6_000_000..6_100_000).contains(&last), "{told:?}");
}
