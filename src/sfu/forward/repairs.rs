//! How much of what a receiver gets may be retransmissions: on a link that is full, answering every request takes the
//! place of the media itself and makes the loss worse.

/// One byte of repairs for so many bytes of media: 20 %.
const SHARE: usize = 5;
/// Bytes saved up while nothing is lost: about a key frame, so that a burst of losses is mended at once.
const SAVED: usize = 40_000;

/// The budget of one receiver.
#[derive(Debug)]
pub struct RepairBudget {
    left: usize,
}

impl Default for RepairBudget {
    fn default() -> Self {
        Self { left: SAVED }
    }
}

impl RepairBudget {
    /// Media of so many bytes was sent.
    pub fn sent(&mut self, bytes: usize) {
        self.left = (self.left + bytes / SHARE).min(SAVED);
    }

    /// Takes the bytes of a repair; false when there are not enough.
    pub fn take(&mut self, bytes: usize) -> bool {
        let left = self.left.checked_sub(bytes);
        self.left = left.unwrap_or(self.left);
        left.is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repairs_are_a_fifth_of_the_media_after_a_burst() {
        let mut budget = RepairBudget::default();
        let mut repaired = 0;
        for _ in 0..10_000 {
            budget.sent(1_000);
            while budget.take(1_000) {
                repaired += 1_000;
            }
        }
        assert!((2_000_000..=2_000_000 + SAVED).contains(&repaired), "{repaired}");
    }

    #[test]
    fn a_long_quiet_time_saves_one_burst_only() {
        let mut budget = RepairBudget::default();
        (0..10_000).for_each(|_| budget.sent(1_000));
        let burst = (0..1_000).take_while(|_| budget.take(1_000)).count();
        assert_eq!(burst, SAVED / 1_000);
    }
}
