//! One key frame request at a time per publication: thirty students who join together cost the teacher one. And so many per
//! receiver: a key frame is paid for by everybody who receives the publication, so nobody may have them come without end.

use std::{
    collections::HashMap,
    hash::Hash,
    time::{Duration, Instant},
};

use qism_signaling::token_bucket::{Refill, TokenBucket};

/// Key frames that one receiver may have come at once, more than the worst minute of a bad link needs, and the time after which one more may.
const KEY_FRAMES: Refill = Refill { most: 30, another: Duration::from_secs(10) };

/// Decides when to ask a publisher for a key frame. Receivers are told apart by `R`.
#[derive(Debug)]
pub struct KeyframeGate<R> {
    /// Shortest time between requests; longer for screens, whose key frames are big.
    interval: Duration,
    /// Layers for which somebody waits, one bit each.
    wanted: u8,
    asked: Option<Instant>,
    /// Receivers who wait, and for which layers.
    waiting: HashMap<R, u8>,
    /// Key frames left to everybody who ever waited: bounded by the people of the lesson.
    left: HashMap<R, TokenBucket<Instant>>,
}

impl<R: Copy + Eq + Hash> KeyframeGate<R> {
    pub fn new(interval: Duration) -> Self {
        Self { interval, wanted: 0, asked: None, waiting: HashMap::new(), left: HashMap::new() }
    }

    /// Nothing can go on without a key frame of this layer, whoever receives it.
    pub fn want(&mut self, layer: usize) {
        self.wanted |= 1 << layer;
    }

    /// A receiver waits for a key frame of this layer. One for whom too many came waits on.
    pub fn want_for(&mut self, receiver: R, layer: usize, now: Instant) {
        let left = self.left.entry(receiver).or_insert_with(|| TokenBucket::full(KEY_FRAMES, now));
        if left.left(KEY_FRAMES, now) > 0 {
            *self.waiting.entry(receiver).or_insert(0) |= 1 << layer;
            self.want(layer);
        }
    }

    /// A key frame of this layer came.
    pub fn arrived(&mut self, layer: usize) {
        self.wanted &= !(1 << layer);
        self.waiting.retain(|receiver, layers| {
            if *layers & 1 << layer != 0 {
                self.left.entry(*receiver).and_modify(TokenBucket::spend);
            }
            *layers &= !(1 << layer);
            *layers != 0
        });
    }

    /// The layer to ask for now, if any: repeated until its key frame comes.
    pub fn poll(&mut self, now: Instant) -> Option<usize> {
        let due = self.asked.is_none_or(|asked| now >= asked + self.interval);
        if self.wanted == 0 || !due {
            return None;
        }
        self.asked = Some(now);
        Some(self.wanted.trailing_zeros() as usize)
    }

    /// Nobody waits any more.
    pub fn clear(&mut self) {
        self.wanted = 0;
        self.waiting.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn gate() -> (KeyframeGate<u32>, Instant) {
        (KeyframeGate::new(Duration::from_millis(500)), Instant::now())
    }

    #[test]
    fn many_wishes_are_one_request_until_the_wanted_layer_comes() {
        let (mut gate, start) = gate();
        (0..30).for_each(|receiver| gate.want_for(receiver, 1, start));
        assert_eq!(gate.poll(start), Some(1));
        assert_eq!(gate.poll(start + Duration::from_millis(499)), None);
        gate.arrived(0);
        assert_eq!(gate.poll(start + Duration::from_millis(500)), Some(1), "another layer's does not help");
        gate.arrived(1);
        assert_eq!(gate.poll(start + Duration::from_secs(9)), None);
    }

    /// How many are asked for within so long, while this receiver always wants one and each comes at once.
    fn asked(gate: &mut KeyframeGate<u32>, receiver: u32, from: Instant, span: Duration) -> u32 {
        let mut asked = 0;
        let step = Duration::from_millis(100);
        for now in (0..span.as_millis() / step.as_millis()).map(|n| from + step * n as u32) {
            gate.want_for(receiver, 0, now);
            if gate.poll(now) == Some(0) {
                gate.arrived(0);
                asked += 1;
            }
        }
        asked
    }

    #[test]
    fn a_receiver_who_never_stops_asking_gets_one_in_ten_seconds_and_others_get_theirs_at_once() {
        let (mut gate, start) = gate();
        let hour = Duration::from_secs(3_600);
        let greedy = asked(&mut gate, 1, start, hour);
        assert!((360..=KEY_FRAMES.most + 361).contains(&greedy), "{greedy}");
        assert!(asked(&mut gate, 1, start + hour, Duration::from_secs(5)) <= 1);
        let others = asked(&mut gate, 2, start + hour + Duration::from_secs(5), Duration::from_secs(5));
        assert_eq!(others, 10, "whoever has just come");
    }

    #[test]
    fn whoever_waits_for_a_publisher_who_is_away_pays_for_what_comes_only() {
        let (mut gate, start) = gate();
        let later = start + Duration::from_secs(300);
        for now in (0..3_000).map(|n| start + Duration::from_millis(100) * n) {
            gate.want_for(1, 0, now);
        }
        assert!(gate.poll(later).is_some());
        gate.arrived(0);
        gate.want_for(1, 0, later);
        assert_eq!(gate.poll(later + Duration::from_secs(1)), Some(0));
    }
}
