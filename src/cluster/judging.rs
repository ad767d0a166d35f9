//! Who is dead by what the beats tell: others, or this server itself.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use qism_signaling::{hub::fleet::STALE, protocol::IncarnationId};

/// A server that hears neither the database nor the others for so long could not learn that a right was taken back.
pub const DEAF: Duration = Duration::from_secs(2);
/// A beat that fails takes its time: so old may be what others say of being cut off as well.
pub const ALIKE: Duration = Duration::from_secs(5);
/// Without the database, and without a word of others for so long, a server must think that it is the one that is cut off.
const ALONE: Duration = Duration::from_secs(7);

/// What other servers said on the bus of late.
#[derive(Clone, Copy, Debug)]
pub struct Others {
    pub hear_the_database: bool,
    pub are_cut_off_too: bool,
}

/// Whether this server could not learn that a right was taken back: it hears neither database nor others, or it alone does not
/// hear the database, so that the others have taken it for dead and written off its people.
pub fn must_stop(database_age: Option<Duration>, bus_is_up: Option<bool>, others: Others) -> bool {
    let silent_for = |span| database_age.is_none_or(|age| age >= span);
    match bus_is_up {
        None => false,
        Some(false) => silent_for(DEAF),
        Some(true) if others.hear_the_database => silent_for(STALE),
        Some(true) => silent_for(ALONE) && !others.are_cut_off_too,
    }
}

/// Since when the database has been heard without a gap.
#[derive(Debug, Default)]
pub struct Hearing {
    since: Option<Instant>,
    latest: Option<Instant>,
}

impl Hearing {
    /// It was heard now. True once it has been for so long that whoever lives has beaten, too.
    pub fn heard(&mut self, now: Instant) -> bool {
        if self.latest.is_none_or(|latest| now - latest >= STALE) {
            self.since = Some(now);
        }
        self.latest = Some(now);
        self.since.is_some_and(|since| now - since >= STALE)
    }
}

/// Dead nodes whose lessons were looked after.
#[derive(Debug, Default)]
pub struct Buried(HashSet<IncarnationId>);

impl Buried {
    /// The lessons of all the dead are to be looked through: one more died, who may have been the one to look after those of another.
    pub fn is_due(&mut self, dead: &[IncarnationId]) -> bool {
        self.0.retain(|buried| dead.contains(buried));
        dead.iter().any(|node| !self.0.contains(node))
    }

    pub fn contains(&self, node: &IncarnationId) -> bool {
        self.0.contains(node)
    }
}

impl From<Vec<IncarnationId>> for Buried {
    fn from(dead: Vec<IncarnationId>) -> Self {
        Self(dead.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_others_take_for_dead_stops_and_one_that_shares_an_outage_goes_on() {
        let age = |seconds| Some(Duration::from_secs(seconds));
        let others = |hear_the_database, are_cut_off_too| Others { hear_the_database, are_cut_off_too };
        let nobody = others(false, false);
        assert!(!must_stop(age(60), None, nobody), "a server that is alone");
        assert!(!must_stop(age(1), Some(false), nobody) && must_stop(age(2), Some(false), nobody));
        assert!(!must_stop(age(60), Some(true), others(false, true)), "nobody hears the database");
        assert!(
            !must_stop(age(2), Some(true), others(true, true))
                && must_stop(age(3), Some(true), others(true, true))
        );
        assert!(!must_stop(age(6), Some(true), nobody) && must_stop(age(7), Some(true), nobody));
    }

    #[test]
    fn the_dead_are_looked_after_again_when_one_more_dies() {
        let [one, two] = [1, 2].map(|n| IncarnationId(uuid::Uuid::from_u128(n)));
        let mut buried = Buried::default();
        assert!(!buried.is_due(&[]) && buried.is_due(&[one]), "until it is done");
        assert!(buried.is_due(&[one]));
        buried = Buried::from(vec![one]);
        assert!(!buried.is_due(&[one]) && buried.is_due(&[one, two]), "two may have been to look after one");
        buried = Buried::from(vec![one, two]);
        assert!(!buried.is_due(&[two]), "cleared away");
        assert!(buried.is_due(&[one, two]), "it had come back, and is dead again");
    }

    #[test]
    fn a_node_that_hears_the_database_again_judges_nobody_before_all_have_beaten() {
        let start = Instant::now();
        let at = |seconds| start + Duration::from_secs(seconds);
        let mut hearing = Hearing::default();
        let judges: Vec<bool> = (0..5).map(|second| hearing.heard(at(second))).collect();
        assert_eq!(judges, [false, false, false, true, true]);
        // Ten seconds of silence.
        let judges: Vec<bool> = (14..19).map(|second| hearing.heard(at(second))).collect();
        assert_eq!(judges, [false, false, false, true, true]);
    }
}
