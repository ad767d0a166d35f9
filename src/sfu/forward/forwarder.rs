//! The forwarder of one slot: says of each packet "drop" or "send with these numbers". To the receiver the slot is
//! one unbroken stream, whatever publication, layer or temporal layer flows in it.
//!
//! Invariants: outgoing numbers never repeat for different packets; pictures and timestamps never go back except for
//! late packets; a video slot starts and switches at a key frame only.

use std::time::Instant;

use super::{
    pacer::Flow,
    packet::Packet,
    rewriter::{Offsets, RangeMap},
    sequence::nearest,
    vp8::{Descriptor, Numbers},
};

/// First outgoing numbers stay below this: peers assume that the roll-over counter starts at zero.
pub const FIRST_SEQUENCE_LIMIT: u16 = 1 << 15;
/// All temporal layers.
pub const EVERY_FRAME: u8 = u8::MAX;
/// Layers of one source: those that come in, and one that is made of them.
pub const LAYERS: usize = 4;

/// The numbers a packet goes out with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rewritten {
    /// Unwrapped; the upper bits are the SRTP roll-over counter.
    pub sequence: u64,
    pub timestamp: u32,
    /// For VP8 packets.
    pub numbers: Numbers,
    /// The first packet of another source or layer.
    pub is_entry: bool,
}

/// The newest packet that was handled, the anchor of the outgoing timeline.
#[derive(Clone, Copy, Debug)]
pub struct Anchor {
    pub timestamp: u32,
    pub captured: Option<u32>,
    pub arrived: Instant,
}

impl Anchor {
    fn of(packet: &Packet, rewritten: Rewritten) -> Self {
        Self { timestamp: rewritten.timestamp, captured: packet.captured, arrived: packet.arrived }
    }
}

/// State of one slot's outgoing stream.
#[derive(Debug)]
pub struct Forwarder {
    /// Units of the timestamp per second.
    clock_rate: u32,
    ranges: RangeMap,
    /// Outgoing number after the highest sent.
    next: u64,
    /// The layer that flows, and the newest incoming number of it that was handled.
    current: Option<(usize, u64)>,
    wanted: Option<usize>,
    /// Highest temporal layer that flows, and the one that may from the next suitable frame on.
    temporal: u8,
    wanted_temporal: u8,
    anchor: Option<Anchor>,
    /// Highest numbers sent in VP8 descriptors.
    numbers: Numbers,
    /// The picture (incoming number) last dropped for its temporal layer.
    dropped: Option<u16>,
    /// By layer, the highest incoming number that came while its key frame was not waited for: parts of a key frame from
    /// before it have been sent already, or never will be.
    passed: [u64; LAYERS],
}

impl Forwarder {
    /// `first` is the first outgoing sequence number.
    pub fn new(clock_rate: u32, first: u16) -> Self {
        Self {
            clock_rate,
            ranges: RangeMap::default(),
            next: u64::from(first % FIRST_SEQUENCE_LIMIT),
            current: None,
            wanted: None,
            temporal: EVERY_FRAME,
            wanted_temporal: EVERY_FRAME,
            anchor: None,
            numbers: Numbers::default(),
            dropped: None,
            passed: [0; LAYERS],
        }
    }

    /// Another publication flows in this slot from now on, or other streams of the same: their numbers have nothing to do
    /// with those so far.
    pub fn restart(&mut self) {
        self.stop();
        self.passed = [0; LAYERS];
        // The clock of another publisher says nothing of this one's.
        if let Some(anchor) = &mut self.anchor {
            anchor.captured = None;
        }
    }

    /// What flows is broken off. The same streams go on at the next key frame that begins after all that came.
    pub fn stop(&mut self) {
        self.ranges.clear();
        self.current = None;
        self.dropped = None;
    }

    /// The layer to send; takes effect at its next key frame. `None` stops at once.
    pub fn want(&mut self, layer: Option<usize>) {
        self.wanted = layer;
        if layer.is_none() {
            self.stop();
        }
    }

    /// Highest temporal layer to send.
    pub fn want_temporal(&mut self, temporal: u8) {
        self.wanted_temporal = temporal;
    }

    /// The highest temporal layer that flows.
    pub fn temporal(&self) -> u8 {
        self.temporal
    }

    /// The layer that flows.
    pub fn current(&self) -> Option<usize> {
        self.current.map(|(layer, _)| layer)
    }

    /// The layer whose key frame is waited for.
    pub fn awaited(&self) -> Option<usize> {
        self.wanted.filter(|&wanted| self.current() != Some(wanted))
    }

    /// Where the numbers of the newest packets come from; for fetching it only.
    pub fn newest_range(&self) -> Option<&impl Sized> {
        self.ranges.newest()
    }

    /// What a pacer wants to know.
    pub fn flow(&self) -> Flow {
        let awaited = self.awaited().map(|layer| (layer, self.passed[layer]));
        Flow { current: self.current, awaited }
    }

    /// A key frame of this layer would flow.
    pub fn takes(&self, layer: usize) -> bool {
        self.current() == Some(layer) || self.awaited() == Some(layer)
    }

    /// Leaves a packet out on purpose: later ones close up. Of whole frames only that no other is drawn upon.
    pub fn leave_out(&mut self, layer: usize, packet: &Packet) {
        match self.current {
            Some((current, newest)) if current == layer && packet.sequence > newest => {
                self.current = Some((layer, packet.sequence));
                self.pass(layer, packet);
                self.skip(layer, packet);
            }
            _ => {}
        }
    }

    fn pass(&mut self, layer: usize, packet: &Packet) {
        self.passed[layer] = self.passed[layer].max(packet.sequence);
    }

    /// The newest packet handled.
    pub fn anchor(&self) -> Option<Anchor> {
        self.anchor
    }

    /// Decides about one packet of `layer`.
    pub fn forward(&mut self, layer: usize, packet: &Packet) -> Option<Rewritten> {
        // A key frame whose first packet comes late, when others of it have passed, would never be whole.
        if self.awaited() == Some(layer) && is_entry(packet) && packet.sequence > self.passed[layer] {
            self.switch(layer, packet);
        }
        if self.awaited() != Some(layer) {
            self.pass(layer, packet);
        }
        match self.current {
            Some((current, newest)) if current == layer && packet.sequence > newest => {
                self.current = Some((layer, packet.sequence));
                self.forward_newest(layer, packet)
            }
            _ => self.forward_late(layer, packet),
        }
    }

    fn switch(&mut self, layer: usize, packet: &Packet) {
        let offsets = Offsets {
            sequence: self.next as i64 - packet.sequence as i64,
            timestamp: self.next_timestamp(packet).wrapping_sub(packet.timestamp),
            ..packet.vp8().map_or(Offsets::default(), |vp8| self.picture_offsets(vp8))
        };
        let newest = self.current.map(|(_, newest)| newest);
        self.ranges.switch(newest, layer, packet.sequence, offsets);
        self.current = Some((layer, packet.sequence - 1));
        self.temporal = self.wanted_temporal;
    }

    /// The offsets that put this picture right after the last one sent.
    fn picture_offsets(&self, vp8: &Descriptor) -> Offsets {
        let sent = self.numbers;
        Offsets {
            picture: sent.picture.wrapping_add(1).wrapping_sub(vp8.picture.unwrap_or(0)),
            tl0: sent.tl0.wrapping_add(1).wrapping_sub(vp8.tl0.unwrap_or(0)),
            key_index: sent.key_index.wrapping_add(1).wrapping_sub(vp8.key_index.unwrap_or(0)),
            ..Offsets::default()
        }
    }

    /// The outgoing time of the first packet after a switch: by the publisher's own clock where both sides of the
    /// switch have it, else by arrival.
    fn next_timestamp(&self, packet: &Packet) -> u32 {
        let Some(anchor) = self.anchor else { return packet.timestamp };
        let elapsed = packet.arrived.saturating_duration_since(anchor.arrived);
        let by_arrival = (elapsed.as_millis() as u64 * u64::from(self.clock_rate) / 1000).max(1) as u32;
        let by_capture = anchor
            .captured
            .zip(packet.captured)
            .map(|(before, after)| after.wrapping_sub(before) as i32)
            .filter(|step| (i64::from(*step) - i64::from(by_arrival)).abs() < i64::from(self.clock_rate));
        anchor.timestamp.wrapping_add(by_capture.map_or(by_arrival, |step| step.max(1) as u32))
    }

    fn forward_newest(&mut self, layer: usize, packet: &Packet) -> Option<Rewritten> {
        self.follow_temporal(packet);
        if self.is_unwanted(packet) {
            self.skip(layer, packet);
            return None;
        }
        let rewritten = self.rewrite(layer, packet)?;
        self.next = rewritten.sequence + 1;
        self.numbers = rewritten.numbers;
        self.anchor = Some(Anchor::of(packet, rewritten));
        Some(rewritten)
    }

    /// Drops the newest packet; numbers that missing packets before it may still need stay reserved.
    fn skip(&mut self, layer: usize, packet: &Packet) {
        let picture = self.drops_new_picture(packet);
        if let Some(unused) = self.rewrite(layer, packet) {
            self.next = self.next.max(unused.sequence);
            self.anchor = Some(Anchor::of(packet, unused));
            if picture.is_some() {
                let before = unused.numbers.picture.wrapping_sub(1) & 0x7fff;
                self.numbers = Numbers { picture: before, ..unused.numbers };
            }
        }
        self.ranges.skip(packet.sequence, picture);
    }

    fn forward_late(&self, layer: usize, packet: &Packet) -> Option<Rewritten> {
        if self.leaves_out(packet) {
            return None;
        }
        self.rewrite(layer, packet)
    }

    /// True for a packet that the receiver does not get, nor needs. One that came late left a gap in the numbers: who
    /// asks for it gets padding instead. That of a picture of which others were left out is no use, whatever flows by now, and
    /// its picture's number is another's.
    pub fn leaves_out(&self, packet: &Packet) -> bool {
        let picture = packet.vp8().and_then(|vp8| vp8.picture);
        self.is_unwanted(packet)
            || picture.is_some_and(|picture| self.ranges.leaves_out(picture, packet.sequence))
    }

    fn is_unwanted(&self, packet: &Packet) -> bool {
        packet.payload.is_empty() || packet.temporal() > self.temporal
    }

    /// Going down takes effect at any frame; going up at a frame that depends on the base layer only.
    fn follow_temporal(&mut self, packet: &Packet) {
        let Some(vp8) = packet.vp8().filter(|vp8| vp8.starts_frame) else { return };
        let is_entry = vp8.temporal.is_none_or(|(temporal, synced)| temporal == 0 || synced);
        if self.wanted_temporal < self.temporal || is_entry {
            self.temporal = self.wanted_temporal;
        }
    }

    /// The number of a picture whose first packet this is that is dropped.
    fn drops_new_picture(&mut self, packet: &Packet) -> Option<u16> {
        let picture = packet.vp8().and_then(|vp8| vp8.picture)?;
        if packet.payload.is_empty() || self.dropped == Some(picture) {
            return None;
        }
        self.dropped = Some(picture);
        Some(picture)
    }

    /// The numbers of a packet that is sent; also of one that is sent again.
    pub fn rewrite(&self, layer: usize, packet: &Packet) -> Option<Rewritten> {
        let (offsets, is_entry) = self.ranges.find(layer, packet.sequence)?;
        let numbers = packet.vp8().map_or(Numbers::default(), |vp8| Numbers {
            picture: vp8.picture.unwrap_or(0).wrapping_add(offsets.picture) & 0x7fff,
            tl0: vp8.tl0.unwrap_or(0).wrapping_add(offsets.tl0),
            key_index: vp8.key_index.unwrap_or(0).wrapping_add(offsets.key_index) & 0x1f,
        });
        Some(Rewritten {
            sequence: packet.sequence.checked_add_signed(offsets.sequence)?,
            timestamp: packet.timestamp.wrapping_add(offsets.timestamp),
            numbers,
            is_entry,
        })
    }

    /// The full outgoing number that a receiver's 16 bits mean.
    pub fn full_sequence(&self, wrapped: u16) -> u64 {
        nearest(self.next, wrapped)
    }

    /// Where an outgoing packet came from: (layer, incoming number).
    pub fn origin(&self, sequence: u64) -> Option<(usize, u64)> {
        self.ranges.origin(sequence).filter(|_| sequence < self.next)
    }
}

/// A packet a stream can start with: any of audio, the first of a key frame of video.
fn is_entry(packet: &Packet) -> bool {
    !packet.payload.is_empty() && (packet.is_sound() || packet.starts_key_frame())
}

#[cfg(test)]
#[path = "tests/forwarder.rs"]
mod tests;
