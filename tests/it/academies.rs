//! The log in several databases, by the beginnings of schools' codes: each lesson in that of its school, moved there when the configuration
//! changes; and one that is away keeps only its own lessons waiting.

use std::{
    collections::VecDeque,
    path::Path,
    process::{Command as Process, Output},
    sync::Mutex,
    time::Duration,
};

use qism::{
    app::Running,
    config::{Config, Databases},
    storage::{StandbyRule, Store},
};
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::{
    hub::ports::{AppendError, Journal},
    protocol::{Command, ErrorCode, LessonId, Logged, Recipients, SessionId, UserId},
};
use serde_json::json;
use tempfile::TempDir;
use uuid::Uuid;

use crate::{
    journal::{self, batch, said},
    postgres::skipped,
    server::{Line, Person, Server, config, eventually},
};

/// As a configuration has them.
pub fn databases(urls: &[(&str, &str)]) -> Databases {
    Config::parse("qism.toml", &toml(urls)).expect("valid").storage.url
}

fn toml(urls: &[(&str, &str)]) -> String {
    let lines: Vec<String> = urls.iter().map(|(key, url)| format!("\"{key}\" = \"{url}\"\n")).collect();
    format!("[storage.url]\n{}", lines.concat())
}

/// Rows of the lesson in one database.
pub async fn rows(url: &str, lesson: LessonId) -> i64 {
    use sqlx::{Connection as _, Row as _};
    let mut own = sqlx::AnyConnection::connect(url).await.expect("connected");
    let sql = format!(
        "SELECT (SELECT COUNT(*) FROM event WHERE lesson = '{lesson}') + (SELECT COUNT(*) FROM packed WHERE lesson = '{lesson}') \
         + (SELECT COUNT(*) FROM origin WHERE lesson = '{lesson}')"
    );
    let found = sqlx::query(sqlx::AssertSqlSafe(sql)).fetch_one(&mut own).await;
    found.and_then(|row| row.try_get(0)).expect("a number")
}

pub async fn execute(url: &str, sql: &'static str) {
    use sqlx::Connection as _;
    let mut own = sqlx::AnyConnection::connect(url).await.expect("connected");
    sqlx::raw_sql(sql).execute(&mut own).await.expect(sql);
}

#[tokio::test]
async fn the_log_in_several_databases_is_the_log_in_one() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (one, two) = (postgres.database("one").await, postgres.database("two").await);
    let several = databases(&[("default", &postgres.url()), ("01", &one), ("02", &two), ("0199", &two)]);
    let store = Store::open(&several).await.expect("opened");
    let mut fresh = VecDeque::new();
    for code in ["01000A", "02000A", "01990A", "03000A"] {
        let school = SmallSchool::add(&store, code).await.expect("added");
        for _ in 0..8 {
            fresh.push_back((code, school.lesson(&store).await.expect("planned")));
        }
    }
    // So that neighbors are in different databases.
    fresh.make_contiguous().sort_by_key(|(_, lesson)| lesson.0.as_u128() << 96);
    let (used, fresh) = (Mutex::new(Vec::new()), Mutex::new(fresh));
    let next = || {
        let lesson = fresh.lock().expect("no panic").pop_front().expect("enough");
        used.lock().expect("no panic").push(lesson);
        lesson.1
    };
    journal::all_that_any_store_does(&store.journal(), &next).await;
    for (code, lesson) in used.into_inner().expect("no panic") {
        for (url, beginnings) in [(&postgres.url(), "03"), (&one, "010"), (&two, "02 0199")] {
            let is_here = beginnings.split(' ').any(|beginning| code.starts_with(beginning));
            let count = rows(url, lesson).await;
            assert!(is_here || count == 0, "{count} rows of {code} in {beginnings}");
        }
    }
    store.close().await;
}

#[tokio::test]
async fn databases_that_are_not_those_of_before_are_refused() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, one, two) =
        (postgres.url(), postgres.database("one").await, postgres.database("two").await);
    let several = databases(&[("default", &default), ("01", &one), ("02", &two)]);
    let store = Store::open(&several).await.expect("opened");
    SmallSchool::add(&store, "05000A").await.expect("added").lesson(&store).await.expect("planned");
    store.close().await;
    let elsewhere = one.replace("127.0.0.1", "localhost");
    let refused = async |urls: &[(&str, &str)], word: &str| {
        let told = Store::open(databases(urls)).await.err().expect("refused").to_string();
        assert!(told.contains(word), "{told}");
    };
    refused(&[("default", &default)], "01, 02 apart").await;
    refused(&[("default", &default), ("01", &two), ("02", &one)], "otherwise").await;
    refused(&[("default", &default), ("01", &one), ("03", &two)], "qism transfer").await;
    refused(&[("default", &default), ("01", &one), ("02", &elsewhere)], "01 and 02 lead to the same").await;
    refused(
        &[("default", &default), ("01", &one), ("02", &default.replace("127.0.0.1", "localhost"))],
        "default and 02",
    )
    .await;
    let same = databases(&[("default", &default), ("01", &elsewhere), ("02", &two)]);
    Store::open(&same).await.expect("another address of the same").close().await;
    Store::open_beside(&several).await.expect("for a command").close().await;
    let told = Store::open_beside(&default).await.err().expect("refused").to_string();
    assert!(told.contains("otherwise"), "{told}");
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

async fn readiness(url: &str) -> (u16, String) {
    let answer = reqwest::get(format!("{url}/readyz")).await.expect("answered");
    (answer.status().as_u16(), answer.text().await.expect("text"))
}

async fn says(line: &mut Line, text: &str) -> u64 {
    let id = line.command(say(text)).await;
    line.accepted(id).await
}

/// The demonstration school's code begins with 01; the other's does not.
async fn two_schools(default: &str, academy: &str) -> (Server, SmallSchool, LessonId) {
    let several = databases(&[("default", default), ("01", academy)]);
    let server = Server::demo_with(|config| config.storage.url = several.clone()).await;
    let store = Store::open_beside(&several).await.expect("opened");
    let other = SmallSchool::add(&store, "02000A").await.expect("added");
    let lesson = other.lesson(&store).await.expect("planned");
    store.close().await;
    (server, other, lesson)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_academy_without_its_database_waits_and_the_other_goes_on() {
    let (Some(mut default), Some(mut academy)) = (Postgres::start().await, Postgres::start().await) else {
        return skipped();
    };
    let (server, other, lesson) = two_schools(&default.url(), &academy.url()).await;
    let url = server.running.url();
    let (here, mut waiting) = server.enter("teacher1").await;
    let there = server.sign_in(&other.login).await;
    let mut going_on = server.enter_lesson(&there, lesson, SessionId(Uuid::now_v7()), None).await;
    let before = says(&mut waiting, "قبل").await;
    says(&mut going_on, "قبل").await;
    assert!(rows(&academy.url(), waiting.lesson).await > 1 && rows(&default.url(), lesson).await > 1);
    assert_eq!((rows(&default.url(), waiting.lesson).await, rows(&academy.url(), lesson).await), (0, 0));
    assert_eq!(readiness(&url).await, (200, "ok".into()));

    academy.kill();
    let id = waiting.command(say("أثناء")).await;
    for n in 0..20 {
        says(&mut going_on, &format!("{n}")).await;
        // Not more than a person may say.
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
    assert_eq!(waiting.refused(id).await, ErrorCode::Unavailable);
    let told = eventually(async || Some(readiness(&url).await).filter(|(_, said)| said != "ok")).await;
    assert_eq!(told, (200, "ok, but the lessons of schools 01 wait for their database".into()));
    let is_unavailable = async |person: &Person| {
        person.json("/api/lessons").await["lessons"][0]["unavailable"].as_bool().expect("a lesson")
    };
    assert!(
        is_unavailable(&here).await,
        "the timetable is the school's, whether the lesson was ended nobody knows"
    );
    assert!(!is_unavailable(&there).await);
    let wish = json!({ "session": Uuid::now_v7() });
    let ticket = async |person: &Person, lesson: LessonId| {
        person.post(&format!("/api/lessons/{lesson}/ticket"), &wish).await.status().as_u16()
    };
    assert_eq!((ticket(&here, waiting.lesson).await, ticket(&there, lesson).await), (503, 200));

    // A server that starts meanwhile does without it, too.
    drop((going_on, waiting, here, there));
    let Server { running, http, data } = server;
    running.stop().await;
    let mut again = config(data.path());
    again.storage.url = databases(&[("default", &default.url()), ("01", &academy.url())]);
    let running = Running::start(again).await.expect("starts without it");
    let server = Server { running, http, data };
    let there = server.sign_in(&other.login).await;
    let mut going_on = server.enter_lesson(&there, lesson, SessionId(Uuid::now_v7()), None).await;
    says(&mut going_on, "بدونها").await;
    let url = server.running.url();
    assert_eq!(readiness(&url).await.1, "ok, but the lessons of schools 01 wait for their database");

    academy.revive().await;
    eventually(async || (readiness(&url).await.1 == "ok").then_some(())).await;
    let here = server.sign_in("teacher1").await;
    assert!(!is_unavailable(&here).await);
    let today = here.first_lesson().await;
    let mut back = server.enter_lesson(&here, today, SessionId(Uuid::now_v7()), None).await;
    assert!(says(&mut back, "بعد").await > before);
    says(&mut going_on, "بعد").await;

    // The schools' own is everybody's, but not for those who are in a lesson of another one.
    default.kill();
    says(&mut back, "بدون المدارس").await;
    let id = going_on.command(say("بدون المدارس")).await;
    assert_eq!(going_on.refused(id).await, ErrorCode::Unavailable);
    let unready = eventually(async || Some(readiness(&url).await).filter(|(code, _)| *code == 503)).await;
    assert_eq!(unready.1, "the database does not answer");
    server.running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_academy_whose_commits_do_not_wait_for_its_standby_keeps_servers_from_starting_and_being_ready() {
    let (Some(default), Some(academy)) = (Postgres::start().await, Postgres::start().await) else {
        return skipped();
    };
    let several = databases(&[("default", &default.url()), ("01", &academy.url())]);
    let server = Server::with(|config| config.storage.url = several.clone()).await;
    let url = server.running.url();
    let _standby = academy.standby("standby").await;
    let unready = eventually(async || Some(readiness(&url).await).filter(|(code, _)| *code == 503)).await;
    assert!(unready.1.starts_with("schools 01: commits do not wait for the standby"), "{}", unready.1);
    let refused = Store::open_safe(&several, StandbyRule::Auto).await.err().expect("refused").to_string();
    assert!(refused.contains("schools 01") && refused.contains("synchronous_standby_names"), "{refused}");
    academy.set("synchronous_standby_names", "standby").await;
    eventually(async || (readiness(&url).await.0 == 200).then_some(())).await;
    server.running.stop().await;
}

/// The program, with a configuration of these databases.
pub async fn qism(words: &[&str], urls: &[(&str, &str)], folder: &Path) -> Output {
    let file = folder.join("qism.toml");
    std::fs::write(&file, toml(urls)).expect("written");
    let mut program = Process::new(env!("CARGO_BIN_EXE_qism"));
    program.args(words).arg("--config").arg(file);
    tokio::task::spawn_blocking(move || program.output().expect("the program runs")).await.expect("no panic")
}

pub fn told(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned() + &String::from_utf8_lossy(&output.stdout)
}

/// Lessons of two schools in one database: some as rows, some packed, one with both.
pub async fn old_store(default: &str) -> (Vec<LessonId>, Vec<LessonId>, TempDir) {
    let store = Store::open(default).await.expect("opened");
    let (mut academy, mut others) = (Vec::new(), Vec::new());
    for (code, lessons) in [("01000A", &mut academy), ("02000A", &mut others)] {
        let school = SmallSchool::add(&store, code).await.expect("added");
        for _ in 0..3 {
            lessons.push(school.lesson(&store).await.expect("planned"));
        }
    }
    let journal = store.journal();
    let user = UserId(Uuid::from_u128(7));
    for lesson in academy[..2].iter().chain(&others[..2]) {
        for number in 1..=250 {
            journal.append(batch(*lesson, vec![said(number, user, "سطر")])).await.expect("appended");
        }
    }
    let now = store.database_now().await.expect("the time");
    assert_eq!(store.pack(now, Duration::ZERO).await.expect("packed"), 4);
    for lesson in [academy[1], academy[2], others[2]] {
        let next = if lesson == academy[1] { 251 } else { 1 };
        journal.append(batch(lesson, vec![said(next, user, "بعد")])).await.expect("appended");
    }
    store.close().await;
    (academy, others, tempfile::tempdir().expect("a folder"))
}

pub async fn logs(journal: &dyn Journal, lessons: &[&[LessonId]]) -> Vec<Vec<Logged>> {
    let mut logs = Vec::new();
    for lesson in lessons.concat() {
        logs.push(journal.read(lesson, 0, 1_000).await.expect("read"));
    }
    logs
}

#[tokio::test(flavor = "multi_thread")]
async fn an_academy_is_split_off_and_put_back_with_all_that_its_lessons_have() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let (academy, others, folder) = old_store(&default).await;
    let all: [&[LessonId]; 2] = [&academy, &others];
    let store = Store::open(&default).await.expect("opened");
    let before = logs(&*store.journal(), &all).await;
    assert_eq!(before.iter().map(Vec::len).collect::<Vec<_>>(), [250, 251, 1, 250, 250, 1]);
    store.close().await;
    let split = [("default", &*default), ("01", &*apart)];
    let refused = qism(&["serve"], &split, folder.path()).await;
    assert!(!refused.status.success() && told(&refused).contains("qism transfer"), "{}", told(&refused));
    assert_eq!(rows(&default, academy[0]).await, 2, "its origin, and it packed");

    // Ended in its middle: what is in both databases already is found again.
    let fault = "CREATE FUNCTION fault() RETURNS trigger AS $$ BEGIN RAISE 'crashed'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER fault BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION fault()";
    execute(&default, fault).await;
    let crashed = qism(&["transfer"], &split, folder.path()).await;
    assert!(!crashed.status.success() && told(&crashed).contains("crashed"), "{}", told(&crashed));
    assert!(rows(&default, academy[1]).await == 3 && rows(&apart, academy[1]).await == 3);
    for urls in [&split[..], &split[..1]] {
        let told = Store::open(databases(urls)).await.err().expect("half moved").to_string();
        assert!(told.contains("being moved"), "{told}");
    }
    execute(&default, "DROP TRIGGER fault ON copied").await;
    let moved = qism(&["transfer"], &split, folder.path()).await;
    assert!(moved.status.success() && told(&moved).contains("3 lessons moved"), "{}", told(&moved));
    for lesson in &academy {
        assert_eq!(rows(&default, *lesson).await, 0);
    }
    let store = Store::open(databases(&split)).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &all).await, before);
    let user = UserId(Uuid::from_u128(7));
    let again = Logged { number: 252, ..before[1][250].clone() };
    let known = store.journal().append(batch(academy[1], vec![again])).await;
    assert!(matches!(known, Err(AppendError::Known { number: 251, .. })), "{known:?}");
    store.journal().append(batch(academy[1], vec![said(252, user, "هنا")])).await.expect("it goes on");
    let after = logs(&*store.journal(), &all).await;
    store.close().await;

    let one = [("default", &*default)];
    let left = qism(&["transfer"], &one, folder.path()).await;
    assert!(!left.status.success() && told(&left).contains("--from URL"), "{}", told(&left));
    let back = qism(&["transfer", "--from", &apart], &one, folder.path()).await;
    assert!(back.status.success() && told(&back).contains("3 lessons moved"), "{}", told(&back));
    let store = Store::open(&default).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &all).await, after);
    assert_eq!(rows(&apart, academy[1]).await, 0);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lessons_are_not_moved_under_a_running_server_nor_over_another_history() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let (academy, _, folder) = old_store(&default).await;
    let server = Server::with(|config| config.storage.url = (&default).into()).await;
    let split = [("default", &*default), ("01", &*apart)];
    let busy = qism(&["transfer"], &split, folder.path()).await;
    assert!(!busy.status.success() && told(&busy).contains("in use by another server"), "{}", told(&busy));
    // One that stood still meanwhile serves nobody any more.
    let url = server.running.url();
    execute(&default, "INSERT INTO log_share (beginning, mark) VALUES ('*', '')").await;
    eventually(async || (readiness(&url).await.0 == 503).then_some(())).await;
    execute(&default, "DELETE FROM log_share").await;
    server.running.stop().await;
    // Whoever goes around the check.
    execute(&default, "CREATE TABLE kept AS SELECT * FROM lesson; DELETE FROM lesson").await;
    // As if it were new, once the server counts as gone.
    let store = eventually(async || Store::open(databases(&split)).await.ok()).await;
    execute(&default, "INSERT INTO lesson SELECT * FROM kept").await;
    let other = said(1, UserId(Uuid::from_u128(9)), "تاريخ آخر");
    store.journal().append(batch(academy[2], vec![other])).await.expect("appended");
    store.close().await;
    let refused = qism(&["transfer"], &split, folder.path()).await;
    let two = format!("lesson {} is in two databases", academy[2]);
    assert!(!refused.status.success() && told(&refused).contains(&two), "{}", told(&refused));
    assert_eq!((rows(&default, academy[2]).await, rows(&apart, academy[2]).await), (2, 2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_of_several_databases_is_put_into_several_one_or_a_file() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let (academy, others, folder) = old_store(&default).await;
    let all: [&[LessonId]; 2] = [&academy, &others];
    let split = [("default", &*default), ("01", &*apart)];
    assert!(qism(&["transfer"], &split, folder.path()).await.status.success());
    let store = Store::open(databases(&split)).await.expect("opened");
    let before = logs(&*store.journal(), &all).await;
    store.close().await;
    let copy = folder.path().join("copy");
    let made = qism(&["backup", copy.to_str().expect("text")], &split, folder.path()).await;
    assert!(made.status.success(), "{}", told(&made));
    let (new, new_apart) = (postgres.database("new").await, postgres.database("new_academy").await);
    let (one, file) =
        (postgres.database("one").await, format!("sqlite://{}/again/qism.db", folder.path().display()));
    for urls in
        [&[("default", &*new), ("01", &*new_apart)][..], &[("default", &*one)], &[("default", &*file)]]
    {
        let put = qism(&["restore", copy.to_str().expect("text")], urls, folder.path()).await;
        assert!(put.status.success(), "{}", told(&put));
        let store = Store::open(databases(urls)).await.expect("opened");
        assert_eq!(logs(&*store.journal(), &all).await, before, "{urls:?}");
        store.close().await;
    }
    assert_eq!((rows(&new, academy[0]).await, rows(&new_apart, academy[0]).await), (0, 2));
    assert_eq!((rows(&new, others[0]).await, rows(&new_apart, others[0]).await), (2, 0));
    let again = qism(&["restore", copy.to_str().expect("text")], &split, folder.path()).await;
    assert!(!again.status.success() && told(&again).contains("createdb"), "{}", told(&again));
}
