//! Waiting for the rest of a frame. Where the packets of a frame come close behind each other they go on together: eight to
//! one receiver are one message to the kernel, which costs little more than one packet alone, and nothing can be shown
//! before the last of them anyway. Where they come far apart each goes on at once.

use std::time::{Duration, Instant};

/// A packet waits no longer for those behind it: more would be felt, less would not cover how a busy sender is interrupted.
pub const LONGEST: Duration = Duration::from_millis(1);

/// The newest frame of one incoming stream.
#[derive(Debug, Default)]
pub struct Gather {
    /// RTP time and arrival of its newest packet.
    newest: Option<(u32, Instant)>,
    /// Its last packet (marker bit, RFC 7741 section 4.1) did not come yet.
    is_open: bool,
    /// The last two packets that belonged to one frame came close behind each other.
    is_dense: bool,
}

impl Gather {
    /// Takes note of a packet, in the order of arrival.
    pub fn received(&mut self, timestamp: u32, marker: bool, arrived: Instant) {
        if let Some((_, before)) = self.newest.filter(|(newest, _)| *newest == timestamp) {
            self.is_dense = arrived.saturating_duration_since(before) <= LONGEST;
        }
        self.newest = Some((timestamp, arrived));
        self.is_open = !marker;
    }

    /// The rest of the frame is expected any moment.
    pub fn is_waiting(&self, now: Instant) -> bool {
        self.is_open && self.is_dense && self.newest.is_some_and(|(_, arrived)| now < arrived + LONGEST)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Four packets of a frame, so far apart; after which of them the rest is waited for.
    fn frame(gather: &mut Gather, timestamp: u32, start: Instant, apart: Duration) -> [bool; 4] {
        std::array::from_fn(|part| {
            let now = start + apart * part as u32;
            gather.received(timestamp, part == 3, now);
            gather.is_waiting(now)
        })
    }

    #[test]
    fn a_frame_is_waited_for_once_its_packets_are_known_to_come_together() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        let together = Duration::from_micros(50);
        assert_eq!(frame(&mut gather, 1, start, together), [false, true, true, false]);
        assert_eq!(frame(&mut gather, 2, start, together), [true, true, true, false]);
    }

    #[test]
    fn packets_that_come_evenly_spaced_wait_for_nothing() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        frame(&mut gather, 1, start, Duration::ZERO);
        let apart = Duration::from_millis(10);
        assert_eq!(frame(&mut gather, 2, start, apart), [true, false, false, false]);
        assert_eq!(frame(&mut gather, 3, start, apart), [false; 4]);
    }

    #[test]
    fn a_lost_last_packet_is_not_waited_for() {
        let (mut gather, start) = (Gather::default(), Instant::now());
        gather.received(1, false, start);
        gather.received(1, false, start);
        assert!(gather.is_waiting(start));
        assert!(!gather.is_waiting(start + LONGEST));
    }
}
