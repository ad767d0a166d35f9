//! `qism transfer` in two steps: lessons that are over are copied while servers run, the rest while none does. Out of PostgreSQL and of
//! SQLite, ended in its middle and called again.

use std::time::Duration;

use qism::storage::Store;
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::{
    hub::ports::{Batch, Erase, Journal},
    protocol::{Event, LessonId, Logged, UserId},
};
use uuid::Uuid;

use crate::{
    academies::{databases, execute, logs, old_store, qism, rows, told},
    journal::{batch, said},
    postgres::skipped,
    server::{Server, eventually},
};

async fn succeeds(words: &[&str], urls: &[(&str, &str)], folder: &std::path::Path) -> String {
    let output = qism(words, urls, folder).await;
    assert!(output.status.success(), "{words:?}: {}", told(&output));
    told(&output)
}

/// One line more in a packed lesson, and the text of another one taken out of it.
async fn change(journal: &dyn Journal, lesson: LessonId, number: u64) {
    let user = UserId(Uuid::from_u128(7));
    let strike =
        Logged { event: Event::LineDeleted { number: number - 200, by: user }, ..said(number, user, "") };
    let erase = vec![Erase::Line(number - 200)];
    journal.append(Batch { erase, ..batch(lesson, vec![strike]) }).await.expect("struck out");
}

#[tokio::test(flavor = "multi_thread")]
async fn lessons_that_are_over_go_ahead_beside_servers_and_the_rest_follows() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academies").await);
    let (academy, others, folder) = old_store(&default).await;
    let folder = folder.path();
    let all: [&[LessonId]; 2] = [&academy, &others];
    // One academy is apart already; the other one is to follow it.
    let now = [("default", &*default), ("02", &*apart)];
    let new = [("default", &*default), ("01", &*apart), ("02", &*apart)];
    succeeds(&["transfer"], &now, folder).await;
    let several = databases(&now);
    let server = Server::with(|config| config.storage.url = several.clone()).await;
    let beside = Store::open_beside(&several).await.expect("opened");
    let journal = beside.journal();

    let ahead = succeeds(&["transfer", "--ahead"], &new, folder).await;
    assert!(ahead.contains("2 lessons copied ahead; 1 that are not over"), "{ahead}");
    assert_eq!((rows(&default, academy[0]).await, rows(&apart, academy[0]).await), (2, 2), "packed, in both");
    change(&*journal, academy[0], 251).await;
    change(&*journal, academy[1], 252).await;
    let again = succeeds(&["transfer", "--ahead"], &new, folder).await;
    assert!(again.contains("2 lessons copied ahead"), "what changed since: {again}");
    let nothing = succeeds(&["transfer", "--ahead"], &new, folder).await;
    assert!(nothing.contains("0 lessons copied ahead"), "{nothing}");
    // Copies are no lessons: they are not packed, and a backup has each lesson once.
    let clock = beside.database_now().await.expect("the time");
    assert_eq!(
        beside.pack(clock, Duration::ZERO).await.expect("packed"),
        4,
        "those that count, but for the packed one"
    );
    change(&*journal, academy[1], 253).await;
    let before = logs(&*journal, &all).await;
    let copy = folder.join("copy");
    succeeds(&["backup", copy.to_str().expect("text")], &now, folder).await;
    beside.close().await;
    server.running.stop().await;

    let fault = "CREATE FUNCTION fault() RETURNS trigger AS $$ BEGIN RAISE 'crashed'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER fault BEFORE INSERT ON copied FOR EACH ROW EXECUTE FUNCTION fault()";
    execute(&default, fault).await;
    // Once the server counts as gone.
    let crashed = eventually(async || {
        let crashed = qism(&["transfer"], &new, folder).await;
        (!told(&crashed).contains("in use by another server")).then_some(crashed)
    })
    .await;
    assert!(!crashed.status.success() && told(&crashed).contains("crashed"), "{}", told(&crashed));
    let refused = Store::open(databases(&now)).await.err().expect("half moved").to_string();
    assert!(refused.contains("being moved"), "{refused}");
    execute(&default, "DROP TRIGGER fault ON copied").await;
    let moved = succeeds(&["transfer"], &new, folder).await;
    assert!(moved.contains("3 lessons moved") && moved.contains("3 copies deleted"), "{moved}");
    for lesson in &academy {
        assert_eq!(rows(&default, *lesson).await, 0);
    }
    let store = Store::open(databases(&new)).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &all).await, before);
    store.close().await;

    // The backup that was made meanwhile is whole.
    let fresh = postgres.database("fresh").await;
    succeeds(&["restore", copy.to_str().expect("text")], &[("default", &*fresh)], folder).await;
    let store = Store::open(&fresh).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &all).await, before);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn copies_that_are_of_no_use_any_more_go_away() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let (academy, _, folder) = old_store(&default).await;
    let (folder, now) = (folder.path(), [("default", &*default)]);
    let new = [("default", &*default), ("01", &*apart)];
    succeeds(&["transfer", "--ahead"], &new, folder).await;
    assert!(rows(&apart, academy[0]).await > 0);
    // Nobody splits the academy off after all.
    succeeds(&["transfer", "--ahead", "--from", &apart], &now, folder).await;
    assert_eq!(rows(&apart, academy[0]).await, 0);
    // The store goes back to before the lesson began.
    succeeds(&["transfer", "--ahead"], &new, folder).await;
    let lesson = academy[0];
    for table in ["event", "packed", "origin"] {
        let sql = format!("DELETE FROM {table} WHERE lesson = '{lesson}'");
        execute(&default, Box::leak(sql.into_boxed_str())).await;
    }
    let moved = succeeds(&["transfer"], &new, folder).await;
    assert!(moved.contains("2 lessons moved"), "{moved}");
    assert_eq!(rows(&apart, lesson).await, 0, "what is a copy of nothing is no lesson");
    assert!(rows(&apart, academy[1]).await > 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_half_moved_store_needs_all_databases_to_go_back() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let (academy, others, folder) = old_store(&default).await;
    let all: [&[LessonId]; 2] = [&academy, &others];
    let (folder, now) = (folder.path(), [("default", &*default)]);
    let store = Store::open(&default).await.expect("opened");
    let before = logs(&*store.journal(), &all).await;
    store.close().await;
    let fault = "CREATE FUNCTION fault() RETURNS trigger AS $$ BEGIN RAISE 'crashed'; END $$ LANGUAGE plpgsql; \
                 CREATE TRIGGER fault BEFORE DELETE ON log_share FOR EACH ROW EXECUTE FUNCTION fault()";
    execute(&default, fault).await;
    let crashed = qism(&["transfer"], &[("default", &*default), ("01", &*apart)], folder).await;
    assert!(told(&crashed).contains("crashed"), "{}", told(&crashed));
    execute(&default, "DROP TRIGGER fault ON log_share").await;
    let left = qism(&["transfer"], &now, folder).await;
    assert!(!left.status.success() && told(&left).contains("--from URL"), "{}", told(&left));
    succeeds(&["transfer", "--from", &apart], &now, folder).await;
    let store = Store::open(&default).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &all).await, before);
    store.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lessons_of_a_file_go_ahead_beside_its_server_and_follow() {
    let Some(postgres) = Postgres::start().await else { return skipped() };
    let (default, folder) = (postgres.url(), tempfile::tempdir().expect("a folder"));
    let folder = folder.path();
    let store = Store::open(&default).await.expect("opened");
    let school = SmallSchool::add(&store, "01000A").await.expect("added");
    let mut lessons = Vec::new();
    for _ in 0..3 {
        lessons.push(school.lesson(&store).await.expect("planned"));
    }
    store.close().await;
    let url = format!("sqlite://{}", folder.join("qism.db").display());
    let log = format!("sqlite://{}", folder.join("qism-log.db").display());
    let file = Store::open(&url).await.expect("as its server does");
    let user = UserId(Uuid::from_u128(7));
    for lesson in &lessons[..2] {
        let lines = (1..=250).map(|number| said(number, user, "سطر")).collect();
        file.journal().append(batch(*lesson, lines)).await.expect("appended");
    }
    let clock = file.database_now().await.expect("the time");
    assert_eq!(file.pack(clock, Duration::ZERO).await.expect("packed"), 2);
    file.journal().append(batch(lessons[2], vec![said(1, user, "بعد")])).await.expect("appended");
    let words = ["transfer", "--from", &*url, "--ahead"];
    let ahead = succeeds(&words, &[("default", &*default)], folder).await;
    assert!(ahead.contains("2 lessons copied ahead; 1 that are not over"), "{ahead}");
    change(&*file.journal(), lessons[0], 251).await;
    let before = logs(&*file.journal(), &[&lessons]).await;
    file.close().await;
    drop(file);

    execute(&log, "CREATE TRIGGER fault BEFORE INSERT ON copied BEGIN SELECT RAISE(ABORT, 'crashed'); END")
        .await;
    let crashed = qism(&words[..3], &[("default", &*default)], folder).await;
    assert!(!crashed.status.success() && told(&crashed).contains("crashed"), "{}", told(&crashed));
    execute(&log, "DROP TRIGGER fault").await;
    let moved = succeeds(&words[..3], &[("default", &*default)], folder).await;
    assert!(moved.contains("3 lessons moved") && moved.contains("3 copies deleted"), "{moved}");
    let store = Store::open(&default).await.expect("opened");
    assert_eq!(logs(&*store.journal(), &[&lessons]).await, before);
    store.close().await;
    for lesson in lessons {
        assert_eq!(rows(&log, lesson).await, 0);
    }
}
