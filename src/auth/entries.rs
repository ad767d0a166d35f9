//! How fast one person may come in again. Each entry is an event that the whole class is told and pays for.

use std::time::Duration;

use dashmap::DashMap;
use qism_signaling::{
    protocol::UserId,
    token_bucket::{Refill, TokenBucket},
};

/// Entries at once, more than the worst minute of a bad network needs, and the time after which there is another.
const ENTRIES: Refill = Refill { most: 20, another: Duration::from_secs(3) };
/// With more people than this, those who have all their entries again are forgotten.
const SWEEP_ABOVE: usize = 50_000;

/// Counts the entries of each person, by the time since the Unix epoch.
#[derive(Debug, Default)]
pub struct EntryPace(DashMap<UserId, TokenBucket<Duration>>);

impl EntryPace {
    /// Takes one entry at `now`, in milliseconds since the Unix epoch; the time to wait where none is left.
    pub fn take(&self, user: UserId, now: u64) -> Result<(), Duration> {
        let now = Duration::from_millis(now);
        if self.0.len() > SWEEP_ABOVE {
            self.0.retain(|_, entries| entries.left(ENTRIES, now) < ENTRIES.most);
        }
        let mut entries = self.0.entry(user).or_insert_with(|| TokenBucket::full(ENTRIES, now));
        if entries.take(ENTRIES, now) { Ok(()) } else { Err(ENTRIES.another) }
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
        assert_eq!(entries(1, 0, 60_000), ENTRIES.most as usize + 19);
        assert_eq!(pace.take(user(2), 60_000), Ok(()));
        assert_eq!(pace.take(user(1), 60_000), Ok(()), "another");
        assert_eq!(pace.take(user(1), 60_001), Err(ENTRIES.another));
        assert_eq!(entries(1, 600_000, 1_000), 10, "after some peace");
    }
}
