//! A server is ended in the middle of a lesson, as an upgrade does it: a real process, real peers, who follow to another one.

use std::{
    process::Command as Process,
    time::{Duration, Instant},
};

use qism::{
    probe::{Door, Entrance, Peer, Reception, SignedIn, Trust},
    school::demo::PASSWORD,
};
use qism_signaling::protocol::{Command, Event, ServerFrame, SessionId, Slot, Source, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    program::Program,
    server::{Person, eventually},
};

async fn sign_in(url: &str, login: &str) -> SignedIn {
    let address = url.parse().expect("an address");
    let door = Door::new(address, &Trust::System).expect("no TLS needed").only();
    door.sign_in(login, PASSWORD).await.expect("signed in")
}

/// Somebody in the lesson of now, through this server, with ears.
async fn enter(url: &str, login: &str) -> (Peer, Reception) {
    let person = sign_in(url, login).await;
    let lesson = person.current_lesson().await.expect("a lesson is on");
    let mut peer = Peer::enter(&person, Entrance::first(lesson)).await.expect("admitted");
    let reception = peer.listen(2).await.expect("an offer");
    (peer, reception)
}

/// Where the lesson's people are sent at this moment.
async fn sent_to(cluster: &Cluster) -> String {
    let person = Person::sign_in(&cluster.url(0), "director").await;
    let lesson = person.first_lesson().await;
    let wish = json!({ "session": SessionId(Uuid::now_v7()) });
    let answer = person.post(&format!("/api/lessons/{lesson}/ticket"), &wish).await;
    answer.json::<Value>().await.expect("JSON")["socket"].as_str().expect("a path").to_owned()
}

async fn heard(reception: &Reception) -> Instant {
    eventually(async || reception.slot(Slot::TEACHER_AUDIO).first).await
}

/// Waits to be told, then attaches to the other server beside the present connection, and hears there.
async fn follow(old: Peer, heard_there: Reception, login: String, url: &str) -> (Peer, Duration) {
    let told = |frame: &ServerFrame| matches!(frame, ServerFrame::Move { .. }).then_some(());
    old.wait("to be told to move", told).await.expect("told");
    let elsewhere = sign_in(url, &login).await;
    let mut new = old.follow(&elsewhere).await.expect("attached beside");
    let reception = new.listen(2).await.expect("an offer");
    let first = heard(&reception).await;
    let latest = heard_there.slot(Slot::TEACHER_AUDIO).latest.expect("heard before");
    // Drop the old connection only now: it was heard all the while.
    drop(old);
    (new, first.saturating_duration_since(latest))
}

fn lefts(peer: &Peer) -> usize {
    peer.events().iter().filter(|logged| matches!(logged.event, Event::Left { .. })).count()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_process_that_is_ended_sends_its_lesson_to_another_and_is_heard_until_then() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut ending = tokio::task::block_in_place(|| Program::of_file(&cluster.file(2)));
    let (mut teacher, _) = enter(&ending.url, "teacher1").await;
    teacher.publish(Source::Microphone).await.expect("a teacher may");
    let me: UserId = teacher.welcome.user;
    let mut students = Vec::new();
    for n in 1..=3 {
        let login = format!("student{n}");
        let (peer, reception) = enter(&ending.url, &login).await;
        heard(&reception).await;
        students.push((peer, reception, login));
    }
    students[0].0.raise_hand().await.expect("raised");
    let begun = Instant::now();
    Process::new("kill").arg("-TERM").arg(ending.id().to_string()).status().expect("told to end");
    let told = |frame: &ServerFrame| matches!(frame, ServerFrame::Move { .. }).then_some(());
    teacher.wait("to be told to move", told).await.expect("told");
    let path = sent_to(&cluster).await;
    let node = if path == "/ws/node0" { 0 } else { 1 };
    assert_eq!(path, format!("/ws/node{node}"), "not to the one that goes");
    let url = cluster.url(node);
    let mut moved = teacher.follow(&sign_in(&url, "teacher1").await).await.expect("attached beside");
    assert_eq!(moved.welcome.attach.0, 2, "the same session");
    moved.prepare_to_publish().await.expect("a leg there");
    moved.feed(Source::Microphone).expect("the same publication: nothing is published anew");
    let following = students.into_iter().map(|(peer, reception, login)| follow(peer, reception, login, &url));
    let arrived = futures_util::future::join_all(following).await;
    let mut gaps: Vec<Duration> = arrived.iter().map(|(_, gap)| *gap).collect();
    gaps.sort_unstable();
    let code = loop {
        assert!(begun.elapsed() < Duration::from_secs(30), "it ends");
        match ending.ended() {
            Some(code) => break code,
            None => tokio::time::sleep(Duration::from_millis(50)).await,
        }
    };
    let took = begun.elapsed();
    eprintln!("the process ended after {took:?}; time without the voice {gaps:?}");
    assert_eq!(code, Some(0), "in order");
    assert!(gaps.iter().all(|gap| *gap < Duration::from_secs(3)), "{gaps:?}");
    let late = sign_in(&cluster.url(1 - node), "director").await;
    let lesson = late.current_lesson().await.expect("it goes on");
    let late = Peer::enter(&late, Entrance::first(lesson)).await.expect("admitted");
    let snapshot = late.welcome.snapshot.as_ref().expect("a snapshot");
    assert_eq!(snapshot.students_present, 3);
    assert_eq!(snapshot.hands.len(), 1, "the hand is still up");
    let published = snapshot.participants.iter().find(|p| p.user == me).map(|p| p.published.len());
    assert_eq!(published, Some(1));
    assert_eq!(lefts(&moved) + arrived.iter().map(|(peer, _)| lefts(peer)).sum::<usize>(), 0);
    moved
        .command(Command::Say { text: "هنا".into(), to: qism_signaling::protocol::Recipients::Everyone })
        .await
        .expect("said");
}

#[tokio::test]
async fn two_servers_of_one_name_are_refused_and_the_name_of_a_dead_one_is_free() {
    let Some(cluster) = Cluster::of(1).await else { return };
    let Err(refused) = qism::app::Running::start_demo(cluster.config(0)).await else { panic!("it started") };
    assert!(format!("{refused:#}").contains("cluster.node"), "{refused:#}");
    let mut killed = tokio::task::spawn_blocking({
        let file = cluster.file(1);
        move || Program::of_file(&file)
    })
    .await
    .expect("no panic");
    killed.kill();
    let again = qism::app::Running::start_demo(cluster.config(1)).await.expect("its name is free");
    again.stop().await;
}

#[tokio::test]
async fn a_server_that_stood_still_until_its_name_was_taken_serves_nobody_any_more() {
    let Some(cluster) = Cluster::of(1).await else { return };
    let file = cluster.file(1);
    let start = async || {
        let file = file.clone();
        tokio::task::spawn_blocking(move || Program::of_file(&file)).await.expect("no panic")
    };
    let frozen = start().await;
    let signal = |name: &str| {
        let told = Process::new("kill").args([name, &frozen.id().to_string()]).status();
        assert!(told.expect("kill runs").success());
    };
    signal("-STOP");
    let next = start().await;
    let (mut peer, _) = enter(&next.url, "teacher1").await;
    signal("-CONT");
    let person = sign_in(&frozen.url, "student1").await;
    let lesson = person.current_lesson().await.expect("a lesson is on");
    eventually(async || {
        let refused = Peer::enter(&person, Entrance::first(lesson)).await;
        matches!(refused, Err(qism::probe::ProbeError::Closed(4503))).then_some(())
    })
    .await;
    peer.publish(Source::Microphone).await.expect("the one that took the name teaches");
}

#[tokio::test]
async fn two_taps_on_two_servers_start_one_lesson() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let people = [
        Person::sign_in(&cluster.url(0), "teacher2").await,
        Person::sign_in(&cluster.url(1), "teacher2").await,
    ];
    let groups = people[0].json("/api/lessons").await;
    let group = groups["groups"][0]["group"].as_str().expect("a group").to_owned();
    let tap = async |person: &Person| {
        let answer = person.post("/api/lessons", &json!({ "group": group })).await;
        assert_eq!(answer.status(), 201);
        answer.json::<Value>().await.expect("JSON")["lesson"].clone()
    };
    let [one, other] = &people;
    let started = tokio::join!(tap(one), tap(other), tap(one), tap(other), tap(one), tap(other));
    let (a, b, c, d, e, f) = started;
    assert!([b, c, d, e, f].iter().all(|lesson| *lesson == a), "one lesson");
}
