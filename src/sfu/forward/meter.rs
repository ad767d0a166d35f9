//! How many bits per second flow.

use std::time::{Duration, Instant};

/// Long enough for a few pictures, short enough to follow a change.
const WINDOW: Duration = Duration::from_millis(500);

/// Counts bytes, window by window.
#[derive(Clone, Copy, Debug, Default)]
pub struct Meter {
    /// The window that runs ends then.
    end: Option<Instant>,
    bytes: usize,
    bitrate: u32,
}

impl Meter {
    pub fn count(&mut self, bytes: usize, now: Instant) {
        self.turn(now);
        self.bytes += bytes;
    }

    fn turn(&mut self, now: Instant) {
        let end = *self.end.get_or_insert_with(|| now + WINDOW);
        if now >= end {
            let elapsed = now - end + WINDOW;
            self.bitrate = (self.bytes as u64 * 8_000 / elapsed.as_millis().max(1) as u64) as u32;
            (self.end, self.bytes) = (Some(now + WINDOW), 0);
        }
    }

    /// Bits per second in the last whole window.
    pub fn bitrate(&mut self, now: Instant) -> u32 {
        self.turn(now);
        self.bitrate
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_follows_what_flows_and_falls_when_nothing_does() {
        let (start, mut meter) = (Instant::now(), Meter::default());
        for step in 0..100u32 {
            meter.count(1_000, start + Duration::from_millis(10) * step);
        }
        let end = start + Duration::from_millis(1_000);
        assert_eq!(meter.bitrate(end), 800_000);
        assert_eq!(meter.bitrate(end + WINDOW * 2), 0);
    }
}
