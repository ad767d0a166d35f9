//! How often something may be done: so many times at once, and once more each time that a while has passed. Pure; the clock is the caller's.

use std::{
    ops::{Add, Sub},
    time::Duration,
};

/// What a bucket holds at most, and the time after which there is another token.
#[derive(Clone, Copy, Debug)]
pub struct Refill {
    pub most: u32,
    /// At least a microsecond.
    pub another: Duration,
}

/// Moments of a clock: an `Instant`, or the time since an epoch.
pub trait Moment: Copy + Ord + Add<Duration, Output = Self> + Sub<Self, Output = Duration> {}

impl<T: Copy + Ord + Add<Duration, Output = T> + Sub<T, Output = Duration>> Moment for T {}

/// The tokens of one person, connection or receiver; which [`Refill`] is theirs is known to whoever keeps it.
#[derive(Clone, Copy, Debug)]
pub struct TokenBucket<T> {
    left: u32,
    /// When it was last added to.
    filled: T,
}

impl<T: Moment> TokenBucket<T> {
    pub fn full(refill: Refill, now: T) -> Self {
        Self { left: refill.most, filled: now }
    }

    /// Tokens that are left at `now`. A clock that went back costs no more than the part of the next token that had been waited for.
    pub fn left(&mut self, refill: Refill, now: T) -> u32 {
        self.filled = self.filled.min(now);
        let grown = (now - self.filled).as_micros() / refill.another.as_micros().max(1);
        let grown = u32::try_from(grown).unwrap_or(u32::MAX);
        self.left = self.left.saturating_add(grown).min(refill.most);
        self.filled = if self.left == refill.most { now } else { self.filled + refill.another * grown };
        self.left
    }

    /// Takes one, if there is one.
    pub fn take(&mut self, refill: Refill, now: T) -> bool {
        let is_left = self.left(refill, now) > 0;
        self.spend();
        is_left
    }

    /// Takes one for what happened, whether there is one or not.
    pub fn spend(&mut self) {
        self.left = self.left.saturating_sub(1);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const REFILL: Refill = Refill { most: 20, another: Duration::from_secs(3) };

    #[test]
    fn a_burst_passes_then_the_steady_rate() {
        let mut bucket = TokenBucket::full(REFILL, Duration::ZERO);
        let taken = (0..600).filter(|n| bucket.take(REFILL, Duration::from_millis(n * 100))).count();
        assert_eq!(taken, 20 + 19);
        assert!(bucket.take(REFILL, Duration::from_secs(60)));
        assert!(!bucket.take(REFILL, Duration::from_millis(60_001)));
        assert_eq!(bucket.left(REFILL, Duration::from_secs(3_600)), 20);
    }

    #[test]
    fn a_clock_that_goes_back_an_hour_shuts_nobody_out() {
        let (hour, mut bucket) =
            (Duration::from_secs(3_600), TokenBucket::full(REFILL, Duration::from_secs(7_200)));
        while bucket.take(REFILL, hour * 2) {}
        assert!(!bucket.take(REFILL, hour));
        assert!(bucket.take(REFILL, hour + REFILL.another));
    }

    proptest! {
        /// However it is asked, it never gives more than the burst and the rate together.
        #[test]
        fn it_never_gives_more_than_told(pauses in proptest::collection::vec(0u64..5_000, 1..400)) {
            let mut bucket = TokenBucket::full(REFILL, Duration::ZERO);
            let mut now = Duration::ZERO;
            let mut taken = 0;
            for pause in pauses {
                now += Duration::from_millis(pause);
                taken += u32::from(bucket.take(REFILL, now));
            }
            let most = REFILL.most + (now.as_millis() / REFILL.another.as_millis()) as u32;
            prop_assert!(taken <= most, "{taken} of {most}");
        }
    }
}
