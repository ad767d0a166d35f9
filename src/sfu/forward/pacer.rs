//! When pictures leave. On a link that bears them each packet leaves at once; a burst that is larger than the link takes
//! now waits here, as a reference into the rings that all subscribers share. Voices and RTCP never come here.
//!
//! The numbers of a packet are given when it leaves. What had to be dropped is always a whole frame: one that no other
//! is drawn upon is left out without a hole; after any other the slot stops until a key frame, which is asked for when
//! what waited has left.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::packet::Packet;

/// What may leave at once, as time of the link: a frame of a camera that the link bears.
const BURST: Duration = Duration::from_millis(40);
/// What may be sent again beyond that.
const REPAIR_BYTES: i64 = 1_200;
/// Frames wait no longer, but for those that others are drawn upon: dropping one costs a key frame, so they may wait for as
/// long as that would take.
pub const LONGEST: Duration = Duration::from_millis(250);
/// Packets that are asked for again while the link takes nothing; beyond, they are to be asked for once more.
const OWED: usize = 64;
/// Packets of one slot that wait when a frame begins; beyond, it is dropped as if it had waited too long; at twice as many
/// the frame that comes in is cut, too. More than a large key frame of a screen, no more than the rings keep.
const WAITING: usize = 512;

/// What flows in a slot now.
#[derive(Clone, Copy, Debug, Default)]
pub struct Flow {
    /// The layer, and its newest packet that was handled.
    pub current: Option<(usize, u64)>,
    /// The layer whose key frame is waited for, and the number after which it begins.
    pub awaited: Option<(usize, u64)>,
}

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It leaves now, if the slot wants it at all.
    Leaves,
    /// It waits, or it is dropped and the slot stops.
    Stays,
    /// It is left out for good; later ones close up.
    LeftOut,
}

/// One packet that waits, or the place of one that is left out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waiting {
    pub lane: usize,
    pub layer: usize,
    /// Its number in the ring.
    pub sequence: u64,
    /// The slot starts anew with it: what was between is gone.
    pub restarts: bool,
    /// A key frame begins with it.
    pub is_entry: bool,
    /// Its number is closed up; nothing leaves.
    pub left_out: bool,
    timestamp: u32,
    bytes: usize,
}

/// What a frame that begins gets.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Verdict {
    #[default]
    Keep,
    LeaveOut,
    Drop,
}

/// The queue of one slot.
#[derive(Debug, Default)]
struct Lane {
    queue: VecDeque<Waiting>,
    bytes: usize,
    /// The layer at the end of the queue.
    tail: Option<usize>,
    /// The frame that comes in, and what it gets.
    frame: Option<(u32, Verdict)>,
    /// When its newest frame began to come.
    begun: Option<Instant>,
    /// The frame that goes out, so that it is not cut in the middle.
    leaving: Option<u32>,
    /// The newest key frame: its timestamp, its layer and first number, its bytes that came.
    key_timestamp: Option<u32>,
    key_start: Option<(usize, u64)>,
    key_frame: usize,
    /// When its newest packet left.
    key_left: Option<Instant>,
    /// Frames above this temporal layer are drawn upon one that was left out.
    cut: Option<u8>,
    /// Frames that others are drawn upon were dropped.
    broken: bool,
}

/// The queues of one subscriber, one per slot; lower slots leave first.
#[derive(Debug, Default)]
pub struct Pacer {
    lanes: Vec<Lane>,
    /// Bits per second at which what waits leaves; `None` is at once.
    rate: Option<u64>,
    /// Bytes that may leave now.
    tokens: i64,
    filled: Option<Instant>,
    /// Too much is on its way untold of: nothing leaves.
    is_held: bool,
    waiting: usize,
    /// What is to be sent again: slot and outgoing number. It leaves first, since what follows is drawn upon it.
    owed: VecDeque<(usize, u64)>,
}

impl Pacer {
    pub fn new(lanes: usize) -> Self {
        Self { lanes: (0..lanes).map(|_| Lane::default()).collect(), ..Self::default() }
    }

    /// The state of one slot; for fetching it only.
    pub fn lane(&self, lane: usize) -> Option<&impl Sized> {
        self.lanes.get(lane)
    }

    /// How fast what waits leaves, in bits per second; `None` where nothing is known of the link.
    pub fn set_link(&mut self, bitrate: Option<u32>, is_held: bool, now: Instant) {
        let is_first = self.rate.is_none();
        self.rate = bitrate.map(u64::from);
        self.filled = self.filled.filter(|_| !is_first);
        self.fill(now);
        self.is_held = is_held;
    }

    fn fill(&mut self, now: Instant) {
        if self.filled == Some(now) {
            return;
        }
        let since = self.filled.replace(now).map_or(BURST, |filled| now.saturating_duration_since(filled));
        let Some(rate) = self.rate else { return };
        let bytes = |span: Duration| (rate * span.as_micros() as u64 / 8_000_000) as i64;
        // On a narrow link that is less than a packet: they leave one by one.
        let most = bytes(BURST).max(1);
        self.tokens = (self.tokens + bytes(since.min(Duration::from_secs(1)))).min(most);
    }

    /// Something left: pictures, but also what was sent again or fills.
    pub fn sent(&mut self, bytes: usize) {
        // The debt is bounded too: what leaves besides pictures has a budget of its own.
        self.tokens = (self.tokens - bytes as i64).max(-100_000);
    }

    pub fn is_waiting(&self) -> bool {
        self.waiting > 0 || !self.owed.is_empty()
    }

    fn may_leave(&self) -> bool {
        !self.is_held && self.rate.is_none_or(|_| self.tokens > 0)
    }

    /// Something may be sent again: before pictures that wait, but not beyond what the link takes.
    pub fn may_repair(&mut self, now: Instant) -> bool {
        self.fill(now);
        !self.is_held && self.rate.is_none_or(|_| self.tokens > -REPAIR_BYTES)
    }

    /// Nothing is drawn upon this any more: a newer key frame of its layer is on its way.
    pub fn is_outdated(&self, lane: usize, layer: usize, sequence: u64) -> bool {
        let start = self.lanes.get(lane).and_then(|lane| lane.key_start);
        start.is_some_and(|(of, first)| of == layer && sequence < first)
    }

    /// Something is to be sent again as soon as the link takes it.
    pub fn owe(&mut self, lane: usize, sequence: u64) {
        if self.owed.len() < OWED && !self.owed.contains(&(lane, sequence)) {
            self.owed.push_back((lane, sequence));
        }
    }

    /// The next that may be sent again now: slot and outgoing number.
    pub fn poll_owed(&mut self, now: Instant) -> Option<(usize, u64)> {
        self.fill(now);
        if self.may_leave() { self.owed.pop_front() } else { None }
    }

    /// A fresh packet of a picture comes.
    pub fn offer(&mut self, lane: usize, layer: usize, packet: &Packet, flow: Flow, now: Instant) -> Fate {
        self.fill(now);
        let (limit, leaves) = (self.limit(lane), !self.is_waiting() && self.may_leave());
        let room = Room { limit, leaves, now };
        let Some(state) = self.lanes.get_mut(lane) else { return Fate::Leaves };
        let (before, key_frame) = (state.queue.len(), state.key_timestamp);
        let fate = state.take(lane, layer, packet, flow, room);
        if fate == Fate::Leaves && state.key_timestamp == Some(packet.timestamp) {
            state.key_left = Some(now);
        }
        if state.key_timestamp != key_frame {
            // What is before it is not drawn upon any more.
            self.owed.retain(|(owed, _)| *owed != lane);
        }
        self.waiting = self.waiting + state.queue.len() - before;
        fate
    }

    /// Bytes that may wait in this lane.
    fn limit(&self, lane: usize) -> usize {
        let rate = self.rate.unwrap_or(u64::from(u32::MAX));
        let bytes = (rate * LONGEST.as_millis() as u64 / 8_000) as usize;
        let before: usize = self.lanes[..lane].iter().map(|lane| lane.bytes).sum();
        bytes.saturating_sub(before)
    }

    /// The next packet that leaves now.
    pub fn poll(&mut self, now: Instant) -> Option<Waiting> {
        self.fill(now);
        let may_leave = self.may_leave();
        let lane = self.lanes.iter_mut().find(|lane| !lane.queue.is_empty())?;
        let next = lane.queue.front().filter(|next| may_leave || next.left_out)?;
        let next = *next;
        lane.queue.pop_front();
        lane.bytes -= next.bytes;
        if !next.left_out {
            lane.leaving = Some(next.timestamp);
        }
        if lane.key_timestamp == Some(next.timestamp) {
            lane.key_left = Some(now);
        }
        self.waiting -= 1;
        Some(next)
    }

    /// A key frame of this layer waits in the slot: another would only be later.
    pub fn has_key_frame(&self, lane: usize, layer: usize) -> bool {
        self.lanes.get(lane).is_some_and(|lane| {
            lane.key_start.is_some_and(|(of, _)| of == layer)
                && lane.queue.iter().any(|waiting| Some(waiting.timestamp) == lane.key_timestamp)
        })
    }

    /// When the newest key frame of this layer began to leave, or went on to.
    pub fn key_frame_left(&self, lane: usize, layer: usize) -> Option<Instant> {
        let lane = self.lanes.get(lane)?;
        lane.key_left.filter(|_| lane.key_start.is_some_and(|(of, _)| of == layer))
    }

    /// True once when a slot has nothing left to send and needs a key frame to go on.
    pub fn take_broken(&mut self, lane: usize) -> bool {
        match self.lanes.get_mut(lane) {
            Some(state) if state.broken && state.queue.is_empty() => {
                *state = Lane::default();
                self.owed.retain(|(owed, _)| *owed != lane);
                true
            }
            _ => false,
        }
    }

    /// Another source flows in the slot.
    pub fn clear(&mut self, lane: usize) {
        if let Some(state) = self.lanes.get_mut(lane) {
            self.waiting -= state.queue.len();
            *state = Lane::default();
            self.owed.retain(|(owed, _)| *owed != lane);
        }
    }
}

/// How long a frame that may be left out waits, where frames come so far apart: at most for half of the time that nothing new would be
/// shown without it. Without the middle layer that is until the base again, two frames later.
fn patience(temporal: u8, interval: Duration) -> Duration {
    let missed = if temporal == 1 { interval * 2 } else { interval };
    (missed / 2).clamp(LONGEST, LONGEST * 2)
}

/// Bytes of a longer wait, by those of [`LONGEST`].
fn more(limit: usize, wait: Duration) -> usize {
    limit * wait.as_millis() as usize / LONGEST.as_millis() as usize
}

/// What there is room for.
#[derive(Clone, Copy, Debug)]
struct Room {
    /// Bytes that may wait in the lane.
    limit: usize,
    /// Nothing waits, and the link takes more.
    leaves: bool,
    now: Instant,
}

impl Lane {
    fn take(&mut self, lane: usize, layer: usize, packet: &Packet, flow: Flow, room: Room) -> Fate {
        if self.queue.is_empty() {
            self.tail = flow.current.map(|(layer, _)| layer);
        }
        let newest = flow.current.filter(|(current, _)| *current == layer).map(|(_, newest)| newest);
        if newest.is_some_and(|newest| packet.sequence <= newest) {
            return Fate::Leaves;
        }
        let is_awaited = flow.awaited.is_some_and(|(it, after)| it == layer && packet.sequence > after);
        let is_entry = packet.starts_key_frame() && (is_awaited || self.tail == Some(layer));
        if self.tail != Some(layer) && !is_entry {
            // Newer than what waits of a layer that ends; anything else is late or not wanted at all.
            return if newest.is_some() { Fate::Stays } else { Fate::Leaves };
        }
        let restarts = is_entry && self.enter(layer, packet);
        if !is_entry && self.begins_frame(packet) {
            self.frame = Some((packet.timestamp, self.judge(packet.temporal(), room)));
        }
        let waiting = Waiting {
            lane,
            layer,
            sequence: packet.sequence,
            restarts,
            is_entry,
            left_out: false,
            timestamp: packet.timestamp,
            bytes: packet.payload.len(),
        };
        self.place(waiting, room.leaves)
    }

    fn begins_frame(&self, packet: &Packet) -> bool {
        let is_later = |timestamp: u32| (packet.timestamp.wrapping_sub(timestamp) as i32) > 0;
        self.frame.is_none_or(|(timestamp, _)| is_later(timestamp))
    }

    /// A key frame begins: what waits and has not begun to leave is out of date. True when something was dropped.
    fn enter(&mut self, layer: usize, packet: &Packet) -> bool {
        let (before, leaving) = (self.queue.len(), self.leaving);
        self.queue.retain(|waiting| Some(waiting.timestamp) == leaving);
        self.bytes = self.queue.iter().map(|waiting| waiting.bytes).sum();
        let restarts = (self.broken || self.queue.len() < before) && self.tail == Some(layer);
        self.tail = Some(layer);
        self.frame = Some((packet.timestamp, Verdict::Keep));
        (self.key_timestamp, self.key_start) = (Some(packet.timestamp), Some((layer, packet.sequence)));
        (self.key_frame, self.key_left) = (0, None);
        (self.cut, self.broken) = (None, false);
        restarts
    }

    /// A frame begins that is no key frame.
    fn judge(&mut self, temporal: u8, Room { limit, now, .. }: Room) -> Verdict {
        let interval =
            self.begun.replace(now).map_or(Duration::ZERO, |begun| now.saturating_duration_since(begun));
        if self.broken {
            return Verdict::Drop;
        }
        if temporal == 0 {
            self.cut = None;
            self.broken = self.drawn_upon() > limit + self.key_frame || self.queue.len() >= WAITING;
            return if self.broken { Verdict::Drop } else { Verdict::Keep };
        }
        if self.cut.is_some_and(|cut| temporal > cut) {
            return Verdict::LeaveOut;
        }
        if self.bytes > more(limit, patience(temporal, interval)) || self.queue.len() >= WAITING {
            self.cut = Some(temporal);
            return Verdict::LeaveOut;
        }
        Verdict::Keep
    }

    /// Bytes that wait from the newest key frame on. The rest of one before it leaves in any case.
    fn drawn_upon(&self) -> usize {
        let is_before = |waiting: &&Waiting| {
            self.key_start.is_some_and(|(layer, first)| waiting.layer == layer && waiting.sequence < first)
        };
        let before: usize = self.queue.iter().take_while(is_before).map(|waiting| waiting.bytes).sum();
        self.bytes - before
    }

    fn place(&mut self, waiting: Waiting, leaves: bool) -> Fate {
        let is_middle = self.queue.back().is_some_and(|last| waiting.sequence < last.sequence);
        let verdict = self.frame.filter(|(timestamp, _)| *timestamp == waiting.timestamp);
        let verdict = verdict.map_or(Verdict::Keep, |(_, verdict)| verdict);
        if waiting.timestamp == self.key_timestamp.unwrap_or(!waiting.timestamp) {
            self.key_frame += waiting.bytes;
        }
        match verdict {
            Verdict::Keep if leaves && !waiting.restarts => {
                self.leaving = Some(waiting.timestamp);
                return Fate::Leaves;
            }
            Verdict::LeaveOut if self.queue.is_empty() => return Fate::LeftOut,
            _ if self.queue.len() >= 2 * WAITING => self.broken = true,
            Verdict::LeaveOut => self.insert(Waiting { bytes: 0, left_out: true, ..waiting }),
            Verdict::Keep if !self.broken || is_middle => self.insert(waiting),
            Verdict::Keep | Verdict::Drop => {}
        }
        Fate::Stays
    }

    /// In the order of numbers: one that was asked for again may come late.
    fn insert(&mut self, waiting: Waiting) {
        self.bytes += waiting.bytes;
        let is_later = |it: &&Waiting| it.layer == waiting.layer && it.sequence > waiting.sequence;
        let place = self.queue.len() - self.queue.iter().rev().take_while(is_later).count();
        self.queue.insert(place, waiting);
    }
}

#[cfg(test)]
#[path = "tests/pacer.rs"]
mod tests;
