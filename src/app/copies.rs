//! `qism backup`, `qism restore` and `qism transfer`.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    config::{
        Config, Storage,
        cli::{Copy, Transfer},
    },
    storage::Store,
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

/// While it does not.
pub async fn restore(options: Copy) -> anyhow::Result<()> {
    let storage = storage_of(options.config.as_deref(), options.data.as_deref())?;
    Store::restore(&storage.url, &options.copy)
        .await
        .with_context(|| format!("storage {}", storage.url.shown()))?;
    println!("{} is as in {}", storage.url.shown(), options.copy.display());
    Ok(())
}

/// While no server runs.
pub async fn transfer(options: Transfer) -> anyhow::Result<()> {
    let storage = Config::load(&options.config)?.storage;
    let moved = Store::transfer(&storage.url, &options.from).await;
    let moved = moved.with_context(|| format!("storage {}", storage.url.shown()))?;
    println!("{moved} lessons moved; all are where {} says", storage.url.shown());
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
