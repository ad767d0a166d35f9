//! What was sent on a connection and not told of yet, by transport-wide number. Each subscriber has one: small entries, and no
//! more of them than are on their way at once.

use std::time::{Duration, Instant};

use super::sequence::nearest;

/// Places at first: what a class's picture sends between two feedbacks.
const FEWEST: usize = 64;
/// Most places: over a second of the largest picture and the screen. What is older is never told of.
const MOST: usize = 512;
/// What is not told of for so long is not worth a place: its feedback got lost.
const LATE_US: u32 = 2_000_000;

/// Packets of a usual picture, and packets that one feedback usually tells of.
const PICTURE: usize = 8;
const TOLD: usize = 32;

/// A packet that was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sent {
    /// Unwrapped transport-wide number.
    pub number: u64,
    /// Bytes with the RTP header.
    pub size: u16,
    pub departure: Instant,
    /// Bytes sent on the connection up to it, itself included.
    pub total: u64,
}

/// The lower bits of one; the upper ones are those of the newest.
#[derive(Clone, Copy, Debug, Default)]
struct Entry {
    number: u32,
    /// Microseconds since the first departure.
    departure: u32,
    total: u32,
    size: u16,
    /// Neither told of nor overwritten.
    is_open: bool,
}

/// The newest packets of a connection.
#[derive(Debug, Default)]
pub struct SentPackets {
    /// Place = number modulo the length, a power of two.
    places: Vec<Entry>,
    /// Number of the next packet.
    next: u64,
    /// Bytes sent.
    total: u64,
    first: Option<Instant>,
    newest: Option<Instant>,
    /// The same as in entries: a burst leaves in one moment.
    newest_us: u32,
    /// The departure that was told last, both ways: a burst is told of together.
    told: Option<(u32, Instant)>,
}

impl SentPackets {
    /// Number of the next packet.
    pub fn next(&self) -> u64 {
        self.next
    }

    /// Bytes sent so far.
    pub fn total(&self) -> u64 {
        self.total
    }

    /// When the first packet left.
    pub fn first(&self) -> Option<Instant> {
        self.first
    }

    /// When the newest packet left.
    pub fn newest(&self) -> Option<Instant> {
        self.newest
    }

    /// Where the next packets are noted, those of a picture; for fetching it only.
    pub fn next_places(&self) -> &[impl Sized] {
        let next = self.place(self.next);
        &self.places[next..self.places.len().min(next + PICTURE)]
    }

    /// Where the newest packets are noted, as many as one feedback tells of; for fetching it only.
    pub fn newest_places(&self) -> &[impl Sized] {
        let next = self.place(self.next);
        &self.places[next.saturating_sub(TOLD)..next]
    }

    /// A packet of so many bytes leaves.
    pub fn push(&mut self, size: usize, departure: Instant) {
        let first = *self.first.get_or_insert(departure);
        if self.newest != Some(departure) {
            self.newest = Some(departure);
            self.newest_us = departure.saturating_duration_since(first).as_micros() as u32;
        }
        self.total += size as u64;
        let departure = self.newest_us;
        self.make_place(departure);
        let place = self.place(self.next);
        self.places[place] = Entry {
            number: self.next as u32,
            departure,
            total: self.total as u32,
            size: size as u16,
            is_open: true,
        };
        self.next += 1;
    }

    /// Grows while the packet to be overwritten may still be told of.
    fn make_place(&mut self, now: u32) {
        let length = self.places.len();
        let is_over = |oldest: &Entry| !oldest.is_open || now.wrapping_sub(oldest.departure) > LATE_US;
        if self.places.get(self.place(self.next)).is_some_and(is_over) || length == MOST {
            return;
        }
        let mut grown = vec![Entry::default(); (length * 2).max(FEWEST)];
        let places = grown.len();
        for entry in self.places.iter().filter(|entry| entry.is_open) {
            grown[entry.number as usize % places] = *entry;
        }
        self.places = grown;
    }

    fn place(&self, number: u64) -> usize {
        number as usize % self.places.len().max(1)
    }

    /// Takes the packet that a receiver means by these 16 bits; `None` when it was taken already or is too old.
    pub fn take(&mut self, wrapped: u16) -> Option<Sent> {
        let number = nearest(self.next, wrapped);
        let (place, first, newest, last) = (self.place(number), self.first?, self.newest?, self.newest_us);
        let entry =
            self.places.get_mut(place).filter(|entry| entry.is_open && entry.number == number as u32)?;
        entry.is_open = false;
        let later = (self.total as u32).wrapping_sub(entry.total);
        let departure = match self.told {
            Some((micros, departure)) if micros == entry.departure => departure,
            _ => {
                let age = Duration::from_micros(last.wrapping_sub(entry.departure).into());
                newest.checked_sub(age).unwrap_or(first)
            }
        };
        self.told = Some((entry.departure, departure));
        Some(Sent { number, size: entry.size, departure, total: self.total - u64::from(later) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEP: Duration = Duration::from_millis(5);

    #[test]
    fn a_packet_is_told_of_once_with_what_it_was() {
        let (start, mut sent) = (Instant::now(), SentPackets::default());
        (0..100u32).for_each(|number| sent.push(1_000 + number as usize, start + STEP * number));
        let total = (0..=70).map(|number| 1_000 + number).sum();
        let told = Sent { number: 70, size: 1_070, departure: start + STEP * 70, total };
        assert_eq!(sent.take(70), Some(told));
        assert_eq!((sent.take(70), sent.take(100)), (None, None));
        assert_eq!(sent.next(), 100);
    }

    #[test]
    fn it_keeps_few_where_feedback_comes_and_the_newest_where_it_does_not() {
        let (start, mut sent) = (Instant::now(), SentPackets::default());
        for number in 0..200_000u32 {
            sent.push(1_200, start + STEP * number);
            assert!(number < 40 || sent.take((number - 40) as u16).is_some(), "{number}");
        }
        assert_eq!(sent.places.len(), FEWEST);
        (0..1_000u32).for_each(|number| sent.push(1_200, start + STEP * (200_000 + number)));
        assert_eq!(sent.places.len(), MOST);
        let newest = sent.take((200_999 % 65_536) as u16).expect("the newest");
        assert_eq!((newest.number, newest.departure), (200_999, start + STEP * 200_999));
        assert_eq!(newest.total, 201_000 * 1_200);
        assert_eq!(sent.take((200_400 % 65_536) as u16), None);
    }

    #[test]
    fn a_long_lesson_and_four_gigabytes_later_departures_are_exact() {
        let (start, mut sent) = (Instant::now(), SentPackets::default());
        let later = start + Duration::from_secs(2 * 3_600);
        sent.push(1, start);
        assert!(sent.take(0).is_some());
        for number in 0..100_000u32 {
            sent.push(60_000, later + STEP * number);
            let told = sent.take((number + 1) as u16).expect("just sent");
            assert_eq!(told.total, 1 + 60_000 * u64::from(number + 1));
            assert_eq!(told.departure, later + STEP * number);
        }
    }
}
