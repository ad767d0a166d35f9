//! Appending. With SQLite one task writes everything that queued during its last commit in one transaction (group
//! commit). With PostgreSQL several tasks commit one batch each, by one statement on a connection that each keeps: PostgreSQL
//! itself flushes for all of them at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qism_signaling::{
    hub::ports::{AppendError, Batch},
    protocol::{Chain, LessonId, Position},
};
use sqlx::{Any, AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Row as _, pool::PoolConnection};
use tokio::{
    sync::{Mutex, mpsc, oneshot},
    time::Instant,
};

use super::{
    append::{is_taken, why_taken, write},
    journal::unavailable,
    row::OF_LESSON,
};
use crate::storage::open::{POSTGRES_WRITERS, Pools};

/// Batches waiting for the writer. Full: the room task waits, and its own queue answers `busy`.
const QUEUE: usize = 1_024;
/// Batches in one transaction: more would make the first of them wait.
const TOGETHER: usize = 128;
/// So much quiet after an erasure, and the write-ahead log is emptied.
const LULL: Duration = Duration::from_millis(200);
/// A writer that is stuck is told after this.
const PATIENCE: Duration = Duration::from_secs(10);
/// A connection that nobody used for so long is asked whether it lives.
const DOUBTFUL: Duration = Duration::from_secs(1);
/// And after this given back: the lessons of its database may be on other servers.
const UNUSED: Duration = Duration::from_secs(300);

type Outcome = Result<(), AppendError>;

struct Job {
    batch: Batch,
    /// On which the lesson began.
    day: i64,
    reply: oneshot::Sender<Outcome>,
}

/// Where batches go.
pub struct Writer {
    queue: mpsc::Sender<Job>,
    tally: Arc<Tally>,
    /// Nobody else writes into this database.
    is_alone: bool,
}

/// Batches that were handed over, and those whose fate is known.
#[derive(Default)]
struct Tally {
    taken: AtomicU64,
    done: AtomicU64,
}

impl Writer {
    pub fn start(pools: Pools) -> Self {
        let (queue, jobs) = mpsc::channel(QUEUE);
        let (tally, is_alone) = (Arc::<Tally>::default(), pools.are_ours_alone());
        if pools.sqlite {
            tokio::spawn(write_groups(pools.write, jobs, tally.clone()));
        } else {
            let jobs = Arc::new(Mutex::new(jobs));
            for _ in 0..POSTGRES_WRITERS {
                tokio::spawn(write_each(pools.write.clone(), jobs.clone()));
            }
        }
        Self { queue, tally, is_alone }
    }

    /// How many batches were written or refused, while none is under way; `None` while one is, or where others write, too. As long as this
    /// is the same, the log is.
    pub fn at_rest(&self) -> Option<u64> {
        let done = self.tally.done.load(Ordering::Acquire);
        (self.is_alone && self.tally.taken.load(Ordering::Acquire) == done).then_some(done)
    }

    pub async fn append(&self, batch: Batch, day: i64) -> Outcome {
        let (reply, outcome) = oneshot::channel();
        let lesson = batch.lesson;
        let gone = || AppendError::from(unavailable(Some(lesson), &"the writer is gone"));
        let place = self.queue.reserve().await.map_err(|_| gone())?;
        self.tally.taken.fetch_add(1, Ordering::AcqRel);
        place.send(Job { batch, day, reply });
        outcome.await.map_err(|_| gone())?
    }
}

async fn write_groups(pool: AnyPool, mut jobs: mpsc::Receiver<Job>, tally: Arc<Tally>) {
    let mut group = Vec::with_capacity(TOGETHER);
    let mut erased = false;
    while next_group(&pool, &mut jobs, &mut group, &mut erased).await > 0 {
        erased |= group.iter().any(|job: &Job| !job.batch.erase.is_empty());
        let written = tokio::time::timeout(PATIENCE, write_group(&pool, &group)).await;
        // What was given up may still be written: from there on nobody believes that the log is at rest.
        let decided = if written.is_ok() { group.len() as u64 } else { 0 };
        let outcomes = match written {
            Ok(Ok(outcomes)) => outcomes,
            Ok(Err(error)) => all(&group, &error),
            Err(late) => all(&group, &late),
        };
        tally.done.fetch_add(decided, Ordering::AcqRel);
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
pub(super) async fn is_emptied(pool: &AnyPool) -> bool {
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
    group.iter().map(|job| Err(unavailable(Some(job.batch.lesson), error).into())).collect()
}

/// One transaction. A refused batch leaves no trace in it; any other error undoes the whole group.
async fn write_group(pool: &AnyPool, group: &[Job]) -> Result<Vec<Outcome>, sqlx::Error> {
    if let [job] = group
        && job.batch.erase.is_empty()
    {
        // A statement is a transaction by itself: two ways to the database and back are spared.
        return Ok(vec![write_one(&mut *pool.acquire().await?, job).await?]);
    }
    let mut transaction = pool.begin().await?;
    let mut outcomes = Vec::with_capacity(group.len());
    for job in group {
        outcomes.push(write_one(&mut transaction, job).await?);
    }
    transaction.commit().await?;
    Ok(outcomes)
}

async fn write_one(connection: &mut AnyConnection, job: &Job) -> Result<Outcome, sqlx::Error> {
    match write(connection, &job.batch, job.day).await {
        Err(error) if is_taken(&error) => Ok(Err(why_taken(connection, &job.batch, job.day).await?)),
        written => written,
    }
}

/// One of several that take batches from the same queue, until the pool is closed.
async fn write_each(pool: AnyPool, jobs: Arc<Mutex<mpsc::Receiver<Job>>>) {
    let mut line = Line { pool: pool.clone(), kept: None };
    let next = async || jobs.lock().await.recv().await;
    loop {
        match pool.close_event().do_until(tokio::time::timeout(UNUSED, next())).await {
            Ok(Ok(Some(Job { batch, day, reply }))) => {
                // A room that closed meanwhile does not wait for the answer.
                let _ = reply.send(line.append(&batch, day).await);
            }
            Ok(Err(_unused)) => line.kept = None,
            Ok(Ok(None)) | Err(_) => return,
        }
    }
}

/// A connection to PostgreSQL that is kept from one batch to the next. After any trouble it is closed: a transaction might be
/// open in it.
struct Line {
    pool: AnyPool,
    /// With the moment of its last use.
    kept: Option<(PoolConnection<Any>, Instant)>,
}

impl Line {
    async fn append(&mut self, batch: &Batch, day: i64) -> Outcome {
        let mut connection = match self.connection().await {
            Ok(connection) => connection,
            Err(error) => return Err(unavailable(Some(batch.lesson), &error).into()),
        };
        match append_alone(&mut connection, batch, day).await {
            Ok(outcome) => {
                self.kept = Some((connection, Instant::now()));
                outcome
            }
            Err(error) => {
                connection.close_on_drop();
                Err(unavailable(Some(batch.lesson), &error).into())
            }
        }
    }

    async fn connection(&mut self) -> Result<PoolConnection<Any>, sqlx::Error> {
        if let Some((mut connection, used)) = self.kept.take() {
            if used.elapsed() < DOUBTFUL || connection.ping().await.is_ok() {
                return Ok(connection);
            }
            connection.close_on_drop();
        }
        self.pool.acquire().await
    }
}

/// One statement is a transaction by itself, which a server that stands still cannot leave open.
async fn append_alone(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
) -> Result<Outcome, sqlx::Error> {
    let written = match batch.erase.is_empty() {
        true => write(connection, batch, day).await,
        false => write_and_erase(connection, batch, day).await,
    };
    let why = match written {
        Err(error) if is_taken(&error) => why_taken(connection, batch, day).await?,
        Ok(Err(why)) => why,
        done => return done,
    };
    outliving(connection, batch.lesson, why).await.map(Err)
}

async fn write_and_erase(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
) -> Result<Outcome, sqlx::Error> {
    let mut transaction = connection.begin().await?;
    let outcome = write(&mut transaction, batch, day).await;
    match outcome {
        Ok(Ok(())) => transaction.commit().await?,
        _ => transaction.rollback().await?,
    }
    outcome
}

/// A known command is acknowledged only after a later commit. Its row may be seen while no standby has it: PostgreSQL shows
/// it when its writer was cut off in the wait for one. A commit that comes later in the write-ahead log waits for both.
async fn outliving(
    connection: &mut AnyConnection,
    lesson: LessonId,
    why: AppendError,
) -> Result<AppendError, sqlx::Error> {
    let AppendError::Known { number, .. } = why else { return Ok(why) };
    Ok(if touch(connection, lesson, number, None).await? { why } else { AppendError::Conflict })
}

/// A commit of its own, behind everything up to this head; false where the head is not in the log.
pub async fn confirm(pool: &AnyPool, lesson: LessonId, head: Position) -> Result<bool, sqlx::Error> {
    touch(&mut *pool.acquire().await?, lesson, head.number, Some(head.chain)).await
}

/// Writes an event anew as it is, or the packed lesson that it is in.
async fn touch(
    connection: &mut AnyConnection,
    lesson: LessonId,
    number: u64,
    chain: Option<Chain>,
) -> Result<bool, sqlx::Error> {
    let row = format!(
        "UPDATE event SET text = text WHERE {OF_LESSON} AND number = $2 AND COALESCE($3, chain) = chain"
    );
    let packed = "UPDATE packed SET format = format WHERE lesson = $1 AND events >= $2 \
                  AND (events > $2 OR COALESCE($3, chain) = chain)";
    for sql in [row, packed.to_owned()] {
        let query = sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string()).bind(number as i64);
        let query = query.bind(chain.map(|chain| chain.0 as i64));
        if query.execute(&mut *connection).await?.rows_affected() > 0 {
            return Ok(true);
        }
    }
    Ok(false)
}
