//! `qism backup` beside a running server, `qism restore` when it is gone.

use std::{
    fs,
    os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown},
    path::Path,
    process::{Command as Process, Output},
};

use qism::{app::Running, storage::Store};
use qism_backing::Postgres;
use qism_signaling::protocol::{Command, Position, Recipients, SessionId};
use uuid::Uuid;

use crate::{
    postgres::skipped,
    server::{self, Person, Server},
};

async fn qism(words: &[&str], copy: &Path, data: &Path) -> Output {
    let mut program = Process::new(env!("CARGO_BIN_EXE_qism"));
    program.args(words).arg(copy).arg("--data").arg(data);
    tokio::task::spawn_blocking(move || program.output().expect("the program runs")).await.expect("no panic")
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// Who may do what with a file.
fn mode(file: &Path) -> u32 {
    fs::metadata(file).expect("there").mode() & 0o777
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

#[tokio::test]
async fn a_copy_made_during_a_lesson_brings_back_the_lesson_of_that_moment() {
    let server = Server::demo().await;
    let (person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("in the copy")).await;
    let kept = teacher.accepted(id).await;
    let copy = server.data().join("copy");
    let made = qism(&["backup"], &copy, server.data()).await;
    assert!(made.status.success(), "{}", said(&made));
    let id = teacher.command(say("after it")).await;
    let number = teacher.accepted(id).await;
    assert!(number > kept, "the lesson went on");
    let busy = qism(&["restore"], &copy, server.data()).await;
    assert!(!busy.status.success() && said(&busy).contains("in use by another server"), "{}", said(&busy));
    for file in ["qism.db", "qism-log.db"] {
        assert_eq!(mode(&copy.join(file)), 0o600, "nobody else reads {file} of the copy");
    }
    let again = qism(&["backup"], &copy, server.data()).await;
    assert!(!again.status.success(), "an older copy is not overwritten");
    let lesson = teacher.lesson;
    let chain = teacher.welcome.snapshot.as_ref().expect("a snapshot").position.chain;
    drop((person, teacher));
    let Server { running, data, .. } = server;
    running.stop().await;
    let store = data.path().join("qism.db");
    fs::set_permissions(&store, fs::Permissions::from_mode(0o640)).expect("own file");
    // Only root may give files away; a server with a user of its own is restored by root.
    let other = chown(&store, Some(7_880), Some(7_880)).is_ok();
    let put = qism(&["restore"], &copy, data.path()).await;
    assert!(put.status.success(), "{}", said(&put));
    assert_eq!(mode(&store), 0o640);
    assert!(!other || fs::metadata(&store).expect("there").uid() == 7_880, "the server's user can write it");
    assert!(
        data.path().join("qism.db.replaced").exists() && data.path().join("qism-log.db.replaced").exists()
    );
    let running = Running::start_demo(server::config(data.path())).await.expect("starts again");
    let person = Person::sign_in(&running.url(), "teacher1").await;
    let ticket = person.ticket(lesson, SessionId(Uuid::now_v7())).await;
    // A browser that knows more than the copy starts anew from it.
    let ahead = Some(Position { number, chain });
    let line = server::enter_with(&running.url(), lesson, ticket, ahead).await;
    let head = line.welcome.snapshot.as_ref().expect("a fresh start").position.number;
    assert!(head >= kept, "{head} of {kept}");
    let missing = Process::new(env!("CARGO_BIN_EXE_qism"))
        .args(["restore", "/nowhere", "--data"])
        .arg(data.path())
        .output();
    assert!(!missing.expect("the program runs").status.success());
    running.stop().await;
}

/// The program, with a configuration that names this store.
async fn qism_on(words: &[&str], copy: &Path, url: &str, folder: &Path) -> Output {
    let file = folder.join("qism.toml");
    std::fs::write(&file, format!("[storage]\nurl = \"{url}\"\n")).expect("written");
    let mut program = Process::new(env!("CARGO_BIN_EXE_qism"));
    program.args(words).arg(copy).arg("--config").arg(file);
    tokio::task::spawn_blocking(move || program.output().expect("the program runs")).await.expect("no panic")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_a_running_postgresql_is_put_into_an_empty_one_and_into_a_file() {
    let (Some(old), Some(new)) = (Postgres::start().await, Postgres::start().await) else { return skipped() };
    let server = Server::demo_with(|config| config.storage.url = old.url().into()).await;
    let (_person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("في النسخة")).await;
    let kept = teacher.accepted(id).await;
    let (folder, copy) = (server.data(), server.data().join("copy"));
    let made = qism_on(&["backup"], &copy, &old.url(), folder).await;
    assert!(made.status.success(), "{}", said(&made));
    let again = qism_on(&["backup"], &copy, &old.url(), folder).await;
    assert!(!again.status.success(), "an older copy is not overwritten");
    let id = teacher.command(say("بعدها")).await;
    teacher.accepted(id).await;
    let busy = qism_on(&["restore"], &copy, &old.url(), folder).await;
    assert!(!busy.status.success() && said(&busy).contains("in use by another server"), "{}", said(&busy));
    let put = qism_on(&["restore"], &copy, &new.url(), folder).await;
    assert!(put.status.success(), "{}", said(&put));
    let full = qism_on(&["restore"], &copy, &new.url(), folder).await;
    assert!(!full.status.success() && said(&full).contains("createdb"), "{}", said(&full));
    let put = qism(&["restore"], &copy, folder).await;
    assert!(put.status.success(), "{}", said(&put));

    let lesson = teacher.lesson;
    let file = format!("sqlite://{}", folder.join("qism.db").display());
    let log = async |url: &str| {
        let store = Store::open(url).await.expect("opened");
        let log = store.journal().read(lesson, 0, 1_000).await.expect("read");
        let people = store.account_by_login("student90").await.expect("read");
        store.close().await;
        (log, people.map(|account| (account.user, account.password, account.name)))
    };
    let (before, everybody) = log(&old.url()).await;
    let copied: Vec<_> = before.into_iter().filter(|logged| logged.number <= kept).collect();
    for url in [new.url(), file] {
        assert_eq!(log(&url).await, (copied.clone(), everybody.clone()), "{url}");
    }
    let mut config = server::config(folder);
    config.storage.url = new.url().into();
    let running = Running::start_demo(config).await.expect("starts on the copy");
    let line = Person::sign_in(&running.url(), "teacher1").await.enter().await;
    assert!(line.welcome.snapshot.is_some_and(|snapshot| snapshot.position.number > kept));
    running.stop().await;
    server.running.stop().await;
}

/// Makes a copy what the first release would have made of it: of its tables, and of their columns, what it had.
pub async fn take_back(file: &Path, part: &str, first: &'static str) {
    use sqlx::{Connection as _, Row as _};
    sqlx::any::install_default_drivers();
    let mut own =
        sqlx::AnyConnection::connect(&format!("sqlite://{}?mode=rw", file.display())).await.expect("opened");
    let mut run = async |sql: String| {
        let found = sqlx::query(sqlx::AssertSqlSafe(sql.clone())).fetch_all(&mut own).await.expect(&sql);
        found.iter().filter_map(|row| row.try_get::<String, _>(0).ok()).collect::<Vec<_>>()
    };
    let names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name <> 'schema_step'";
    let tables = run(names.into()).await;
    for table in &tables {
        // References follow a table that is renamed, not one that is copied.
        run(format!("CREATE TABLE kept_{table} AS SELECT * FROM {table}")).await;
    }
    run("PRAGMA foreign_keys = OFF".into()).await;
    for table in &tables {
        run(format!("DROP TABLE {table}")).await;
    }
    for step in first.split(';').filter(|step| !step.trim().is_empty()) {
        run(step.to_owned()).await;
    }
    for table in run(format!("{names} AND name NOT LIKE 'kept_%'")).await {
        let columns = run(format!("SELECT name FROM pragma_table_info('{table}')")).await.join(", ");
        run(format!("INSERT INTO {table} ({columns}) SELECT {columns} FROM kept_{table}")).await;
    }
    for table in &tables {
        run(format!("DROP TABLE kept_{table}")).await;
    }
    run(format!("UPDATE schema_step SET step = 1 WHERE part = '{part}'")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_the_first_release_is_put_back_and_brought_forward() {
    let server = Server::demo().await;
    let (person, mut teacher) = server.enter("teacher1").await;
    let id = teacher.command(say("من قبل")).await;
    teacher.accepted(id).await;
    let (lesson, copy) = (teacher.lesson, server.data().join("copy"));
    let made = qism(&["backup"], &copy, server.data()).await;
    assert!(made.status.success(), "{}", said(&made));
    drop((person, teacher));
    let Server { running, data, .. } = server;
    running.stop().await;
    let of = async |url: &str| {
        let store = Store::open(url).await.expect("opened");
        let log = store.journal().read(lesson, 0, 1_000).await.expect("read");
        let people = store.account_by_login("student90").await.expect("read").map(|account| account.name);
        store.close().await;
        (log, people)
    };
    let file = format!("sqlite://{}", data.path().join("qism.db").display());
    let put = qism(&["restore"], &copy, data.path()).await;
    assert!(put.status.success(), "{}", said(&put));
    let before = of(&file).await;
    let first: [(&str, &str, &'static str); 2] = [
        ("qism.db", "school", include_str!("../../src/storage/migrations/school/001_school.sql")),
        ("qism-log.db", "log", include_str!("../../src/storage/migrations/log/001_log.sql")),
    ];
    for (name, part, sql) in first {
        take_back(&copy.join(name), part, sql).await;
    }
    let put = qism(&["restore"], &copy, data.path()).await;
    assert!(put.status.success(), "{}", said(&put));
    assert!(of(&file).await == before, "into files");
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let put = qism_on(&["restore"], &copy, &postgres.url(), data.path()).await;
    assert!(put.status.success(), "{}", said(&put));
    assert!(of(&postgres.url()).await == before, "into PostgreSQL");
    let left = std::fs::read_dir(&copy).expect("a folder").count();
    assert_eq!(left, 2, "nothing is left beside the copy");
}
