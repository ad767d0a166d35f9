//! Copies of a SQLite store: made while a server writes, put back while none does.

use std::{
    fs::{self, File},
    io,
    path::{Path, PathBuf},
};

use sqlx::Row as _;

use super::{
    StorageError, Store,
    open::{Part, Pools, Use, file, lock},
    schema,
};

/// The log first: everybody in it is in the school that is copied after it.
const PARTS: [Part; 2] = [Part::Log, Part::School];

impl Store {
    /// Writes a copy of both files into a folder that has none yet. Writers do not wait.
    pub async fn backup(url: &str, into: &Path) -> Result<(), StorageError> {
        sqlite_only(url)?;
        let told = |problem| StorageError::Backup { path: into.display().to_string(), problem };
        fs::create_dir_all(into).map_err(told)?;
        for part in PARTS {
            copy_out(url, part, into).await?;
        }
        File::open(into).and_then(|folder| folder.sync_all()).map_err(told)
    }

    /// Puts a copy in the place of the store. What was there stays beside it, named `.replaced`. Browsers that knew more
    /// than the copy does start again from it by themselves.
    pub async fn restore(url: &str, from: &Path) -> Result<(), StorageError> {
        sqlite_only(url)?;
        for part in PARTS {
            expect_whole(&within(from, url, part), part).await?;
        }
        for part in PARTS {
            let to = file(url, part);
            // No server may be using it.
            let _lock = lock(&to)?;
            let told = |problem| StorageError::Backup { path: to.display().to_string(), problem };
            put_aside(&to).map_err(told)?;
            fs::copy(within(from, url, part), &to).and_then(|_| File::open(&to)?.sync_all()).map_err(told)?;
        }
        Ok(())
    }
}

fn sqlite_only(url: &str) -> Result<(), StorageError> {
    if url.starts_with("sqlite:") && !url.contains(":memory:") { Ok(()) } else { Err(StorageError::NotAFile) }
}

fn within(folder: &Path, url: &str, part: Part) -> PathBuf {
    folder.join(file(url, part).file_name().unwrap_or_default())
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
