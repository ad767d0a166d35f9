//! The same store on PostgreSQL, a private one.

use std::time::Duration;

use qism::{app::Running, storage::Store};
use qism_backing::Postgres;
use qism_signaling::protocol::{Command as Wish, CommandId, ErrorCode, Recipients, ServerFrame};
use uuid::Uuid;

use crate::{
    journal,
    server::{Line, Person, Server, config},
};

pub fn skipped() {
    eprintln!("skipped: PostgreSQL is not installed (tools/setup.sh postgres)");
}

fn say(text: &str) -> Wish {
    Wish::Say { text: text.into(), to: Recipients::Everyone }
}

#[tokio::test]
async fn the_log_on_postgresql_is_the_log_on_sqlite() {
    let Some(cluster) = Postgres::start().await else { return skipped() };
    let store = Store::open(&cluster.url()).await.expect("opened");
    journal::all_that_any_store_does(&store.journal(), &journal::lesson).await;
    store.close().await;
    Store::open(&cluster.url()).await.expect("opened again").close().await;
}

#[tokio::test]
async fn a_school_on_postgresql_teaches_survives_a_restart_and_an_outage() {
    let Some(cluster) = Postgres::start().await else { return skipped() };
    let server = Server::demo_with(|config| config.storage.url = cluster.url().into()).await;
    let nobody = serde_json::json!({ "login": "a\0b", "password": "x" });
    assert_eq!(server.stranger().post("/api/session", &nobody).await.status(), 401);
    let (_, mut teacher) = server.enter("teacher1").await;
    let refused = teacher.command(say("a\0b")).await;
    assert_eq!(teacher.refused(refused).await, ErrorCode::Invalid);
    let id = teacher.command(say("قبل")).await;
    let number = teacher.accepted(id).await;
    teacher.again(id, say("قبل")).await;
    assert_eq!(teacher.accepted(id).await, number, "known");
    cluster.end_connections().await;
    let late = CommandId(Uuid::now_v7());
    loop {
        teacher.again(late, say("بعد")).await;
        match outcome(&mut teacher, late).await {
            Ok(_) => break,
            Err(error) => assert_eq!(error, ErrorCode::Unavailable),
        }
        tokio::time::sleep(Duration::from_millis(300)).await;
    }
    drop(teacher);
    server.running.stop().await;
    let folder = tempfile::tempdir().expect("a folder");
    let mut again = config(folder.path());
    again.storage.url = cluster.url().into();
    let running = Running::start_demo(again).await.expect("starts again");
    let person = Person::sign_in(&running.url(), "teacher1").await;
    let line = person.enter().await;
    let head = line.welcome.snapshot.as_ref().map(|snapshot| snapshot.position.number);
    assert!(head > Some(number), "the log went on from {number}: {head:?}");
    running.stop().await;
}

async fn outcome(line: &mut Line, wanted: CommandId) -> Result<u64, ErrorCode> {
    let answer = |frame: &ServerFrame| match frame {
        ServerFrame::Accepted { id, number } if *id == wanted => Some(Ok(*number)),
        ServerFrame::Refused { id, error, .. } if *id == wanted => Some(Err(*error)),
        _ => None,
    };
    line.socket.find(answer).await
}

#[tokio::test]
async fn a_postgresql_that_cannot_be_used_is_told_with_what_to_do() {
    let Some(mut cluster) = Postgres::start().await else { return skipped() };
    let told = async |url: &str| Store::open(url).await.err().expect("refused").to_string();
    let nowhere = told(&cluster.url().replace("/postgres", "/nowhere")).await;
    assert!(nowhere.contains("\"nowhere\" does not exist") && nowhere.contains("createdb"), "{nowhere}");
    cluster.kill();
    let away = told(&cluster.url()).await;
    assert!(away.contains("refused") && away.contains("does it run at the address"), "{away}");
}
