//! When a publisher's packets arrived, and telling it (transport-wide congestion control feedback,
//! draft-holmer-rmcat-transport-wide-cc-extensions-01): the publisher's own estimator sets its bit rates by this.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::sequence::Unwrapper;

/// Arrivals kept between two feedbacks, also on a link between two nodes; beyond, the oldest are forgotten.
const KEPT: usize = 8_000;
/// Packets one feedback tells about, lost ones included.
const TOLD: u64 = 400;
/// Unit of the reference time.
const REFERENCE: u64 = 64_000;
/// Unit of a delta, in microseconds.
const DELTA: u64 = 250;

/// The arrivals of one connection.
#[derive(Debug)]
pub struct Arrivals {
    /// Zero of the times we tell.
    start: Instant,
    unwrapper: Unwrapper,
    /// Number → microseconds since the start, of packets not told yet.
    pending: BTreeMap<u64, u64>,
    /// First number not told yet.
    next: Option<u64>,
    feedbacks: u8,
    /// The stream of the newest packet. Chromium ignores feedback that names none of its streams.
    media_ssrc: u32,
}

/// How a packet is told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Status {
    Lost,
    /// Delta in one byte.
    Small(u8),
    /// Delta in two bytes, signed.
    Large(i16),
}

impl Status {
    fn symbol(self) -> u16 {
        match self {
            Self::Lost => 0,
            Self::Small(_) => 1,
            Self::Large(_) => 2,
        }
    }
}

impl Arrivals {
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            unwrapper: Unwrapper::default(),
            pending: BTreeMap::new(),
            next: None,
            feedbacks: 0,
            media_ssrc: 0,
        }
    }

    /// Notes a packet.
    pub fn received(&mut self, sequence: u16, ssrc: u32, now: Instant) {
        self.media_ssrc = ssrc;
        let sequence = self.unwrapper.unwrap(sequence);
        let micros = now.saturating_duration_since(self.start).as_micros() as u64;
        self.pending.entry(sequence).or_insert(micros);
        if self.pending.len() > KEPT {
            self.pending.pop_first();
        }
    }

    /// The feedback about what came since the last one.
    pub fn poll_feedback(&mut self, sender_ssrc: u32) -> Option<Vec<u8>> {
        let (&oldest, &first_arrival) = self.pending.first_key_value()?;
        let (&newest, _) = self.pending.last_key_value()?;
        // Lost packets right before the oldest are told too, unless the gap is a new start.
        let base = self.next.filter(|&next| next <= oldest && oldest - next < TOLD / 2).unwrap_or(oldest);
        let count = (newest + 1 - base).min(TOLD);
        let reference = first_arrival / REFERENCE;
        let statuses = self.statuses(base, count, reference * REFERENCE);
        self.pending = self.pending.split_off(&(base + count));
        self.next = Some(base + count);
        self.feedbacks = self.feedbacks.wrapping_add(1);
        let head =
            Head { sender_ssrc, media_ssrc: self.media_ssrc, base: base as u16, reference: reference as u32 };
        Some(head.write(&statuses, self.feedbacks.wrapping_sub(1)))
    }

    fn statuses(&self, base: u64, count: u64, reference: u64) -> Vec<Status> {
        let mut told = reference;
        (base..base + count)
            .map(|sequence| {
                let Some(&arrival) = self.pending.get(&sequence) else { return Status::Lost };
                let delta = (arrival as i64 - told as i64) / DELTA as i64;
                told = told.saturating_add_signed(delta * DELTA as i64);
                match u8::try_from(delta) {
                    Ok(small) => Status::Small(small),
                    Err(_) => Status::Large(delta.clamp(i16::MIN.into(), i16::MAX.into()) as i16),
                }
            })
            .collect()
    }
}

/// The fixed fields of a feedback.
struct Head {
    sender_ssrc: u32,
    media_ssrc: u32,
    base: u16,
    reference: u32,
}

impl Head {
    fn write(&self, statuses: &[Status], count: u8) -> Vec<u8> {
        let mut out = vec![0x8f, 205, 0, 0];
        out.extend(self.sender_ssrc.to_be_bytes());
        out.extend(self.media_ssrc.to_be_bytes());
        out.extend(self.base.to_be_bytes());
        out.extend((statuses.len() as u16).to_be_bytes());
        out.extend(&self.reference.to_be_bytes()[1..]);
        out.push(count);
        write_chunks(statuses, &mut out);
        write_deltas(statuses, &mut out);
        pad(&mut out);
        out
    }
}

/// Runs of eight or more as run-length chunks, the rest seven at a time.
fn write_chunks(mut statuses: &[Status], out: &mut Vec<u8>) {
    while let Some(first) = statuses.first() {
        let run = statuses.iter().take_while(|status| status.symbol() == first.symbol()).count();
        let taken = if run >= 8 { run.min(0x1fff) } else { statuses.len().min(7) };
        let chunk = match run >= 8 {
            true => first.symbol() << 13 | taken as u16,
            false => (0..7).fold(0xc000, |chunk, place| {
                chunk | statuses.get(place).map_or(0, |status| status.symbol()) << (12 - 2 * place)
            }),
        };
        out.extend(chunk.to_be_bytes());
        statuses = &statuses[taken..];
    }
}

fn write_deltas(statuses: &[Status], out: &mut Vec<u8>) {
    for status in statuses {
        match status {
            Status::Lost => {}
            Status::Small(delta) => out.push(*delta),
            Status::Large(delta) => out.extend(delta.to_be_bytes()),
        }
    }
}

/// Pads to whole words and writes the length.
fn pad(out: &mut Vec<u8>) {
    let padding = out.len().next_multiple_of(4) - out.len();
    if padding > 0 {
        out[0] |= 0x20;
        out.resize(out.len() + padding - 1, 0);
        out.push(padding as u8);
    }
    let words = (out.len() / 4 - 1) as u16;
    out[2..4].copy_from_slice(&words.to_be_bytes());
}

/// How often feedback is sent.
pub const INTERVAL: Duration = Duration::from_millis(100);

#[cfg(test)]
#[path = "tests/arrivals.rs"]
mod tests;
