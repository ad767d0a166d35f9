//! Packing: some days after its last event a lesson becomes one row ([`packed`]), and its events are dropped. Any server does it,
//! and none has to: who comes second finds nothing to do.

use std::time::{Duration, Instant};

use qism_signaling::protocol::LessonId;
use sqlx::{Any, Row as _, Transaction};

use super::{
    days::{day_of, has_code},
    log::Log,
    packed::{self, Encoded},
    row::{self, Stored},
};
use crate::storage::{StorageError, open::Pools, row::id};

/// Lessons looked for at once.
const AT_ONCE: i64 = 100;

/// PostgreSQL's `serialization_failure`, `deadlock_detected`, `unique_violation`: somebody else wrote into the lesson.
const MOVED: [&str; 3] = ["40001", "40P01", "23505"];

impl Log {
    /// Packs every lesson whose last event is older than `after`, one after the other, and makes and drops the tables of days.
    /// Tells how many were packed. What stands in the way of one is logged, and does not keep the others.
    pub async fn pack(&self, now: u64, after: Duration) -> Result<usize, StorageError> {
        self.answering()?;
        self.make_days(now).await?;
        let before = now.saturating_sub(after.as_millis() as u64);
        let (mut packed, mut left) = (0, 0);
        let all = self.count_due(before).await?;
        self.note_due(all);
        loop {
            let due = self.due(before, left).await?;
            if due.is_empty() {
                break;
            }
            for (lesson, day) in due {
                let began = Instant::now();
                match self.try_pack(lesson, day).await {
                    true => packed += 1,
                    false => left += 1,
                }
                self.note_due(all.saturating_sub(packed as u64));
                // Those who write into the log come first.
                tokio::time::sleep(began.elapsed()).await;
            }
        }
        self.note_due(left as u64);
        self.drop_days(day_of(before)).await?;
        Ok(packed)
    }

    async fn count_due(&self, before: u64) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM (SELECT lesson FROM event \
             WHERE day <= $1 AND lesson NOT IN (SELECT lesson FROM copied) GROUP BY day, lesson HAVING MAX(at) < $2) AS due";
        let query = sqlx::query(sql).bind(day_of(before)).bind(before as i64);
        Ok(query.fetch_one(&self.pools.read).await?.try_get::<i64, _>(0)? as u64)
    }

    /// Lessons in which nothing happened since, but for the first few.
    async fn due(&self, before: u64, skipped: i64) -> Result<Vec<(LessonId, i64)>, StorageError> {
        let found = sqlx::query(
            "SELECT lesson, day FROM event WHERE day <= $1 AND lesson NOT IN (SELECT lesson FROM copied) \
             GROUP BY day, lesson HAVING MAX(at) < $2 ORDER BY day, lesson LIMIT $3 OFFSET $4",
        )
        .bind(day_of(before))
        .bind(before as i64)
        .bind(AT_ONCE)
        .bind(skipped)
        .fetch_all(&self.pools.read)
        .await?;
        let lesson = |found: &sqlx::any::AnyRow| {
            Ok((LessonId(id(&found.try_get::<String, _>(0)?)?), found.try_get(1)?))
        };
        found.iter().map(lesson).collect()
    }

    async fn try_pack(&self, lesson: LessonId, day: i64) -> bool {
        match pack(&self.pools, lesson, day).await {
            Ok(Some(done)) => {
                tracing::debug!(%lesson, events = done.rows, bytes = done.bytes, "packed");
                self.meter.note_packed(done.rows, done.bytes);
                true
            }
            Ok(None) => false,
            Err(error) => {
                tracing::warn!(%lesson, %error, "not packed; its events stay as they are");
                self.meter.note_not_packed();
                false
            }
        }
    }
}

/// What a packing did.
struct Done {
    rows: u64,
    bytes: u64,
}

/// `None`: somebody else is at it, or wrote into the lesson meanwhile.
async fn pack(log: &Pools, lesson: LessonId, day: i64) -> Result<Option<Done>, StorageError> {
    let before = packed::find(&log.read, lesson).await?;
    let rows = row::all(&log.read, lesson, day).await?;
    let (mut events, old) = before.map_or((Vec::new(), None), |old| (old.events, Some(old.digest)));
    events.extend(rows.iter().cloned());
    let new = Encoded::of(&events)?;
    let mut transaction = log.write.begin().await?;
    match replace(&mut transaction, log.sqlite, (lesson, day), &rows, (old.as_deref(), &new)).await {
        Ok(true) => match transaction.commit().await {
            Ok(()) => Ok(Some(Done { rows: rows.len() as u64, bytes: new.body.len() as u64 })),
            Err(error) => not_moved(error.into()),
        },
        Ok(false) => transaction.rollback().await.map(|()| None).map_err(StorageError::from),
        Err(error) => {
            transaction.rollback().await?;
            not_moved(error)
        }
    }
}

fn not_moved(error: StorageError) -> Result<Option<Done>, StorageError> {
    match error {
        StorageError::Sql(error) if MOVED.iter().any(|code| has_code(&error, code)) => Ok(None),
        other => Err(other),
    }
}

/// One packed row for these rows, which are still the same. False: they are not, or somebody else does it.
async fn replace(
    transaction: &mut Transaction<'_, Any>,
    sqlite: bool,
    (lesson, day): (LessonId, i64),
    rows: &[Stored],
    (old, new): (Option<&str>, &Encoded),
) -> Result<bool, StorageError> {
    if !sqlite {
        // A text that is erased meanwhile makes the dropping fail.
        let one_moment = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ";
        sqlx::raw_sql(one_moment).execute(&mut **transaction).await?;
        let claim = "SELECT 1 FROM origin WHERE lesson = $1 FOR UPDATE SKIP LOCKED";
        let mine = sqlx::query(claim).bind(lesson.to_string()).fetch_optional(&mut **transaction).await?;
        if mine.is_none() {
            return Ok(false);
        }
    }
    // To write comes first: SQLite gives no lock for that to whoever has begun to read.
    if !packed::put(transaction, lesson, old, new).await?
        || row::all(&mut **transaction, lesson, day).await? != rows
    {
        return Ok(false);
    }
    if packed::body(transaction, lesson).await? != new.body {
        return Err(StorageError::Corrupt { what: "packed lesson, read back", value: lesson.to_string() });
    }
    let dropped = sqlx::query("DELETE FROM event WHERE day = $1 AND lesson = $2 AND number <= $3")
        .bind(day)
        .bind(lesson.to_string())
        .bind(new.head.number as i64)
        .execute(&mut **transaction)
        .await?;
    Ok(dropped.rows_affected() == rows.len() as u64)
}
