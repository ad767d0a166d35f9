//! A token bucket: how fast one connection may send frames.

use tokio::time::Instant;

use crate::protocol::limits;

/// Frames left to one connection.
#[derive(Debug)]
pub(crate) struct Bucket {
    tokens: f64,
    at: Instant,
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

impl Bucket {
    pub(crate) fn new(now: Instant) -> Self {
        Self { tokens: f64::from(limits::FRAME_BURST), at: now, refused: 0 }
    }

    /// Takes a token for one frame.
    pub(crate) fn take(&mut self, now: Instant) -> Pace {
        let gained = now.duration_since(self.at).as_secs_f64() * f64::from(limits::FRAMES_PER_SECOND);
        self.at = now;
        self.tokens = (self.tokens + gained).min(f64::from(limits::FRAME_BURST));
        if self.tokens >= 1.0 {
            self.tokens -= 1.0;
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
        let mut bucket = Bucket::new(start);
        for _ in 0..limits::FRAME_BURST {
            assert_eq!(bucket.take(start), Pace::Fine);
        }
        assert_eq!(bucket.take(start), Pace::TooFast);
        let later = start + Duration::from_secs(1);
        for _ in 0..limits::FRAMES_PER_SECOND {
            assert_eq!(bucket.take(later), Pace::Fine);
        }
        assert_eq!(bucket.take(later), Pace::TooFast);
    }

    #[test]
    fn who_does_not_stop_is_a_flood() {
        let start = Instant::now();
        let mut bucket = Bucket::new(start);
        let last = (0..limits::FRAME_BURST + PATIENCE + 1).map(|_| bucket.take(start)).last();
        assert_eq!(last, Some(Pace::Flood));
    }
}
