//! What an erased person wrote, and notes about them, become nothing: in rows and in packed rows. No chain covers a text.

use std::time::Duration;

use qism_signaling::protocol::{LessonId, UserId};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{Logs, log::Log, packed, row::OF_LESSON, writer::is_emptied};
use crate::storage::{StorageError, open::Pools, row::id};

/// How often it is tried to empty a write-ahead log that somebody reads, and the time between.
const TRIES: u8 = 20;
const PAUSE: Duration = Duration::from_millis(500);

impl Logs {
    /// In these lessons. Tells how many texts that were. May be done again; fails where a database does not answer.
    pub async fn erase_of(&self, person: UserId, lessons: &[LessonId]) -> Result<u64, StorageError> {
        let mut texts = 0;
        for (log, lessons) in self.spread(lessons).await? {
            let log = log.answering()?;
            for lesson in log.begun_among(&lessons).await? {
                texts += log.erase_of(person, lesson).await?;
            }
        }
        Ok(texts)
    }

    /// Takes what was erased out of write-ahead logs, too.
    pub async fn forget_erased(&self) {
        for log in &self.all {
            forget_erased(&log.pools).await;
        }
    }
}

/// The write-ahead log of one store of SQLite has it until it is emptied, which somebody who reads keeps from being done for a moment.
pub async fn forget_erased(pools: &Pools) {
    for _ in 0..TRIES {
        if !pools.sqlite || is_emptied(&pools.write).await {
            return;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

impl Log {
    async fn begun_among(&self, lessons: &[LessonId]) -> Result<Vec<LessonId>, StorageError> {
        let list: Vec<String> = (1..=lessons.len()).map(|n| format!("${n}")).collect();
        let sql = format!("SELECT lesson FROM origin WHERE lesson IN ({})", list.join(", "));
        let query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
        let query = lessons.iter().fold(query, |query, lesson| query.bind(lesson.to_string()));
        let found = query.fetch_all(&self.pools.read).await?;
        found.iter().map(|found| Ok(LessonId(id(&found.try_get::<String, _>(0)?)?))).collect()
    }

    async fn erase_of(&self, person: UserId, lesson: LessonId) -> Result<u64, StorageError> {
        let mut transaction = self.pools.write.begin().await?;
        let texts = erase_of(&mut transaction, lesson, person).await?;
        transaction.commit().await?;
        Ok(texts)
    }
}

/// Within a transaction. Tells how many texts that were.
pub async fn erase_of(
    within: &mut AnyConnection,
    lesson: LessonId,
    person: UserId,
) -> Result<u64, StorageError> {
    // Rows first: if the lesson is packed meanwhile, they are found in the packed row then.
    let rows = format!(
        "UPDATE event SET text = NULL WHERE {OF_LESSON} AND text IS NOT NULL AND (sender = $2 OR body LIKE $3)"
    );
    let erased = sqlx::query(AssertSqlSafe(rows))
        .bind(lesson.to_string())
        .bind(person.to_string())
        .bind(format!("%{person}%"))
        .execute(&mut *within)
        .await?;
    Ok(erased.rows_affected() + packed::erase_of(within, lesson, person).await?)
}
