//! How fast one connection may send frames.

use std::time::Duration;

use tokio::time::Instant;

use crate::{
    protocol::limits,
    token_bucket::{Refill, TokenBucket},
};

const FRAMES: Refill = Refill {
    most: limits::FRAME_BURST,
    another: Duration::from_micros(1_000_000 / limits::FRAMES_PER_SECOND as u64),
};

/// Frames left to one connection.
#[derive(Debug)]
pub(crate) struct FrameRate {
    left: TokenBucket<Instant>,
    /// Refusals in a row; too many mean a flood.
    refused: u32,
}

/// What to do with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Pace {
    Fine,
    TooFast,
    /// Went on in spite of many refusals.
    Flood,
}

/// Refusals without a pause before the connection is closed.
const PATIENCE: u32 = 100;

impl FrameRate {
    pub(crate) fn new(now: Instant) -> Self {
        Self { left: TokenBucket::full(FRAMES, now), refused: 0 }
    }

    /// Takes a token for one frame.
    pub(crate) fn take(&mut self, now: Instant) -> Pace {
        if self.left.take(FRAMES, now) {
            self.refused = 0;
            return Pace::Fine;
        }
        self.refused += 1;
        if self.refused > PATIENCE { Pace::Flood } else { Pace::TooFast }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_burst_passes_then_the_steady_rate() {
        let start = Instant::now();
        let mut rate = FrameRate::new(start);
        for _ in 0..limits::FRAME_BURST {
            assert_eq!(rate.take(start), Pace::Fine);
        }
        assert_eq!(rate.take(start), Pace::TooFast);
        let later = start + Duration::from_secs(1);
        for _ in 0..limits::FRAMES_PER_SECOND {
            assert_eq!(rate.take(later), Pace::Fine);
        }
        assert_eq!(rate.take(later), Pace::TooFast);
    }

    #[test]
    fn who_does_not_stop_is_a_flood() {
        let start = Instant::now();
        let mut rate = FrameRate::new(start);
        let last = (0..limits::FRAME_BURST + PATIENCE + 1).map(|_| rate.take(start)).last();
        assert_eq!(last, Some(Pace::Flood));
    }
}
