//! The nodes as the last beat showed them. Pure: who is dead, and who of the living writes it down first.

use std::{hash::Hasher as _, time::Duration};

use siphasher::sip::SipHasher24;
use tokio::time::Instant;

use crate::protocol::{EVENT_FORMAT, IncarnationId, LessonId};

/// A node whose beat is older than this, by the database's clock, is dead. A node that has not beaten for as long itself
/// judges nobody.
pub const STALE: Duration = Duration::from_secs(3);

/// A picture of all nodes; replaced whole.
#[derive(Clone, Debug)]
pub struct Fleet {
    alive: Vec<IncarnationId>,
    stale: Vec<IncarnationId>,
    /// When our own beat brought this; `None` = nobody beats, as in a hub without a database of nodes.
    seen: Option<Instant>,
    /// The newest format of events that all who live read.
    format: u32,
}

impl Default for Fleet {
    fn default() -> Self {
        Self { alive: Vec::new(), stale: Vec::new(), seen: None, format: EVENT_FORMAT }
    }
}

/// What a beat says about one incarnation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Alive,
    /// Its beat stopped.
    Stale,
    /// It has no row: too new for the last beat, or long dead and cleared away.
    Missing,
}

impl Fleet {
    pub fn seen(alive: Vec<IncarnationId>, stale: Vec<IncarnationId>, now: Instant) -> Self {
        Self { alive, stale, seen: Some(now), ..Self::default() }
    }

    /// One of them reads formats of events up to this one.
    #[must_use]
    pub fn reading(mut self, format: u32) -> Self {
        self.format = self.format.min(format);
        self
    }

    pub(crate) fn format(&self) -> u32 {
        self.format
    }

    /// Whether this picture may be judged by.
    pub fn is_fresh(&self, now: Instant) -> bool {
        self.seen.is_none_or(|seen| now - seen < STALE)
    }

    pub fn standing(&self, incarnation: IncarnationId) -> Standing {
        if self.alive.contains(&incarnation) {
            Standing::Alive
        } else if self.stale.contains(&incarnation) {
            Standing::Stale
        } else {
            Standing::Missing
        }
    }

    /// Rendezvous hashing: the same one of the living is first for a lesson, whoever asks.
    pub fn is_first(&self, own: IncarnationId, lesson: LessonId) -> bool {
        let others = self.alive.iter().filter(|node| **node != own);
        others.map(|node| weight(*node, lesson)).all(|other| other < weight(own, lesson))
    }
}

fn weight(node: IncarnationId, lesson: LessonId) -> (u64, IncarnationId) {
    let mut hasher = SipHasher24::new();
    hasher.write(node.0.as_bytes());
    hasher.write(lesson.0.as_bytes());
    (hasher.finish(), node)
}

#[cfg(test)]
mod tests {
    use super::*;
    use uuid::Uuid;

    fn node(n: u128) -> IncarnationId {
        IncarnationId(Uuid::from_u128(n))
    }

    #[tokio::test(start_paused = true)]
    async fn a_node_that_stopped_beating_itself_judges_nobody() {
        let now = Instant::now();
        let fleet = Fleet::seen(vec![node(1)], vec![node(2)], now);
        assert!(fleet.is_fresh(now) && !fleet.is_fresh(now + STALE));
        assert_eq!(
            [1, 2, 3].map(|n| fleet.standing(node(n))),
            [Standing::Alive, Standing::Stale, Standing::Missing]
        );
        assert!(Fleet::default().is_fresh(now), "a hub that is alone always judges");
    }

    #[tokio::test(start_paused = true)]
    async fn exactly_one_of_the_living_is_first_and_all_get_their_share() {
        let nodes: Vec<IncarnationId> = (1..=3).map(node).collect();
        let fleet = Fleet::seen(nodes.clone(), Vec::new(), Instant::now());
        let mut shares = [0; 3];
        for n in 0..300 {
            let lesson = LessonId(Uuid::from_u128(n));
            let first: Vec<usize> = (0..3).filter(|at| fleet.is_first(nodes[*at], lesson)).collect();
            assert_eq!(first.len(), 1);
            shares[first[0]] += 1;
        }
        assert!(shares.iter().all(|share| *share > 60), "{shares:?}");
    }
}
