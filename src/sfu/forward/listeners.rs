//! What the listeners of a voice lose, told to its speaker: an Opus encoder adds error correction only for losses that it
//! hears of, and our own link to it may lose nothing.

use std::time::{Duration, Instant};

/// More error correction than for a quarter lost costs the voice itself.
const MOST: u8 = 64;
/// Older reports say nothing about now.
const FRESH: Duration = Duration::from_secs(10);

/// What one listener's own link lost when it last reported, in 256ths.
#[derive(Clone, Copy, Debug)]
pub struct ReportedLoss {
    pub fraction: u8,
    pub at: Instant,
}

impl ReportedLoss {
    /// Says something about now.
    pub fn is_fresh(&self, now: Instant) -> bool {
        now < self.at + FRESH
    }
}

/// The loss that nine listeners of ten stay under: one on a hopeless link does not cost all the others quality, but in a
/// small class everybody counts.
pub fn worst_decile(reports: impl Iterator<Item = ReportedLoss>, now: Instant) -> u8 {
    let fresh = reports.filter(|report| report.is_fresh(now));
    let mut losses: Vec<u8> = fresh.map(|report| report.fraction).collect();
    losses.sort_unstable();
    let rank = (losses.len() * 9).div_ceil(10);
    rank.checked_sub(1).map_or(0, |place| losses[place].min(MOST))
}

/// What of a voice is lost on both ways, to us and from us, in 256ths. Listeners make it no more than a quarter.
pub fn along_both(to_us: u8, from_us: u8) -> u8 {
    let (to_us, from_us) = (u32::from(to_us), u32::from(from_us));
    let both = to_us + (256 - to_us) * from_us / 256;
    to_us.max(both.min(u32::from(MOST))) as u8
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(fractions: &[u8]) -> u8 {
        let at = Instant::now();
        worst_decile(fractions.iter().map(|&fraction| ReportedLoss { fraction, at }), at)
    }

    #[test]
    fn in_a_small_class_everybody_counts() {
        assert_eq!(told(&[]), 0);
        assert_eq!(told(&[30]), 30);
        assert_eq!(told(&[0, 30, 0]), 30);
    }

    #[test]
    fn in_a_large_class_one_hopeless_link_costs_nobody_else_quality() {
        let mut losses = [5; 30];
        losses[7] = 255;
        assert_eq!(told(&losses), 5);
        losses[..4].fill(40);
        assert_eq!(told(&losses), 40);
    }

    #[test]
    fn both_ways_count_and_listeners_make_it_no_more_than_a_quarter() {
        let told =
            [(0, 0), (26, 0), (0, 26), (26, 26), (38, 38), (77, 50)].map(|(to, from)| along_both(to, from));
        assert_eq!(told, [0, 26, 26, 49, MOST, 77]);
    }

    #[test]
    fn no_more_than_a_quarter_is_told_and_nothing_old() {
        assert_eq!(told(&[255]), MOST);
        let at = Instant::now();
        let old = std::iter::once(ReportedLoss { fraction: 50, at });
        assert_eq!(worst_decile(old, at + FRESH), 0);
    }
}
