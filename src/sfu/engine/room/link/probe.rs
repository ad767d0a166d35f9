//! A probe of a link: packets that leave faster than pictures, and how fast they came.

use std::time::{Duration, Instant};

use crate::sfu::forward::estimator::Told;

/// A probe whose end is not told of for so long failed.
const LOST: Duration = Duration::from_millis(1_500);
/// Fewer packets prove nothing.
const PACKETS: usize = 5;

/// A probe that was sent, and what came of it so far.
#[derive(Clone, Debug)]
pub struct Probe {
    first: u64,
    /// Nothing was known of the link before.
    pub is_first: bool,
    /// `None` while it is sent.
    last: Option<(u64, Instant)>,
    arrived: Vec<Told>,
}

impl Probe {
    /// One that begins with the packet of this number.
    pub fn new(first: u64, is_first: bool) -> Self {
        Self { first, is_first, last: None, arrived: Vec::new() }
    }

    /// The packet of this number was its last; more than once, the first time counts.
    pub fn end(&mut self, last: u64, now: Instant) {
        self.last.get_or_insert((last, now));
    }

    /// What one feedback tells.
    pub fn told(&mut self, packets: &[Told]) {
        let (first, last) = (self.first, self.last.map_or(u64::MAX, |(last, _)| last));
        self.arrived.extend(packets.iter().filter(|it| it.arrived && (first..=last).contains(&it.number)));
    }

    /// Its end was told of.
    pub fn is_told(&self) -> bool {
        let ended = self.last.zip(self.arrived.last());
        ended.is_some_and(|((last, _), told)| told.number >= last)
    }

    /// Nothing more will be told of it.
    pub fn is_over(&self, now: Instant) -> bool {
        self.is_told() || self.last.is_some_and(|(_, ended)| now >= ended + LOST)
    }

    /// Bits per second of the two packets that came closest behind each other: where delays vary the link bears more than the
    /// whole probe says, but never more than this. Infinite when they came in one moment.
    pub fn quickest(&self) -> f64 {
        let rate = |pair: &[Told]| {
            let gap = pair[1].arrival?.saturating_sub(pair[0].arrival?);
            Some((pair[1].size * 8) as f64 / gap.as_secs_f64())
        };
        self.arrived.windows(2).filter_map(rate).fold(0.0, f64::max)
    }

    /// Bits per second at which it got through, and whether the link might bear yet more; nothing when too much of it was
    /// lost.
    pub fn proved(&self) -> Option<(u32, bool)> {
        let (first, last) = (self.arrived.first()?, self.arrived.last()?);
        let sent = last.number + 1 - self.first;
        if self.arrived.len() < PACKETS || (self.arrived.len() as u64) < sent * 9 / 10 {
            return None;
        }
        let bytes: usize = self.arrived.iter().map(|told| told.size).sum();
        let rate = |bytes: usize, span: Duration| (bytes * 8) as f64 / span.as_secs_f64().max(0.001);
        // Several leave in one moment; those of the last one say nothing of the time before it.
        let newest = self.arrived.iter().filter(|told| told.departure == last.departure);
        let newest: usize = newest.map(|told| told.size).sum();
        let left = rate(bytes - newest, last.departure.saturating_duration_since(first.departure));
        let came = rate(bytes - first.size, last.arrival?.saturating_sub(first.arrival?));
        // What came more slowly than it left found the link's end.
        Some(if came < left * 0.9 { ((came * 0.9) as u32, false) } else { (left.min(came) as u32, true) })
    }
}
