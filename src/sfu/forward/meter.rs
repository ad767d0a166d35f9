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

/// The most that a rate was lately.
#[derive(Clone, Copy, Debug, Default)]
pub struct Peak {
    bitrate: u32,
    reached: Option<Instant>,
}

/// A peak counts for so long: as a pause of a lesson, in which nobody speaks.
const REMEMBERED: Duration = Duration::from_secs(60);

impl Peak {
    /// It is so many bits per second now; the most of the last minute.
    pub fn told(&mut self, bitrate: u32, now: Instant) -> u32 {
        let is_over = self.reached.is_none_or(|reached| now > reached + REMEMBERED);
        if is_over || bitrate >= self.bitrate {
            (self.bitrate, self.reached) = (bitrate, Some(now));
        }
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

    #[test]
    fn a_peak_is_forgotten_after_a_minute() {
        let (start, mut peak) = (Instant::now(), Peak::default());
        let mut told = |bitrate, at: u64| peak.told(bitrate, start + Duration::from_secs(at));
        assert_eq!(
            (told(40_000, 0), told(90_000, 5), told(0, 65), told(30_000, 66)),
            (40_000, 90_000, 90_000, 30_000)
        );
    }
}
