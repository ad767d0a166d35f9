//! One key frame request at a time per publication: thirty students who join together cost the teacher one.

use std::time::{Duration, Instant};

/// Decides when to ask a publisher for a key frame.
#[derive(Debug)]
pub struct KeyframeGate {
    /// Shortest time between requests; longer for screens, whose key frames are big.
    interval: Duration,
    /// Layers for which somebody waits, one bit each.
    wanted: u8,
    asked: Option<Instant>,
}

impl KeyframeGate {
    pub fn new(interval: Duration) -> Self {
        Self { interval, wanted: 0, asked: None }
    }

    /// Somebody waits for a key frame of this layer.
    pub fn want(&mut self, layer: usize) {
        self.wanted |= 1 << layer;
    }

    /// A key frame of this layer came.
    pub fn arrived(&mut self, layer: usize) {
        self.wanted &= !(1 << layer);
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
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_wishes_are_one_request_until_the_wanted_layer_comes() {
        let (mut gate, start) = (KeyframeGate::new(Duration::from_millis(500)), Instant::now());
        (0..30).for_each(|_| gate.want(1));
        assert_eq!(gate.poll(start), Some(1));
        assert_eq!(gate.poll(start + Duration::from_millis(499)), None);
        gate.arrived(0);
        assert_eq!(gate.poll(start + Duration::from_millis(500)), Some(1), "another layer's does not help");
        gate.arrived(1);
        assert_eq!(gate.poll(start + Duration::from_secs(9)), None);
    }
}
