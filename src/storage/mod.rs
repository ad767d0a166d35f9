//! Where everything is kept: one set of SQL for SQLite and PostgreSQL.
//!
//! Two parts that know nothing of each other: the log of the lessons ([`Journal`]) and the school. With SQLite each has
//! its own file, so that a long query of the school never delays a chat line. Not here: rules.

mod accounts;
mod append;
mod attempts;
mod backup;
mod days;
mod fleet;
mod journal;
mod meter;
mod names;
mod nodes;
mod open;
mod packed;
mod packing;
mod people;
mod places;
mod records;
mod reports;
mod row;
mod schema;
mod seed;
mod standby;
mod starting;
mod timetable;
mod transfer;
mod withdrawals;
mod writer;

use std::sync::Arc;

use qism_signaling::hub::ports::Journal;

use crate::telemetry::metrics::Sample;

use journal::SqlJournal;
use open::{Part, Pools, Use};

pub use fleet::{LessonTotals, ServerLoad};
pub use names::Session;
pub use nodes::{Load, MediaDoors, NodeNow, NodeRow, OpenRoom};
pub use people::AddedPerson;
pub use places::{Hour, Place, PlannedLesson};
pub use records::{
    Account, LessonRecord, ListedAccount, Report, SchoolRecord, SchoolRole, Subject, TaughtGroup,
};
pub use seed::{NewGroup, NewLesson, NewPerson, NewSchool, NewSubject, Teaching};
pub use standby::{Shortfall, StandbyRule};
pub use timetable::Span;
pub use withdrawals::Withdrawal;

/// The open stores of one server.
#[derive(Clone)]
pub struct Store {
    school: Pools,
    log: Pools,
    journal: Arc<SqlJournal>,
}

/// Why the store cannot be used. The text is for the operator.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    #[error(
        "cannot use {path}: {problem}\n  this user must be able to write that folder; or use another one (storage.url, or --data DIR for a demonstration)"
    )]
    Folder { path: String, problem: std::io::Error },
    #[error(
        "{path} is in use by another server\n  stop that one, or use another folder (storage.url, or --data DIR for a demonstration)"
    )]
    InUse { path: String },
    #[error("cannot open {path}: {problem}\n  {}", advice(problem))]
    Open { path: String, problem: sqlx::Error },
    #[error("cannot make or upgrade the tables of {part}: {problem}\n  {}", advice(problem))]
    Upgrade { part: &'static str, problem: sqlx::Error },
    #[error(
        "{part} was written by a newer version (schema {found}, this one knows {known})\n  use that version again"
    )]
    Newer { part: &'static str, found: i64, known: i64 },
    #[error(
        "{part} was written by an older version (schema {found}, this one knows {known})\n  start the server once with this version: it upgrades"
    )]
    Older { part: &'static str, found: i64, known: i64 },
    #[error("cannot copy {path}: {problem}")]
    Backup { path: String, problem: std::io::Error },
    #[error("a store in memory cannot be copied")]
    NotAFile,
    #[error(
        "this database holds a school already\n  restore into a new one (createdb), then let storage.url lead there"
    )]
    NotEmpty,
    /// This server was away, or stood still, until another one took its place.
    #[error("another server has taken the name {name:?}: this one serves nobody any more")]
    NameTaken { name: String },
    /// Told at the start; later `/readyz` tells it.
    #[error(transparent)]
    NotSafe(#[from] Shortfall),
    #[error("the store does not answer: {0}")]
    Sql(#[from] sqlx::Error),
    /// Something in it that we would never write.
    #[error("the store holds a {what} that makes no sense: {value}")]
    Corrupt { what: &'static str, value: String },
}

/// PostgreSQL's `read_only_sql_transaction` (documentation, appendix A).
const READ_ONLY: &str = "25006";

/// What the operator can do about it.
fn advice(problem: &sqlx::Error) -> &'static str {
    let code = problem.as_database_error().and_then(|error| error.code());
    if code.as_deref() == Some(READ_ONLY) {
        return "this database is a standby, or read-only: storage.url must lead to the primary";
    }
    let code: Option<i32> = code.and_then(|code| code.parse().ok());
    // The low byte is SQLite's primary result code. PostgreSQL's have five digits or letters.
    match code.filter(|code| *code < 10_000).map(|code| code & 0xff) {
        Some(5 | 6) => {
            "another program has it locked: end that one (a backup? an open sqlite3?) and start again"
        }
        Some(8) => "it is read-only: give this user the right to write the file and its folder",
        Some(10) => "the disk cannot be read or written: look at it (dmesg), then at the backup",
        Some(11 | 26) => {
            "it is damaged or no file of this program: restore the backup, or use another folder"
        }
        Some(13) => "the disk is full: make room, then start again; nothing was lost",
        _ => "check that it is there, a store of this program, and that this user may write it",
    }
}

impl Store {
    /// Opens `sqlite://PATH`, `sqlite::memory:` or `postgres://…`, making or upgrading tables.
    pub async fn open(url: &str) -> Result<Self, StorageError> {
        let (school, log) = Self::parts(url, Use::Server).await?;
        schema::upgrade(&school, Part::School).await?;
        schema::upgrade(&log, Part::Log).await?;
        let store = Self::of(school, log);
        store.make_days(store.database_now().await?).await?;
        Ok(store)
    }

    /// The same for a server; refuses a PostgreSQL that would lose what is acknowledged.
    pub async fn open_safe(url: &str, standby: StandbyRule) -> Result<Self, StorageError> {
        let store = Self::open(url).await?;
        match store.shortfall(standby).await? {
            Some(shortfall) => Err(shortfall.into()),
            None => Ok(store),
        }
    }

    /// For a short command: also while a server uses the store, which must exist in this program's version.
    pub async fn open_beside(url: &str) -> Result<Self, StorageError> {
        let (school, log) = Self::parts(url, Use::Command).await?;
        schema::expect_current(&school, Part::School).await?;
        schema::expect_current(&log, Part::Log).await?;
        Ok(Self::of(school, log))
    }

    async fn parts(url: &str, purpose: Use) -> Result<(Pools, Pools), StorageError> {
        sqlx::any::install_default_drivers();
        let school = Pools::open(url, Part::School, purpose).await?;
        Ok((school, Pools::open(url, Part::Log, purpose).await?))
    }

    fn of(school: Pools, log: Pools) -> Self {
        let journal = Arc::new(SqlJournal::start(log.clone()));
        Self { school, log, journal }
    }

    /// The log of every lesson.
    pub fn journal(&self) -> Arc<dyn Journal> {
        self.journal.clone()
    }

    /// What the log costs.
    pub fn log_samples(&self) -> Vec<Sample> {
        self.journal.meter().samples()
    }

    /// Ends all connections, so that the files are whole by themselves.
    pub async fn close(&self) {
        self.log.close().await;
        self.school.close().await;
    }
}
