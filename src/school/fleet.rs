//! The servers and the lessons of the moment, for the administrator.

use qism_signaling::hub::fleet::STALE;
use serde::Serialize;

use super::{
    Account, Broken, School, SchoolRole,
    troubles::{Trouble, troubles},
};
use crate::storage::{Condition, Load, ServerNow};

/// Everything at once.
#[derive(Clone, Debug, Serialize)]
pub struct FleetView {
    /// The database's clock, milliseconds since the epoch.
    pub now: u64,
    /// What somebody should look after, the worst first.
    pub troubles: Vec<Trouble>,
    pub servers: Vec<ServerView>,
    /// Lessons open now, each counted once.
    pub lessons: u64,
    /// Of them, those in which no teacher is.
    pub lessons_without_teacher: u64,
    /// Students present in them.
    pub students: u64,
    /// Old lessons that are to be packed.
    pub packing_due: u64,
}

/// One server.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ServerView {
    /// Empty for a server that is alone.
    pub name: String,
    pub version: String,
    pub state: ServerState,
    /// Milliseconds since it was last heard.
    pub silent_ms: u64,
    /// Per mille of the connections that it may have.
    pub load: u16,
    /// Per mille of its processors' time, of late.
    pub busy: u16,
    pub lessons: u64,
    /// People whose connection it holds.
    pub people: u64,
    /// Lessons placed on it that are not over.
    pub placed: u64,
    /// Of them, those that it is not at home for.
    pub away: u64,
    /// People that it holds while their lesson was placed on another server.
    pub strays: u64,
    pub condition: Condition,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ServerState {
    #[default]
    Serving,
    /// Takes nobody new: it is about to stop.
    Draining,
    /// Was not heard for so long that the others take it for dead, while its session with the database stands: it stands still, or is cut off.
    Silent,
    /// Was not heard, and its session has ended: its process is no more.
    Gone,
}

impl School {
    /// `None` for everybody but administrators.
    pub async fn fleet(&self, account: &Account) -> Result<Option<FleetView>, Broken> {
        if !account.is(SchoolRole::Administrator) {
            return Ok(None);
        }
        let now = self.store.database_now().await?;
        let servers: Vec<ServerView> = self.store.servers_now(now).await?.into_iter().map(view).collect();
        let totals = self.store.lesson_totals(now.saturating_sub(STALE.as_millis() as u64)).await?;
        Ok(Some(FleetView {
            now,
            troubles: troubles(&servers),
            lessons: totals.lessons,
            lessons_without_teacher: totals.without_teacher,
            students: totals.students,
            packing_due: packing_due(&servers),
            servers,
        }))
    }
}

/// Servers take turns at packing: who looked last knows best, and who did not look knows of none.
pub(super) fn packing_due(servers: &[ServerView]) -> u64 {
    servers.iter().map(|server| server.condition.packing_due).max().unwrap_or(0)
}

fn view(now: ServerNow) -> ServerView {
    let state =
        match now {
            ServerNow { age_ms, has_session, .. } if u128::from(age_ms) >= STALE.as_millis() => {
                if has_session { ServerState::Silent } else { ServerState::Gone }
            }
            ServerNow { draining: true, .. } => ServerState::Draining,
            _ => ServerState::Serving,
        };
    let ServerNow { name, version, age_ms, lessons, people, condition, placed, load, .. } = now;
    let Load { busy, .. } = load;
    ServerView {
        name,
        version,
        state,
        silent_ms: age_ms,
        load: load.per_mille(),
        busy,
        lessons,
        people,
        placed: placed.lessons,
        away: placed.away,
        strays: placed.strays,
        condition,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(age_ms: u64, draining: bool, has_session: bool) -> ServerState {
        view(ServerNow { draining, age_ms, has_session, ..ServerNow::default() }).state
    }

    #[test]
    fn a_server_that_is_not_heard_is_silent_or_gone_whatever_it_said_last() {
        assert_eq!(state(900, false, true), ServerState::Serving);
        assert_eq!(state(900, true, true), ServerState::Draining);
        assert_eq!(state(3_000, true, true), ServerState::Silent);
        assert_eq!(state(3_000, true, false), ServerState::Gone);
    }
}
