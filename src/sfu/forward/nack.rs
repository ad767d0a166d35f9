//! Which packets of an incoming stream are missing, and when to ask for them again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

/// First ask: late enough for reordered packets, early enough for the jitter buffer.
const FIRST_ASK: Duration = Duration::from_millis(6);
/// Asks per packet; more is a storm on a link that is already losing.
const ASKS: u8 = 6;
/// Missing packets remembered; a longer gap is a new start and wants a key frame.
const REMEMBERED: u64 = 256;
/// The same of a voice between nodes: half a second. What is older comes too late to be heard.
const REMEMBERED_OF_VOICE: u64 = 25;

/// Assumed until a retransmission was timed: ICE-lite measures no round trip.
const FIRST_ROUND_TRIP: Duration = Duration::from_millis(100);

/// Bounds of the time between two asks.
const SHORTEST_SPACING: Duration = Duration::from_millis(20);
const LONGEST_SPACING: Duration = Duration::from_millis(400);

/// One packet that has not come.
#[derive(Clone, Copy, Debug)]
struct Missing {
    next_ask: Instant,
    asked_at: Option<Instant>,
    asked: u8,
}

/// Follows one incoming stream.
#[derive(Debug)]
pub struct NackTracker {
    /// Longest gap that is asked for.
    remembered: u64,
    /// From asking to receiving, smoothed.
    round_trip: Option<Duration>,
    highest: Option<u64>,
    missing: BTreeMap<u64, Missing>,
    /// Set when packets were given up; taken by whoever asks for a key frame.
    given_up: bool,
}

impl Default for NackTracker {
    fn default() -> Self {
        Self::remembering(REMEMBERED)
    }
}

impl NackTracker {
    /// For a voice, of which only the newest is worth asking for.
    pub fn of_voice() -> Self {
        Self::remembering(REMEMBERED_OF_VOICE)
    }

    fn remembering(remembered: u64) -> Self {
        Self { remembered, round_trip: None, highest: None, missing: BTreeMap::new(), given_up: false }
    }

    /// Notes an arrival.
    pub fn received(&mut self, sequence: u64, now: Instant) {
        if let Some(missing) = self.missing.remove(&sequence) {
            self.time(missing, now);
        }
        let Some(highest) = self.highest else {
            self.highest = Some(sequence);
            return;
        };
        if sequence <= highest {
            return;
        }
        self.highest = Some(sequence);
        if sequence - highest > self.remembered {
            self.give_up();
            return;
        }
        let missing = Missing { next_ask: now + FIRST_ASK, asked_at: None, asked: 0 };
        self.missing.extend((highest + 1..sequence).map(|absent| (absent, missing)));
    }

    /// Times a packet that came after exactly one ask; with more it is unknown which one was answered.
    fn time(&mut self, missing: Missing, now: Instant) {
        if let (1, Some(asked)) = (missing.asked, missing.asked_at) {
            let sample = now.saturating_duration_since(asked);
            self.round_trip = Some(self.round_trip.map_or(sample, |smooth| (smooth * 7 + sample) / 8));
        }
    }

    /// Round trip to the sender.
    pub fn round_trip(&self) -> Duration {
        self.round_trip.unwrap_or(FIRST_ROUND_TRIP).clamp(SHORTEST_SPACING, LONGEST_SPACING)
    }

    fn give_up(&mut self) {
        self.missing.clear();
        self.given_up = true;
    }

    /// Numbers to ask for now, oldest first; asks are spaced by the round trip.
    pub fn poll_asks(&mut self, now: Instant) -> Vec<u16> {
        let spacing = self.round_trip() + FIRST_ASK;
        let mut asks = Vec::new();
        let mut given_up = false;
        self.missing.retain(|&sequence, missing| {
            if now < missing.next_ask {
                return true;
            }
            if missing.asked == ASKS {
                given_up = true;
                return false;
            }
            missing.asked += 1;
            missing.next_ask = now + spacing;
            missing.asked_at = Some(now);
            asks.push(sequence as u16);
            true
        });
        self.given_up |= given_up;
        asks
    }

    /// True once after packets were given up: only a key frame helps now.
    pub fn take_given_up(&mut self) -> bool {
        std::mem::take(&mut self.given_up)
    }

    /// True when nothing is being waited for, so that no timer is needed.
    pub fn is_quiet(&self) -> bool {
        self.missing.is_empty()
    }

    /// True while some packet is being waited for.
    pub fn is_waiting(&self) -> bool {
        !self.missing.is_empty()
    }

    /// True while the packet is being waited for.
    pub fn is_missing(&self, sequence: u64) -> bool {
        self.missing.contains_key(&sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn asks_after_the_reordering_window_and_spaced_by_the_round_trip() {
        let (mut tracker, start) = (NackTracker::default(), Instant::now());
        tracker.received(10, start);
        tracker.received(13, start);
        assert!(tracker.poll_asks(start).is_empty());
        let first = start + FIRST_ASK;
        assert_eq!(tracker.poll_asks(first), [11, 12]);
        tracker.received(11, first + Duration::from_millis(40));
        assert_eq!(tracker.round_trip(), Duration::from_millis(40));
        assert!(tracker.poll_asks(first + FIRST_ROUND_TRIP).is_empty());
        assert_eq!(tracker.poll_asks(first + FIRST_ROUND_TRIP + FIRST_ASK), [12]);
    }

    #[test]
    fn gives_up_after_six_asks_and_says_so_once() {
        let (mut tracker, mut now) = (NackTracker::default(), Instant::now());
        tracker.received(1, now);
        tracker.received(3, now);
        let mut asks = 0;
        for _ in 0..20 {
            now += LONGEST_SPACING;
            asks += tracker.poll_asks(now).len();
        }
        assert_eq!(asks, 6);
        assert!(tracker.take_given_up());
        assert!(!tracker.take_given_up());
        assert!(tracker.is_quiet());
    }

    #[test]
    fn a_huge_gap_is_a_new_start() {
        let (mut tracker, now) = (NackTracker::default(), Instant::now());
        tracker.received(1, now);
        tracker.received(10_000, now);
        assert!(tracker.is_quiet() && tracker.take_given_up());
    }
}
