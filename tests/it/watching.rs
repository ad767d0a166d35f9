//! What an operator sees: readiness and numbers.

use std::collections::HashMap;

use crate::server::{Server, eventually};

async fn numbers(server: &Server) -> HashMap<String, f64> {
    let address = server.running.metrics_address().expect("asked for");
    let answer = reqwest::get(format!("http://{address}/metrics")).await.expect("answered");
    assert_eq!(answer.headers()["content-type"], "text/plain; version=0.0.4; charset=utf-8");
    let page = answer.text().await.expect("text");
    let mut kinds = HashMap::new();
    let mut found = HashMap::new();
    for line in page.lines() {
        let words: Vec<&str> = line.split(' ').collect();
        match words.as_slice() {
            ["#", "HELP", _, text @ ..] => {
                assert!(text.last().is_some_and(|last| last.ends_with('.')), "{line}")
            }
            ["#", "TYPE", name, kind] => {
                assert_eq!(name.ends_with("_total"), *kind == "counter", "{line}");
                assert!(kinds.insert((*name).to_owned(), ()).is_none(), "told twice: {line}");
            }
            [name, value] => {
                assert!(kinds.contains_key(*name), "untold: {line}");
                found.insert((*name).to_owned(), value.parse().expect("a number"));
            }
            _ => panic!("{line}"),
        }
    }
    found
}

#[tokio::test]
async fn prometheus_reads_what_happens_and_the_public_listener_does_not_tell() {
    let server = Server::demo_with(|config| config.metrics.listen = "127.0.0.1:0".parse().ok()).await;
    let before = numbers(&server).await;
    assert_eq!((before["qism_lessons"], before["qism_nodes"]), (0.0, 1.0));
    let (_teacher, _line) = server.enter("teacher1").await;
    let (_student, _other) = server.enter("student1").await;
    let now =
        eventually(async || Some(numbers(&server).await).filter(|now| now["qism_students"] == 1.0)).await;
    assert_eq!(now["qism_lessons"], 1.0);
    assert!(now["qism_connections"] >= 2.0 && now["qism_beat_age_seconds"] < 30.0);
    let public = server.stranger().get("/metrics").await;
    let type_told = public.headers()["content-type"].to_str().expect("text").to_owned();
    assert!(!type_told.contains("0.0.4"), "{type_told}");
}

#[tokio::test]
async fn a_server_whose_database_does_not_answer_is_not_ready_and_says_so() {
    let server = Server::demo().await;
    let ready = async || server.stranger().get("/readyz").await;
    assert_eq!(ready().await.status(), 200);
    // Somebody else holds the school's file.
    sqlx::any::install_default_drivers();
    let url = format!("sqlite://{}", server.data().join("qism.db").display());
    let mut rival = <sqlx::AnyConnection as sqlx::Connection>::connect(&url).await.expect("opened");
    sqlx::raw_sql("BEGIN IMMEDIATE").execute(&mut rival).await.expect("locked");
    let told = eventually(async || Some(ready().await).filter(|answer| answer.status() == 503)).await;
    assert_eq!(told.text().await.expect("text"), "the database does not answer");
    sqlx::raw_sql("ROLLBACK").execute(&mut rival).await.expect("let go");
    eventually(async || (ready().await.status() == 200).then_some(())).await;
}
