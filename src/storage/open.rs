//! Opening a store: files and their lock, pools, the settings of SQLite.

use std::{
    fs::{self, File, TryLockError},
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use futures_util::future::BoxFuture;
use sqlx::{
    AnyConnection, AnyPool, AssertSqlSafe, Connection as _, Executor as _, Row as _, any::AnyPoolOptions,
};

use super::StorageError;

/// Readers of one SQLite file, or connections to PostgreSQL.
const READERS: u32 = 4;
const POSTGRES_CONNECTIONS: u32 = 16;
/// Of those, the ones that the log's writers keep: so many commits are under way at once.
pub const POSTGRES_WRITERS: u32 = POSTGRES_CONNECTIONS - READERS;
/// Waiting for a connection longer than this means the store is not available.
const PATIENCE: Duration = Duration::from_secs(5);

/// WAL with FULL: a commit is on the disk before it is told. `secure_delete`: what is erased is overwritten.
const SQLITE_SETTINGS: &str = "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA busy_timeout = 4000; \
     PRAGMA foreign_keys = ON; PRAGMA secure_delete = ON;";

/// A server that stands still in the middle of an append (a frozen machine) holds the next number of that lesson: PostgreSQL takes
/// it away after this, so that the others go on. Between two statements of a transaction nothing of ours takes so long.
const LET_GO: &str = "SET idle_in_transaction_session_timeout = '2s'";

/// What a writer must be able to do. A file that may not be written just now would be opened for reading and stay so: such a
/// connection is not taken, the next append opens another one.
const PROOF_OF_WRITING: &str = "BEGIN IMMEDIATE; ROLLBACK;";

/// Which half of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    School,
    Log,
}

impl Part {
    pub fn name(self) -> &'static str {
        match self {
            Self::School => "the school's data",
            Self::Log => "the lessons' log",
        }
    }
}

/// Connections of one part.
#[derive(Clone)]
pub struct Pools {
    pub read: AnyPool,
    /// SQLite has one writer: this pool holds one connection. With PostgreSQL the same as `read`.
    pub write: AnyPool,
    pub sqlite: bool,
    /// Of a file that no other server may use; held as long as the store is open.
    lock: Option<Arc<File>>,
}

/// Asked of each connection that is made.
pub type Check =
    Arc<dyn for<'c> Fn(&'c mut AnyConnection) -> BoxFuture<'c, Result<(), sqlx::Error>> + Send + Sync>;

/// Who else may have the files open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// A server: no other one.
    Server,
    /// A short command that changes the school beside a server; makes nothing.
    Command,
    /// A long command that makes and fills a store, which no server uses.
    Alone,
}

impl Pools {
    pub async fn open(url: &str, part: Part, purpose: Use) -> Result<Self, StorageError> {
        if !url.starts_with("sqlite:") {
            let pool = match postgres(purpose, None).connect(url).await {
                Ok(pool) => pool,
                Err(error) => return Err(StorageError::Unreachable { problem: why(url, error).await }),
            };
            return Ok(Self { read: pool.clone(), write: pool, sqlite: false, lock: None });
        }
        if url.contains(":memory:") {
            // Each connection would be another database.
            let pool = pool(1, true).connect("sqlite::memory:").await?;
            return Ok(Self { read: pool.clone(), write: pool, sqlite: true, lock: None });
        }
        let path = file(url, part);
        let (lock, mode) = match purpose {
            Use::Server | Use::Alone => (Some(Arc::new(lock(&path)?)), "rwc"),
            Use::Command => (None, "rw"),
        };
        let url = format!("sqlite://{}?mode={mode}", path.display());
        let told = |problem| StorageError::Open { path: path.display().to_string(), problem };
        try_once(&url).await.map_err(told)?;
        let write = writer().connect(&url).await?;
        let read = pool(READERS, true).connect(&url).await?;
        Ok(Self { read, write, sqlite: true, lock })
    }

    /// The same; connections to PostgreSQL are made when they are wanted, so that it may be away. One is used only if it passes the check: what
    /// comes back at an address may be another database, or an empty one until a copy is put back.
    pub async fn open_later(url: &str, part: Part, purpose: Use, check: Check) -> Result<Self, StorageError> {
        if url.starts_with("sqlite:") {
            return Self::open(url, part, purpose).await;
        }
        let pool = postgres(purpose, Some(check)).connect_lazy(url)?;
        Ok(Self { read: pool.clone(), write: pool, sqlite: false, lock: None })
    }

    /// A copy, to look whether it is whole.
    pub async fn open_copy(path: &Path) -> Result<Self, StorageError> {
        sqlx::any::install_default_drivers();
        let url = format!("sqlite://{}?mode=rw", path.display());
        let told = |problem| StorageError::Open { path: path.display().to_string(), problem };
        let pool = AnyPoolOptions::new().max_connections(1).connect(&url).await.map_err(told)?;
        Ok(Self { read: pool.clone(), write: pool, sqlite: true, lock: None })
    }

    /// Milliseconds since the Unix epoch, by the database's clock.
    pub async fn now(&self) -> Result<u64, sqlx::Error> {
        if self.sqlite {
            return Ok(SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64);
        }
        let sql = format!("SELECT {}", self.clock());
        Ok(sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.read).await?.try_get::<i64, _>(0)? as u64)
    }

    /// The same as an expression of a statement.
    pub fn clock(&self) -> &'static str {
        match self.sqlite {
            true => "CAST(unixepoch('subsec') * 1000 AS INTEGER)",
            false => "CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT)",
        }
    }

    /// No other server may use this, only short commands beside it.
    pub fn are_ours_alone(&self) -> bool {
        self.lock.is_some()
    }

    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// What one connection says of why a pool could not have any.
async fn why(url: &str, error: sqlx::Error) -> sqlx::Error {
    match tokio::time::timeout(PATIENCE, AnyConnection::connect(url)).await {
        Ok(Err(told)) => told,
        _ => error,
    }
}

/// A pool tries for seconds and forgets why it could not; one connection says it at once.
async fn try_once(url: &str) -> Result<(), sqlx::Error> {
    let mut connection = AnyConnection::connect(url).await?;
    settle(&mut connection, &[SQLITE_SETTINGS, PROOF_OF_WRITING]).await?;
    connection.close().await
}

fn postgres(purpose: Use, check: Option<Check>) -> AnyPoolOptions {
    let settings: &[&str] = match purpose {
        Use::Server => &[LET_GO],
        Use::Command | Use::Alone => &[],
    };
    pool(POSTGRES_CONNECTIONS, false).after_connect(move |connection, _| {
        let check = check.clone();
        Box::pin(async move {
            settle(connection, settings).await?;
            match check {
                Some(check) => check(connection).await,
                None => Ok(()),
            }
        })
    })
}

fn pool(connections: u32, sqlite: bool) -> AnyPoolOptions {
    let options = AnyPoolOptions::new().max_connections(connections).acquire_timeout(PATIENCE);
    if !sqlite {
        return options;
    }
    // An idle writer is kept: opening a file again costs more than holding it. A file that is open stays so: to ask before
    // each use would double the ways to it.
    options
        .test_before_acquire(false)
        .idle_timeout(None)
        .max_lifetime(None)
        .min_connections(1)
        .after_connect(|connection, _| Box::pin(settle(connection, &[SQLITE_SETTINGS])))
}

/// The one writer of a SQLite file.
fn writer() -> AnyPoolOptions {
    pool(1, true)
        .after_connect(|connection, _| Box::pin(settle(connection, &[SQLITE_SETTINGS, PROOF_OF_WRITING])))
        .after_release(|connection, _| Box::pin(is_clean(connection)))
}

async fn settle(connection: &mut AnyConnection, steps: &[&'static str]) -> Result<(), sqlx::Error> {
    for step in steps {
        connection.execute(sqlx::raw_sql(*step)).await?;
    }
    Ok(())
}

/// False closes a connection that comes back. A full disk ends SQLite's transaction by itself; sqlx then counts one that is
/// not there, takes the next for a nested one, and its "commit" would leave everything acknowledged unwritten.
async fn is_clean(connection: &mut AnyConnection) -> Result<bool, sqlx::Error> {
    // A rollback that is still under way comes before the answer.
    connection.ping().await?;
    Ok(!connection.is_in_transaction())
}

/// `qism.db` for the school, `qism-log.db` for the log.
pub fn file(url: &str, part: Part) -> PathBuf {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = Path::new(path.split('?').next().unwrap_or(path));
    match part {
        Part::School => path.to_owned(),
        Part::Log => {
            let stem = path.file_stem().unwrap_or_default().to_string_lossy();
            path.with_file_name(format!("{stem}-log.db"))
        }
    }
}

/// One server per file; the operating system lets go of the lock when the process ends, however it ends.
pub fn lock(database: &Path) -> Result<File, StorageError> {
    let path = database.with_extension("lock");
    let told = |problem| StorageError::Folder { path: database.display().to_string(), problem };
    if let Some(folder) = database.parent().filter(|folder| !folder.as_os_str().is_empty()) {
        fs::create_dir_all(folder).map_err(told)?;
    }
    let file = File::options().create(true).truncate(false).write(true).open(&path).map_err(told)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(StorageError::InUse { path: database.display().to_string() }),
        Err(TryLockError::Error(problem)) => Err(told(problem)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_log_has_its_own_file_beside_the_school() {
        assert_eq!(file("sqlite:///var/lib/qism/qism.db", Part::School), Path::new("/var/lib/qism/qism.db"));
        assert_eq!(file("sqlite://data/qism.db?x=1", Part::Log), Path::new("data/qism-log.db"));
    }

    #[test]
    fn the_second_server_on_a_file_is_refused_until_the_first_ends() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("deep/qism.db");
        let first = lock(&path).expect("free");
        let refused = lock(&path).expect_err("in use").to_string();
        assert!(refused.contains("in use by another server"), "{refused}");
        drop(first);
        lock(&path).expect("free again");
    }
}
