//! What the listeners of a voice lose, told to its speaker: an Opus encoder adds error correction only for losses that it
//! hears of, and our own link to it may lose nothing.

use std::time::{Duration, Instant};

/// More error correction than for a quarter lost costs the voice itself.
const MOST: u8 = 64;
/// Older reports say nothing about now.
const FRESH: Duration = Duration::from_secs(10);

/// What one listener last reported, in 256ths.
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
    fn no_more_than_a_quarter_is_told_and_nothing_old() {
        assert_eq!(told(&[255]), MOST);
        let at = Instant::now();
        let old = std::iter::once(ReportedLoss { fraction: 50, at });
        assert_eq!(worst_decile(old, at + FRESH), 0);
    }
}
