//! Appending. With SQLite one task writes everything that queued during its last commit in one transaction (group
//! commit); PostgreSQL commits one batch per transaction, many at once.

use std::time::Duration;

use qism_signaling::{
    hub::ports::{AppendError, Batch},
    protocol::{CommandId, LessonId, Logged, Position, UserId},
};
use sqlx::{AnyConnection, AnyPool, AssertSqlSafe, Row as _};
use tokio::sync::{mpsc, oneshot};

use super::{journal::unavailable, open::Pools, row};

/// Batches waiting for the writer. Full: the room task waits, and its own queue answers `busy`.
const QUEUE: usize = 1_024;
/// Batches in one transaction: more would make the first of them wait.
const TOGETHER: usize = 128;
/// Statements of up to this many rows are kept prepared.
const KEPT_PREPARED: usize = 16;
/// So much quiet after an erasure, and the write-ahead log is emptied.
const LULL: Duration = Duration::from_millis(200);
/// A writer that is stuck is told after this.
const PATIENCE: Duration = Duration::from_secs(10);

type Outcome = Result<(), AppendError>;

pub struct Job {
    batch: Batch,
    reply: oneshot::Sender<Outcome>,
}

/// Where batches go.
pub enum Writer {
    Grouped(mpsc::Sender<Job>),
    Alone(AnyPool),
}

impl Writer {
    pub fn start(pools: Pools) -> Self {
        if !pools.sqlite {
            return Self::Alone(pools.write);
        }
        let (queue, jobs) = mpsc::channel(QUEUE);
        tokio::spawn(write_groups(pools.write, jobs));
        Self::Grouped(queue)
    }

    pub async fn append(&self, batch: Batch) -> Outcome {
        match self {
            Self::Grouped(queue) => {
                let (reply, outcome) = oneshot::channel();
                let gone = || AppendError::from(unavailable(&"the writer is gone"));
                queue.send(Job { batch, reply }).await.map_err(|_| gone())?;
                outcome.await.map_err(|_| gone())?
            }
            Self::Alone(pool) => append_alone(pool, &batch).await,
        }
    }
}

async fn write_groups(pool: AnyPool, mut jobs: mpsc::Receiver<Job>) {
    let mut group = Vec::with_capacity(TOGETHER);
    let mut erased = false;
    while next_group(&pool, &mut jobs, &mut group, &mut erased).await > 0 {
        erased |= group.iter().any(|job: &Job| !job.batch.erase.is_empty());
        let outcomes = match tokio::time::timeout(PATIENCE, write_group(&pool, &group)).await {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => all(&group, &error),
            Err(late) => all(&group, &late),
        };
        for (job, outcome) in group.drain(..).zip(outcomes) {
            // A room that closed meanwhile does not wait for the answer.
            let _ = job.reply.send(outcome);
        }
    }
}

/// Waits for jobs; when none came for a moment after an erasure, empties the write-ahead log: it still has the text.
async fn next_group(
    pool: &AnyPool,
    jobs: &mut mpsc::Receiver<Job>,
    group: &mut Vec<Job>,
    erased: &mut bool,
) -> usize {
    while *erased {
        match tokio::time::timeout(LULL, jobs.recv_many(group, TOGETHER)).await {
            Ok(count) => return count,
            Err(_) => *erased = !is_emptied(pool).await,
        }
    }
    jobs.recv_many(group, TOGETHER).await
}

/// Moves the write-ahead log into the database and truncates it; false while somebody reads from it.
async fn is_emptied(pool: &AnyPool) -> bool {
    let answer = sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").fetch_one(pool).await;
    // First column: 1 when it was kept from finishing.
    match answer.and_then(|row| row.try_get::<i64, _>(0)) {
        Ok(kept) => kept == 0,
        Err(error) => {
            tracing::warn!(%error, "the write-ahead log could not be emptied");
            false
        }
    }
}

fn all(group: &[Job], error: &dyn std::fmt::Display) -> Vec<Outcome> {
    let unavailable = unavailable(error);
    group.iter().map(|_| Err(unavailable.clone().into())).collect()
}

/// One transaction. A refused batch leaves no trace in it; any other error undoes the whole group.
async fn write_group(pool: &AnyPool, group: &[Job]) -> Result<Vec<Outcome>, sqlx::Error> {
    let mut transaction = pool.begin().await?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        outcomes.push(match write(&mut transaction, &job.batch).await {
            Ok(true) => Ok(()),
            Ok(false) => Err(AppendError::Conflict),
            Err(error) if is_taken(&error) => Err(why_taken(&mut transaction, &job.batch).await?),
            Err(error) => return Err(error),
        });
    }
    transaction.commit().await?;
    Ok(outcomes)
}

async fn append_alone(pool: &AnyPool, batch: &Batch) -> Outcome {
    let attempt = async {
        let mut transaction = pool.begin().await?;
        match write(&mut transaction, batch).await {
            Ok(true) => transaction.commit().await.map(|()| Ok(())),
            Ok(false) => transaction.rollback().await.map(|()| Err(AppendError::Conflict)),
            Err(error) if is_taken(&error) => {
                transaction.rollback().await?;
                // One connection for both: to another primary the later commit would prove nothing.
                let mut connection = pool.acquire().await?;
                let why = why_taken(&mut connection, batch).await?;
                outliving(&mut connection, batch.lesson, why).await.map(Err)
            }
            Err(error) => Err(error),
        }
    };
    attempt.await.unwrap_or_else(|error: sqlx::Error| Err(unavailable(&error).into()))
}

/// A known command is acknowledged only after a later commit. Its row may be seen while no standby has it: PostgreSQL shows
/// it when its writer was cut off in the wait for one. A commit that comes later in the write-ahead log waits for both.
async fn outliving(
    connection: &mut AnyConnection,
    lesson: LessonId,
    why: AppendError,
) -> Result<AppendError, sqlx::Error> {
    let AppendError::Known { sender, command, number } = why else { return Ok(why) };
    let touched = sqlx::query(
        "UPDATE event SET text = text WHERE lesson = $1 AND number = $2 AND sender = $3 AND command = $4",
    )
    .bind(lesson.to_string())
    .bind(number as i64)
    .bind(sender.to_string())
    .bind(command.to_string())
    .execute(connection)
    .await?;
    Ok(if touched.rows_affected() == 0 { AppendError::Conflict } else { why })
}

/// A commit of its own, behind everything up to this head; false where the head is not in the log.
pub async fn confirm(pool: &AnyPool, lesson: LessonId, head: Position) -> Result<bool, sqlx::Error> {
    let touched =
        sqlx::query("UPDATE event SET text = text WHERE lesson = $1 AND number = $2 AND chain = $3")
            .bind(lesson.to_string())
            .bind(head.number as i64)
            .bind(head.chain.0 as i64)
            .execute(pool)
            .await?;
    Ok(touched.rows_affected() > 0)
}

/// The events in one statement, all or nothing, then the erasures. False: nothing was written, since the log does not have
/// the head that they were decided on (it went back to an older state).
async fn write(connection: &mut AnyConnection, batch: &Batch) -> Result<bool, sqlx::Error> {
    let lesson = batch.lesson.to_string();
    if !batch.events.is_empty() {
        let sql = insert_sql(batch.events.len(), batch.head.number > 0);
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(batch.events.len() <= KEPT_PREPARED);
        for (event, part) in batch.events.iter().zip(parts(&batch.events)) {
            let (body, text) = row::split(&event.event);
            query = query
                .bind(lesson.clone())
                .bind(event.number as i64)
                .bind(event.chain.0 as i64)
                .bind(event.at as i64)
                .bind(event.sender.map(|sender| sender.to_string()))
                .bind(event.command.to_string())
                .bind(part)
                .bind(event.event.kind())
                .bind(body)
                .bind(text);
        }
        if batch.head.number > 0 {
            query = query.bind(lesson.clone()).bind(batch.head.number as i64).bind(batch.head.chain.0 as i64);
        }
        if query.execute(&mut *connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
    }
    for number in &batch.erase {
        sqlx::query("UPDATE event SET text = NULL WHERE lesson = $1 AND number = $2")
            .bind(lesson.clone())
            .bind(*number as i64)
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

const COLUMNS: usize = 10;

/// Inserts so many rows; behind a head only if that is there.
fn insert_sql(rows: usize, has_head: bool) -> String {
    let tuple = |row: usize| {
        let list: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", list.join(", "))
    };
    let tuples: Vec<String> = (0..rows).map(tuple).collect();
    let values = format!("VALUES {}", tuples.join(", "));
    let source = match (has_head, rows * COLUMNS) {
        (false, _) => values,
        (true, bound) => format!(
            "SELECT * FROM ({values}) AS new WHERE EXISTS \
             (SELECT 1 FROM event WHERE lesson = ${} AND number = ${} AND chain = ${})",
            bound + 1,
            bound + 2,
            bound + 3
        ),
    };
    format!("INSERT INTO event (lesson, number, chain, at, sender, command, part, kind, body, text) {source}")
}

/// The place of each event among those of its command.
fn parts(events: &[Logged]) -> Vec<i64> {
    let mut counts = std::collections::HashMap::new();
    let mut next = |event: &Logged| {
        let count = counts.entry((event.sender, event.command)).or_insert(-1);
        *count += 1;
        *count
    };
    events.iter().map(&mut next).collect()
}

fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// A command of the batch that the log knows already, else the number was taken by somebody else.
async fn why_taken(connection: &mut AnyConnection, batch: &Batch) -> Result<AppendError, sqlx::Error> {
    let mut asked: Vec<(UserId, CommandId)> = Vec::new();
    for event in &batch.events {
        let Some(sender) = event.sender.filter(|sender| !asked.contains(&(*sender, event.command))) else {
            continue;
        };
        asked.push((sender, event.command));
        let found = sqlx::query(
            "SELECT number FROM event WHERE lesson = $1 AND sender = $2 AND command = $3 ORDER BY number DESC LIMIT 1",
        )
        .bind(batch.lesson.to_string())
        .bind(sender.to_string())
        .bind(event.command.to_string())
        .fetch_optional(&mut *connection)
        .await?;
        if let Some(found) = found {
            let number = found.try_get::<i64, _>(0)? as u64;
            return Ok(AppendError::Known { sender, command: event.command, number });
        }
    }
    Ok(AppendError::Conflict)
}
