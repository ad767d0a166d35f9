//! Opus packets put together (RFC 6716 section 3.2): three frames of 20 ms in one packet of 60 ms, which saves two of three
//! headers. Nothing is decoded: the frames are the speaker's own bytes.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use bytes::Bytes;

use super::packet::Packet;

/// Samples of one joined packet at 48 kHz: 60 ms.
const JOINED: u32 = 2_880;
/// A frame that is missing is waited for this long: it may only have been overtaken.
const OVERTAKEN: Duration = Duration::from_millis(20);
/// A frame waits this long for its successors: 60 ms, and some for jitter.
const PATIENCE: Duration = Duration::from_millis(80);
/// Frames that wait; when more come at once, nobody waits for a missing one any longer.
const WAITING: usize = 12;
/// Up to so many bytes a frame says "silence" (discontinuous transmission).
const SILENCE: usize = 1;
/// Longest frame, and the first length that takes two bytes.
const LONGEST: usize = 1_275;
const TWO_BYTES: usize = 252;

/// The only frame of a packet (code 0), with the packet's table-of-contents byte.
fn lone_frame(packet: &[u8]) -> Option<(u8, &[u8])> {
    let (&toc, frame) = packet.split_first()?;
    (toc & 3 == 0 && (SILENCE + 1..=LONGEST).contains(&frame.len())).then_some((toc, frame))
}

/// Samples of one frame at 48 kHz, by its configuration.
fn samples(toc: u8) -> u32 {
    match toc >> 3 {
        config @ 0..=11 => [480, 960, 1_920, 2_880][usize::from(config & 3)],
        config @ 12..=15 => [480, 960][usize::from(config & 1)],
        config => [120, 240, 480, 960][usize::from(config & 3)],
    }
}

/// Writes one packet of several frames (code 3), which must share `toc`.
fn write<'a>(toc: u8, frames: impl ExactSizeIterator<Item = &'a [u8]> + Clone) -> Vec<u8> {
    let count = frames.len();
    let mut lengths = frames.clone().map(<[u8]>::len);
    let first = lengths.next().unwrap_or(0);
    let is_constant = lengths.all(|length| length == first);
    let mut packet = vec![toc | 3, count as u8 | u8::from(!is_constant) << 7];
    if !is_constant {
        frames.clone().take(count - 1).for_each(|frame| write_length(frame.len(), &mut packet));
    }
    frames.for_each(|frame| packet.extend_from_slice(frame));
    packet
}

fn write_length(length: usize, packet: &mut Vec<u8>) {
    if length < TWO_BYTES {
        packet.push(length as u8);
    } else {
        // length = first + 4 × second, where first is 252 to 255.
        let first = TWO_BYTES + (length & 3);
        packet.extend([first as u8, ((length - first) / 4) as u8]);
    }
}

/// Joins the packets of one voice. What comes out is numbered anew, without gaps.
#[derive(Debug, Default)]
pub struct Joiner {
    /// By number.
    waiting: VecDeque<Packet>,
    /// The incoming number after the last one that went out.
    next: Option<u64>,
    joined: u64,
}

impl Joiner {
    /// Takes a packet. One whose neighbors have gone out already is dropped: its place is taken.
    pub fn push(&mut self, packet: Packet) {
        if self.next.is_some_and(|next| packet.sequence < next) {
            return;
        }
        let place = self.waiting.partition_point(|waiting| waiting.sequence < packet.sequence);
        if self.waiting.get(place).is_none_or(|waiting| waiting.sequence != packet.sequence) {
            self.waiting.insert(place, packet);
        }
    }

    /// Another voice, or the same after a while: nothing that waits belongs to what comes. The numbers go on.
    pub fn restart(&mut self) {
        self.waiting.clear();
        self.next = None;
    }

    /// Packets wait for their neighbors.
    pub fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The next packet that is ready.
    pub fn poll(&mut self, now: Instant) -> Option<Packet> {
        let (run, first) = (self.run(), self.waiting.front()?);
        let oldest = self.waiting.iter().map(|packet| packet.arrived).min()?;
        let is_late = now >= oldest + PATIENCE || self.waiting.len() > WAITING;
        let misses_one_before = self.next.is_some_and(|next| next != first.sequence);
        let ready = match self.waiting.get(run) {
            _ if is_late => true,
            _ if misses_one_before && now < first.arrived + OVERTAKEN => false,
            _ if self.is_whole(run) => true,
            Some(after) if after.sequence != self.waiting[run - 1].sequence + 1 => {
                now >= after.arrived + OVERTAKEN
            }
            Some(_) => true,
            None => false,
        };
        ready.then(|| self.take(run, now))
    }

    /// How many of the front belong together: consecutive, of one kind, and no longer than a joined packet.
    fn run(&self) -> usize {
        let Some((toc, _)) = self.waiting.front().and_then(|first| lone_frame(&first.payload)) else {
            return 1;
        };
        let most = (JOINED / samples(toc)).max(1) as usize;
        let follows = |(before, after): (&Packet, &Packet)| {
            after.sequence == before.sequence + 1
                && after.timestamp == before.timestamp.wrapping_add(samples(toc))
                && lone_frame(&after.payload).is_some_and(|(other, _)| other == toc)
        };
        let pairs = self.waiting.iter().zip(self.waiting.iter().skip(1));
        1 + pairs.take(most - 1).take_while(|pair| follows(*pair)).count()
    }

    /// Nothing could be added: it is as long as it may be, or it cannot be joined.
    fn is_whole(&self, run: usize) -> bool {
        let first = self.waiting.front().and_then(|first| lone_frame(&first.payload));
        first.is_none_or(|(toc, _)| (run as u32 + 1) * samples(toc) > JOINED)
    }

    fn take(&mut self, run: usize, now: Instant) -> Packet {
        let packets: Vec<Packet> = self.waiting.drain(..run).collect();
        let [first, ..] = &packets[..] else { unreachable!("a run has a first packet") };
        self.next = packets.last().map(|last| last.sequence + 1);
        self.joined += 1;
        let payload = match packets.len() {
            1 => first.payload.clone(),
            _ => Bytes::from(write(first.payload[0], packets.iter().map(|packet| &packet.payload[1..]))),
        };
        Packet { sequence: self.joined, arrived: now, payload, ..first.clone() }
    }
}

#[cfg(test)]
#[path = "tests/opus.rs"]
pub mod tests;
