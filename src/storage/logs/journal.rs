//! The hub's [`Journal`] on SQL. Appends go through the [`writer`], reads straight to a pool.

use std::time::{Duration, Instant};

use async_trait::async_trait;
use futures_util::future::join_all;
use qism_signaling::{
    hub::ports::{AppendError, Batch, Journal, Unavailable},
    protocol::{Chain, LessonId, Logged, Position},
};
use sqlx::{AssertSqlSafe, Row as _};

use super::{Logs, days::day_of, log::Log, packed, row, writer};
use crate::storage::StorageError;

impl Log {
    async fn read(&self, lesson: LessonId, after: u64, limit: usize) -> Result<Vec<Logged>, StorageError> {
        let rows = row::read_after(&self.pools.read, lesson, after, limit).await?;
        if rows.first().is_some_and(|first| first.number == after + 1) {
            return Ok(rows);
        }
        let Some(packed) = packed::find(&self.pools.read, lesson).await? else { return Ok(rows) };
        let mut events = packed.after(after, limit)?;
        let last = packed.events.len() as u64;
        events.extend(rows.into_iter().filter(|row| row.number > last));
        events.truncate(limit);
        Ok(events)
    }

    async fn chat(&self, lesson: LessonId, before: u64, limit: usize) -> Result<Vec<Logged>, StorageError> {
        let sql = format!(
            "SELECT {} FROM event WHERE kind = 'said' AND {} AND number < $2 ORDER BY number DESC LIMIT $3",
            row::COLUMNS,
            row::OF_LESSON
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string());
        let query = query.bind(i64::try_from(before).unwrap_or(i64::MAX)).bind(limit as i64);
        let rows = query.fetch_all(&self.pools.read).await?;
        let mut lines = rows.iter().rev().map(row::logged).collect::<Result<Vec<_>, _>>()?;
        if lines.len() < limit
            && let Some(packed) = packed::find(&self.pools.read, lesson).await?
        {
            let first = lines.first().map_or(before, |first| first.number);
            lines.splice(..0, packed.chat(first, limit - lines.len())?);
        }
        Ok(lines)
    }

    /// The seed of the lesson's chain, and the day on which it began: today, if it begins now.
    async fn began(&self, lesson: LessonId) -> Result<(Chain, i64), StorageError> {
        let id = lesson.to_string();
        let read = || sqlx::query("SELECT chain, day FROM origin WHERE lesson = $1").bind(id.clone());
        let mut found = read().fetch_optional(&self.pools.read).await?;
        if found.is_none() {
            sqlx::query("INSERT INTO origin (lesson, chain, day) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING")
                .bind(id.clone())
                .bind(rand::random::<i64>())
                .bind(day_of(self.pools.now().await?))
                .execute(&self.pools.write)
                .await?;
            // Another node may have been first.
            found = Some(read().fetch_one(&self.pools.write).await?);
        }
        let found = found.ok_or(sqlx::Error::RowNotFound)?;
        let (chain, day) = (row::chain(found.try_get(0)?), found.try_get(1)?);
        if self.days.len() >= DAYS_KEPT {
            self.days.clear();
        }
        self.days.insert(lesson, day);
        Ok((chain, day))
    }

    async fn day(&self, lesson: LessonId) -> Result<i64, StorageError> {
        let kept = self.days.get(&lesson).map(|day| *day);
        match kept {
            Some(day) => Ok(day),
            None => Ok(self.began(lesson).await?.1),
        }
    }

    async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        let (lesson, events, began) = (batch.lesson, batch.events.len(), Instant::now());
        let outcome = match self.day(lesson).await {
            Ok(day) => self.writer.append(batch, day).await,
            Err(error) => Err(unavailable(Some(lesson), &error).into()),
        };
        if outcome == Err(AppendError::Conflict) {
            // It may have begun on another day, in the history that the store went back to.
            self.days.remove(&lesson);
        }
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
            Err(error) => Err(unavailable(Some(lesson), &error).into()),
        }
    }
}

impl Logs {
    /// That of a lesson, if it could be opened.
    async fn open_one(&self, lesson: LessonId) -> Result<&Log, Unavailable> {
        self.of(lesson).await.and_then(Log::open_one).map_err(|error| unavailable(Some(lesson), &error))
    }

    /// What one database answers. Among several, one that does not keeps the others waiting once, and then no more.
    pub(super) async fn answer<T>(
        &self,
        log: &Log,
        asking: impl Future<Output = Result<T, StorageError>>,
    ) -> Result<T, StorageError> {
        if self.is_one() {
            return asking.await;
        }
        log.answering()?;
        let answer = tokio::time::timeout(PATIENCE, asking).await.unwrap_or(Err(StorageError::Away));
        if answer.is_err() {
            log.note_silence();
        }
        answer
    }
}

#[async_trait]
impl Journal for Logs {
    async fn append(&self, batch: Batch) -> Result<(), AppendError> {
        self.open_one(batch.lesson).await?.append(batch).await
    }

    async fn confirm(&self, lesson: LessonId, head: Position) -> Result<(), AppendError> {
        self.open_one(lesson).await?.confirm(lesson, head).await
    }

    async fn read(&self, lesson: LessonId, after: u64, limit: usize) -> Result<Vec<Logged>, Unavailable> {
        let log = self.open_one(lesson).await?;
        log.meter.note_read();
        log.read(lesson, after, limit).await.map_err(|error| unavailable(Some(lesson), &error))
    }

    async fn heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, Unavailable> {
        let spread = self.spread(lessons).await.map_err(|error| unavailable(None, &error))?;
        let asked = spread.iter().map(|(log, lessons)| self.answer(log, log.heads(lessons)));
        let (found, failed): (Vec<_>, Vec<_>) = join_all(asked).await.into_iter().partition(Result::is_ok);
        match failed.into_iter().find_map(Result::err) {
            Some(error) if found.is_empty() => Err(unavailable(None, &error)),
            _ => Ok(found.into_iter().flatten().flatten().collect()),
        }
    }

    async fn chat(
        &self,
        lesson: LessonId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Logged>, Unavailable> {
        let log = self.open_one(lesson).await?;
        log.meter.note_read();
        log.chat(lesson, before.unwrap_or(u64::MAX), limit)
            .await
            .map_err(|error| unavailable(Some(lesson), &error))
    }

    async fn origin(&self, lesson: LessonId) -> Result<Chain, Unavailable> {
        let began = self.open_one(lesson).await?.began(lesson).await;
        began.map(|(chain, _)| chain).map_err(|error| unavailable(Some(lesson), &error))
    }
}

/// One of several databases that does not answer within this is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// Lessons whose day is kept in memory.
const DAYS_KEPT: usize = 50_000;

/// The detail is logged here, once; the hub only needs to know that nothing was done.
pub fn unavailable(lesson: Option<LessonId>, error: &dyn std::fmt::Display) -> Unavailable {
    tracing::warn!(lesson = lesson.map(tracing::field::display), %error, "the log does not answer");
    Unavailable(error.to_string())
}
