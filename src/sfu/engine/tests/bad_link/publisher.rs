//! A teacher whose encoders are simulated: a voice without pauses, a camera in three layers, a screen in three temporal
//! layers. Each picture's packets say which picture they are and which one it is drawn upon.

use std::time::{Duration, Instant};

use rtc::rtcp::{
    packet::{Packet, marshal, unmarshal},
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    receiver_report::ReceiverReport,
    sender_report::SenderReport,
};

use crate::sfu::engine::leg::srtp::{Place, Srtp};

/// SSRCs; a camera's layers and their order are told by rid.
pub const VOICE: u32 = 1_000;
pub const CAMERA: [u32; 3] = [2_000, 2_001, 2_002];
pub const SCREEN: u32 = 3_000;
pub const RIDS: [&str; 3] = ["l", "m", "h"];
/// Ids of the extensions.
pub const MID: u8 = 1;
pub const RID: u8 = 10;
/// Bits per second.
pub const CAMERA_RATES: [u32; 3] = [120_000, 400_000, 1_200_000];
const SIZES: [(u16, u16); 3] = [(320, 180), (640, 360), (1280, 720)];
const CAMERA_RATE: u32 = 24;
/// No picture is below a key frame.
pub const NOTHING: u32 = u32::MAX;
const PACKET: usize = 1_100;
/// Of a voice.
pub const FRAME: Duration = Duration::from_millis(20);
/// Opus: one frame of 20 ms, hybrid, mono.
const TOC: u8 = 15 << 3;
/// Bytes of a frame of the voice: 24 kbit/s.
const FRAME_BYTES: usize = 60;
/// From the request to the encoder, one way.
const UP: Duration = Duration::from_millis(40);
/// Chromium's sender reports: of pictures, of a voice.
const CLOCKS: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(5)];
/// What the teacher's clock shows when the lesson begins, in seconds: another time than ours.
const WALL: u64 = 1_000_000;

/// One encoder's stream.
struct Stream {
    ssrc: u32,
    /// Timestamp of the lesson's beginning, units of a second.
    zero: u32,
    clock_rate: u32,
    told: Option<Instant>,
    sequence: u64,
    payload_type: u8,
    extensions: Vec<u8>,
    size: (u16, u16),
    picture: u16,
    tl0: u8,
    key_index: u8,
    frames: u32,
    /// Id of the newest picture of each temporal layer.
    below: [u32; 3],
    is_active: bool,
    wants_key_frame: bool,
}

impl Stream {
    fn new(ssrc: u32, payload_type: u8, size: (u16, u16), extensions: Vec<u8>) -> Self {
        Self {
            ssrc,
            zero: ssrc.wrapping_mul(77_777_777),
            clock_rate: if payload_type == 111 { 48_000 } else { 90_000 },
            told: None,
            sequence: 4_000,
            payload_type,
            extensions,
            size,
            picture: 100,
            tl0: 0,
            key_index: 0,
            frames: 0,
            below: [NOTHING; 3],
            is_active: true,
            wants_key_frame: true,
        }
    }

    fn header(&mut self, marker: bool, timestamp: u32) -> Vec<u8> {
        self.sequence += 1;
        let has_extension = u8::from(!self.extensions.is_empty());
        let mut packet = vec![0x80 | has_extension << 4, self.payload_type | u8::from(marker) << 7];
        packet.extend((self.sequence as u16).to_be_bytes());
        packet.extend(timestamp.wrapping_add(self.zero).to_be_bytes());
        packet.extend(self.ssrc.to_be_bytes());
        packet.extend(&self.extensions);
        packet
    }

    /// A sender report, where one is due.
    fn tell_clock(&mut self, elapsed: Duration, now: Instant) -> Option<SenderReport> {
        let interval = CLOCKS[usize::from(self.clock_rate == 48_000)];
        if !self.is_active || self.told.is_some_and(|told| now < told + interval) {
            return None;
        }
        self.told = Some(now);
        let fraction = (u64::from(elapsed.subsec_nanos()) << 32) / 1_000_000_000;
        let units = elapsed.as_micros() as u64 * u64::from(self.clock_rate) / 1_000_000;
        Some(SenderReport {
            ssrc: self.ssrc,
            ntp_time: (WALL + elapsed.as_secs()) << 32 | fraction,
            rtp_time: self.zero.wrapping_add(units as u32),
            ..SenderReport::default()
        })
    }
}

/// The screen's frames: bytes of a key frame and of the others, frames a second.
#[derive(Clone, Copy, Debug)]
pub struct Slide {
    pub key_frame: usize,
    /// By temporal layer.
    pub frames: [usize; 3],
    pub rate: u32,
}

impl Slide {
    /// The same page from an encoder with so many bits per second: a key frame may take three frames' worth (libvpx, real time).
    fn within(self, bitrate: u32) -> Self {
        let most = (bitrate / 8 / self.rate) as usize;
        let frames = self.frames.map(|bytes| bytes.min(most));
        Self { key_frame: self.key_frame.min(most * 3), frames, ..self }
    }
}

/// What the teacher sends.
#[derive(Clone, Copy, Debug, Default)]
pub struct Program {
    pub camera: bool,
    pub screen: Option<Slide>,
    /// So much later than the voice pictures of each layer reach the server.
    pub late: [Duration; 3],
}

pub struct Publisher {
    srtp: Srtp,
    program: Program,
    start: Instant,
    voice: Stream,
    camera: Vec<Stream>,
    screen: Stream,
    /// Pictures so far, of all streams.
    pictures: u32,
    /// Frames of each kind so far: voice, camera, screen.
    made: [u32; 3],
    asked: Vec<(Instant, u32)>,
    /// Pictures that are late: when each packet arrives.
    traveling: Vec<(Instant, Vec<u8>)>,
    /// When in the lesson each picture was taken.
    pub taken: Vec<Duration>,
    pub key_frames: usize,
    /// Bytes of a frame of the voice.
    pub frame: usize,
    /// What the teacher was told that listeners lose of the voice, in 256ths, and when.
    pub losses: Vec<(Instant, u8)>,
    /// Bits per second that the screen's encoder stays below.
    screen_rate: Option<u32>,
    /// The next picture of the largest layer is its last, and only half of it is sent; whether the other half has numbers.
    stops: Option<bool>,
}

impl Publisher {
    pub fn new(srtp: Srtp, program: Program, start: Instant) -> Self {
        let camera = (0..3).map(|layer| {
            Stream::new(CAMERA[layer], 96, SIZES[layer], named(&[(MID, "1"), (RID, RIDS[layer])]))
        });
        Self {
            srtp,
            program,
            start,
            voice: Stream::new(VOICE, 111, (0, 0), Vec::new()),
            camera: camera.collect(),
            screen: Stream::new(SCREEN, 96, (1920, 1080), Vec::new()),
            pictures: 0,
            made: [0; 3],
            asked: Vec::new(),
            traveling: Vec::new(),
            taken: Vec::new(),
            key_frames: 0,
            frame: FRAME_BYTES,
            losses: Vec::new(),
            screen_rate: None,
            stops: None,
        }
    }

    /// Pictures begin now.
    pub fn begin(&mut self, program: Program, now: Instant) {
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        let made = |rate: u32| (elapsed * f64::from(rate)).ceil() as u32;
        self.made = [self.made[0], made(CAMERA_RATE), program.screen.map_or(0, |slide| made(slide.rate))];
        self.program = program;
    }

    /// Voice frames said so far.
    pub fn said(&self) -> u32 {
        self.made[0]
    }

    /// Layers that somebody receives, smallest first.
    pub fn layers_wanted(&mut self, layers: &[bool]) {
        for (stream, wanted) in self.camera.iter_mut().zip(layers) {
            stream.wants_key_frame |= *wanted && !stream.is_active;
            stream.is_active = *wanted;
        }
    }

    /// How many bits per second the screen may take.
    pub fn take_screen_rate(&mut self, bitrate: Option<u32>) {
        self.screen_rate = bitrate;
    }

    /// The browser stops the largest layer in the middle of its next picture, as where its uplink got narrow; `gap`: numbers of what
    /// is not sent are used up.
    pub fn stop_in_the_middle(&mut self, gap: bool) {
        self.stops = Some(gap);
    }

    /// … and sends it again.
    pub fn go_on(&mut self) {
        self.layers_wanted(&[true; 3]);
    }

    /// Takes RTCP from the SFU.
    pub fn handle_rtcp(&mut self, datagram: &[u8], now: Instant) {
        let mut plain = Vec::new();
        if self.srtp.open_rtcp(datagram, &mut plain).is_none() {
            return;
        }
        let packets = unmarshal(&mut &plain[..]).expect("well formed");
        for packet in packets {
            if let Some(request) = packet.as_any().downcast_ref::<PictureLossIndication>() {
                self.asked.push((now + UP, request.media_ssrc));
            } else if let Some(report) = packet.as_any().downcast_ref::<ReceiverReport>() {
                let of_voice = report.reports.iter().filter(|block| block.ssrc == VOICE);
                self.losses.extend(of_voice.map(|block| (now, block.fraction_lost)));
            }
        }
    }

    /// What is sent by now.
    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        self.answer_requests(now);
        let elapsed = now.saturating_duration_since(self.start).as_secs_f64();
        let mut out = self.tell_clocks(now);
        while f64::from(self.made[0]) / 50.0 <= elapsed {
            self.speak(&mut out);
        }
        while self.program.camera && f64::from(self.made[1]) / f64::from(CAMERA_RATE) <= elapsed {
            self.film(now);
        }
        out.extend(self.traveling.extract_if(.., |(at, _)| *at <= now).map(|(_, packet)| packet));
        while let Some(slide) = self.program.screen
            && f64::from(self.made[2]) / f64::from(slide.rate) <= elapsed
        {
            self.show(slide, &mut out);
        }
        out
    }

    /// A request on one layer is answered by key frames on all, as Chromium does.
    fn answer_requests(&mut self, now: Instant) {
        let due: Vec<u32> = self.asked.iter().filter(|(at, _)| *at <= now).map(|(_, ssrc)| *ssrc).collect();
        self.asked.retain(|(at, _)| *at > now);
        for ssrc in due {
            match ssrc {
                SCREEN => self.screen.wants_key_frame = true,
                _ => self.camera.iter_mut().for_each(|stream| stream.wants_key_frame = true),
            }
        }
    }

    fn tell_clocks(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let elapsed = now.saturating_duration_since(self.start);
        let streams = self.camera.iter_mut().chain([&mut self.voice, &mut self.screen]);
        let reports: Vec<SenderReport> =
            streams.filter_map(|stream| stream.tell_clock(elapsed, now)).collect();
        let sealed = reports.into_iter().filter_map(|report| {
            let packets: [Box<dyn Packet>; 1] = [Box::new(report)];
            Some(self.srtp.seal_rtcp(&marshal(&packets).expect("well formed"))?.to_vec())
        });
        sealed.collect()
    }

    fn speak(&mut self, out: &mut Vec<Vec<u8>>) {
        let number = self.made[0];
        self.made[0] += 1;
        let mut packet = self.voice.header(false, number.wrapping_mul(960));
        let header = packet.len();
        packet.push(TOC);
        packet.extend(number.to_be_bytes());
        packet.resize(header + self.frame, 0x5a);
        out.push(seal(&mut self.srtp, &self.voice, packet, header));
    }

    fn film(&mut self, now: Instant) {
        let taken = Duration::from_secs_f64(f64::from(self.made[1]) / f64::from(CAMERA_RATE));
        let timestamp = self.made[1].wrapping_mul(90_000 / CAMERA_RATE);
        self.made[1] += 1;
        for (layer, stream) in self.camera.iter_mut().enumerate() {
            let frame = (CAMERA_RATES[layer] / CAMERA_RATE / 8) as usize;
            if stream.is_active {
                let is_key = std::mem::take(&mut stream.wants_key_frame);
                let picture = Picture { id: self.pictures, is_key, temporal: None, timestamp };
                self.pictures += 1;
                self.taken.push(taken);
                self.key_frames += usize::from(is_key);
                let mut packets = Vec::new();
                draw(&mut self.srtp, stream, picture, if is_key { frame * 6 } else { frame }, &mut packets);
                if let Some(gap) = self.stops.filter(|_| layer == 2) {
                    let unsent = packets.split_off(packets.len() / 2);
                    stream.sequence -= if gap { 0 } else { unsent.len() as u64 };
                    (stream.is_active, self.stops) = (false, None);
                }
                let arrival = now + self.program.late[layer];
                self.traveling.extend(packets.into_iter().map(|packet| (arrival, packet)));
            }
        }
    }

    fn show(&mut self, slide: Slide, out: &mut Vec<Vec<u8>>) {
        let timestamp = self.made[2].wrapping_mul(90_000 / slide.rate);
        self.made[2] += 1;
        let is_key = std::mem::take(&mut self.screen.wants_key_frame);
        if is_key {
            self.screen.frames = 0;
        }
        let temporal = [0, 2, 1, 2][self.screen.frames as usize % 4];
        self.screen.frames += 1;
        let picture = Picture { id: self.pictures, is_key, temporal: Some(temporal), timestamp };
        self.pictures += 1;
        self.taken.push(Duration::from_secs_f64(f64::from(timestamp) / 90_000.0));
        self.key_frames += usize::from(is_key);
        let slide = self.screen_rate.map_or(slide, |bitrate| slide.within(bitrate));
        let bytes = if is_key { slide.key_frame } else { slide.frames[usize::from(temporal)] };
        draw(&mut self.srtp, &mut self.screen, picture, bytes, out);
    }
}

/// A packet of the voice.
pub fn is_voice(datagram: &[u8]) -> bool {
    !(192..224).contains(&datagram[1]) && datagram[8..12] == VOICE.to_be_bytes()
}

struct Picture {
    id: u32,
    is_key: bool,
    temporal: Option<u8>,
    timestamp: u32,
}

fn seal(srtp: &mut Srtp, stream: &Stream, mut packet: Vec<u8>, header: usize) -> Vec<u8> {
    let place = Place { ssrc: stream.ssrc, sequence: stream.sequence };
    assert!(srtp.seal_rtp(place, &mut packet, 0, header));
    packet
}

fn draw(srtp: &mut Srtp, stream: &mut Stream, picture: Picture, bytes: usize, out: &mut Vec<Vec<u8>>) {
    let temporal = picture.temporal.unwrap_or(0);
    stream.picture = (stream.picture + 1) & 0x7fff;
    if temporal == 0 {
        stream.tl0 = stream.tl0.wrapping_add(1);
    }
    if picture.is_key {
        stream.key_index = (stream.key_index + 1) & 0x1f;
        stream.below = [NOTHING; 3];
    }
    // The second frame of the upper layer is drawn upon the middle one.
    let below = stream.below[..=usize::from(temporal)].iter().filter(|id| **id != NOTHING).max();
    let below = if picture.is_key { NOTHING } else { below.copied().unwrap_or(NOTHING) };
    stream.below[usize::from(temporal)] = picture.id;
    let parts = bytes.div_ceil(PACKET).max(1);
    for part in 0..parts {
        let mut packet = stream.header(part + 1 == parts, picture.timestamp);
        let header = packet.len();
        packet.push(0x80 | u8::from(part == 0) << 4);
        packet.push(0xf0);
        packet.extend((stream.picture | 0x8000).to_be_bytes());
        packet.push(stream.tl0);
        packet.push(temporal << 6 | u8::from(temporal == 1) << 5 | stream.key_index);
        let (width, height) = stream.size;
        packet.extend([u8::from(!picture.is_key), 0, 0, 0x9d, 0x01, 0x2a]);
        packet.extend(width.to_le_bytes());
        packet.extend(height.to_le_bytes());
        packet.extend(picture.id.to_be_bytes());
        packet.extend(below.to_be_bytes());
        packet.extend((parts as u16).to_be_bytes());
        let length = (bytes / parts).max(packet.len() - header);
        packet.resize(header + length, 0xa5);
        let sealed = seal(srtp, stream, packet, header);
        out.push(sealed);
    }
}

/// A one-byte extension block.
fn named(values: &[(u8, &str)]) -> Vec<u8> {
    let mut block = Vec::new();
    for (id, value) in values {
        block.push(id << 4 | (value.len() as u8 - 1));
        block.extend(value.as_bytes());
    }
    block.resize(block.len().next_multiple_of(4), 0);
    let mut out = vec![0xbe, 0xde, 0, (block.len() / 4) as u8];
    out.extend(block);
    out
}
