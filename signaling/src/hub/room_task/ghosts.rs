//! People whose node died: the fold says *here*, but nobody holds their line. Survivors write that they are cut off.

use std::{
    collections::{BTreeSet, HashMap},
    time::Duration,
};

use tokio::time::Instant;

use crate::{
    protocol::IncarnationId,
    room::roster::{Member, Presence},
};

use super::RoomTask;
use crate::hub::{
    appender::Wish,
    fleet::{Fleet, Standing},
};

/// How much later the other survivors write what the first one should have: it may have died as well. That both write costs one of them
/// a look at the log.
const SECOND: Duration = Duration::from_millis(500);

/// Dead hosts of this lesson's people. Bounded by the number of nodes.
#[derive(Debug, Default)]
pub(super) struct Ghosts(HashMap<IncarnationId, Ghost>);

#[derive(Debug)]
struct Ghost {
    noticed: Instant,
    written: bool,
}

impl Ghosts {
    /// The hosts whose people are to be written off now; each is told once.
    fn due(&mut self, dead: &HashMap<IncarnationId, Duration>, now: Instant) -> Vec<IncarnationId> {
        self.0.retain(|host, _| dead.contains_key(host));
        let mut due = Vec::new();
        for (host, patience) in dead {
            let ghost = self.0.entry(*host).or_insert(Ghost { noticed: now, written: false });
            if !ghost.written && now - ghost.noticed >= *patience {
                ghost.written = true;
                due.push(*host);
            }
        }
        due
    }
}

impl RoomTask {
    /// Also after a restart: who was here held a line of the old process.
    pub(super) fn write_ghosts(&mut self, now: Instant) {
        let own = self.own();
        let here = |member: &Member| member.presence == Presence::Here && member.last.incarnation != own;
        let hosts = self.room.roster.members().filter(|(_, member)| here(member));
        let hosts: BTreeSet<IncarnationId> = hosts.map(|(_, member)| member.last.incarnation).collect();
        if hosts.is_empty() && self.ghosts.0.is_empty() {
            return;
        }
        let Some(fleet) = self.hub.fleet() else { return };
        let dead = hosts.into_iter().filter(|host| fleet.standing(*host) != Standing::Alive);
        let dead = dead.map(|host| (host, self.patience(&fleet, host))).collect();
        let due = self.ghosts.due(&dead, now);
        if due.is_empty() {
            return;
        }
        let members = self.room.roster.members();
        let cuts: Vec<Wish> = members
            .filter(|(_, member)| here(member) && due.contains(&member.last.incarnation))
            .map(|(user, member)| Wish::Cut {
                user,
                session: member.last.session,
                attach: member.last.attach,
            })
            .collect();
        tracing::info!(lesson = %self.lesson, people = cuts.len(), "writing off the people of a dead node");
        cuts.into_iter().for_each(|cut| self.queue_own(cut));
    }

    /// The grace of a cut line. Who is stale has used it up by being silent; the one who has no row may have come just now.
    fn patience(&self, fleet: &Fleet, host: IncarnationId) -> Duration {
        match fleet.standing(host) {
            Standing::Stale if fleet.is_first(self.own(), self.lesson) => Duration::ZERO,
            Standing::Stale => SECOND,
            Standing::Missing | Standing::Alive => self.hub.config.cut_grace,
        }
    }
}
