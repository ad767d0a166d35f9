//! `qism user` beside a running server: rights are gone within a second, everywhere, and come back when given back.

use std::{
    path::Path,
    process::{Command, Output},
};

use qism::{school::demo, storage::Store};
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::protocol::{
    ClientFrame, CloseCode, Command as Wish, Event, Logged, Recipients, ServerFrame, SessionId, VERSION,
};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Person, Server};

/// The program in a process of its own, as an administrator runs it.
async fn user(data: &Path, words: &[&str]) -> Output {
    let data = data.to_owned();
    let words: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
    let run = move || {
        let mut program = Command::new(env!("CARGO_BIN_EXE_qism"));
        program.arg("user").args(words).arg("--data").arg(data).output().expect("the program runs")
    };
    tokio::task::spawn_blocking(run).await.expect("no panic")
}

fn stdout(output: &Output) -> String {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

async fn sign_in(person: &Person, login: &str, password: &str) -> (u16, Value) {
    let answer = person.post("/api/session", &json!({ "login": login, "password": password })).await;
    (answer.status().as_u16(), answer.json().await.expect("JSON"))
}

#[tokio::test]
async fn a_disabled_account_is_put_out_of_its_lesson_and_let_in_nowhere() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (student, mut line) = server.enter("student1").await;
    let unused = student.ticket(line.lesson, SessionId(Uuid::now_v7())).await;
    stdout(&user(server.data(), &["disable", "student1"]).await);
    assert_eq!(line.socket.closed().await, Some(CloseCode::Withdrawn.number()));
    assert_eq!(student.get("/api/me").await.status(), 401);
    let (status, body) = sign_in(&student, "student1", demo::PASSWORD).await;
    assert_eq!((status, body["error"].as_str()), (403, Some("account_disabled")));
    let mut late = server.socket().await;
    late.send(&ClientFrame::Hello { version: VERSION, ticket: unused, position: None }).await;
    assert_eq!(late.closed().await, Some(CloseCode::Ticket.number()), "an older ticket is void");
    let id = teacher.command(Wish::Say { text: "نواصل".into(), to: Recipients::Everyone }).await;
    teacher.accepted(id).await;
    stdout(&user(server.data(), &["enable", " Student1 "]).await);
    server.sign_in("student1").await;
}

#[tokio::test]
async fn an_operator_erases_a_person_in_the_middle_of_a_lesson() {
    let server = Server::demo().await;
    let (_, mut teacher) = server.enter("teacher1").await;
    let (student, mut line) = server.enter("student1").await;
    let id = line.command(Wish::Say { text: "كلام".into(), to: Recipients::Everyone }).await;
    line.accepted(id).await;
    let told = stdout(&user(server.data(), &["erase", " Student1 "]).await);
    assert!(told.contains("is erased"), "{told}");
    assert_eq!(line.socket.closed().await, Some(CloseCode::Withdrawn.number()));
    let erased = |frame: &ServerFrame| match frame {
        ServerFrame::Event(Logged { event: Event::Erased { user }, .. }) => Some(*user),
        _ => None,
    };
    assert_eq!(teacher.socket.find(erased).await, line.welcome.user);
    assert_eq!(sign_in(&student, "student1", demo::PASSWORD).await.0, 401);
    let listed = stdout(&user(server.data(), &["list"]).await);
    assert!(!listed.lines().any(|account| account.starts_with("student1 ")), "{listed}");
    let again = user(server.data(), &["erase", "student1"]).await;
    assert!(String::from_utf8_lossy(&again.stderr).contains("nobody has the login"));
    // Whoever runs a school is erased by an operator only.
    stdout(&user(server.data(), &["erase", "director"]).await);
}

#[tokio::test]
async fn a_new_password_ends_what_the_old_one_opened() {
    let server = Server::demo().await;
    let student = server.sign_in("student2").await;
    let told = stdout(&user(server.data(), &["password", "student2"]).await);
    let password = told.trim().rsplit(' ').next().expect("a password").to_owned();
    assert_eq!(student.get("/api/me").await.status(), 401);
    assert_eq!(sign_in(&student, "student2", demo::PASSWORD).await.0, 401);
    assert_eq!(sign_in(&student, "student2", &password).await.0, 200);
    let lesson = student.first_lesson().await;
    server.enter_lesson(&student, lesson, SessionId(Uuid::now_v7()), None).await;
}

#[tokio::test]
async fn a_password_that_is_replaced_while_it_is_checked_opens_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut urls = vec![format!("sqlite://{}", folder.path().join("qism.db").display())];
    let postgres = Postgres::start().await;
    urls.extend(postgres.iter().map(Postgres::url));
    for url in urls {
        let store = Store::open(&url).await.expect("opened");
        let login = SmallSchool::add(&store, "01000A").await.expect("added").login;
        let account = async || store.account_by_login(&login).await.expect("read").expect("there");
        let (checked, now) = (account().await, 1_000);
        assert!(store.add_sign_in("token", &checked, now, now + 1_000).await.expect("written"));
        store.replace_password(checked.user, "another hash", now).await.expect("replaced");
        assert!(!store.add_sign_in("late", &checked, now, now + 1_000).await.expect("written"));
        let checked = account().await;
        assert!(store.add_sign_in("new", &checked, now, now + 1_000).await.expect("written"));
        store.disable_account(checked.user, now).await.expect("disabled");
        assert!(!store.add_sign_in("late", &checked, now, now + 1_000).await.expect("written"));
        assert!(store.account_by_sign_in("late", now).await.expect("read").is_none());
        store.close().await;
    }
}

#[tokio::test]
async fn a_student_who_changes_class_changes_lessons() {
    let server = Server::demo().await;
    let (_, _old) = server.enter("teacher1").await;
    let (_, new) = server.enter("teacher2").await;
    let (student, mut line) = server.enter("student3").await;
    stdout(&user(server.data(), &["move", "student3", "2APIC-1"]).await);
    assert_eq!(line.socket.closed().await, Some(CloseCode::Withdrawn.number()));
    assert_eq!(
        student.first_lesson().await,
        new.lesson,
        "still signed in, and another lesson is the one of now"
    );
    let ticket = json!({ "session": SessionId(Uuid::now_v7()) });
    let refused = student.post(&format!("/api/lessons/{}/ticket", line.lesson), &ticket).await;
    assert_eq!(refused.status(), 403);
    server.enter_lesson(&student, new.lesson, SessionId(Uuid::now_v7()), None).await;
    for wrong in [&["move", "student3", "9APIC-9"], &["move", "teacher1", "2APIC-1"]] {
        assert_eq!(user(server.data(), wrong).await.status.code(), Some(1));
    }
}

#[tokio::test]
async fn an_unknown_login_or_an_empty_folder_is_told_and_changes_nothing() {
    let server = Server::demo().await;
    let output = user(server.data(), &["disable", "nobody"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("nobody has the login nobody"));
    let folder = tempfile::tempdir().expect("a folder");
    let output = user(folder.path(), &["disable", "student1"]).await;
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("cannot open"));
    assert_eq!(std::fs::read_dir(folder.path()).expect("readable").count(), 0, "nothing was made");
}

#[tokio::test]
async fn a_student_who_is_added_beside_the_server_signs_in_and_is_in_the_lesson_of_the_class() {
    let server = Server::demo().await;
    let (_, teacher) = server.enter("teacher1").await;
    let words = &["add", "S.Alaoui", "--role", "student", "--class", "1APIC-1", "--arabic", "سلمى", "العلوي"];
    let told = stdout(&user(server.data(), words).await);
    assert!(told.starts_with("s.alaoui is added"), "{told}");
    let password = told.trim().rsplit(' ').next().expect("a password").to_owned();
    let student = server.stranger();
    assert_eq!(sign_in(&student, "s.alaoui", &password).await.0, 200);
    let lesson = student.first_lesson().await;
    assert_eq!(lesson, teacher.lesson);
    server.enter_lesson(&student, lesson, SessionId(Uuid::now_v7()), None).await;
}

#[tokio::test]
async fn a_teacher_who_is_added_may_start_a_lesson_with_each_class() {
    let server = Server::demo().await;
    let words = &[
        "add",
        "prof",
        "--role",
        "teacher",
        "--class",
        "1APIC-1",
        "--class",
        "2APIC-1",
        "--subject",
        "mathématiques",
        "--latin",
        "Nadia",
        "Idrissi",
    ];
    let told = stdout(&user(server.data(), words).await);
    let password = told.trim().rsplit(' ').next().expect("a password").to_owned();
    let teacher = server.stranger();
    assert_eq!(sign_in(&teacher, "prof", &password).await.0, 200);
    let today: Value = teacher.get("/api/lessons").await.json().await.expect("JSON");
    let groups = today["groups"].as_array().expect("groups");
    let names: Vec<&str> = groups.iter().filter_map(|group| group["name"].as_str()).collect();
    assert_eq!(names, ["1APIC-1", "2APIC-1"]);
}

#[tokio::test]
async fn the_list_of_accounts_shows_role_class_state_and_both_names() {
    let server = Server::demo().await;
    stdout(&user(server.data(), &["disable", "student2"]).await);
    let all = stdout(&user(server.data(), &["list"]).await);
    assert_eq!(all.lines().count(), 97, "{all}");
    let students = stdout(&user(server.data(), &["list", "--role", "student", "--class", "1APIC-1"]).await);
    let logins: Vec<&str> = students.lines().filter_map(|line| line.split(' ').next()).collect();
    assert_eq!(logins.len(), 30);
    assert_eq!(logins[..3], ["student1", "student2", "student3"]);
    let second = students.lines().nth(1).expect("a line");
    for word in ["student", "1APIC-1", "disabled", "ياسين", "/ Yassine"] {
        assert!(second.contains(word), "{word} in {second}");
    }
}

#[tokio::test]
async fn an_account_that_makes_no_sense_is_refused_with_what_to_do() {
    let server = Server::demo().await;
    let cases: [(&[&str], i32, &str); 8] = [
        (&["student1", "--role", "director", "--latin", "A", "B"], 1, "somebody has the login student1"),
        (&["two words", "--role", "director", "--latin", "A", "B"], 1, "cannot be a login"),
        (&["new", "--role", "student", "--latin", "A", "B"], 1, "--class CLASS"),
        (&["new", "--role", "student", "--class", "9A", "--latin", "A", "B"], 1, "1APIC-1, 2APIC-1, 3APIC-2"),
        (&["new", "--role", "teacher", "--class", "1APIC-1", "--latin", "A", "B"], 1, "--subject SUBJECT"),
        (&["new", "--role", "director", "--class", "1APIC-1", "--latin", "A", "B"], 1, "only students"),
        (&["new", "--role", "director"], 2, "--arabic"),
        (&["new", "--role", "boss", "--latin", "A", "B"], 2, "director"),
    ];
    for (words, code, told) in cases {
        let output = user(server.data(), &[&["add"], words].concat()).await;
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{text}");
        assert!(text.contains(told), "{told} in {text}");
    }
    let all = stdout(&user(server.data(), &["list"]).await);
    assert_eq!(all.lines().count(), 97, "nothing was made");
}
