//! `qism backup`, `qism restore` and `qism transfer`.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    config::{
        Config, Storage,
        cli::{Copy, Restore, Transfer},
    },
    storage::{Ahead, Store},
};

/// Also while the server runs.
pub async fn backup(options: Copy) -> anyhow::Result<()> {
    let storage = storage_of(options.config.as_deref(), options.data.as_deref())?;
    Store::backup(&storage.url, &options.copy)
        .await
        .with_context(|| format!("storage {}", storage.url.shown()))?;
    println!("copied to {}", options.copy.display());
    Ok(())
}

/// While it does not, but for one academy's lessons.
pub async fn restore(options: Restore) -> anyhow::Result<()> {
    let Restore { from: options, only } = options;
    let storage = storage_of(options.config.as_deref(), options.data.as_deref())?;
    let (shown, copy) = (storage.url.shown(), options.copy.display());
    let told = || format!("storage {shown}");
    match only {
        Some(only) => {
            let lessons = Store::restore_only(&storage.url, &options.copy, &only).await.with_context(told)?;
            println!("{lessons} lessons of schools {only} are as in {copy}");
        }
        None => {
            Store::restore(&storage.url, &options.copy).await.with_context(told)?;
            println!("{shown} is as in {copy}");
        }
    }
    Ok(())
}

/// While no server runs, but for what is done ahead.
pub async fn transfer(options: Transfer) -> anyhow::Result<()> {
    let storage = Config::load(&options.config)?.storage;
    let shown = storage.url.shown();
    let told = || format!("storage {shown}");
    if options.ahead {
        let Ahead { copied, left } =
            Store::copy_ahead(&storage.url, &options.from).await.with_context(told)?;
        println!(
            "{copied} lessons copied ahead; {left} that are not over are left, and whatever changes until all servers are ended"
        );
        return Ok(());
    }
    let transferred = Store::transfer(&storage.url, &options.from).await.with_context(told)?;
    println!("{} lessons moved; all are where {shown} says: servers may start", transferred.lessons);
    let deleted = transferred.clear().await.with_context(told)?;
    println!("{deleted} copies deleted where they were before");
    Ok(())
}

/// The store that a command is about.
pub fn storage_of(config: Option<&Path>, data: Option<&Path>) -> anyhow::Result<Storage> {
    Ok(match (config, data) {
        (Some(path), _) => Config::load(path)?.storage,
        (None, Some(folder)) => Storage::in_folder(folder),
        (None, None) => Config::defaults().storage,
    })
}
