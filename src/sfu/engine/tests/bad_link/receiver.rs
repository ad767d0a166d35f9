//! A student whose jitter buffers are simulated: hears a voice frame that came in any form, decodes a picture when all its
//! parts and the one below are there, asks for what is missing, and tells what arrived when.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    time::{Duration, Instant},
};

use bytes::Bytes;
use qism_signaling::protocol::Slot;
use rtc::rtcp::{
    packet::{Packet, marshal, unmarshal},
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};

use super::publisher::NOTHING;
use crate::sfu::{
    engine::leg::srtp::Srtp,
    forward::{
        arrivals::Arrivals,
        extensions::{Kind, Map},
        meter::Meter,
        nack::NackTracker,
        opus::tests::frames,
        reception::Reception,
        rtp::Header,
        sequence::Unwrapper,
    },
    sdp::offer,
};

/// libwebrtc's rule: 68 bytes of feedback are a twentieth of what comes in.
const FEEDBACK_BITS: f64 = 68.0 * 8.0 * 20.0;
const FEEDBACK: std::ops::RangeInclusive<f64> = 0.05..=0.25;
const REPORT: Duration = Duration::from_secs(1);
/// Chromium's of a voice.
pub const SELDOM: Duration = Duration::from_secs(5);
/// Chromium asks for a key frame so long after the last decoded picture, and more often before the first one; not while packets of
/// one come.
const WAIT: Duration = Duration::from_secs(3);
const WAIT_FIRST: Duration = Duration::from_millis(200);

/// A picture that is not decoded.
#[derive(Default)]
struct Waiting {
    below: u32,
    parts: u16,
    timestamp: u32,
    came: HashSet<u16>,
    size: Option<(u16, u16)>,
}

/// A packet of a voice.
#[derive(Clone, Copy, Debug)]
pub struct Said {
    pub at: Instant,
    pub sequence: u64,
    pub timestamp: u32,
    pub has_extensions: bool,
}

/// A decoded picture.
#[derive(Clone, Copy, Debug)]
pub struct Shown {
    pub at: Instant,
    pub slot: Slot,
    pub width: u16,
    pub id: u32,
    timestamp: u32,
    /// When it was taken, by the sender report at hand once what came with it was read: seconds.
    pub clock: Option<f64>,
}

#[derive(Default)]
struct Stream {
    unwrapper: Unwrapper,
    nack: NackTracker,
    reception: Reception,
    waiting: BTreeMap<u32, Waiting>,
    width: u16,
    newest: Option<Instant>,
    newest_key: Option<Instant>,
    shown: Option<Instant>,
    asked: Option<Instant>,
    /// Numbers seen, so that one that means two different packets is found out.
    first_timestamps: HashMap<u64, u32>,
    newest_numbers: Option<(u64, u32, u16)>,
}

pub struct Receiver {
    srtp: Srtp,
    map: Map,
    start: Instant,
    arrivals: Arrivals,
    streams: BTreeMap<u8, Stream>,
    decoded: HashSet<u32>,
    fed_back: Instant,
    /// Of pictures, of voices: how often, and when last.
    pub reports: [Duration; 2],
    reported: [Instant; 2],
    flow: Meter,
    /// The newest sender report of each stream.
    clocks: HashMap<u32, SenderReport>,
    /// Voice frames by number: when each was there first.
    pub heard: BTreeMap<u32, Instant>,
    /// Packets of voices as they came.
    pub said: Vec<Said>,
    /// Voice frames that came for themselves: when, which, and when it was said by the sender report at hand, in seconds.
    pub spoken: Vec<(Instant, u32, f64)>,
    pub shown: Vec<Shown>,
    /// Those of them whose clock was read.
    read: usize,
    /// When how many bytes of pictures came.
    pub pictures: Vec<(Instant, usize)>,
    /// Bytes of packets without media.
    pub padding: usize,
}

impl Receiver {
    pub fn new(srtp: Srtp, start: Instant) -> Self {
        let mut map = Map::default();
        map.insert(offer::TRANSPORT_EXTENSION, Kind::TransportSequence);
        Self {
            srtp,
            map,
            start,
            arrivals: Arrivals::new(start),
            streams: BTreeMap::new(),
            decoded: HashSet::new(),
            fed_back: start,
            reports: [REPORT; 2],
            reported: [start; 2],
            flow: Meter::default(),
            clocks: HashMap::new(),
            heard: BTreeMap::new(),
            said: Vec::new(),
            spoken: Vec::new(),
            shown: Vec::new(),
            read: 0,
            pictures: Vec::new(),
            padding: 0,
        }
    }

    pub fn receive(&mut self, datagram: &[u8], now: Instant) {
        if (192..224).contains(&datagram[1]) {
            return self.hear_clocks(datagram);
        }
        let Some(packet) = self.srtp.open_rtp(datagram) else { return };
        self.flow.count(packet.len(), now);
        let header = Header::parse(&packet, &self.map).expect("well formed");
        if let Some(number) = header.extensions.transport_sequence {
            self.arrivals.received(number, header.ssrc, now);
        }
        let payload = &packet[header.payload_start..header.payload_end];
        if payload.is_empty() {
            self.padding += packet.len();
        }
        let slot = header.ssrc % 1_000;
        match header.payload_type {
            offer::OPUS => self.hear(slot, &header, payload, now),
            offer::RED => self.hear_redundant(slot, &header, payload, now),
            offer::VP8 => self.look(slot, &header, header.sequence, payload, now),
            offer::VP8_RTX if payload.len() >= 2 => {
                let original = u16::from_be_bytes([payload[0], payload[1]]);
                self.look(slot, &header, original, &payload[2..], now);
            }
            _ => {}
        }
    }

    fn hear_clocks(&mut self, datagram: &[u8]) {
        let mut plain = Vec::new();
        if self.srtp.open_rtcp(datagram, &mut plain).is_none() {
            return;
        }
        for packet in unmarshal(&mut &plain[..]).expect("well formed") {
            if let Some(report) = packet.as_any().downcast_ref::<SenderReport>() {
                self.clocks.insert(report.ssrc, report.clone());
            }
        }
    }

    /// What a stream's clock showed at a timestamp, by its newest sender report: seconds.
    fn clock(&self, slot: Slot, timestamp: u32, clock_rate: f64) -> Option<f64> {
        let report = self.clocks.get(&offer::ssrc(slot))?;
        let since = f64::from(timestamp.wrapping_sub(report.rtp_time) as i32) / clock_rate;
        Some(report.ntp_time as f64 / f64::from(2u32.pow(31)) / 2.0 + since)
    }

    fn read_clocks(&mut self) {
        for place in self.read..self.shown.len() {
            let Shown { slot, timestamp, .. } = self.shown[place];
            self.shown[place].clock = self.clock(slot, timestamp, 90_000.0);
        }
        self.read = self.shown.len();
    }

    fn note_voice(&mut self, slot: u32, header: &Header, now: Instant) {
        let has_extensions = header.payload_start > 12;
        let stream = self.streams.entry(slot as u8).or_default();
        let sequence = stream.unwrapper.unwrap(header.sequence);
        stream.reception.received(sequence, header.timestamp, 48_000, self.start, now);
        self.said.push(Said { at: now, sequence, timestamp: header.timestamp, has_extensions });
    }

    fn hear(&mut self, slot: u32, header: &Header, payload: &[u8], now: Instant) {
        self.note_voice(slot, header, now);
        let clock = self.clock(Slot(slot as u8), header.timestamp, 48_000.0);
        let number = self.hear_packet(payload, now);
        self.spoken.extend(clock.map(|clock| (now, number, clock)));
    }

    fn hear_redundant(&mut self, slot: u32, header: &Header, payload: &[u8], now: Instant) {
        self.note_voice(slot, header, now);
        for packet in blocks(payload) {
            self.hear_packet(packet, now);
        }
    }

    /// The number of the first frame of an Opus packet.
    fn hear_packet(&mut self, packet: &[u8], now: Instant) -> u32 {
        let mut first = None;
        for frame in frames(packet) {
            let number = u32::from_be_bytes(frame[1..5].try_into().expect("four bytes"));
            self.heard.entry(number).or_insert(now);
            first.get_or_insert(number);
        }
        first.expect("a packet has a frame")
    }

    fn look(&mut self, slot: u32, header: &Header, wrapped: u16, payload: &[u8], now: Instant) {
        self.pictures.push((now, payload.len()));
        let stream = self.streams.entry(slot as u8).or_default();
        let sequence = stream.unwrapper.unwrap(wrapped);
        stream.nack.received(sequence, now);
        if header.payload_type == offer::VP8 {
            stream.reception.received(sequence, header.timestamp, 90_000, self.start, now);
        }
        stream.newest = Some(now);
        if payload.is_empty() {
            return;
        }
        stream.check_numbers(sequence, header.timestamp, payload);
        let (is_key, frame) = (payload[6] & 1 == 0, &payload[12..]);
        let word = |at: usize| u32::from_be_bytes(frame[at..at + 4].try_into().expect("four bytes"));
        let (id, below, parts) = (word(4), word(8), u16::from_be_bytes([frame[12], frame[13]]));
        if is_key {
            stream.newest_key = Some(now);
        }
        if self.decoded.contains(&id) {
            return;
        }
        let waiting = stream.waiting.entry(id).or_default();
        (waiting.below, waiting.parts, waiting.timestamp) = (below, parts, header.timestamp);
        waiting.size = is_key.then(|| (u16::from_le_bytes([frame[0], frame[1]]), 0));
        waiting.came.insert(sequence as u16);
        self.decode(slot as u8, now);
    }

    /// Pictures in order; one that was overtaken is never shown.
    fn decode(&mut self, slot: u8, now: Instant) {
        let stream = self.streams.get_mut(&slot).expect("it was looked at");
        let mut done = None;
        for (&id, waiting) in &stream.waiting {
            let is_whole = waiting.came.len() == usize::from(waiting.parts);
            if is_whole && (waiting.below == NOTHING || self.decoded.contains(&waiting.below)) {
                self.decoded.insert(id);
                stream.width = waiting.size.map_or(stream.width, |(width, _)| width);
                stream.shown = Some(now);
                let (width, timestamp) = (stream.width, waiting.timestamp);
                self.shown.push(Shown { at: now, slot: Slot(slot), width, id, timestamp, clock: None });
                done = Some(id);
            }
        }
        if let Some(done) = done {
            stream.waiting = stream.waiting.split_off(&(done + 1));
        }
    }

    /// RTCP that is due.
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.read_clocks();
        let mut out: Vec<Vec<u8>> = Vec::new();
        let mut packets: Vec<Box<dyn Packet>> = Vec::new();
        let interval = FEEDBACK_BITS / f64::from(self.flow.bitrate(now).max(1));
        let interval = interval.clamp(*FEEDBACK.start(), *FEEDBACK.end());
        if now >= self.fed_back + Duration::from_secs_f64(interval) {
            self.fed_back = now;
            while let Some(feedback) = self.arrivals.poll_feedback(7) {
                out.extend(self.srtp.seal_rtcp(&feedback).map(|sealed| sealed.to_vec()));
            }
        }
        for (slot, stream) in self.streams.iter_mut().filter(|(slot, _)| !offer::is_audio(Slot(**slot))) {
            let media_ssrc = offer::ssrc(Slot(*slot));
            let missing = stream.nack.poll_asks(now);
            if !missing.is_empty() {
                let nacks = nack_pairs_from_sequence_numbers(&missing);
                packets.push(Box::new(TransportLayerNack { sender_ssrc: 7, media_ssrc, nacks }));
            }
            if stream.lacks_key_frame(now) {
                packets.push(Box::new(PictureLossIndication { sender_ssrc: 7, media_ssrc }));
            }
        }
        for (kind, interval) in self.reports.into_iter().enumerate() {
            if now >= self.reported[kind] + interval {
                self.reported[kind] = now;
                packets.push(Box::new(self.report(kind == 1)));
            }
        }
        if !packets.is_empty() {
            let compound = marshal(&packets).expect("well formed");
            let _ = unmarshal(&mut Bytes::copy_from_slice(&compound)).expect("well formed");
            out.extend(self.srtp.seal_rtcp(&compound).map(|sealed| sealed.to_vec()));
        }
        out
    }

    fn report(&mut self, of_voices: bool) -> ReceiverReport {
        let streams = self.streams.iter_mut().filter(|(slot, _)| offer::is_audio(Slot(**slot)) == of_voices);
        let reports = streams.filter_map(|(slot, stream)| {
            let figures = stream.reception.report()?;
            Some(ReceptionReport {
                ssrc: offer::ssrc(Slot(*slot)),
                fraction_lost: figures.fraction_lost,
                total_lost: figures.total_lost,
                last_sequence_number: figures.highest,
                ..ReceptionReport::default()
            })
        });
        ReceiverReport { ssrc: 7, reports: reports.collect(), ..ReceiverReport::default() }
    }
}

/// The packets that a redundant one carries (RFC 2198), its own last.
pub fn blocks(payload: &[u8]) -> Vec<&[u8]> {
    let (mut at, mut lengths) = (0, Vec::new());
    while payload[at] & 0x80 != 0 {
        lengths.push((usize::from(payload[at + 2]) & 3) << 8 | usize::from(payload[at + 3]));
        at += 4;
    }
    let mut rest = &payload[at + 1..];
    let mut blocks = Vec::new();
    for length in lengths {
        let (block, after) = rest.split_at(length);
        blocks.push(block);
        rest = after;
    }
    blocks.push(rest);
    blocks
}

impl Stream {
    /// One number is one packet, and pictures and times of newer packets do not go back.
    fn check_numbers(&mut self, sequence: u64, timestamp: u32, payload: &[u8]) {
        let known = *self.first_timestamps.entry(sequence).or_insert(timestamp);
        assert_eq!(known, timestamp, "one number for two packets");
        let picture = u16::from_be_bytes([payload[2], payload[3]]) & 0x7fff;
        if let Some((newest, time, shown)) = self.newest_numbers.filter(|newest| sequence > newest.0) {
            let step = picture.wrapping_sub(shown) & 0x7fff;
            assert!(step < 0x4000, "picture {shown} then {picture} at {newest} → {sequence}");
            assert!(timestamp.wrapping_sub(time) < 1 << 31, "time went back");
        }
        if self.newest_numbers.is_none_or(|newest| sequence > newest.0) {
            self.newest_numbers = Some((sequence, timestamp, picture));
        }
    }

    fn lacks_key_frame(&mut self, now: Instant) -> bool {
        let within = |at: Option<Instant>, span| at.is_some_and(|at| now < at + span);
        // What was asked for in vain is not asked for any more; only that no picture comes is noticed.
        self.nack.take_given_up();
        let wait = self.shown.map_or(WAIT_FIRST, |_| WAIT);
        let stuck = within(self.newest, WAIT) && !within(self.shown, wait) && !self.waiting.is_empty();
        let asks = stuck && !within(self.newest_key, WAIT_FIRST) && !within(self.asked, wait);
        if asks {
            self.asked = Some(now);
        }
        asks
    }
}
