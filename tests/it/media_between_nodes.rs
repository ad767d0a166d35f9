//! One lesson on several servers, over a private PostgreSQL and a private Redis: everybody hears and sees everybody.

use std::time::{Duration, Instant};

use qism::probe::{Peer, Reception};
use qism_signaling::protocol::{Command, Event, Slot, Source, UserId};
use serde_json::json;

use crate::{
    cluster::Cluster,
    lesson_media::{enter_at, hears, listener_at, until},
    program::Program,
    server::{self, Person},
    watching,
};

/// The teacher on a server, with voice, camera and screen, and ears.
async fn teacher_at(url: &str) -> (Peer, Reception) {
    let mut teacher = enter_at(url, "teacher1").await;
    let reception = teacher.listen(2).await.expect("an offer");
    for source in [Source::Microphone, Source::Camera, Source::Screen] {
        teacher.publish(source).await.expect("a teacher may");
    }
    (teacher, reception)
}

async fn hears_and_sees((student, reception): &(Peer, Reception), teacher: UserId) {
    assert_eq!(hears(student, reception, teacher, Source::Microphone).await, Slot::TEACHER_AUDIO);
    for source in [Source::Camera, Source::Screen] {
        let slot = hears(student, reception, teacher, source).await;
        until("a key frame arrives", || reception.slot(slot).size == Some((320, 180))).await;
    }
}

/// Waits until more packets of everything of the teacher have come; how long it took.
async fn goes_on((_, reception): &(Peer, Reception)) -> Duration {
    let (began, slots) = (Instant::now(), [Slot::TEACHER_AUDIO, Slot::SCREEN, Slot::FIRST_CAMERA]);
    let packets = || slots.map(|slot| reception.slot(slot).packets);
    let before = packets();
    until("voice and pictures go on", || {
        packets().iter().zip(before).all(|(now, before)| *now > before + 10)
    })
    .await;
    began.elapsed()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lesson_on_two_servers_is_heard_and_seen_on_both_and_without_redis() {
    let Some(mut cluster) = Cluster::of(2).await else { return };
    let (teacher, at_teacher) = teacher_at(&cluster.url(0)).await;
    let me = teacher.welcome.user;
    let near = listener_at(&cluster.url(0), "student1", me).await;
    let mut far = listener_at(&cluster.url(1), "student2", me).await;
    let second_far = listener_at(&cluster.url(1), "student3", me).await;
    for student in [&near, &far, &second_far] {
        hears_and_sees(student, me).await;
    }
    // A student of the other server has the floor and is heard everywhere.
    let user = far.0.welcome.user;
    teacher
        .event("the student", |event| matches!(event, Event::Attached { user: who, .. } if *who == user))
        .await
        .expect("seen");
    teacher.command(Command::GiveFloor { user }).await.expect("a teacher may");
    far.0.event("the floor", |event| matches!(event, Event::FloorGiven { .. })).await.expect("told");
    far.0.publish(Source::Microphone).await.expect("has the floor");
    for (peer, reception) in [(&teacher, &at_teacher), (&near.0, &near.1), (&second_far.0, &second_far.1)] {
        hears(peer, reception, user, Source::Microphone).await;
    }
    let totals = cluster.nodes[0].media_counters();
    assert_eq!((totals.relays_opened, totals.relay_failures), (1, 0), "{totals:?}");
    // Whoever watches sees what the link carries, and the dashboard asks for nothing that two servers do not tell.
    let administrator = Person::sign_in(&cluster.url(1), "administrator").await;
    let link = server::eventually(async || {
        let fleet = administrator.json("/api/fleet").await;
        let link = fleet["servers"][0]["condition"]["links"][0].clone();
        link["round_trip_ms"].is_u64().then_some(link)
    })
    .await;
    assert_eq!((&link["to"], &link["is_up"]), (&json!("node1"), &json!(true)));
    assert!(link["sent"].as_u64().expect("a number") > 10_000, "{link}");
    let page = watching::page(&cluster.nodes[0]).await;
    watching::judge(&page);
    let (told, asked) = (watching::told(&page), watching::asked());
    assert!(asked.iter().all(|name| told.contains(name)) && told.iter().all(|name| asked.contains(name)));
    assert!(page.contains("qism_link_up{peer=\"node1\"} 1"), "{page}");
    // Redis is not in the way of media, old or new.
    cluster.redis.kill();
    until("both servers noticed", || cluster.nodes.iter().all(|node| !node.bus_is_up())).await;
    goes_on(&far).await;
    let late = listener_at(&cluster.url(1), "student4", me).await;
    hears_and_sees(&late, me).await;
    hears(&near.0, &near.1, user, Source::Microphone).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_teacher_whose_server_dies_is_heard_again_from_another() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut doomed = tokio::task::block_in_place(|| Program::of_file(&cluster.file(2)));
    let (teacher, _) = teacher_at(&doomed.url).await;
    let me = teacher.welcome.user;
    let students = [
        listener_at(&cluster.url(0), "student1", me).await,
        listener_at(&cluster.url(1), "student2", me).await,
    ];
    for student in &students {
        hears_and_sees(student, me).await;
    }
    tokio::task::block_in_place(|| doomed.kill());
    drop(teacher);
    let (_teacher, _) = teacher_at(&cluster.url(1)).await;
    for (name, student) in ["on another server", "on the same one"].iter().zip(&students) {
        eprintln!("heard and seen again {name} {:?} after the teacher was back", goes_on(student).await);
    }
}
