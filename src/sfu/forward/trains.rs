//! Packets that leave in one moment come as far apart as the narrowest part of the way makes them (packet trains): that a link is far
//! wider than was known shows without a byte more on it. How wide it is a probe finds out.

use std::ops::Range;

/// Fewer packets may have come together by chance.
const LONG: usize = 5;
/// So many times what the link is said to bear …
const FAR_MORE: f64 = 2.0;
/// … by so many trains in a row: one may have been held up and passed on at once.
const IN_A_ROW: u8 = 2;
/// Arrivals are told as finely as this, in microseconds.
const GRAIN: u64 = 1_000;

/// What the newest trains told.
#[derive(Debug, Default)]
pub struct Trains {
    quick: u8,
}

impl Trains {
    /// Of so many packets that left together came all, the first and the last in these microseconds, with so many bytes behind the
    /// first; the link is said to bear so many bits per second.
    pub fn came(&mut self, packets: usize, arrivals: Range<u64>, bytes: usize, bitrate: u32) {
        if packets < LONG {
            return;
        }
        let micros = (arrivals.end - arrivals.start).max(GRAIN);
        let rate = (bytes * 8) as f64 * 1e6 / micros as f64;
        self.quick = if rate > f64::from(bitrate) * FAR_MORE { (self.quick + 1).min(IN_A_ROW) } else { 0 };
    }

    /// The link bears far more than is said.
    pub fn are_quick(&self) -> bool {
        self.quick >= IN_A_ROW
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn two_trains_in_a_row_tell_that_a_link_is_wide_again() {
        let mut trains = Trains::default();
        // A thousand bytes each: at 2 Mbit/s 4 ms apart.
        let mut came = |packets: usize, apart: u64| {
            let span = apart * (packets as u64 - 1);
            trains.came(packets, 7_000..7_000 + span, (packets - 1) * 1_000, 1_700_000);
            trains.are_quick()
        };
        assert!(!came(9, 4_000) && !came(9, 100) && !came(9, 4_000) && !came(9, 100));
        assert!(!came(4, 4_000), "too short a train tells nothing");
        assert!(came(9, 100) && came(9, 0) && !came(9, 4_000));
    }
}
