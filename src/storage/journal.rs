//! The hub's [`Journal`] on SQL. Appends go through [`Writer`], reads straight to a pool.

use std::time::Instant;

use async_trait::async_trait;
use qism_signaling::{
    hub::ports::{AppendError, Batch, Journal, Unavailable},
    protocol::{Chain, LessonId, Logged, Position},
};
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    StorageError,
    meter::LogMeter,
    open::Pools,
    row,
    writer::{self, Writer},
};

/// The log of every lesson.
pub struct SqlJournal {
    pools: Pools,
    writer: Writer,
    meter: LogMeter,
}

impl SqlJournal {
    pub fn start(pools: Pools) -> Self {
        let writer = Writer::start(pools.clone());
        Self { pools, writer, meter: LogMeter::default() }
    }

    pub fn meter(&self) -> &LogMeter {
        &self.meter
    }

    async fn try_heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, StorageError> {
        let mut heads = Vec::with_capacity(lessons.len());
        for some in lessons.chunks(HEADS_AT_ONCE) {
            let sql = heads_sql(some.len());
            let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(false);
            for lesson in some {
                query = query.bind(lesson.to_string());
            }
            for found in query.fetch_all(&self.pools.read).await? {
                heads.push(head(&found)?);
            }
        }
        Ok(heads)
    }

    async fn try_origin(&self, lesson: LessonId) -> Result<Chain, StorageError> {
        let lesson = lesson.to_string();
        let read = || sqlx::query("SELECT chain FROM origin WHERE lesson = $1").bind(lesson.clone());
        if let Some(found) = read().fetch_optional(&self.pools.read).await? {
            return Ok(row::chain(found.try_get(0)?));
        }
        sqlx::query("INSERT INTO origin (lesson, chain) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(lesson.clone())
            .bind(rand::random::<i64>())
            .execute(&self.pools.write)
            .await?;
        // Another node may have been first.
        let found = read().fetch_one(&self.pools.write).await?;
        Ok(row::chain(found.try_get(0)?))
    }
}

#[async_trait]
impl Journal for SqlJournal {
    async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        let (events, began) = (batch.events.len(), Instant::now());
        let outcome = self.writer.append(batch).await;
        self.meter.note(events, began, &outcome);
        outcome
    }

    async fn confirm(&self, lesson: LessonId, head: Position) -> Result<(), AppendError> {
        // SQLite shows nothing that is not on the disk, and has no standby.
        if self.pools.sqlite || head.number == 0 {
            return Ok(());
        }
        match writer::confirm(&self.pools.write, lesson, head).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AppendError::Conflict),
            Err(error) => Err(unavailable(&error).into()),
        }
    }

    async fn read(&self, lesson: LessonId, after: u64, limit: usize) -> Result<Vec<Logged>, Unavailable> {
        self.meter.note_read();
        row::read_after(&self.pools.read, lesson, after, limit).await.map_err(|error| unavailable(&error))
    }

    async fn heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, Unavailable> {
        self.try_heads(lessons).await.map_err(|error| unavailable(&error))
    }

    async fn chat(
        &self,
        lesson: LessonId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Logged>, Unavailable> {
        self.meter.note_read();
        let sql = format!(
            "SELECT {} FROM event WHERE kind = 'said' AND lesson = $1 AND number < $2 ORDER BY number DESC LIMIT $3",
            row::COLUMNS
        );
        let mut found = sqlx::query(AssertSqlSafe(sql))
            .bind(lesson.to_string())
            .bind(before.map_or(i64::MAX, |before| before as i64))
            .bind(limit as i64)
            .fetch_all(&self.pools.read)
            .await
            .map_err(|error| unavailable(&error))?;
        found.reverse();
        events(&found)
    }

    async fn origin(&self, lesson: LessonId) -> Result<Chain, Unavailable> {
        self.try_origin(lesson).await.map_err(|error| unavailable(&error))
    }
}

/// Parameters of one statement; both engines allow more.
const HEADS_AT_ONCE: usize = 500;

/// The last event of each of `count` lessons.
fn heads_sql(count: usize) -> String {
    let list: Vec<String> = (1..=count).map(|n| format!("${n}")).collect();
    format!(
        "SELECT e.lesson, e.number, e.chain FROM event e JOIN (SELECT lesson, MAX(number) AS last FROM event \
         WHERE lesson IN ({}) GROUP BY lesson) m ON e.lesson = m.lesson AND e.number = m.last",
        list.join(", ")
    )
}

fn head(found: &AnyRow) -> Result<(LessonId, Position), StorageError> {
    let lesson = LessonId(row::id(&found.try_get::<String, _>(0)?)?);
    let number = found.try_get::<i64, _>(1)? as u64;
    Ok((lesson, Position { number, chain: row::chain(found.try_get(2)?) }))
}

fn events(found: &[AnyRow]) -> Result<Vec<Logged>, Unavailable> {
    found.iter().map(row::logged).collect::<Result<_, _>>().map_err(|error| unavailable(&error))
}

/// The detail is logged here, once; the hub only needs to know that nothing was done.
pub fn unavailable(error: &dyn std::fmt::Display) -> Unavailable {
    tracing::warn!(%error, "the log does not answer");
    Unavailable(error.to_string())
}
