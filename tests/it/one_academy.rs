//! One academy's database is lost and put back from a copy, while the servers and everybody else go on: whoever knew more than the copy
//! starts anew from it, and all see the same.

use std::path::Path;

use qism::{app::Running, config::Databases, storage::Store};
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, Event, LessonId, Logged, Position, Pull, Recipients, ServerFrame,
    SessionId, UserId,
};
use serde_json::json;
use uuid::Uuid;

use crate::{
    academies::{databases, execute, qism, rows, told},
    backup::take_back,
    cluster::{Cluster, connected},
    journal::{batch, said},
    postgres::skipped,
    server::{Line, Person, enter_with, eventually},
    timetable::plan_like,
};

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

async fn says(line: &mut Line, text: &str) -> u64 {
    let id = line.command(say(text)).await;
    line.accepted(id).await
}

/// Sends it as long as it takes.
async fn says_at_last(line: &mut Line, text: &str) -> u64 {
    let id = CommandId(Uuid::now_v7());
    loop {
        line.again(id, say(text)).await;
        let answer = line.socket.find(|frame| match frame {
            ServerFrame::Accepted { id: answered, number } if *answered == id => Some(Some(*number)),
            ServerFrame::Refused { id: answered, .. } if *answered == id => Some(None),
            _ => None,
        });
        if let Some(number) = answer.await {
            return number;
        }
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
}

/// The lines of the lesson as a page that comes in shows them.
async fn chat(line: &mut Line) -> Vec<Logged> {
    line.socket.send(&ClientFrame::Pull { request: 1, pull: Pull::Chat { before: None } }).await;
    let page = line.socket.find(|frame| match frame {
        ServerFrame::ChatPage { lines, .. } => Some(lines.clone()),
        _ => None,
    });
    page.await
}

/// Two servers that share the lessons out.
async fn two_servers(cluster: &Cluster, several: &Databases) -> [Running; 2] {
    let start = async |n: usize| {
        let mut config = cluster.config(n);
        config.storage.url = several.clone();
        Running::start_demo(config).await.expect("the node starts")
    };
    let nodes = [start(0).await, start(1).await];
    for node in &nodes {
        connected(node, 1).await;
    }
    nodes
}

/// Until the log of everybody's lesson is other than what this one knew.
async fn is_reset(line: &mut Line) -> Position {
    let reset = |frame: &ServerFrame| match frame {
        ServerFrame::Reset { snapshot, .. } => Some(snapshot.position),
        _ => None,
    };
    line.socket.find(reset).await
}

async fn restored(only: &str, copy: &Path, urls: &[(&str, &str)], folder: &Path) -> (bool, String) {
    let put = qism(&["restore", copy.to_str().expect("text"), "--only", only], urls, folder).await;
    (put.status.success(), told(&put))
}

#[tokio::test(flavor = "multi_thread")]
async fn one_academys_lessons_go_back_to_a_copy_while_everybody_else_goes_on() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let urls = [("default", &*default), ("01", &*apart)];
    let several = databases(&urls);
    let Some(cluster) = Cluster::on(&default, 0).await else { return };
    let nodes = two_servers(&cluster, &several).await;
    let (folder, store) =
        (tempfile::tempdir().expect("a folder"), Store::open_beside(&several).await.expect("opened"));
    let folder = folder.path();
    let other = SmallSchool::add(&store, "02000A").await.expect("added");
    let there = other.lesson(&store).await.expect("planned");

    // The demonstration's school is the academy's; people of one lesson are on both servers.
    let teacher = Person::sign_in(&nodes[0].url(), "teacher1").await;
    let student = Person::sign_in(&nodes[1].url(), "student1").await;
    let (mut teaching, mut learning) = (teacher.enter().await, student.enter().await);
    let lesson = teaching.lesson;
    let elsewhere = Person::sign_in(&nodes[0].url(), &other.login).await;
    let ticket = elsewhere.ticket(there, SessionId(Uuid::now_v7())).await;
    let mut going_on = enter_with(&nodes[0].url(), there, ticket, None).await;
    says(&mut teaching, "في النسخة").await;
    let (erased, old) = erased_since(&store, lesson).await;
    let copy = folder.join("copy");
    let made = qism(&["backup", copy.to_str().expect("text")], &urls, folder).await;
    assert!(made.status.success(), "{}", told(&made));
    let director = Person::sign_in(&nodes[0].url(), "director").await;
    let path = format!("/api/people/{erased}/erasure");
    assert_eq!(director.post(&path, &json!({ "login": "student2" })).await.status(), 204);
    eventually(async || (!has_words(&store, old).await).then_some(())).await;
    let lost = says(&mut learning, "بعد النسخة").await;
    says(&mut going_on, "قبل").await;

    // What is there may not be written over; nor is everybody's own database put back so.
    let (done, why) = restored("01", &copy, &urls, folder).await;
    assert!(!done && why.contains("holds a school or lessons already"), "{why}");
    let (done, why) = restored("02", &copy, &urls, folder).await;
    assert!(!done && why.contains("no database of its own for schools 02"), "{why}");

    execute(&default, "DROP DATABASE academy WITH (FORCE)").await;
    postgres.database("academy").await;
    says(&mut going_on, "أثناء").await;
    // Another server may come up meanwhile and make tables there: nobody takes them for the academy's.
    Store::open(&apart).await.expect("made").close().await;
    let id = teaching.command(say("لا أحد يجيب")).await;
    teaching.refused(id).await;
    assert_eq!(rows(&apart, lesson).await, 0, "nothing is written into an empty database");

    let (done, why) = restored("01", &copy, &urls, folder).await;
    assert!(done && why.contains("lessons of schools 01 are as in"), "{why}");
    for line in [&mut teaching, &mut learning] {
        assert!(is_reset(line).await.number < lost);
    }
    // Both go on from the copy, on the lines that they have, and see the same.
    says_at_last(&mut teaching, "من جديد").await;
    says_at_last(&mut learning, "حاضر").await;
    let (one, two) = (chat(&mut teaching).await, chat(&mut learning).await);
    let texts: Vec<_> = one.iter().filter_map(text).collect();
    assert_eq!(texts, ["في النسخة", "من جديد", "حاضر"]);
    assert_eq!(one, two);
    eventually(async || (!has_words(&store, old).await).then_some(())).await;
    says(&mut going_on, "بعد").await;
    assert_eq!(chat(&mut going_on).await.len(), 3, "the other school lost nothing");
    store.close().await;
    for node in nodes {
        node.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_academys_lessons_come_from_a_copy_of_the_first_release() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, folder) = (postgres.url(), tempfile::tempdir().expect("a folder"));
    let folder = folder.path();
    let store = Store::open(&default).await.expect("opened");
    let mut lessons = Vec::new();
    for code in ["01000A", "02000A"] {
        let lesson =
            SmallSchool::add(&store, code).await.expect("added").lesson(&store).await.expect("planned");
        let lines = (1..=3).map(|number| said(number, UserId(Uuid::from_u128(7)), "سطر")).collect();
        store.journal().append(batch(lesson, lines)).await.expect("appended");
        lessons.push(lesson);
    }
    store.close().await;
    let apart = postgres.database("academy").await;
    let urls = [("default", &*default), ("01", &*apart)];
    assert!(qism(&["transfer"], &urls, folder).await.status.success());
    let of = async |lesson: LessonId| {
        let store = Store::open_beside(&databases(&urls)).await.expect("opened");
        let (log, origin) =
            (store.journal().read(lesson, 0, 100).await, store.journal().origin(lesson).await);
        store.close().await;
        (log.expect("read"), origin.expect("read"))
    };
    let before = of(lessons[0]).await;
    assert_eq!(before.0.len(), 3);
    let copy = folder.join("copy");
    let made = qism(&["backup", copy.to_str().expect("text")], &urls, folder).await;
    assert!(made.status.success(), "{}", told(&made));
    let first = include_str!("../../src/storage/migrations/log/001_log.sql");
    take_back(&copy.join("qism-log.db"), "log", first).await;

    execute(&default, "DROP DATABASE academy WITH (FORCE)").await;
    postgres.database("academy").await;
    let (done, why) = restored("01", &copy, &urls, folder).await;
    assert!(done && why.contains("1 lessons of schools 01 are as in"), "{why}");
    assert!(of(lessons[0]).await == before);
    assert_eq!(of(lessons[1]).await.0.len(), 3, "the others' are where they were");
    assert_eq!(std::fs::read_dir(&copy).expect("a folder").count(), 2, "nothing is left beside the copy");
    // A school of its own, in files, has nothing to put back apart.
    let file = format!("sqlite://{}", folder.join("qism.db").display());
    Store::open(&file).await.expect("made").close().await;
    let (done, why) = restored("01", &copy, &[("default", &*file)], folder).await;
    assert!(!done && why.contains("no database of its own for schools 01"), "{why}");
}

fn text(logged: &Logged) -> Option<&str> {
    match &logged.event {
        Event::Said { text, .. } => text.as_deref(),
        _ => None,
    }
}

/// Somebody who wrote in an old lesson of the academy.
async fn erased_since(store: &Store, like: LessonId) -> (UserId, LessonId) {
    let person = store.account_by_login("student2").await.expect("read").expect("of the demonstration").user;
    let lesson = LessonId(Uuid::now_v7());
    let present = store.lesson(like).await.expect("read").expect("a lesson");
    plan_like(store, &present, lesson, present.starts_at - 86_400_000).await;
    let lines = vec![said(1, person, "كلام"), said(2, person, "كلام")];
    store.journal().append(batch(lesson, lines)).await.expect("appended");
    (person, lesson)
}

async fn has_words(store: &Store, lesson: LessonId) -> bool {
    let events = store.journal().read(lesson, 0, 10).await;
    events.map_or(true, |events| events.is_empty() || events.iter().any(|event| text(event).is_some()))
}
