//! The servers and the lessons of the moment, for the administrator.

use qism_signaling::hub::fleet::STALE;
use serde::Serialize;

use super::{Account, Broken, School, SchoolRole};
use crate::storage::ServerLoad;

/// A server that fell silent stays on the page this long: somebody should see that it did.
const SHOWN_MS: u64 = 60_000;

/// Everything at once.
#[derive(Clone, Debug, Serialize)]
pub struct FleetView {
    /// The database's clock, milliseconds since the epoch.
    pub now: u64,
    pub servers: Vec<ServerView>,
    /// Lessons open now, each counted once.
    pub lessons: u64,
    /// Of them, those in which no teacher is.
    pub lessons_without_teacher: u64,
    /// Students present in them.
    pub students: u64,
}

/// One server.
#[derive(Clone, Debug, Serialize)]
pub struct ServerView {
    /// Empty for a server that is alone.
    pub name: String,
    pub version: String,
    pub state: ServerState,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// Per mille of the connections that it may have.
    pub load: u16,
    pub lessons: u64,
    /// People whose connection it holds.
    pub people: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    Serving,
    /// Takes nobody new: it is about to stop.
    Draining,
    /// Was not heard for so long that the others take it for dead.
    Silent,
}

impl School {
    /// `None` for everybody but administrators.
    pub async fn fleet(&self, account: &Account) -> Result<Option<FleetView>, Broken> {
        if !account.is(SchoolRole::Administrator) {
            return Ok(None);
        }
        let now = self.store.database_now().await?;
        let loads = self.store.server_loads(now.saturating_sub(SHOWN_MS), now).await?;
        let totals = self.store.lesson_totals(now.saturating_sub(STALE.as_millis() as u64)).await?;
        Ok(Some(FleetView {
            now,
            servers: loads.into_iter().map(view).collect(),
            lessons: totals.lessons,
            lessons_without_teacher: totals.without_teacher,
            students: totals.students,
        }))
    }
}

fn view(load: ServerLoad) -> ServerView {
    let state = match load {
        ServerLoad { age_ms, .. } if u128::from(age_ms) >= STALE.as_millis() => ServerState::Silent,
        ServerLoad { draining: true, .. } => ServerState::Draining,
        _ => ServerState::Serving,
    };
    let ServerLoad { name, version, age_ms, load, lessons, people, .. } = load;
    ServerView { name, version, state, silent_ms: age_ms, load, lessons, people }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(age_ms: u64, draining: bool) -> ServerState {
        let (name, version) = ("a".to_owned(), "1".to_owned());
        view(ServerLoad { name, version, draining, load: 0, age_ms, lessons: 0, people: 0 }).state
    }

    #[test]
    fn a_server_that_is_not_heard_is_silent_whatever_it_said_last() {
        assert_eq!(state(900, false), ServerState::Serving);
        assert_eq!(state(900, true), ServerState::Draining);
        assert_eq!(state(3_000, true), ServerState::Silent);
    }
}
