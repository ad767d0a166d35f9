//! Signing in, today's lessons, tickets: the school over HTTP.

use std::time::Duration;

use qism::school::demo;
use qism_signaling::protocol::{LessonId, SessionId};
use serde_json::{Value, json};
use uuid::Uuid;

use crate::server::{Person, Server, eventually};

fn session() -> Value {
    json!({ "session": SessionId(Uuid::now_v7()) })
}

async fn refusal(answer: reqwest::Response) -> (u16, String) {
    let status = answer.status().as_u16();
    let body: Value = answer.json().await.expect("JSON");
    (status, body["error"].as_str().expect("a code").to_owned())
}

async fn ticket(person: &Person, lesson: LessonId) -> reqwest::Response {
    person.post(&format!("/api/lessons/{lesson}/ticket"), &session()).await
}

#[tokio::test]
async fn signing_in_tells_who_and_signing_out_forgets() {
    let server = Server::demo().await;
    let student = server.sign_in(" Student1 ").await;
    let me = student.json("/api/me").await;
    assert_eq!((me["login"].as_str(), me["roles"][0]["role"].as_str()), (Some("student1"), Some("student")));
    assert_eq!(student.delete("/api/session").await.status(), 204);
    assert_eq!(refusal(student.get("/api/me").await).await, (401, "signed_out".into()));
    for closed in ["/api/lessons", "/api/reports", "/api/check/ping"] {
        assert_eq!(student.get(closed).await.status(), 401, "{closed}");
    }
}

#[tokio::test]
async fn wrong_login_and_wrong_password_look_alike_and_guessing_must_wait() {
    let server = Server::demo().await;
    let stranger = server.stranger();
    let attempt = async |login: &str, password: &str| {
        refusal(stranger.post("/api/session", &json!({ "login": login, "password": password })).await).await
    };
    assert_eq!(attempt("nobody", demo::PASSWORD).await, (401, "wrong_credentials".into()));
    for _ in 0..5 {
        assert_eq!(attempt("student1", "wrong").await, (401, "wrong_credentials".into()));
    }
    // Each guess more doubles the wait: sooner or later one comes too early, however slow this machine is.
    let body = json!({ "login": "student1", "password": "wrong" });
    let refused = eventually(async || {
        let answer = stranger.post("/api/session", &body).await;
        (answer.status() == 429).then_some(answer)
    });
    let wait: u64 = refused.await.headers()["retry-after"].to_str().expect("text").parse().expect("seconds");
    let body = json!({ "login": "student1", "password": demo::PASSWORD });
    server.sign_in("student2").await;
    tokio::time::sleep(Duration::from_secs(wait)).await;
    eventually(async || (stranger.post("/api/session", &body).await.status() == 200).then_some(())).await;
}

#[tokio::test]
async fn everybody_sees_their_own_lessons() {
    let server = Server::demo().await;
    let groups = async |login: &str| -> Vec<String> {
        let today = server.sign_in(login).await.json("/api/lessons").await;
        let lessons = today["lessons"].as_array().expect("a list");
        lessons.iter().map(|lesson| lesson["group"].as_str().expect("text").to_owned()).collect()
    };
    for (login, group) in [("student1", "1APIC-1"), ("student31", "2APIC-1"), ("teacher3", "3APIC-2")] {
        let seen = groups(login).await;
        assert!(!seen.is_empty() && seen.iter().all(|seen| seen == group), "{login} sees {seen:?}");
    }
    assert!(groups("director").await.len() >= 3);
    assert!(groups("teacher4").await.is_empty());
}

#[tokio::test]
async fn the_list_is_the_admission() {
    let server = Server::demo().await;
    let teacher = server.sign_in("teacher1").await;
    let lesson = teacher.first_lesson().await;
    let own = server.sign_in("student1").await;
    assert_eq!(ticket(&own, lesson).await.status(), 200);
    let director = server.sign_in("director").await;
    assert_eq!(ticket(&director, lesson).await.status(), 200);
    for stranger in ["student31", "teacher2"] {
        let person = server.sign_in(stranger).await;
        assert_eq!(refusal(ticket(&person, lesson).await).await, (403, "not_admitted".into()), "{stranger}");
    }
    let nowhere = LessonId(Uuid::now_v7());
    assert_eq!(refusal(ticket(&own, nowhere).await).await, (404, "no_such_lesson".into()));
    assert_eq!(own.post("/api/lessons/x/ticket", &session()).await.status(), 404);
}

#[tokio::test]
async fn a_teacher_starts_a_lesson_now_and_twice_is_the_same() {
    let server = Server::demo().await;
    let teacher = server.sign_in("teacher4").await;
    let group = teacher.json("/api/lessons").await["groups"][1]["group"].clone();
    let start = async || {
        let answer = teacher.post("/api/lessons", &json!({ "group": group })).await;
        assert_eq!(answer.status(), 201);
        let body: Value = answer.json().await.expect("JSON");
        body["lesson"].as_str().expect("an id").to_owned()
    };
    let lesson = start().await;
    assert_eq!(start().await, lesson);
    let other = teacher.json("/api/lessons").await["groups"][2]["group"].clone();
    let tap = async || teacher.post("/api/lessons", &json!({ "group": other })).await.json::<Value>().await;
    let (first, second) = tokio::join!(tap(), tap());
    assert_eq!(first.expect("JSON"), second.expect("JSON"), "two taps at once");
    let student = server.sign_in("student31").await;
    assert_eq!(ticket(&student, lesson.parse().expect("an id")).await.status(), 200);
    let elsewhere = teacher.post("/api/lessons", &json!({ "group": Uuid::now_v7() })).await;
    assert_eq!(refusal(elsewhere).await, (403, "not_allowed".into()));
    let pupil = student.post("/api/lessons", &json!({ "group": group })).await;
    assert_eq!(pupil.status(), 403);
}

#[tokio::test]
async fn reports_are_for_the_director() {
    let server = Server::demo().await;
    let director = server.sign_in("director").await;
    assert_eq!(director.json("/api/reports").await, json!({ "reports": [] }));
    let teacher = server.sign_in("teacher1").await;
    assert_eq!(teacher.get("/api/reports").await.status(), 403);
}

#[tokio::test]
async fn the_administrator_sees_the_server_and_what_goes_on() {
    let server = Server::demo().await;
    let administrator = server.sign_in("administrator").await;
    assert_eq!(administrator.json("/api/lessons").await["lessons"], json!([]), "no lessons of their own");
    let fleet = administrator.json("/api/fleet").await;
    assert_eq!((&fleet["lessons"], &fleet["students"]), (&json!(0), &json!(0)));
    let [alone] = fleet["servers"].as_array().expect("a list").as_slice() else { panic!("{fleet}") };
    assert_eq!((&alone["state"], &alone["version"]), (&json!("serving"), &json!(env!("CARGO_PKG_VERSION"))));
    let (_student, _line) = server.enter("student1").await;
    let open = eventually(async || {
        let fleet = administrator.json("/api/fleet").await;
        (fleet["students"] == 1).then_some(fleet)
    });
    let open = open.await;
    assert_eq!((&open["lessons"], &open["lessons_without_teacher"]), (&json!(1), &json!(1)));
    assert_eq!((&open["servers"][0]["lessons"], &open["servers"][0]["people"]), (&json!(1), &json!(1)));
    let (_teacher, _other) = server.enter("teacher1").await;
    eventually(async || {
        (administrator.json("/api/fleet").await["lessons_without_teacher"] == 0).then_some(())
    })
    .await;
    for other in ["director", "teacher1", "student1"] {
        assert_eq!(server.sign_in(other).await.get("/api/fleet").await.status(), 403, "{other}");
    }
    assert_eq!(server.stranger().get("/api/fleet").await.status(), 401);
}

#[tokio::test]
async fn the_network_check_moves_what_is_asked_and_not_more() {
    let server = Server::demo().await;
    let student = server.sign_in("student1").await;
    for (asked, given) in [(0, 0), (100_001, 100_001), (50_000_000, 4 * 1024 * 1024)] {
        let answer = student.get(&format!("/api/check/download?bytes={asked}")).await;
        assert_eq!(answer.bytes().await.expect("bytes").len(), given);
    }
    assert_eq!(student.upload("/api/check/upload", vec![0; 1_000_000]).await, Some(204));
    let too_much = student.upload("/api/check/upload", vec![0; 4 * 1024 * 1024 + 1]).await;
    assert!(too_much.is_none_or(|status| status == 413), "{too_much:?}");
}

#[tokio::test]
async fn nonsense_bodies_are_refused_without_harm() {
    let server = Server::demo().await;
    let student = server.sign_in("student1").await;
    for body in [
        json!({}),
        json!([]),
        json!({ "login": 1, "password": 2 }),
        json!({ "login": "x", "password": "y", "z": 1 }),
    ] {
        assert_eq!(refusal(student.post("/api/session", &body).await).await, (400, "malformed".into()));
    }
    let long = json!({ "login": "x".repeat(100_000), "password": "y" });
    assert!(student.post("/api/session", &long).await.status().is_client_error());
    assert_eq!(student.get("/api/me").await.status(), 200);
}
