//! What the link to another node bears, and in which order it is used: voices at once, then screens, then cameras. Pictures
//! leave no faster than the link is said to bear; what does not leave at once waits here, as a reference into the rings.
//!
//! The far end tells when what we sent arrived (transport-wide feedback), and our own rule follows, as on a subscriber's link.
//! A node of an older version tells nothing: it is not limited.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use qism_signaling::protocol::LessonId;

use super::gate::Room;
use crate::sfu::{
    engine::{
        room::{TrackIndex, link::Link},
        rtcp::OWN_SSRC,
    },
    forward::{arrivals::Arrivals, feedback::Feedback, meter::Meter, prober::Prober},
    links::Tally,
};

/// Assumed before the first feedback, in bits per second: links between servers are wide, and one that is not is found out
/// within a tenth of a second or two.
const FIRST: f64 = 50_000_000.0;
const LEAST: f64 = 50_000.0;
const MOST: f64 = 2_000_000_000.0;
/// What may leave at once, as time of the link.
const BURST: Duration = Duration::from_millis(40);
/// Debt of what does not wait for tokens: voices.
const DEBT: i64 = 100_000;
/// Packets that wait for one link; beyond, a picture is treated like one that would be late. More than two large key frames.
const WAITING: usize = 2_048;
/// What the queue counts as when it is full.
const FULL: Duration = Duration::from_secs(10);

/// How a picture waits: lower ones leave first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    Screen,
    Camera,
}

/// A packet that waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub lesson: LessonId,
    pub track: TrackIndex,
    pub layer: usize,
    /// Its number in the ring of these streams.
    pub sequence: u64,
    pub generation: u32,
    pub bytes: usize,
    /// Packets right before it were left out.
    pub begins: bool,
}

/// One direction of one relay, and the feedback about the other.
pub struct Congestion {
    link: Link,
    arrivals: Arrivals,
    prober: Prober,
    voices: Meter,
    pictures: Meter,
    queues: [VecDeque<Waiting>; 2],
    bytes: [usize; 2],
    tokens: i64,
    filled: Option<Instant>,
    /// Number of the next packet of padding.
    padding: u64,
    /// Since the relay was first opened.
    pub tally: Tally,
}

impl Congestion {
    pub fn new(now: Instant) -> Self {
        Self {
            link: Link::assuming(FIRST, LEAST, MOST),
            arrivals: Arrivals::new(now),
            prober: Prober::between_nodes(),
            voices: Meter::default(),
            pictures: Meter::default(),
            queues: Default::default(),
            bytes: [0; 2],
            tokens: 0,
            filled: None,
            padding: 0,
            tally: Tally::default(),
        }
    }

    /// Begins anew, behind another handshake; what was counted stays.
    pub fn restart(&mut self, now: Instant) {
        *self = Self { tally: self.tally, ..Self::new(now) };
    }

    /// Bits per second that the link is said to bear.
    pub fn estimate(&self) -> Option<u32> {
        self.link.estimate()
    }

    /// The transport-wide number that the next packet carries.
    pub fn next_number(&self) -> u16 {
        self.link.next_number()
    }

    /// The packet with [`Self::next_number`] left.
    pub fn sent(&mut self, size: usize, is_voice: bool, now: Instant) {
        self.link.sent(size, now);
        let meter = if is_voice { &mut self.voices } else { &mut self.pictures };
        meter.count(size, now);
        self.prober.sent(size);
        self.spend(size);
    }

    /// A packet left that carries no number of its own: a repeated one.
    pub fn repeated(&mut self, size: usize) {
        self.spend(size);
    }

    fn spend(&mut self, size: usize) {
        self.tally.bytes_out += size as u64;
        self.tokens = (self.tokens - size as i64).max(-DEBT);
    }

    /// A packet with this number arrived here.
    pub fn arrived(&mut self, number: u16, ssrc: u32, now: Instant) {
        self.arrivals.received(number, ssrc, now);
    }

    /// The next feedback for the far end about what arrived here.
    pub fn poll_feedback(&mut self) -> Option<Vec<u8>> {
        self.arrivals.poll_feedback(OWN_SSRC)
    }

    /// Takes the far end's feedback; true when the link is full since just now.
    pub fn handle_feedback(&mut self, feedback: &Feedback<'_>, now: Instant) -> bool {
        let was_full = self.link.is_full(now);
        let losses = self.link.handle_feedback(feedback, &mut Vec::new(), now);
        self.tally.told += u64::from(losses.told);
        self.tally.lost += u64::from(losses.lost);
        if let Some(found) = self.link.poll_probe(now) {
            self.prober.learned(found, now);
        }
        !was_full && self.link.is_full(now)
    }

    /// Bits per second that pictures may take, and whether they may become more; `None` where nothing is known.
    pub fn for_pictures(&mut self, now: Instant) -> Option<(u32, bool)> {
        let voices = self.voices.bitrate(now);
        Some((self.link.estimate()?.saturating_sub(voices), !self.link.is_full(now)))
    }

    /// A picture needs so many bits per second more than the link is said to bear.
    pub fn consider_probe(&mut self, pictures: u32, now: Instant) {
        let Some(estimate) = self.link.estimate() else { return };
        let (voices, flowing) = (self.voices.bitrate(now), self.pictures.bitrate(now));
        let wanted = pictures.saturating_add(voices);
        if let Some(fell) = self.link.outgrown() {
            self.prober.encourage(fell, now);
        }
        if self.link.is_wider() {
            self.prober.hurry(now);
        }
        let flowing = flowing.saturating_add(voices);
        if wanted > estimate && self.prober.begin(wanted / 10 * 11, estimate, flowing, now) {
            self.link.begin_probe();
        }
    }

    /// Bytes of padding that a probe needs now.
    pub fn poll_padding(&mut self, now: Instant) -> usize {
        if self.prober.bitrate().is_none() {
            return 0;
        }
        let due = self.prober.poll(now);
        if due.is_none() {
            self.link.end_probe(now);
        }
        due.unwrap_or(0)
    }

    /// The number of the next packet of padding in its own stream, from 1 on.
    pub fn next_padding(&mut self) -> u64 {
        self.padding += 1;
        self.padding
    }

    /// Padding left.
    pub fn padded(&mut self, size: usize, now: Instant) {
        self.link.sent(size, now);
        self.prober.padded(size);
        self.spend(size);
    }

    /// Whether a picture's packet may leave now, before nothing that waits.
    pub fn is_free(&mut self, now: Instant) -> bool {
        self.queues.iter().all(VecDeque::is_empty) && self.may_leave(now)
    }

    /// What is sent again goes as far as the link takes it; voices always.
    pub fn may_repeat(&mut self, is_voice: bool, now: Instant) -> bool {
        is_voice || self.may_leave(now)
    }

    fn may_leave(&mut self, now: Instant) -> bool {
        self.fill(now);
        self.bitrate(now).is_none() || self.tokens > 0
    }

    /// The rate at which pictures leave: that of a probe while one runs.
    fn bitrate(&self, now: Instant) -> Option<u32> {
        let pace = self.link.estimate().and(self.link.pace(now))?;
        Some(self.prober.bitrate().map_or(pace, |probe| probe.max(pace)))
    }

    fn fill(&mut self, now: Instant) {
        let since = self.filled.replace(now).map_or(BURST, |filled| now.saturating_duration_since(filled));
        let Some(rate) = self.bitrate(now) else { return };
        let bytes = |span: Duration| (u64::from(rate) * span.as_micros() as u64 / 8_000_000) as i64;
        self.tokens = (self.tokens + bytes(since.min(Duration::from_secs(1)))).min(bytes(BURST).max(1));
    }

    /// What the link has for a layer of this class.
    pub fn room(&self, class: Class, is_borne: bool, now: Instant) -> Room {
        let Some(bitrate) = self.bitrate(now) else {
            return Room { is_borne, wait: Duration::ZERO, bitrate: 0 };
        };
        let before: usize = self.bytes[..=class as usize].iter().sum();
        let wait = match self.queues.iter().map(VecDeque::len).sum::<usize>() {
            WAITING.. => FULL,
            _ => Duration::from_micros(before as u64 * 8_000_000 / u64::from(bitrate.max(1))),
        };
        Room { is_borne, wait, bitrate }
    }

    pub fn wait(&mut self, class: Class, waiting: Waiting) {
        self.bytes[class as usize] += waiting.bytes;
        self.queues[class as usize].push_back(waiting);
    }

    /// The next packet that leaves now.
    pub fn poll(&mut self, now: Instant) -> Option<Waiting> {
        if !self.is_busy() || !self.may_leave(now) {
            return None;
        }
        let class = self.queues.iter().position(|queue| !queue.is_empty())?;
        let next = self.queues[class].pop_front()?;
        self.bytes[class] -= next.bytes;
        Some(next)
    }

    /// Something waits, or a probe runs.
    pub fn is_busy(&self) -> bool {
        self.queues.iter().any(|queue| !queue.is_empty()) || self.prober.bitrate().is_some()
    }
}
