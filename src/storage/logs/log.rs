//! One database of the log: its connections, its writers, and how it is.

use std::{
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use qism_signaling::protocol::LessonId;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{LogHealth, Shortfall, StandbyRule, heads::ToldHeads, meter::LogMeter, standby, writer::Writer};
use crate::storage::{
    StorageError,
    open::{Check, Part, Pools, Use},
    row::id,
    schema,
};

/// It is looked at so often.
const EVERY: Duration = Duration::from_secs(1);
/// One that does not answer a question within this is away.
const PATIENCE: Duration = Duration::from_secs(2);

/// PostgreSQL's `admin_shutdown`, `crash_shutdown`, `cannot_connect_now`: it stops, or starts.
const AWAY: [&str; 3] = ["57P01", "57P02", "57P03"];

/// The log of some schools' lessons.
pub struct Log {
    beginnings: Vec<String>,
    purpose: Use,
    pub(super) pools: Pools,
    pub(super) writer: Writer,
    pub(super) meter: Arc<LogMeter>,
    /// When lessons began; never changes, but for a store that went back to an older state. Full: emptied, and asked again.
    pub(super) days: DashMap<LessonId, i64>,
    pub(super) told_heads: ToldHeads,
    /// Every connection that is made looks whether it leads to this one.
    mark: Arc<OnceLock<String>>,
    /// Its tables are there, and those that we think.
    is_open: AtomicBool,
    answers: AtomicBool,
    shortfall: Mutex<Option<Shortfall>>,
    /// Old lessons that were to be packed at the last look, or are left.
    due: AtomicU64,
}

impl Log {
    /// Not yet to be used: [`prepare`](Self::prepare) comes first.
    pub async fn open(
        url: String,
        beginnings: Vec<String>,
        purpose: Use,
        meter: Arc<LogMeter>,
    ) -> Result<Arc<Self>, StorageError> {
        let mark = Arc::<OnceLock<String>>::default();
        let expected = mark.clone();
        let check: Check = Arc::new(move |connection| {
            let expected = expected.clone();
            Box::pin(async move { expect_mark(connection, expected.get()).await })
        });
        let pools = Pools::open_later(&url, Part::Log, purpose, check).await?;
        Ok(Arc::new(Self {
            beginnings,
            purpose,
            writer: Writer::start(pools.clone()),
            pools,
            meter,
            days: DashMap::new(),
            told_heads: ToldHeads::default(),
            mark,
            is_open: AtomicBool::new(false),
            answers: AtomicBool::new(true),
            shortfall: Mutex::default(),
            due: AtomicU64::new(0),
        }))
    }

    /// Makes or upgrades the tables where a server does it, and makes sure that it is the one that is expected, if any is.
    pub async fn prepare(&self) -> Result<(), StorageError> {
        let mark = self.try_prepare().await.map_err(|problem| self.told(problem))?;
        if self.mark.get_or_init(|| mark.clone()) != &mark {
            return Err(self.told(StorageError::AnotherDatabase));
        }
        self.is_open.store(true, Ordering::Release);
        Ok(())
    }

    async fn try_prepare(&self) -> Result<String, StorageError> {
        match self.purpose {
            Use::Server | Use::Alone => {
                schema::upgrade(&self.pools, Part::Log).await?;
                self.make_days(self.pools.now().await?).await?;
                self.make_mark().await?;
            }
            Use::Command => schema::expect_current(&self.pools, Part::Log).await?,
        }
        let mark = sqlx::query("SELECT mark FROM log_mark").fetch_optional(&self.pools.read).await?;
        Ok(mark.map(|mark| mark.try_get(0)).transpose()?.unwrap_or_default())
    }

    async fn make_mark(&self) -> Result<(), StorageError> {
        sqlx::query("INSERT INTO log_mark (id, mark) VALUES (1, $1) ON CONFLICT DO NOTHING")
            .bind(Uuid::new_v4().to_string())
            .execute(&self.pools.write)
            .await?;
        Ok(())
    }

    /// It is away; when it is back it must be this one.
    pub fn expect_later(&self, mark: String, problem: &StorageError) {
        tracing::error!(database = self.name(), %problem, "away: its lessons wait");
        self.answers.store(false, Ordering::Relaxed);
        // Nobody else sets it before it is open.
        let _ = self.mark.set(mark);
    }

    pub fn mark(&self) -> Option<&str> {
        self.mark.get().map(String::as_str)
    }

    /// Of the codes of its schools; none: it has those that no other has.
    pub fn beginnings(&self) -> &[String] {
        &self.beginnings
    }

    /// For the operator.
    pub fn name(&self) -> String {
        match self.beginnings.as_slice() {
            [] => "default".into(),
            beginnings => beginnings.join(", "),
        }
    }

    fn told(&self, problem: StorageError) -> StorageError {
        match self.beginnings.as_slice() {
            [] => problem,
            _ => StorageError::OfOne { name: self.name(), problem: Box::new(problem) },
        }
    }

    pub fn is_open(&self) -> bool {
        self.is_open.load(Ordering::Acquire)
    }

    /// It can be used, or has not been found out to be away.
    pub fn open_one(&self) -> Result<&Self, StorageError> {
        if self.is_open() { Ok(self) } else { Err(self.told(StorageError::Away)) }
    }

    /// For those who had rather hear at once that it does not answer.
    pub fn answering(&self) -> Result<&Self, StorageError> {
        let answers = self.is_open() && self.answers.load(Ordering::Relaxed);
        if answers { Ok(self) } else { Err(self.told(StorageError::Away)) }
    }

    /// So many old lessons are to be packed.
    pub fn note_due(&self, lessons: u64) {
        self.due.store(lessons, Ordering::Relaxed);
    }

    pub fn count_left(&self) -> u64 {
        self.due.load(Ordering::Relaxed)
    }

    pub fn note_silence(&self) {
        self.answers.store(false, Ordering::Relaxed);
    }

    /// One that is away is looked at when it is back.
    pub async fn expect_safe(&self, rule: StandbyRule) -> Result<(), StorageError> {
        if !self.is_open() {
            return Ok(());
        }
        match standby::shortfall(&self.pools, rule).await.map_err(|problem| self.told(problem))? {
            Some(shortfall) => Err(self.told(shortfall.into())),
            None => Ok(()),
        }
    }

    pub async fn watch(&self, rule: StandbyRule) {
        let mut told = self.is_open();
        loop {
            let problem = self.look(rule).await.err();
            if told == problem.is_some() {
                match &problem {
                    Some(problem) => {
                        tracing::error!(database = self.name(), %problem, "does not answer: its lessons wait")
                    }
                    None => tracing::info!(database = self.name(), "answers"),
                }
                told = problem.is_none();
            }
            self.answers.store(problem.is_none(), Ordering::Relaxed);
            tokio::time::sleep(EVERY).await;
        }
    }

    async fn look(&self, rule: StandbyRule) -> Result<(), StorageError> {
        if !self.is_open() {
            self.prepare().await?;
        }
        let looked = tokio::time::timeout(PATIENCE, standby::shortfall(&self.pools, rule)).await;
        let found = looked.map_err(|_| StorageError::Away)??;
        let mut told = self.shortfall.lock().unwrap_or_else(PoisonError::into_inner);
        match &found {
            Some(problem) if told.is_none() => {
                tracing::error!(database = self.name(), %problem, "not ready any more");
            }
            None if told.is_some() => {
                tracing::info!(database = self.name(), "what is committed is safe again");
            }
            _ => {}
        }
        *told = found;
        Ok(())
    }

    pub fn health(&self) -> LogHealth {
        let shortfall = self.shortfall.lock().unwrap_or_else(PoisonError::into_inner);
        LogHealth {
            beginnings: self.beginnings.clone(),
            answers: self.answering().is_ok(),
            shortfall: shortfall.as_ref().map(Shortfall::brief),
        }
    }

    pub fn connections(&self) -> u32 {
        match self.pools.sqlite {
            true => self.pools.read.size() + self.pools.write.size(),
            false => self.pools.read.size(),
        }
    }

    /// Which of these lessons have an `ended` event.
    pub async fn ended(&self, lessons: &[LessonId]) -> Result<Vec<LessonId>, StorageError> {
        if lessons.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<String> = (1..=lessons.len()).map(|n| format!("${n}")).collect();
        let list = list.join(", ");
        let sql = format!(
            "SELECT e.lesson FROM event e JOIN origin o ON o.day = e.day AND o.lesson = e.lesson \
             WHERE e.kind = 'ended' AND o.lesson IN ({list}) \
             UNION SELECT lesson FROM packed WHERE ended = 1 AND lesson IN ({list})"
        );
        // One is asked for by every ticket.
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(lessons.len() == 1);
        for lesson in lessons {
            query = query.bind(lesson.to_string());
        }
        let found = query.fetch_all(&self.pools.read).await?;
        found.iter().map(|found| Ok(LessonId(id(&found.try_get::<String, _>(0)?)?))).collect()
    }

    pub async fn close(&self) {
        self.pools.close().await;
    }
}

/// Once it is known which database it is.
async fn expect_mark(connection: &mut AnyConnection, mark: Option<&String>) -> Result<(), sqlx::Error> {
    let Some(mark) = mark else { return Ok(()) };
    let found = sqlx::query("SELECT mark FROM log_mark").fetch_optional(connection).await?;
    let found = found.map(|found| found.try_get::<String, _>(0)).transpose()?;
    match found.as_ref() == Some(mark) {
        true => Ok(()),
        false => Err(sqlx::Error::Configuration(StorageError::AnotherDatabase.into())),
    }
}

/// Whether it will be there later without anybody changing the configuration.
pub fn is_away(error: &StorageError) -> bool {
    match error {
        StorageError::OfOne { problem, .. } => is_away(problem),
        StorageError::Away => true,
        StorageError::Sql(problem) | StorageError::Upgrade { problem, .. } => match problem {
            sqlx::Error::PoolTimedOut | sqlx::Error::Io(_) => true,
            sqlx::Error::Database(error) => error.code().is_some_and(|code| AWAY.contains(&&*code)),
            _ => false,
        },
        _ => false,
    }
}
