//! A node's name is a path of the proxy: two servers that bear the same would share out a lesson's people by chance.
//!
//! A process that was killed has left its name at once: PostgreSQL ends the session that its row tells as soon as the machine closes the
//! connection. A session that is still there may be that of a machine which vanished or stands still: then the beats decide. Should
//! such a one go on afterwards, its next beat finds that the name is another's, and it serves nobody any more.

use std::{collections::HashMap, time::Duration};

use qism_signaling::protocol::IncarnationId;
use tokio::time::{Instant, sleep};

use crate::storage::{NodeNow, StorageError, Store};

/// A server that lives beats within this.
const WATCHED: Duration = Duration::from_millis(1_500);
const LOOK: Duration = Duration::from_millis(50);

/// Why this server may not begin.
#[derive(Debug, thiserror::Error)]
pub enum NameError {
    #[error("another server is called {0:?} and lives: give each its own cluster.node")]
    Taken(String),
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Makes the name this incarnation's, once nobody who lives bears it.
pub async fn take_name(store: &Store, name: &str, own: IncarnationId) -> Result<(), NameError> {
    expect_free(store, name).await?;
    Ok(store.take_name(name, own).await?)
}

/// Watches the rows of this name whose processes may live, if there are any, for a beat.
async fn expect_free(store: &Store, name: &str) -> Result<(), NameError> {
    let before = beats(store, name).await?;
    let end = Instant::now() + WATCHED;
    while Instant::now() < end {
        let now = beats(store, name).await?;
        if before.iter().any(|(node, beat)| now.get(node).is_some_and(|later| later > beat)) {
            return Err(NameError::Taken(name.to_owned()));
        }
        if !before.keys().any(|node| now.contains_key(node)) {
            break;
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// When the servers of that name, as far as they may live, have last beaten.
async fn beats(store: &Store, name: &str) -> Result<HashMap<IncarnationId, u64>, StorageError> {
    let now = store.database_now().await?;
    let nodes = store.nodes(now).await?.into_iter();
    let mut beats = HashMap::new();
    for NodeNow { node, age_ms } in nodes.filter(|node| node.is_alive() && node.node.name == name) {
        if node.session.is_empty() || store.session_is_open(&node.session).await? {
            beats.insert(node.incarnation, now.saturating_sub(age_ms));
        }
    }
    Ok(beats)
}
