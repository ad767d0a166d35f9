//! The newest flight of a handshake, sent again until the peer goes on. rtc repeats at one constant interval, seven
//! times: too slow for a link that loses a third of its packets when the interval is long, given up too soon when it
//! is short; and a repeated hello of the peer stops its timer for ever. What is repeated here is the same datagram; a
//! peer that has it drops its twin as a replay.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::BytesMut;

/// The first wait; each one doubles, so that a slow link is not filled with twins.
const FIRST_WAIT: Duration = Duration::from_millis(100);
const LONGEST_WAIT: Duration = Duration::from_millis(800);
/// Repeats of the flight that ends the handshake: nothing in it asks for an answer.
const LAST_REPEATS: u8 = 4;
/// Repeats of any other: some 24 s; without a sign of life the leg is lost soon after.
const REPEATS: u8 = 32;

/// Datagrams to send, now and again.
#[derive(Debug, Default)]
pub struct Flight {
    outgoing: VecDeque<BytesMut>,
    kept: Vec<BytesMut>,
    /// When the kept ones are sent again, and the wait after that.
    next: Option<(Instant, Duration)>,
    /// Repeats of the kept ones that were sent.
    repeated: u8,
    /// The handshake is done: its last flight comes again only if the peer did not get it.
    is_last: bool,
}

impl Flight {
    /// Sends a flight that replaces the one before.
    pub fn begin(&mut self, datagrams: Vec<BytesMut>, now: Instant) {
        self.outgoing.extend(datagrams.iter().cloned());
        self.kept = datagrams;
        self.next = Some((now + FIRST_WAIT, FIRST_WAIT * 2));
        self.repeated = 0;
    }

    /// Sends what needs no repeat.
    pub fn send_once(&mut self, datagrams: Vec<BytesMut>) {
        self.end();
        self.outgoing.extend(datagrams);
    }

    /// The handshake ended with the kept flight.
    pub fn set_last(&mut self) {
        self.is_last = true;
    }

    /// The peer has the flight.
    pub fn end(&mut self) {
        (self.kept, self.next) = (Vec::new(), None);
    }

    /// True while something may be repeated.
    pub fn is_repeating(&self) -> bool {
        self.next.is_some()
    }

    pub fn handle_timeout(&mut self, now: Instant) {
        let Some((_, wait)) = self.next.filter(|(due, _)| now >= *due) else { return };
        if self.repeated == if self.is_last { LAST_REPEATS } else { REPEATS } {
            return self.end();
        }
        self.repeated += 1;
        self.outgoing.extend(self.kept.iter().cloned());
        self.next = Some((now + wait, (wait * 2).min(LONGEST_WAIT)));
    }

    pub fn poll_transmit(&mut self) -> Option<BytesMut> {
        self.outgoing.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drain(flight: &mut Flight) -> usize {
        std::iter::from_fn(|| flight.poll_transmit()).count()
    }

    #[test]
    fn a_flight_is_repeated_ever_more_slowly_until_the_next_one() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        flight.begin(vec![BytesMut::from("one"), BytesMut::from("two")], start);
        assert_eq!(drain(&mut flight), 2);
        let sent: Vec<u64> = (1..40u64)
            .map(|tenth| tenth * 100)
            .filter(|&after| {
                flight.handle_timeout(start + Duration::from_millis(after));
                drain(&mut flight) == 2
            })
            .collect();
        assert_eq!(sent, [100, 300, 700, 1_500, 2_300, 3_100, 3_900]);
        flight.begin(vec![BytesMut::from("three")], start);
        assert_eq!(flight.poll_transmit(), Some(BytesMut::from("three")));
        assert_eq!(drain(&mut flight), 0);
    }

    #[test]
    fn the_last_flight_is_repeated_a_few_times_and_forgotten() {
        let (mut flight, start) = (Flight::default(), Instant::now());
        flight.begin(vec![BytesMut::from("finished")], start);
        flight.set_last();
        (0..100).for_each(|tenth| flight.handle_timeout(start + Duration::from_millis(tenth * 100)));
        assert_eq!(drain(&mut flight), 1 + usize::from(LAST_REPEATS));
        assert!(!flight.is_repeating());
    }
}
