//! Copies of a store: made while servers write, put back while none does.

use std::{
    fs::{self, File, Permissions},
    io,
    os::unix::fs::{MetadataExt as _, OpenOptionsExt as _, PermissionsExt as _, chown},
    path::{Path, PathBuf},
};

use sqlx::Row as _;

use super::{
    StorageError, Store,
    logs::Logs,
    open::{Part, Pools, Use, file, lock},
    schema,
    shares::LessonSchools,
    transfer,
};
use crate::config::Databases;

/// Whoever copies reads, and nobody else of the machine: a copy has everything that minors wrote.
const PRIVATE: u32 = 0o600;

/// The log first: everybody in it is in the school that is copied after it.
const PARTS: [Part; 2] = [Part::Log, Part::School];

impl Store {
    /// Writes a copy into a folder that has none yet: two SQLite files, whatever the store is. Writers do not wait.
    pub async fn backup(databases: impl Into<Databases>, into: &Path) -> Result<(), StorageError> {
        let databases = databases.into();
        let url = databases.default_url();
        copyable(url)?;
        let told = |problem| StorageError::Backup { path: into.display().to_string(), problem };
        fs::create_dir_all(into).map_err(told)?;
        if is_file(url) {
            for part in PARTS {
                copy_out(url, part, into).await?;
            }
        } else {
            copy_out_of_postgres(&databases, into).await?;
        }
        for part in PARTS {
            let copy = within(into, url, part);
            fs::set_permissions(&copy, Permissions::from_mode(PRIVATE)).map_err(told)?;
        }
        File::open(into).and_then(|folder| folder.sync_all()).map_err(told)
    }

    /// Puts a copy in the place of the store. Files that were there stay beside it, named `.replaced`, and the new ones belong to
    /// whom they belonged, so that who calls this as root leaves them to the server's user; a PostgreSQL must be empty. A copy of an
    /// older version is brought forward: a file by the server that starts on it. Browsers that knew more than the copy does start again
    /// from it by themselves.
    pub async fn restore(databases: impl Into<Databases>, from: &Path) -> Result<(), StorageError> {
        let databases = databases.into();
        let url = databases.default_url();
        copyable(url)?;
        let (copies, store) = (PARTS.map(|part| within(from, url, part)), url);
        for (part, copy) in PARTS.into_iter().zip(&copies) {
            expect_whole(copy, part).await?;
        }
        if !is_file(store) {
            let (log, school) =
                (Current::of(&copies[0], PARTS[0]).await?, Current::of(&copies[1], PARTS[1]).await?);
            return transfer::into_postgres(&databases, &log.pools, &school.pools).await;
        }
        for (part, copy) in PARTS.into_iter().zip(&copies) {
            put_in_place(&file(store, part), copy)?;
        }
        Ok(())
    }
}

impl Store {
    /// Puts the lessons of one of several databases of the log back, which must hold none, beside servers that run; the schools and the
    /// other databases stay as they are. What was erased since the copy is erased again. Tells how many lessons these are.
    pub async fn restore_only(
        databases: &Databases,
        from: &Path,
        beginning: &str,
    ) -> Result<u64, StorageError> {
        let copy = within(from, databases.default_url(), Part::Log);
        expect_whole(&copy, Part::Log).await?;
        let school = Self::school_for(databases, Use::Command).await?;
        let copy = Current::of(&copy, Part::Log).await?;
        let schools = LessonSchools::new(school.clone());
        let mut reading = copy.pools.read.acquire().await?;
        let lessons = Logs::refill(databases, beginning, &mut reading, &schools).await;
        drop(reading);
        copy.pools.close().await;
        school.close().await;
        lessons
    }
}

/// A copy in this version's schema: itself, or, where it is older, another one beside it that was brought forward and goes with this.
struct Current {
    pools: Pools,
    made: Option<PathBuf>,
}

impl Current {
    async fn of(copy: &Path, part: Part) -> Result<Self, StorageError> {
        let pools = Pools::open_copy(copy).await?;
        match schema::expect_current(&pools, part).await {
            Err(StorageError::Older { .. }) => pools.close().await,
            other => return other.map(|()| Self { pools, made: None }),
        }
        let made = with_ending(copy, ".forward");
        let told = |problem| StorageError::Backup { path: made.display().to_string(), problem };
        // Not with the copy's permissions, which may be for reading only.
        let create = || File::options().write(true).create(true).truncate(true).mode(PRIVATE).open(&made);
        let written = File::open(copy).and_then(|mut from| io::copy(&mut from, &mut create()?));
        written.map_err(told)?;
        let current = Self { pools: Pools::open_copy(&made).await?, made: Some(made) };
        schema::upgrade(&current.pools, part).await?;
        Ok(current)
    }
}

impl Drop for Current {
    fn drop(&mut self) {
        for ending in ["", "-wal", "-shm", "-journal"] {
            if let Some(made) = &self.made {
                // Mostly there is only the first.
                let _ = fs::remove_file(with_ending(made, ending));
            }
        }
    }
}

fn put_in_place(to: &Path, copy: &Path) -> Result<(), StorageError> {
    // No server may be using it.
    let _lock = lock(to)?;
    let told = |problem| StorageError::Backup { path: to.display().to_string(), problem };
    let before = fs::metadata(to).ok();
    put_aside(to).map_err(told)?;
    fs::copy(copy, to).and_then(|_| File::open(to)?.sync_all()).map_err(told)?;
    let mode = before.as_ref().map_or(PRIVATE, |file| file.mode() & 0o777);
    fs::set_permissions(to, Permissions::from_mode(mode)).map_err(told)?;
    for file in [to, &to.with_extension("lock")] {
        leave_to_owner_of(before.as_ref(), file).map_err(told)?;
    }
    Ok(())
}

/// Gives a file to whom the one before it belonged, or else its folder.
fn leave_to_owner_of(before: Option<&fs::Metadata>, file: &Path) -> io::Result<()> {
    let folder = file.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let model = before.cloned().map_or_else(|| fs::metadata(folder), Ok)?;
    let now = fs::metadata(file)?;
    if (now.uid(), now.gid()) == (model.uid(), model.gid()) {
        return Ok(());
    }
    match chown(file, Some(model.uid()), Some(model.gid())) {
        // Only root may; anybody else restores what is their own.
        Err(problem) if problem.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        other => other,
    }
}

fn copyable(url: &str) -> Result<(), StorageError> {
    if url.contains(":memory:") { Err(StorageError::NotAFile) } else { Ok(()) }
}

fn is_file(url: &str) -> bool {
    url.starts_with("sqlite:")
}

/// Copies of a PostgreSQL are named as those of the default store.
fn within(folder: &Path, url: &str, part: Part) -> PathBuf {
    let store = if is_file(url) { file(url, part) } else { file("sqlite://qism.db", part) };
    folder.join(store.file_name().unwrap_or_default())
}

async fn copy_out_of_postgres(databases: &Databases, into: &Path) -> Result<(), StorageError> {
    let url = databases.default_url();
    let paths = PARTS.map(|part| within(into, url, part));
    if let Some(path) = paths.iter().find(|path| path.exists()) {
        let problem = io::Error::from(io::ErrorKind::AlreadyExists);
        return Err(StorageError::Backup { path: path.display().to_string(), problem });
    }
    // Both names follow from that of the school's file.
    let school = format!("sqlite://{}", within(into, url, Part::School).display());
    transfer::out_of_postgres(databases, &school, &school).await?;
    for (part, path) in PARTS.into_iter().zip(&paths) {
        // Locks are for servers.
        let _ = fs::remove_file(path.with_extension("lock"));
        let told = |problem| StorageError::Backup { path: path.display().to_string(), problem };
        File::open(path).and_then(|file| file.sync_all()).map_err(told)?;
        expect_whole(path, part).await?;
    }
    Ok(())
}

async fn copy_out(url: &str, part: Part, into: &Path) -> Result<(), StorageError> {
    sqlx::any::install_default_drivers();
    let pools = Pools::open(url, part, Use::Command).await?;
    let to = within(into, url, part);
    let outcome = sqlx::query("VACUUM INTO $1").bind(to.display().to_string()).execute(&pools.read).await;
    pools.close().await;
    outcome.map_err(|problem| StorageError::Open { path: to.display().to_string(), problem })?;
    let told = |problem| StorageError::Backup { path: to.display().to_string(), problem };
    File::open(&to).and_then(|file| file.sync_all()).map_err(told)?;
    expect_whole(&to, part).await
}

/// A copy that cannot be read is found now and not on the day it is needed.
async fn expect_whole(path: &Path, part: Part) -> Result<(), StorageError> {
    if !path.is_file() {
        let problem = io::Error::from(io::ErrorKind::NotFound);
        return Err(StorageError::Backup { path: path.display().to_string(), problem });
    }
    let pools = Pools::open_copy(path).await?;
    let checked = async {
        schema::expect_known(&pools, part).await?;
        let found = sqlx::query("PRAGMA quick_check(1)").fetch_one(&pools.read).await?;
        match found.try_get::<String, _>(0)?.as_str() {
            "ok" => Ok(()),
            problem => Err(StorageError::Corrupt { what: "copy", value: problem.to_owned() }),
        }
    };
    let outcome = checked.await;
    pools.close().await;
    outcome
}

/// The database with what belongs to it.
fn put_aside(path: &Path) -> io::Result<()> {
    for ending in ["", "-wal", "-shm"] {
        let old = with_ending(path, ending);
        if old.exists() {
            fs::rename(&old, with_ending(path, &format!(".replaced{ending}")))?;
        }
    }
    Ok(())
}

fn with_ending(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(ending);
    name.into()
}
