//! One incoming stream: a simulcast layer, or the only encoding of a track.

use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::sfu::engine::relay::packet::Incoming;
use crate::sfu::forward::{
    gather::Gather,
    layers::LayerFacts,
    nack::NackTracker,
    packet::{Codec, Content, Packet},
    reception::{Figures, Reception},
    ring::PacketRing,
    rtp::Header,
    sequence::{Unwrapper, nearest},
};

/// A layer that is silent for longer is off (the browser stops layers that its uplink cannot carry).
const SILENCE: Duration = Duration::from_millis(1_500);
/// … or, while other layers of its camera go on, for this long, and for so many of its frames.
const RESTS: Duration = Duration::from_millis(500);
const RESTS_FRAMES: u32 = 4;
/// Bit rate window.
const WINDOW: Duration = Duration::from_millis(500);
/// Packets kept for retransmission: over a second of the largest layer.
const VIDEO_PACKETS: usize = 1_024;
/// Sound is not retransmitted; late subscribers of a burst still read from the ring.
const AUDIO_PACKETS: usize = 128;

/// The publisher's clock as told by its last sender report.
#[derive(Clone, Copy, Debug)]
pub struct SenderClock {
    /// NTP time in units of the media clock (wrapping).
    pub captured: u32,
    pub timestamp: u32,
    /// Middle 32 bits of the NTP time, repeated in receiver reports.
    pub ntp_middle: u32,
    pub arrived: Instant,
}

/// How often frames come.
#[derive(Debug, Default)]
struct Frames {
    /// Timestamp and arrival of the newest.
    newest: Option<(u32, Instant)>,
    /// Between two, smoothed over about four.
    interval: Duration,
}

impl Frames {
    /// A packet of some frame; those of the same one, and late ones, tell nothing.
    fn received(&mut self, timestamp: u32, arrived: Instant) {
        let Some((newest, at)) = self.newest else {
            self.newest = Some((timestamp, arrived));
            return;
        };
        if timestamp.wrapping_sub(newest) as i32 <= 0 {
            return;
        }
        let interval = arrived.saturating_duration_since(at);
        let is_first = self.interval.is_zero();
        self.interval = if is_first { interval } else { (self.interval * 3 + interval) / 4 };
        self.newest = Some((timestamp, arrived));
    }
}

/// State of one incoming stream.
pub struct LayerIn {
    pub ssrc: Option<u32>,
    is_video: bool,
    unwrapper: Unwrapper,
    pub ring: PacketRing,
    pub nack: NackTracker,
    size: Option<(u16, u16)>,
    newest: Option<Instant>,
    clock: Option<SenderClock>,
    window: (Option<Instant>, usize),
    bitrate: u32,
    frames: Frames,
    gather: Gather,
    reception: Reception,
    /// Some frames carry a temporal layer above the base.
    pub has_temporal_layers: bool,
    /// Zero of the transit times.
    since: Option<Instant>,
}

impl LayerIn {
    pub fn new(is_video: bool) -> Self {
        Self {
            ssrc: None,
            is_video,
            unwrapper: Unwrapper::default(),
            ring: PacketRing::new(if is_video { VIDEO_PACKETS } else { AUDIO_PACKETS }),
            nack: NackTracker::default(),
            size: None,
            newest: None,
            clock: None,
            window: (None, 0),
            bitrate: 0,
            frames: Frames::default(),
            gather: Gather::default(),
            reception: Reception::default(),
            has_temporal_layers: false,
            since: None,
        }
    }

    pub fn is_video(&self) -> bool {
        self.is_video
    }

    pub fn has_come(&self) -> bool {
        self.newest.is_some()
    }

    /// When its newest packet came.
    pub fn newest(&self) -> Option<Instant> {
        self.newest
    }

    /// It is off, since another layer of the same camera went on until then.
    pub fn rests_beside(&self, other: Instant) -> bool {
        let silence = (self.frames.interval * RESTS_FRAMES).max(RESTS);
        self.newest.is_some_and(|newest| other > newest + silence)
    }

    /// Notes the SSRC; true when it replaced another (the browser restarted the stream) and all was forgotten.
    pub fn start(&mut self, ssrc: u32) -> bool {
        if self.ssrc == Some(ssrc) {
            return false;
        }
        let is_restart = self.ssrc.is_some();
        *self = Self { ssrc: Some(ssrc), ..Self::new(self.is_video) };
        is_restart
    }

    /// Takes a packet of the stream itself; its number when it is new.
    pub fn receive(&mut self, header: &Header, codec: Codec, payload: Bytes, now: Instant) -> Option<u64> {
        let sequence = self.unwrapper.unwrap(header.sequence);
        if self.is_video {
            self.nack.received(sequence, now);
        }
        let since = *self.since.get_or_insert(now);
        self.reception.received(sequence, header.timestamp, self.clock_rate(), since, now);
        self.newest = Some(now);
        self.gather.received(header.timestamp, header.marker, now);
        self.count(payload.len(), now);
        self.keep(sequence, header, codec, payload, now)
    }

    /// Takes a retransmission: the payload starts with the original number (RFC 4588).
    pub fn receive_repair(
        &mut self,
        header: &Header,
        codec: Codec,
        payload: Bytes,
        now: Instant,
    ) -> Option<u64> {
        let original: &[u8; 2] = payload.first_chunk()?;
        let original = u16::from_be_bytes(*original);
        let sequence = nearest(self.unwrapper.highest()?, original);
        if !self.nack.is_missing(sequence) {
            return None;
        }
        self.nack.received(sequence, now);
        let header = Header { sequence: original, ..*header };
        self.keep(sequence, &header, codec, payload.slice(2..), now)
    }

    fn keep(
        &mut self,
        sequence: u64,
        header: &Header,
        codec: Codec,
        payload: Bytes,
        now: Instant,
    ) -> Option<u64> {
        let content = Content::read(codec, &payload);
        let packet = Packet {
            sequence,
            timestamp: header.timestamp,
            marker: header.marker,
            captured: self.captured(header.timestamp),
            arrived: now,
            payload,
            content,
        };
        self.insert(packet).then_some(sequence)
    }

    fn insert(&mut self, packet: Packet) -> bool {
        self.size = packet.content.size().or(self.size);
        self.has_temporal_layers |= packet.temporal() > 0;
        self.frames.received(packet.timestamp, packet.arrived);
        self.ring.insert(packet)
    }

    /// Takes a packet that another thread received; false when it is there already or too old.
    pub fn import(&mut self, packet: Packet, now: Instant) -> bool {
        self.newest = Some(now);
        self.count(packet.payload.len(), now);
        self.insert(packet)
    }

    /// Takes a packet that came from another node, where its number and its capture were told along; its number here when it
    /// is new.
    pub fn receive_relayed(&mut self, incoming: Incoming, now: Instant) -> Option<u64> {
        let Incoming { header, codec, captured, payload, .. } = incoming;
        let sequence = self.unwrapper.unwrap(header.sequence);
        self.nack.received(sequence, now);
        self.newest = Some(now);
        self.count(payload.len(), now);
        let content = Content::read(codec, &payload);
        let Header { timestamp, marker, .. } = header;
        let packet = Packet { sequence, timestamp, marker, captured, arrived: now, payload, content };
        self.insert(packet).then_some(sequence)
    }

    /// Counts as silent from now on.
    pub fn stop(&mut self) {
        self.newest = None;
    }

    /// A packet with this number is out of its turn: sent again, or late.
    pub fn is_late(&self, wrapped: u16) -> bool {
        self.unwrapper.highest().is_some_and(|highest| nearest(highest, wrapped) <= highest)
    }

    /// Takes the size that another thread knows; true when it is news.
    pub fn learn_size(&mut self, size: Option<(u16, u16)>) -> bool {
        let known = self.size;
        self.size = size.or(known);
        self.size != known
    }

    fn captured(&self, timestamp: u32) -> Option<u32> {
        let clock = self.clock?;
        Some(clock.captured.wrapping_add(timestamp.wrapping_sub(clock.timestamp)))
    }

    fn clock_rate(&self) -> u32 {
        if self.is_video { 90_000 } else { 48_000 }
    }

    /// The figures of a receiver report, with the last sender report and its age in 65536ths of a second.
    pub fn report(&mut self, now: Instant) -> Option<(Figures, u32, u32)> {
        let figures = self.reception.report()?;
        let (last, age) = self.clock.map_or((0, 0), |clock| {
            let age = now.saturating_duration_since(clock.arrived).as_micros() as u64;
            (clock.ntp_middle, (age * 65_536 / 1_000_000) as u32)
        });
        Some((figures, last, age))
    }

    /// Takes the clock of a sender report.
    pub fn set_clock(&mut self, clock: SenderClock) {
        self.clock = Some(clock);
    }

    fn count(&mut self, bytes: usize, now: Instant) {
        let (start, sum) = &mut self.window;
        *sum += bytes;
        let elapsed = now.saturating_duration_since(*start.get_or_insert(now));
        if elapsed >= WINDOW {
            let (rate, before) = (*sum as f64 * 8.0 / elapsed.as_secs_f64(), f64::from(self.bitrate));
            // The longer it took, the more it says: a screen that sends a page now and then is not a film.
            let weight = elapsed.as_secs_f64() / (elapsed + WINDOW).as_secs_f64();
            self.bitrate = (before + (rate - before) * weight) as u32;
            self.window = (Some(now), 0);
        }
    }

    /// The rest of a picture is expected any moment.
    pub fn is_gathering(&self, now: Instant) -> bool {
        self.is_video && self.gather.is_waiting(now)
    }

    /// What it would be if the publisher sent it: a layer that was stopped can be asked for again.
    pub fn potential(&self) -> LayerFacts {
        LayerFacts { size: self.size, alive: true, bitrate: self.bitrate, interval: self.frames.interval }
    }

    /// What layer choice wants to know. A lone encoding counts as alive as long as it is published: a still screen
    /// sends next to nothing.
    pub fn facts(&self, is_lone: bool, now: Instant) -> LayerFacts {
        let alive = self.newest.is_some_and(|newest| is_lone || now < newest + SILENCE);
        LayerFacts { size: self.size, alive, bitrate: self.bitrate, interval: self.frames.interval }
    }
}
