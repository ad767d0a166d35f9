//! Whether anybody wrote into the school's half: one small question instead of each that something new might answer otherwise.

use sqlx::{AnyConnection, Row as _};

use super::{Store, open::Pools};

/// Asks again and again. Of SQLite's file it is told by a number that another connection's commit changes (`PRAGMA data_version`); elsewhere
/// nothing tells, and something may always be new.
pub struct Changes {
    school: Pools,
    /// That on which it was asked before: each has numbers of its own.
    connection: Option<AnyConnection>,
    seen: Option<i64>,
}

impl Store {
    /// Everything is new to whoever asks for the first time.
    pub fn changes(&self) -> Changes {
        Changes { school: self.school.clone(), connection: None, seen: None }
    }
}

impl Changes {
    /// False when nobody has written since this was last asked.
    pub async fn any(&mut self) -> bool {
        if !self.school.are_ours_alone() {
            return true;
        }
        match self.version().await {
            Ok(version) => self.seen.replace(version) != Some(version),
            // Whoever looks for what is new finds the same trouble, and tells it.
            Err(_) => {
                (self.connection, self.seen) = (None, None);
                true
            }
        }
    }

    async fn version(&mut self) -> Result<i64, sqlx::Error> {
        let connection = match &mut self.connection {
            Some(connection) => connection,
            none => none.insert(self.school.read.acquire().await?.detach()),
        };
        sqlx::query("PRAGMA data_version").fetch_one(connection).await?.try_get(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_anybody_writes_is_noticed_once() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("qism.db").display());
        let store = Store::open(&*url).await.expect("opened");
        let mut changes = store.changes();
        assert!(changes.any().await, "at first all is new");
        assert!(!changes.any().await);
        let beside = Store::open_beside(&*url).await.expect("opened");
        for writer in [&store, &beside] {
            let own = qism_signaling::protocol::IncarnationId(uuid::Uuid::now_v7());
            writer.take_name("one", own).await.expect("written");
            assert!(changes.any().await && !changes.any().await);
        }
        assert!(!changes.any().await, "what is read changes nothing");
    }

    #[tokio::test]
    async fn where_nothing_tells_there_may_always_be_something_new() {
        let mut changes = Store::open("sqlite::memory:").await.expect("opened").changes();
        assert!(changes.any().await && changes.any().await);
    }
}
