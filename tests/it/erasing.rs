//! A director erases a person: no name and no word of theirs is left, and everything else is as it was. On both engines.

use std::{path::Path, time::Duration};

use qism::storage::Store;
use qism_signaling::protocol::{
    ClientFrame, Command, Event, LessonId, Logged, Name, Pull, Recipients, RemovalReason, ServerFrame, UserId,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    journal::{batch, said},
    server::{Line, Person, Server, eventually},
    timetable::plan_like,
};

/// In everything that was written by them or about them, and in nothing else.
const WORD: &str = "fermium257";

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_leaves_no_name_and_no_word_in_files() {
    let server = Server::demo().await;
    let url = format!("sqlite://{}", server.data().join("qism.db").display());
    erase(&server.running.url(), &url).await;
    let data = server.data().to_owned();
    eventually(async || (!holds(&data, WORD)).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erased_person_leaves_no_name_and_no_word_in_postgresql() {
    let Some(cluster) = Cluster::of(1).await else { return };
    erase(&cluster.url(0), cluster.storage_url()).await;
}

/// Whether any file of a folder has a word in it.
fn holds(folder: &Path, word: &str) -> bool {
    let files = std::fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files = files.filter(|path| path.is_file());
    files.any(|path| {
        std::fs::read(path).expect("read").windows(word.len()).any(|window| window == word.as_bytes())
    })
}

async fn erase(url: &str, storage_url: &str) {
    let store = Store::open_beside(storage_url).await.expect("opened");
    let [director, teacher, student, other] =
        ["director", "teacher1", "student1", "student2"].map(|login| Person::sign_in(url, login));
    let (director, teacher, student, other) = tokio::join!(director, teacher, student, other);
    let people = director.json("/api/people").await;
    let person = find(&people, "student1").expect("listed").clone();
    let user: UserId = serde_json::from_value(person["user"].clone()).expect("an id");

    let lesson = student.first_lesson().await;
    let old = packed_lesson(&store, lesson, user).await;
    let (mut watching, mut bystander) = lesson_with_words(&teacher, &student, &other, user).await;
    let before = (all(&store, lesson).await, all(&store, old).await);
    assert!(words(&before.0) >= 3 && words(&before.1) == 2, "{before:?}");

    let path = format!("/api/people/{user}/erasure");
    let status = async |who: &Person, path: &str, login: &str| {
        who.post(path, &json!({ "login": login })).await.status().as_u16()
    };
    assert_eq!(teacher.get("/api/people").await.status(), 403);
    assert_eq!(status(&teacher, &path, "student1").await, 403);
    assert_eq!(status(&director, &path, "student2").await, 409, "the name of somebody else");
    assert_eq!(status(&director, &format!("/api/people/{}/erasure", Uuid::nil()), "student1").await, 404);
    assert!(find(&people, "director").is_none(), "who runs a school is not erased from within it");
    assert_eq!(status(&director, &path, "student1").await, 204);

    // The account is gone at once.
    assert_eq!(student.get("/api/me").await.status(), 401);
    let credentials = json!({ "login": "student1", "password": qism::school::demo::PASSWORD });
    assert_eq!(other.post("/api/session", &credentials).await.status(), 401);
    assert!(find(&director.json("/api/people").await, "student1").is_none());
    let account = store.account_by_id(user).await.expect("read").expect("a row that events can point to");
    assert!(account.name.arabic.is_none() && account.name.latin.is_none() && account.disabled);
    let group = store.lesson(lesson).await.expect("read").expect("a lesson").group;
    let listed = store.students(group).await.expect("read");
    assert!(!listed.iter().any(|(listed, _)| *listed == user) && !listed.is_empty());

    // Who has the lines on the screen is told that they are no more, and whoever comes back or anew is told none.
    for line in [&mut watching, &mut bystander] {
        loses(line, user).await;
    }
    drop(bystander);
    let mut anew = other.enter().await;
    assert!(anew.welcome.people.iter().all(|person| person.user != user || person.name == Name::default()));
    anew.socket.send(&ClientFrame::Pull { request: 1, pull: Pull::Chat { before: None } }).await;
    let page = anew.socket.find(|frame| match frame {
        ServerFrame::ChatPage { lines, .. } => Some(lines.clone()),
        _ => None,
    });
    let page = page.await;
    assert!(page.len() > 1 && words(&page) == 0, "{page:?}");

    // The words of old lessons follow; everything else keeps its place.
    let after = eventually(async || {
        let after = (all(&store, lesson).await, all(&store, old).await);
        (words(&after.0) + words(&after.1) == 0).then_some(after)
    })
    .await;
    assert_eq!((places(&after.0), places(&after.1)), (places(&before.0), places(&before.1)));
    let bystanders = |events: &[Logged]| events.iter().filter(|it| text(it) == Some("bystander")).count();
    assert_eq!((bystanders(&after.0), bystanders(&after.1)), (1, 1));
    let reports = director.json("/api/reports").await;
    assert!(!reports.to_string().contains(WORD), "{reports}");
    let report = &reports["reports"][0];
    assert_eq!((&report["kind"], &report["note"]), (&json!("removal"), &Value::Null));
    assert_eq!(report["about"]["name"], json!({ "arabic": null, "latin": null }));
    store.close().await;
}

fn find<'a>(people: &'a Value, login: &str) -> Option<&'a Value> {
    people["people"].as_array().expect("a list").iter().find(|person| person["login"] == login)
}

/// A lesson of last month, packed: two lines of theirs, one of somebody else.
async fn packed_lesson(store: &Store, like: LessonId, user: UserId) -> LessonId {
    let (journal, lesson) = (store.journal(), LessonId(Uuid::now_v7()));
    let present = store.lesson(like).await.expect("read").expect("a lesson");
    plan_like(store, &present, lesson, present.starts_at - 30 * 86_400_000).await;
    for line in [said(1, user, WORD), said(2, present.teacher, "bystander"), said(3, user, WORD)] {
        journal.append(batch(lesson, vec![line])).await.expect("appended");
    }
    let now = store.database_now().await.expect("the time");
    store.pack(now, Duration::ZERO).await.expect("packed");
    lesson
}

/// The name first, then the words.
async fn loses(line: &mut Line, user: UserId) {
    let is_nameless = |frame: &ServerFrame| match frame {
        ServerFrame::People { people, .. } => {
            people.iter().any(|person| person.user == user && person.name == Name::default()).then_some(())
        }
        _ => None,
    };
    line.socket.find(is_nameless).await;
    let is_struck_out = |frame: &ServerFrame| match frame {
        ServerFrame::Event(logged) => (logged.event == Event::Erased { user }).then_some(()),
        _ => None,
    };
    line.socket.find(is_struck_out).await;
}

/// They write to everybody and to the teacher, and are put out with a note; somebody else writes, too, and stays with the teacher.
async fn lesson_with_words(teacher: &Person, student: &Person, other: &Person, user: UserId) -> (Line, Line) {
    let (mut teacher, mut student, mut other) =
        (teacher.enter().await, student.enter().await, other.enter().await);
    let say = |text: &str, to| Command::Say { text: text.into(), to };
    for to in [Recipients::Everyone, Recipients::Teachers] {
        let line = student.command(say(WORD, to)).await;
        student.accepted(line).await;
    }
    let line = other.command(say("bystander", Recipients::Everyone)).await;
    other.accepted(line).await;
    let removal = Command::Remove { user, reason: RemovalReason::Other, note: WORD.into(), keep_out: true };
    let removal = teacher.command(removal).await;
    teacher.accepted(removal).await;
    (teacher, other)
}

async fn all(store: &Store, lesson: LessonId) -> Vec<Logged> {
    store.journal().read(lesson, 0, 1_000).await.expect("read")
}

fn text(logged: &Logged) -> Option<&str> {
    match &logged.event {
        Event::Said { text, .. } => text.as_deref(),
        Event::Removed { note, .. } => note.as_deref(),
        _ => None,
    }
}

/// How many texts have the word.
fn words(events: &[Logged]) -> usize {
    events.iter().filter(|event| text(event).is_some_and(|text| text.contains(WORD))).count()
}

/// Of the events that were there before anybody was erased: what orders them.
fn places(events: &[Logged]) -> Vec<(u64, u64, Option<UserId>)> {
    events.iter().take(8).map(|event| (event.number, event.chain.0, event.sender)).collect()
}
