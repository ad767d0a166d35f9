//! A node's name is a path of the proxy: two servers that bear the same would share out a lesson's people by chance.

use std::{collections::HashMap, time::Duration};

use qism_signaling::protocol::IncarnationId;
use tokio::time::{Instant, sleep};

use crate::storage::{StorageError, Store};

/// A server that lives beats within this. One that was killed a moment ago does not: its name is free.
const WATCHED: Duration = Duration::from_millis(1_500);
const LOOK: Duration = Duration::from_millis(100);

/// Why this server may not begin.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    #[error("another server is called {0:?} and lives: give each its own cluster.node")]
    Taken(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Watches the rows of this name, if there are any, for a beat.
pub async fn expect_free(store: &Store, name: &str) -> Result<(), NameError> {
    let before = beats(store, name).await?;
    let end = Instant::now() + WATCHED;
    while !before.is_empty() && Instant::now() < end {
        sleep(LOOK).await;
        let now = beats(store, name).await?;
        if before.iter().any(|(node, beat)| now.get(node).is_some_and(|later| later > beat)) {
            return Err(NameError::Taken(name.to_owned()));
        }
    }
    Ok(())
}

/// When the servers of that name, as far as they may live, have last beaten.
async fn beats(store: &Store, name: &str) -> Result<HashMap<IncarnationId, u64>, StorageError> {
    let now = store.database_now().await?;
    let nodes = store.nodes(now).await?.into_iter();
    let alike = nodes.filter(|node| node.is_alive() && node.node.name == name);
    Ok(alike.map(|node| (node.node.incarnation, now.saturating_sub(node.age_ms))).collect())
}
