//! How fast one person may come in again. Each entry is an event that the whole class is told and pays for.

use std::time::Duration;

use dashmap::DashMap;
use qism_signaling::protocol::UserId;

/// Entries at once, more than the worst minute of a bad network needs, and the time after which there is another.
const SAVED: u32 = 20;
const ANOTHER: Duration = Duration::from_secs(3);
/// With more people than this, those who have all their entries again are forgotten.
const SWEEP_ABOVE: usize = 50_000;

#[derive(Clone, Copy, Debug)]
struct Purse {
    left: u32,
    /// When it was last added to, in milliseconds since the Unix epoch.
    filled: u64,
}

impl Purse {
    fn fill(&mut self, now: u64) {
        let another = ANOTHER.as_millis() as u64;
        let grown = now.saturating_sub(self.filled) / another;
        self.left = u32::try_from(grown).unwrap_or(SAVED).saturating_add(self.left).min(SAVED);
        self.filled = if self.left == SAVED { now } else { self.filled + grown * another };
    }
}

/// Counts the entries of each person.
#[derive(Debug, Default)]
pub struct EntryPace(DashMap<UserId, Purse>);

impl EntryPace {
    /// Takes one entry at `now`, in milliseconds since the Unix epoch; the time to wait where none is left.
    pub fn take(&self, user: UserId, now: u64) -> Result<(), Duration> {
        if self.0.len() > SWEEP_ABOVE {
            self.0.retain(|_, purse| {
                purse.fill(now);
                purse.left < SAVED
            });
        }
        let mut purse = self.0.entry(user).or_insert(Purse { left: SAVED, filled: now });
        purse.fill(now);
        match purse.left.checked_sub(1) {
            Some(left) => purse.left = left,
            None => return Err(ANOTHER),
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn who_comes_in_again_and_again_is_slowed_down_and_nobody_else() {
        let (pace, user) = (EntryPace::default(), |n| UserId(Uuid::from_u128(n)));
        let entries = |who, from: u64, span: u64| {
            (0..span / 100).filter(|n| pace.take(user(who), from + n * 100).is_ok()).count()
        };
        assert_eq!(entries(1, 0, 60_000), SAVED as usize + 19);
        assert_eq!(pace.take(user(2), 60_000), Ok(()));
        assert_eq!(pace.take(user(1), 60_000), Ok(()), "another");
        assert_eq!(pace.take(user(1), 60_001), Err(ANOTHER));
        assert_eq!(entries(1, 600_000, 1_000), 10, "after some peace");
    }
}
