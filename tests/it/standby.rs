//! PostgreSQL with a standby: what is acknowledged outlives the primary, or the server says why it would not.

use std::{process::Command as Process, time::Duration};

use qism::{
    app::Running,
    config::Standby,
    storage::{StandbyRule, Store},
};
use qism_backing::Postgres;
use qism_signaling::{
    hub::ports::{AppendError, Batch, Journal},
    protocol::{
        Chain, Command, CommandId, Event, LessonId, Logged, Position, Recipients, ServerFrame, UserId,
    },
};
use tempfile::TempDir;
use tokio::time::timeout;
use uuid::Uuid;

use crate::{
    cluster::Cluster,
    postgres::skipped,
    server::{Person, Server, config, eventually},
};

/// Long enough for whatever does not wait for the standby.
const A_WHILE: Duration = Duration::from_millis(1_500);

async fn with_standby() -> Option<(Postgres, Postgres)> {
    let primary = Postgres::start().await?;
    let standby = primary.standby("standby").await;
    Some((primary, standby))
}

async fn waited_for(primary: &Postgres) {
    primary.set("synchronous_standby_names", "standby").await;
}

async fn started(url: &str, rule: Standby) -> anyhow::Result<(Server, TempDir)> {
    let folder = tempfile::tempdir()?;
    let mut config = config(folder.path());
    config.storage.url = url.into();
    config.storage.standby = rule;
    let running = Running::start(config).await?;
    let server = Server { running, http: reqwest::Client::new(), data: tempfile::tempdir()? };
    Ok((server, folder))
}

async fn readiness(server: &Server) -> (u16, String) {
    let answer = server.stranger().get("/readyz").await;
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

#[tokio::test]
async fn a_standby_that_nobody_waits_for_keeps_the_server_from_starting_and_from_being_ready() {
    let Some((primary, _standby)) = with_standby().await else { return skipped() };
    let refused = started(&primary.url(), Standby::Auto).await.err().expect("refused");
    assert!(format!("{refused:#}").contains("synchronous_standby_names is empty"), "{refused:#}");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("qism.toml");
    let text = format!("[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"{}\"\n", primary.url());
    std::fs::write(&file, text).expect("written");
    let mut program = Process::new(env!("CARGO_BIN_EXE_qism"));
    program.args(["serve", "--config"]).arg(file);
    let output = tokio::task::spawn_blocking(move || program.output().expect("the program runs"));
    let output = output.await.expect("no panic");
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("commits do not wait for the standby") && told.contains("ALTER SYSTEM"), "{told}");
    // Another one that nobody will ever promote is none of the server's business.
    let (reader, _folder) = started(&primary.url(), Standby::None).await.expect("starts");
    assert_eq!(readiness(&reader).await.0, 200);
    reader.running.stop().await;

    waited_for(&primary).await;
    let (server, _folder) = started(&primary.url(), Standby::Auto).await.expect("starts");
    assert_eq!(readiness(&server).await.0, 200);
    for (name, bad, good, told) in [
        ("synchronous_standby_names", "", "standby", "synchronous_standby_names is empty"),
        ("synchronous_commit", "remote_write", "remote_apply", "synchronous_commit is remote_write"),
    ] {
        primary.set(name, bad).await;
        eventually(async || {
            Some(readiness(&server).await).filter(|(code, why)| *code == 503 && why.contains(told))
        })
        .await;
        primary.set(name, good).await;
        eventually(async || (readiness(&server).await.0 == 200).then_some(())).await;
    }
    server.running.stop().await;
}

#[tokio::test]
async fn a_required_standby_is_missed_and_a_standby_itself_is_no_store() {
    let Some((primary, standby)) = with_standby().await else { return skipped() };
    let told = Store::open(&standby.url()).await.err().expect("refused").to_string();
    assert!(told.contains("is a standby"), "{told}");
    drop(standby);
    let none = "SELECT COUNT(*)::BIGINT FROM pg_stat_replication";
    eventually(async || (primary.number(none).await == Some(0)).then_some(())).await;
    let told = Store::open_safe(&primary.url(), StandbyRule::Required).await.err().expect("refused");
    assert!(told.to_string().contains("synchronous_standby_names"), "{told}");
    let lone = Store::open_safe(&primary.url(), StandbyRule::Auto).await.expect("a lone primary");
    lone.close().await;
    primary.set("synchronous_commit", "off").await;
    let told = Store::open_safe(&primary.url(), StandbyRule::None).await.err().expect("refused");
    assert!(told.to_string().contains("synchronous_commit is off"), "{told}");
}

fn said(number: u64) -> Logged {
    let user = UserId(Uuid::from_u128(7));
    Logged {
        number,
        chain: Chain(100 + number),
        at: 1_000 + number,
        sender: Some(user),
        command: CommandId(Uuid::from_u128(u128::from(number))),
        event: Event::Said { user, to: Recipients::Everyone, text: Some(format!("line {number}")) },
    }
}

fn batch(lesson: LessonId, number: u64) -> Batch {
    let head = Position { number: number - 1, chain: Chain(100 + number - 1) };
    Batch { lesson, head, events: vec![said(number)], erase: Vec::new() }
}

/// The second line's commit waits for a standby that is gone, and its connection is cut: the row can be seen on the
/// primary, and nowhere else.
async fn seen_and_not_safe(
    primary: &Postgres,
    standby: &mut Postgres,
) -> (std::sync::Arc<dyn Journal>, LessonId) {
    waited_for(primary).await;
    let journal = Store::open(&primary.url()).await.expect("opened").journal();
    let lesson = LessonId(Uuid::now_v7());
    journal.append(batch(lesson, 1)).await.expect("with a standby");
    standby.kill();
    let waiting = tokio::spawn({
        let journal = journal.clone();
        async move { journal.append(batch(lesson, 2)).await }
    });
    // A vacuum may wait as well.
    let waits = "SELECT COUNT(*)::BIGINT FROM pg_stat_activity WHERE wait_event = 'SyncRep' AND query LIKE 'INSERT INTO event%'";
    eventually(async || (primary.number(waits).await == Some(1)).then_some(())).await;
    assert_eq!(journal.read(lesson, 0, 9).await.expect("read").len(), 1, "not shown while it waits");
    primary.end_connections().await;
    let unknown = waiting.await.expect("no panic");
    assert!(matches!(unknown, Err(AppendError::Unavailable(_))), "{unknown:?}");
    let read = async || journal.read(lesson, 0, 9).await.ok().filter(|read| read.len() == 2);
    eventually(read).await;
    (journal, lesson)
}

#[tokio::test]
async fn a_known_command_is_acknowledged_only_when_a_standby_has_it() {
    let Some((primary, mut standby)) = with_standby().await else { return skipped() };
    let (journal, lesson) = seen_and_not_safe(&primary, &mut standby).await;
    let head = Position { number: 2, chain: Chain(102) };
    let mut again = Box::pin(journal.append(batch(lesson, 2)));
    let mut confirmed = Box::pin(journal.confirm(lesson, head));
    assert!(timeout(A_WHILE, &mut again).await.is_err(), "known, and no standby has it");
    assert!(timeout(A_WHILE, &mut confirmed).await.is_err(), "read, and no standby has it");
    standby.revive().await;
    let known =
        AppendError::Known { sender: UserId(Uuid::from_u128(7)), command: said(2).command, number: 2 };
    assert_eq!(again.await, Err(known));
    assert_eq!(confirmed.await, Ok(()));
    let elsewhere = Store::open_beside(&standby.url()).await.expect("a standby can be read");
    assert_eq!(elsewhere.journal().read(lesson, 0, 9).await.expect("read").len(), 2);
    let gone = Position { number: 2, chain: Chain(9) };
    assert_eq!(journal.confirm(lesson, gone).await, Err(AppendError::Conflict));
}

#[tokio::test]
async fn what_only_the_killed_primary_had_was_never_acknowledged() {
    let Some((mut primary, mut standby)) = with_standby().await else { return skipped() };
    let (journal, lesson) = seen_and_not_safe(&primary, &mut standby).await;
    let again = tokio::spawn({
        let journal = journal.clone();
        async move { journal.append(batch(lesson, 2)).await }
    });
    tokio::time::sleep(A_WHILE).await;
    assert!(!again.is_finished(), "known, and no standby has it");
    let port = primary.port();
    primary.kill();
    assert!(matches!(again.await.expect("no panic"), Err(AppendError::Unavailable(_))));
    standby.revive().await;
    standby.promote_to(port).await;
    eventually(async || journal.read(lesson, 0, 9).await.ok().filter(|read| read.len() == 1)).await;
    // Alone now; the operator says so.
    standby.set("synchronous_standby_names", "").await;
    assert_eq!(journal.append(batch(lesson, 2)).await, Ok(()), "and now it is, once");
    assert_eq!(journal.read(lesson, 0, 9).await.expect("read"), [said(1), said(2)]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_promoted_standby_without_the_tail_resets_everybody_and_nobody_diverges() {
    let Some((mut primary, mut standby)) = with_standby().await else { return skipped() };
    let Some(cluster) = Cluster::on(&primary.url(), 2).await else { return };
    let mut lines = Vec::new();
    for (n, login) in [(0, "teacher1"), (0, "student1"), (1, "student2")] {
        lines.push(Person::sign_in(&cluster.url(n), login).await.enter().await);
    }
    let say = |text: &str| Command::Say { text: text.into(), to: Recipients::Everyone };
    let id = lines[0].command(say("kept")).await;
    let kept = lines[0].accepted(id).await;
    let has = format!("SELECT COUNT(*)::BIGINT FROM event WHERE number = {kept}");
    eventually(async || (standby.number(&has).await == Some(1)).then_some(())).await;
    standby.deafen().await;
    let mut lost = 0;
    for _ in 0..3 {
        let id = lines[0].command(say("lost")).await;
        lost = lines[0].accepted(id).await;
    }
    let port = primary.port();
    primary.kill();
    standby.promote_to(port).await;
    for line in &mut lines {
        let head = |frame: &ServerFrame| match frame {
            ServerFrame::Reset { snapshot, .. } => Some(snapshot.position.number),
            _ => None,
        };
        let head = line.socket.find(head).await;
        assert!(head < lost, "{head} of {lost}");
    }
    let id = lines[1].command(say("goes on")).await;
    let number = lines[1].accepted(id).await;
    let mut told = Vec::new();
    // The third one is on the other node.
    for at in [0, 2] {
        let it = |frame: &ServerFrame| match frame {
            ServerFrame::Event(logged) if logged.number == number => Some(logged.clone()),
            _ => None,
        };
        told.push(lines[at].socket.find(it).await);
    }
    assert!(told.iter().all(|logged| *logged == told[0] && logged.command == id), "{told:?}");
    drop(cluster);
}
