//! Where everything is kept: one set of SQL for SQLite and PostgreSQL.
//!
//! Two parts that know nothing of each other: the log of the lessons ([`logs`]) and the school. With SQLite each has
//! its own file, so that a long query of the school never delays a chat line; with PostgreSQL the log may be in several databases.
//! Not here: rules.

mod accounts;
mod attempts;
mod backup;
mod changes;
mod condition;
mod erasures;
mod fleet;
mod logs;
mod moving;
mod names;
mod nodes;
mod open;
mod people;
mod places;
mod records;
mod reports;
mod row;
mod schema;
mod seed;
mod shares;
mod starting;
mod timetable;
mod transfer;
mod withdrawals;

use std::{sync::Arc, time::Duration};

use qism_signaling::hub::ports::Journal;

use crate::{config::Databases, telemetry::metrics::Sample};

use logs::Logs;
use open::{Part, Pools, Use};
use shares::LessonSchools;

pub use changes::Changes;
pub use condition::{Condition, LinkCondition};
pub use erasures::Erasure;
pub use fleet::{LessonTotals, ServerNow};
pub use logs::{Ahead, Ends, LogHealth, Shortfall, StandbyRule};
pub use moving::Transferred;
pub use names::Session;
pub use nodes::{Load, MediaDoors, NodeNow, NodeRow, OpenRoom};
pub use people::AddedPerson;
pub use places::{Hour, Place, Placing, PlannedLesson, SessionNow};
pub use records::{
    Account, LessonRecord, ListedAccount, Report, SchoolRecord, SchoolRole, Subject, TaughtGroup,
};
pub use seed::{NewGroup, NewLesson, NewPeople, NewPerson, NewSchool, NewSubject, Teaching};
pub use timetable::Span;
pub use withdrawals::Withdrawal;

/// The open stores of one server.
#[derive(Clone)]
pub struct Store {
    school: Pools,
    logs: Arc<Logs>,
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
    /// Of several databases of the log.
    #[error("the database of schools {name}: {problem}")]
    OfOne { name: String, problem: Box<StorageError> },
    #[error("it does not answer")]
    Away,
    #[error("this is not the database that has kept their lessons so far: look at storage.url")]
    AnotherDatabase,
    #[error(
        "{one} and {other} lead to the same database: write the same URL at both, or make another one (createdb)"
    )]
    OneDatabase { one: String, other: String },
    #[error(
        "storage.url shares the lessons out otherwise than they are: {told}, but they are {known}\n  all servers must have the same; to move lessons, end all of them, then: qism transfer --config FILE"
    )]
    SharedOutOtherwise { known: String, told: String },
    #[error(
        "the lessons of schools {name} are in a database that storage.url names no more\n  name it: qism transfer --config FILE --from URL"
    )]
    LeftBehind { name: String },
    #[error(
        "lesson {lesson} is in two databases, and not the same in both\n  nothing was taken away; one of them was written to by a server that should not have"
    )]
    TwoHistories { lesson: String },
    #[error(
        "storage.url has no database of its own for schools {name}\n  name a beginning that leads to another one than default; with default the whole store goes back: qism restore DIR"
    )]
    NotApart { name: String },
    #[error("cannot copy {path}: {problem}")]
    Backup { path: String, problem: std::io::Error },
    #[error("a store in memory cannot be copied")]
    NotAFile,
    #[error(
        "this database holds a school or lessons already\n  restore into a new one (createdb), then let storage.url lead there"
    )]
    NotEmpty,
    /// This server was away, or stood still, until another one took its place.
    #[error("another server has taken the name {name:?}: this one serves nobody any more")]
    NameTaken { name: String },
    /// Told at the start; later `/readyz` tells it.
    #[error(transparent)]
    NotSafe(#[from] Shortfall),
    /// At the start.
    #[error("PostgreSQL cannot be used: {problem}\n  {}", advice(problem))]
    Unreachable { problem: sqlx::Error },
    #[error("the store does not answer: {0}")]
    Sql(sqlx::Error),
    /// Something in it that we would never write.
    #[error("the store holds a {what} that makes no sense: {value}")]
    Corrupt { what: &'static str, value: String },
}

impl From<sqlx::Error> for StorageError {
    fn from(error: sqlx::Error) -> Self {
        Self::Sql(error)
    }
}

/// Codes of PostgreSQL (documentation, appendix A) and what the operator can do.
const POSTGRES: [(&str, &str); 5] = [
    ("25006", "this database is a standby, or read-only: storage.url must lead to the primary"),
    ("28P01", "look at the user and the password in storage.url"),
    ("28000", "look at the user in storage.url, and at pg_hba.conf of that PostgreSQL"),
    ("3D000", "make the database (createdb), or look at its name in storage.url"),
    ("53300", "give it more: max_connections must bear 32 for each server"),
];

/// What the operator can do about it.
fn advice(problem: &sqlx::Error) -> &'static str {
    let code = problem.as_database_error().and_then(|error| error.code());
    if let Some((_, advice)) = POSTGRES.iter().find(|(known, _)| code.as_deref() == Some(known)) {
        return advice;
    }
    if matches!(problem, sqlx::Error::Io(_) | sqlx::Error::PoolTimedOut) {
        return "does it run at the address in storage.url, and may this machine reach it?";
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
        Some(14) => {
            "it is made by the first start of its server (qism serve), whose configuration names it; this user must be able to write it"
        }
        Some(13) => "the disk is full: make room, then start again; nothing was lost",
        _ => "check that it is there, a store of this program, and that this user may write it",
    }
}

impl Store {
    /// Opens `sqlite://PATH`, `sqlite::memory:`, `postgres://…` or several of these, making or upgrading tables.
    pub async fn open(databases: impl Into<Databases>) -> Result<Self, StorageError> {
        Self::open_for(&databases.into(), Use::Server).await
    }

    /// The same for a server; refuses a PostgreSQL that would lose what is acknowledged.
    pub async fn open_safe(
        databases: impl Into<Databases>,
        standby: StandbyRule,
    ) -> Result<Self, StorageError> {
        let store = Self::open(databases).await?;
        store.logs.expect_safe(standby).await?;
        Ok(store)
    }

    /// For a short command: also while a server uses the store, which must exist in this program's version.
    pub async fn open_beside(databases: impl Into<Databases>) -> Result<Self, StorageError> {
        Self::open_for(&databases.into(), Use::Command).await
    }

    /// For a long command, while no server uses it.
    async fn open_alone(databases: impl Into<Databases>) -> Result<Self, StorageError> {
        Self::open_for(&databases.into(), Use::Alone).await
    }

    async fn school_for(databases: &Databases, purpose: Use) -> Result<Pools, StorageError> {
        sqlx::any::install_default_drivers();
        let school = Pools::open(databases.default_url(), Part::School, purpose).await?;
        match purpose {
            Use::Server | Use::Alone => schema::upgrade(&school, Part::School).await?,
            Use::Command => schema::expect_current(&school, Part::School).await?,
        }
        Ok(school)
    }

    async fn open_for(databases: &Databases, purpose: Use) -> Result<Self, StorageError> {
        let school = Self::school_for(databases, purpose).await?;
        let logs = Logs::open(databases, purpose, LessonSchools::new(school.clone())).await?;
        Ok(Self { school, logs: Arc::new(logs) })
    }

    /// The log of every lesson.
    pub fn journal(&self) -> Arc<dyn Journal> {
        self.logs.clone()
    }

    /// Packs every lesson whose last event is older than `after`. Tells how many were packed.
    pub async fn pack(&self, now: u64, after: Duration) -> Result<usize, StorageError> {
        self.logs.pack(now, after).await
    }

    /// Whether lessons are still where this server looks for them: one that stood still may find them moved.
    pub async fn expect_shared_out(&self) -> Result<(), StorageError> {
        if self.is_shared() { self.logs.expect_shared_out().await } else { Ok(()) }
    }

    /// Looks every second how the databases of the log are. Until it is aborted.
    pub async fn watch_logs(&self, standby: StandbyRule) {
        self.logs.watch(standby).await;
    }

    /// How they were when last looked at; the default one first.
    pub fn log_health(&self) -> Vec<LogHealth> {
        self.logs.health()
    }

    /// What the log costs.
    pub fn log_samples(&self) -> Vec<Sample> {
        self.logs.samples()
    }

    /// Ends all connections, so that the files are whole by themselves.
    pub async fn close(&self) {
        self.logs.close().await;
        self.school.close().await;
    }
}
