//! Where tickets send a lesson's people, with three servers in processes of their own: home, the next one when that is full, and
//! places that were found before the bell.

use qism::storage::{Load, MediaDoors, NodeRow, Placing, PlannedLesson, Store};
use qism_signaling::protocol::{ClientFrame, EVENT_FORMAT, IncarnationId, LessonId, ServerFrame, SessionId};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    program::Program,
    server::{self, Person, eventually},
    timetable::plan_like,
    watching,
};

/// The demonstration's school is at home on node1, which bears its three classes of 31, and nothing beside them.
const HOME: &str = "[limits]\nheader_timeout_s = 60\nconnections = ";
const ROOM_AT_HOME: usize = 120;

/// Three servers; the demonstration's lessons of this moment.
struct School {
    cluster: Cluster,
    nodes: Vec<Program>,
}

impl School {
    async fn start() -> Option<Self> {
        let cluster = Cluster::of(0).await?;
        let start = |n: usize| {
            let room = if n == 1 { ROOM_AT_HOME } else { 2_000 };
            let more =
                format!("{HOME}{room}\n[cluster.homes]\n\"0123\" = [\"node1\"]\n\"99\" = [\"node0\"]\n");
            tokio::task::block_in_place(|| Program::of_file(&cluster.file_with(n, &more)))
        };
        let nodes = (0..3).map(start).collect();
        Some(Self { cluster, nodes })
    }

    /// The same person, asking each of the servers that run.
    async fn at_each(&self, login: &str) -> Vec<Person> {
        let person = Person::sign_in(&self.nodes[0].url, login).await;
        self.nodes.iter().map(|node| person.at(&node.url)).collect()
    }

    async fn store(&self) -> Store {
        Store::open_beside(self.cluster.storage_url()).await.expect("opened")
    }
}

async fn socket(person: &Person, lesson: LessonId) -> String {
    let wish = json!({ "session": SessionId(Uuid::now_v7()) });
    let ask = async || {
        let answer = person.post(&format!("/api/lessons/{lesson}/ticket"), &wish).await;
        // Whoever asks again and again is slowed down.
        (answer.status() != 429).then_some(answer)
    };
    let answer = eventually(ask).await;
    assert_eq!(answer.status(), 200);
    answer.json::<Value>().await.expect("JSON")["socket"].as_str().expect("a path").to_owned()
}

/// What all of them are told, if it is the same.
async fn told(people: &[Person], lesson: LessonId) -> Option<String> {
    let mut told = Vec::new();
    for person in people {
        told.push(socket(person, lesson).await);
    }
    told.dedup();
    (told.len() == 1).then(|| told.remove(0))
}

#[tokio::test(flavor = "multi_thread")]
async fn tickets_of_a_lesson_say_one_server_at_home_while_it_has_room() {
    let Some(mut school) = School::start().await else { return };
    let teacher = school.at_each("teacher1").await;
    let student = school.at_each("student1").await;
    let lesson = teacher[0].first_lesson().await;
    for people in [&teacher, &student] {
        assert_eq!(told(people, lesson).await.as_deref(), Some("/ws/node1"), "at home, whoever is asked");
    }
    // Home is full: whoever comes now meets on one other server, and whoever comes later at home again.
    let home = school.nodes[1].url.trim_start_matches("http://").to_owned();
    let mut crowd = Vec::new();
    for _ in 0..ROOM_AT_HOME - 3 {
        crowd.push(TcpStream::connect(&home).await.expect("connected"));
    }
    let others = [teacher[0].at(&school.nodes[0].url), student[0].at(&school.nodes[2].url)];
    let elsewhere = eventually(async || told(&others, lesson).await.filter(|path| path != "/ws/node1")).await;
    assert_eq!(told(&others, lesson).await.as_deref(), Some(elsewhere.as_str()));
    drop(crowd);
    eventually(async || told(&others, lesson).await.filter(|path| path == "/ws/node1")).await;
    // Home dies: the lesson has another place, and keeps it.
    school.nodes[1].kill();
    let moved = eventually(async || told(&others, lesson).await.filter(|path| path != "/ws/node1")).await;
    let store = school.store().await;
    let placed = eventually(async || {
        told(&others, lesson).await?;
        store.placed_on(lesson).await.expect("read").filter(|node| node != "node1")
    });
    assert_eq!(format!("/ws/{}", placed.await), moved);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lessons_of_the_timetable_have_their_place_before_the_bell() {
    let Some(school) = School::start().await else { return };
    let teacher = school.at_each("teacher1").await;
    let now = teacher[0].first_lesson().await;
    let store = school.store().await;
    let present = store.lesson(now).await.expect("read").expect("a lesson");
    let starts_at = store.database_now().await.expect("a clock") + 10 * 60 * 1_000;
    let lessons: Vec<LessonId> = (0..12).map(|n| LessonId(Uuid::from_u128(n))).collect();
    for &lesson in &lessons {
        plan_like(&store, &present, lesson, starts_at).await;
    }
    let place = async |lesson: LessonId| store.placed_on(lesson).await.expect("read");
    eventually(async || place(lessons[11]).await).await;
    let mut at = [0; 3];
    for &lesson in &lessons {
        let placed = place(lesson).await.expect("all at once");
        assert_eq!(told(&teacher, lesson).await, Some(format!("/ws/{placed}")));
        at[usize::from(placed.as_bytes()[4] - b'0')] += 1;
    }
    // 85 of 100 places of 120 are for whole classes: three of 31 at home, the rest elsewhere.
    assert_eq!(at[1], 3, "{at:?}");
    assert!(at[0] > 0 && at[2] > 0, "spread over both others: {at:?}");
    // A beat later each says what it keeps free.
    let kept = eventually(async || {
        let clock = store.database_now().await.expect("a clock");
        let (places, _) = store.places(lessons[0], clock).await.expect("read");
        let count = |name: &str| at[usize::from(name.as_bytes()[4] - b'0')];
        let all = places.iter().all(|node| node.load.promised == count(&node.name) * 31);
        (all && places.len() == 3).then_some(())
    });
    kept.await;
    store.close().await;
}

/// A server that beats, from now on for ever, and whose process has ended.
async fn killed(store: &Store, name: &str) {
    let row = NodeRow {
        incarnation: IncarnationId(Uuid::now_v7()),
        name: name.into(),
        version: "1".into(),
        draining: false,
        load: Load { capacity: 2_000, ..Load::default() },
        media: MediaDoors::default(),
        session: "1/1".into(),
        event_format: EVENT_FORMAT,
    };
    let ever = store.database_now().await.expect("a clock") + 3_600_000;
    store.beat(&row, ever, &[], &[]).await.expect("told");
}

async fn place(store: &Store, lesson: LessonId, node: &str) {
    let now = store.database_now().await.expect("a clock");
    let planned =
        PlannedLesson { lesson, code: "01234A".into(), expected: 31, starts_at: now, ends_at: now + 1 };
    store.place_lessons(&[(&planned, Placing { node, is_away: false })]).await.expect("placed");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_people_of_a_killed_server_meet_on_one_before_anybody_calls_it_stale() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let store = Store::open_beside(cluster.storage_url()).await.expect("opened");
    let person = Person::sign_in(&cluster.url(0), "teacher1").await;
    let lesson = person.first_lesson().await;
    killed(&store, "node9").await;
    place(&store, lesson, "node9").await;
    // Once the sessions of the two tell of others.
    let people = [person.at(&cluster.url(0)), person.at(&cluster.url(1))];
    let moved = eventually(async || {
        let path = told(&people, lesson).await?;
        let placed = store.placed_on(lesson).await.expect("read").filter(|node| node != "node9")?;
        (path == format!("/ws/{placed}")).then_some((path, placed))
    });
    let (path, placed) = moved.await;
    // Somebody with a ticket of before: the proxy brings them to whoever lives.
    let late = Person::sign_in(&cluster.url(0), "student1").await;
    let (right, wrong) = if placed == "node0" { (0, 1) } else { (1, 0) };
    let knock = async |node: usize, path: &str| {
        let ticket = late.ticket(lesson, SessionId(Uuid::now_v7())).await;
        let mut socket = server::open_socket_at(&cluster.url(node), path).await;
        socket.send(&ClientFrame::Hello { version: 1, ticket, position: None }).await;
        socket
    };
    assert_eq!(knock(wrong, "/ws/node9").await.closed().await, Some(4502), "to where the others are");
    for (node, path) in [(right, "/ws/node9"), (wrong, &*path), (wrong, "/ws")] {
        let frame = knock(node, path).await.frame().await;
        assert!(matches!(frame, ServerFrame::Welcome(_)), "{path} at {node}: {frame:?}");
    }
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_class_that_comes_back_at_once_has_its_lesson_moved_by_one_of_them() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let store = Store::open_beside(cluster.storage_url()).await.expect("opened");
    let (first, class) = (
        Person::sign_in(&cluster.url(0), "teacher1").await,
        Person::sign_in(&cluster.url(0), "student1").await,
    );
    let lesson = first.first_lesson().await;
    killed(&store, "node9").await;
    place(&store, lesson, "node9").await;
    let moved = eventually(async || {
        socket(&first, lesson).await;
        store.placed_on(lesson).await.expect("read").filter(|node| node != "node9")
    });
    let moved = moved.await;
    let moves = async || {
        let page = watching::page(&cluster.nodes[0]).await;
        let line = page.lines().find_map(|line| line.strip_prefix("qism_placement_moved_lessons_total "));
        line.and_then(|number| number.parse::<f64>().ok()).expect("a number")
    };
    let before = moves().await;
    // It dies again, and everybody asks at the same moment.
    let gone = Placing { node: "node9", is_away: false };
    assert!(store.move_lesson(lesson, &moved, gone).await.expect("moved"));
    let mut paths = futures_util::future::join_all((0..12).map(|_| socket(&class, lesson))).await;
    paths.dedup();
    assert_eq!(paths.len(), 1, "{paths:?}");
    assert_eq!(moves().await - before, 1.0);
    store.close().await;
}
