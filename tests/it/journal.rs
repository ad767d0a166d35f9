//! The log on a real SQLite file: the primary key is the lock, commands are known, erased text is gone.

use std::sync::Arc;

use qism::storage::Store;
use qism_signaling::{
    hub::ports::{AppendError, Batch, Erase, Journal},
    protocol::{Chain, CommandId, Event, LessonId, Logged, Position, Recipients, UserId},
};
use tempfile::TempDir;
use uuid::Uuid;

use crate::server::eventually;

async fn open() -> (Arc<dyn Journal>, TempDir) {
    let folder = tempfile::tempdir().expect("a folder");
    let url = format!("sqlite://{}", folder.path().join("qism.db").display());
    (Store::open(&url).await.expect("opened").journal(), folder)
}

pub fn lesson() -> LessonId {
    LessonId(Uuid::now_v7())
}

pub fn said(number: u64, sender: UserId, text: &str) -> Logged {
    Logged {
        number,
        chain: chain(number),
        at: 1_000 + number,
        sender: Some(sender),
        command: CommandId(Uuid::now_v7()),
        event: Event::Said { user: sender, to: Recipients::Everyone, text: Some(text.into()) },
    }
}

pub fn chain(number: u64) -> Chain {
    Chain(u64::MAX - number)
}

pub fn batch(lesson: LessonId, events: Vec<Logged>) -> Batch {
    let number = events.first().map_or(0, |event| event.number - 1);
    Batch { lesson, head: Position { number, chain: chain(number) }, events, erase: Vec::new() }
}

/// Lessons in which nothing happened yet.
pub type Fresh<'f> = &'f (dyn Fn() -> LessonId + Sync);

/// What holds for every engine.
pub async fn all_that_any_store_does(journal: &Arc<dyn Journal>, fresh: Fresh<'_>) {
    what_was_appended_is_read_back_bit_by_bit(journal, fresh).await;
    a_taken_number_is_a_conflict_and_leaves_nothing_behind(journal, fresh()).await;
    nothing_is_written_behind_a_head_that_is_not_there(journal, fresh()).await;
    a_known_command_tells_its_last_number(journal, fresh()).await;
    chat_comes_in_pages_newest_first_and_each_oldest_first(journal, fresh()).await;
    an_event_of_a_newer_server_is_read_word_for_word(journal, fresh()).await;
    many_lessons_and_rivals_at_once_keep_numbers_without_gaps(journal, fresh).await;
}

#[tokio::test]
async fn the_log_on_sqlite() {
    let (journal, _folder) = open().await;
    all_that_any_store_does(&journal, &lesson).await;
}

async fn what_was_appended_is_read_back_bit_by_bit(journal: &Arc<dyn Journal>, fresh: Fresh<'_>) {
    let (lesson, other, user) = (fresh(), fresh(), UserId(Uuid::now_v7()));
    let events = vec![said(1, user, "السلام"), said(2, user, "<b>&\u{1}'")];
    journal.append(batch(lesson, events.clone())).await.expect("appended");
    assert_eq!(journal.read(lesson, 0, 10).await.expect("read"), events);
    assert_eq!(journal.read(lesson, 1, 10).await.expect("read"), events[1..]);
    let head = Position { number: 2, chain: events[1].chain };
    assert_eq!(journal.heads(&[lesson, other]).await.expect("heads"), [(lesson, head)]);
    assert_eq!(journal.origin(lesson).await, journal.origin(lesson).await);
}

async fn an_event_of_a_newer_server_is_read_word_for_word(journal: &Arc<dyn Journal>, lesson: LessonId) {
    let user = UserId(Uuid::now_v7());
    let poll = r#"{"type":"poll_opened","question":"2+2?","options":[3,4]}"#;
    let unknown = Logged { event: serde_json::from_str(poll).expect("an event"), ..said(2, user, "") };
    let events = vec![said(1, user, "before"), unknown, said(3, user, "behind")];
    journal.append(batch(lesson, events.clone())).await.expect("appended");
    assert_eq!(journal.read(lesson, 0, 10).await.expect("read"), events);
    let head = Position { number: 3, chain: events[2].chain };
    assert_eq!(journal.heads(&[lesson]).await.expect("heads"), [(lesson, head)]);
}

async fn a_taken_number_is_a_conflict_and_leaves_nothing_behind(
    journal: &Arc<dyn Journal>,
    lesson: LessonId,
) {
    let user = UserId(Uuid::now_v7());
    let since = vec![said(1, user, "a"), said(2, user, "b")];
    journal.append(batch(lesson, since.clone())).await.expect("appended");
    let late = batch(lesson, vec![said(2, user, "c"), said(3, user, "d")]);
    assert_eq!(journal.append(late).await, Err(AppendError::Overtaken { since }));
    assert_eq!(journal.read(lesson, 0, 10).await.expect("read").len(), 2);
}

/// A database that went back to an older state: a standby without the last events, a restored backup.
async fn nothing_is_written_behind_a_head_that_is_not_there(journal: &Arc<dyn Journal>, lesson: LessonId) {
    let user = UserId(Uuid::now_v7());
    journal.append(batch(lesson, vec![said(1, user, "a")])).await.expect("appended");
    let behind_a_gap = batch(lesson, vec![said(3, user, "c")]);
    assert_eq!(journal.append(behind_a_gap).await, Err(AppendError::Conflict));
    let other = Position { number: 1, chain: Chain(9) };
    let of_another_history = Batch { head: other, ..batch(lesson, vec![said(2, user, "b")]) };
    assert_eq!(journal.append(of_another_history).await, Err(AppendError::Conflict));
    assert_eq!(journal.read(lesson, 0, 10).await.expect("read").len(), 1);
    journal.append(batch(lesson, vec![said(2, user, "b")])).await.expect("appended");
}

async fn a_known_command_tells_its_last_number(journal: &Arc<dyn Journal>, lesson: LessonId) {
    let user = UserId(Uuid::now_v7());
    let first = said(1, user, "a");
    let second = Logged { number: 2, chain: chain(2), ..first.clone() };
    let command = first.command;
    journal.append(batch(lesson, vec![first.clone(), second])).await.expect("appended");
    let again = Logged { number: 3, ..first };
    let refused = journal.append(batch(lesson, vec![again])).await;
    assert_eq!(refused, Err(AppendError::Known { sender: user, command, number: 2 }));
}

#[tokio::test]
async fn an_erased_text_is_in_neither_the_log_nor_the_file() {
    let (journal, folder) = open().await;
    let (lesson, user) = (lesson(), UserId(Uuid::now_v7()));
    let secret = "a-word-to-be-erased";
    journal.append(batch(lesson, vec![said(1, user, secret)])).await.expect("appended");
    let erased = Logged { event: Event::LineDeleted { number: 1, by: user }, ..said(2, user, "") };
    let deletion = Batch { erase: vec![Erase::Line(1)], ..batch(lesson, vec![erased]) };
    journal.append(deletion).await.expect("appended");
    let first = journal.read(lesson, 0, 1).await.expect("read").remove(0);
    assert!(matches!(first.event, Event::Said { text: None, .. }));
    let chat = journal.chat(lesson, None, 10).await.expect("chat");
    assert!(matches!(chat[0].event, Event::Said { text: None, .. }));
    let is_in = |file: &str| {
        let bytes = std::fs::read(folder.path().join(file)).expect("the file");
        bytes.windows(secret.len()).any(|window| window == secret.as_bytes())
    };
    // Until the first lull it is in the write-ahead log.
    eventually(async || (!is_in("qism-log.db-wal")).then_some(())).await;
    assert!(!is_in("qism-log.db"));
}

async fn chat_comes_in_pages_newest_first_and_each_oldest_first(
    journal: &Arc<dyn Journal>,
    lesson: LessonId,
) {
    let user = UserId(Uuid::now_v7());
    let hand = Logged { event: Event::HandRaised { user }, ..said(4, user, "") };
    let events = vec![said(1, user, "1"), said(2, user, "2"), said(3, user, "3"), hand, said(5, user, "5")];
    journal.append(batch(lesson, events)).await.expect("appended");
    let numbers = async |before| -> Vec<u64> {
        journal.chat(lesson, before, 2).await.expect("chat").iter().map(|line| line.number).collect()
    };
    assert_eq!(numbers(None).await, [3, 5]);
    assert_eq!(numbers(Some(3)).await, [1, 2]);
    assert_eq!(numbers(Some(1)).await, [0; 0]);
}

async fn many_lessons_and_rivals_at_once_keep_numbers_without_gaps(
    journal: &Arc<dyn Journal>,
    fresh: Fresh<'_>,
) {
    let lessons: Vec<LessonId> = (0..20).map(|_| fresh()).collect();
    let mut tasks = tokio::task::JoinSet::new();
    for rival in 0..3 {
        for lesson in lessons.clone() {
            let (journal, user) = (journal.clone(), UserId(Uuid::from_u128(rival)));
            tasks.spawn(async move {
                let mut number = 1;
                let mut written = 0;
                while written < 5 {
                    match journal.append(batch(lesson, vec![said(number, user, "x")])).await {
                        Ok(()) => written += 1,
                        Err(AppendError::Overtaken { .. }) => {}
                        Err(other) => panic!("{other}"),
                    }
                    number += 1;
                }
            });
        }
    }
    while let Some(done) = tasks.join_next().await {
        done.expect("no panic");
    }
    let heads = journal.heads(&lessons).await.expect("heads");
    assert!(heads.len() == 20 && heads.iter().all(|(_, head)| head.number == 15), "{heads:?}");
    for lesson in lessons {
        let numbers: Vec<u64> =
            journal.read(lesson, 0, 100).await.expect("read").iter().map(|l| l.number).collect();
        assert_eq!(numbers, (1..=15).collect::<Vec<u64>>());
    }
}

#[tokio::test]
async fn a_store_that_cannot_be_written_is_told_at_the_start() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("a-file");
    std::fs::write(&file, "not a folder").expect("written");
    let inside = format!("sqlite://{}", file.join("qism.db").display());
    let error = Store::open(&inside).await.err().expect("refused").to_string();
    assert!(error.contains("cannot use") && error.contains("storage.url"), "{error}");
    let no_database = format!("sqlite://{}", file.display());
    let error = Store::open(&no_database).await.err().expect("refused").to_string();
    assert!(error.contains("not a database") && error.contains("damaged"), "{error}");
}

#[tokio::test]
async fn a_store_of_a_newer_version_is_left_alone() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("qism.db");
    let url = format!("sqlite://{}", path.display());
    Store::open(&url).await.expect("made").close().await;
    let pool = sqlx::AnyPool::connect(&url).await.expect("opened");
    sqlx::query("UPDATE schema_step SET step = 99").execute(&pool).await.expect("changed");
    pool.close().await;
    let error = Store::open(&url).await.err().expect("refused").to_string();
    assert!(error.contains("newer version"), "{error}");
}
