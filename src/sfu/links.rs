//! What the links to other nodes carry, as the media threads told last: for metrics, and for whoever watches the fleet.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use qism_signaling::protocol::IncarnationId;

/// Counts since a link was first opened. Bytes are those of sealed datagrams, without IP and UDP headers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub bytes_out: u64,
    pub bytes_in: u64,
    /// Packets of which the far end told whether they arrived.
    pub told: u64,
    /// Of them, those that did not.
    pub lost: u64,
    /// Packets of pictures that were not sent, since the link had no room.
    pub left_out: u64,
}

impl Tally {
    fn and(self, other: Self) -> Self {
        Self {
            bytes_out: self.bytes_out + other.bytes_out,
            bytes_in: self.bytes_in + other.bytes_in,
            told: self.told + other.told,
            lost: self.lost + other.lost,
            left_out: self.left_out + other.left_out,
        }
    }
}

/// The link to one node: all relays of all threads together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LinkNow {
    pub node: IncarnationId,
    /// Keys stand, and the far end was heard in the last seconds: of every relay.
    pub is_live: bool,
    pub tally: Tally,
    /// Bits per second that it is said to bear: the narrowest relay. `None` before the first feedback.
    pub estimate: Option<u32>,
    /// The slowest relay. `None` before the first report came back.
    pub round_trip: Option<Duration>,
}

impl LinkNow {
    fn and(self, other: Self) -> Self {
        Self {
            node: self.node,
            is_live: self.is_live && other.is_live,
            tally: self.tally.and(other.tally),
            estimate: [self.estimate, other.estimate].into_iter().flatten().min(),
            round_trip: self.round_trip.max(other.round_trip),
        }
    }
}

/// By thread; each replaces its own part whole.
#[derive(Debug, Default)]
pub struct Links(Mutex<BTreeMap<u8, Vec<LinkNow>>>);

impl Links {
    pub(super) fn tell(&self, thread: u8, now: Vec<LinkNow>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(thread, now);
    }

    /// One for each node.
    pub fn read(&self) -> Vec<LinkNow> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut by_node: BTreeMap<IncarnationId, LinkNow> = BTreeMap::new();
        for link in told.values().flatten() {
            by_node.entry(link.node).and_modify(|known| *known = known.and(*link)).or_insert(*link);
        }
        by_node.into_values().collect()
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_relays_of_all_threads_are_one_link_as_bad_as_the_worst() {
        let node = IncarnationId(Uuid::from_u128(1));
        let link = |is_live, bytes_out, estimate, ms| LinkNow {
            node,
            is_live,
            tally: Tally { bytes_out, ..Tally::default() },
            estimate,
            round_trip: Some(Duration::from_millis(ms)),
        };
        let links = Links::default();
        links.tell(0, vec![link(true, 10, None, 3)]);
        links.tell(1, vec![link(false, 20, Some(7), 9), link(true, 30, Some(5), 4)]);
        assert_eq!(links.read(), [link(false, 60, Some(5), 9)]);
        links.tell(1, Vec::new());
        assert_eq!(links.read(), [link(true, 10, None, 3)]);
    }
}
