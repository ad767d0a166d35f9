//! How many control messages of one peer are read: whoever sends more takes time from all others on its thread.

use std::time::{Duration, Instant};

/// Datagrams in a second. A receiver sends some dozens, and for each picture of which packets are lost up to fifty.
const MOST: u32 = 1_000;

/// Counts the datagrams of one peer.
#[derive(Debug, Default)]
pub struct ControlLimit {
    /// When the second began that is counted.
    since: Option<Instant>,
    count: u32,
}

impl ControlLimit {
    /// Counts one more; `None` when it is too many.
    pub fn admit(&mut self, now: Instant) -> Option<()> {
        if self.since.is_none_or(|since| now >= since + Duration::from_secs(1)) {
            (self.since, self.count) = (Some(now), 0);
        }
        self.count = self.count.saturating_add(1);
        (self.count <= MOST).then_some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_cut_off_and_what_a_bad_network_makes_of_a_receiver_is_none() {
        let (mut limit, start) = (ControlLimit::default(), Instant::now());
        let admitted = |limit: &mut ControlLimit, from: Duration, count: u32| {
            let at = |n| start + from + Duration::from_secs(1) / count * n;
            (0..count).filter(|&n| limit.admit(at(n)).is_some()).count()
        };
        assert_eq!(admitted(&mut limit, Duration::ZERO, 400), 400, "seven pictures and a voice");
        assert_eq!(admitted(&mut limit, Duration::from_secs(1), 50_000), MOST as usize);
        assert_eq!(admitted(&mut limit, Duration::from_secs(2), 400), 400, "the next second is another");
    }
}
