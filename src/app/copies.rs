//! `qism backup` and `qism restore`.

use std::path::Path;

use anyhow::Context as _;

use crate::{
    config::{Config, Storage, cli::Copy},
    storage::Store,
};

/// Also while the server runs.
pub async fn backup(options: Copy) -> anyhow::Result<()> {
    let storage = storage_of(options.config.as_deref(), options.data.as_deref())?;
    Store::backup(&storage.url, &options.copy)
        .await
        .with_context(|| format!("storage {}", storage.shown()))?;
    println!("copied to {}", options.copy.display());
    Ok(())
}

/// While it does not.
pub async fn restore(options: Copy) -> anyhow::Result<()> {
    let storage = storage_of(options.config.as_deref(), options.data.as_deref())?;
    Store::restore(&storage.url, &options.copy)
        .await
        .with_context(|| format!("storage {}", storage.shown()))?;
    println!("{} is as in {}", storage.shown(), options.copy.display());
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
