//! A class that all talks: forty open microphones, the whole engine, the hub's seats for voices, and one phone.

use std::collections::HashMap;

use qism_signaling::room::voice_seats::{HOLD, SEATS, VoiceSeats};
use rand::{RngExt, SeedableRng, rngs::StdRng};
use rtc::rtcp::{
    packet::{Packet, marshal},
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
};

use super::*;
use crate::sfu::{
    engine::leg::srtp::Place,
    forward::{opus::tests::frames, rtp::Header, sequence::Unwrapper},
    sdp::offer,
};

/// Id of the extension.
const LEVEL: u8 = 3;
const PACKET: Duration = Duration::from_millis(20);
/// Levels (−dBov) of speech and of a room.
const SPEECH: u8 = 20;
const ROOM: u8 = 75;
/// Bytes of a frame of speech, and of a room where an encoder saves them.
const SPOKEN: usize = 60;
const HUSHED: usize = 10;
/// Each speaks for so long, one after the other.
const TURN: Duration = Duration::from_secs(3);
/// Liars are believed for a second.
const BEFORE: Duration = Duration::from_secs(4);
/// One Opus frame of 20 ms, hybrid, mono.
const TOC: u8 = 15 << 3;
/// By so much voices may follow each other faster on the wire than in their seats: the first packet of the one before came late.
const LATE: Duration = Duration::from_millis(200);
/// Time in a slot's stream is that on the wall, but for the grain of packets.
const OFF: i64 = 130;

/// What microphones tell of their loudness.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Levels {
    Honest,
    /// Nothing.
    Untold,
    /// As loud as can be, always.
    Shouted,
}

/// Who is there.
#[derive(Clone, Copy, Debug)]
struct Class {
    size: u8,
    /// Of each third.
    levels: [Levels; 3],
    /// The phone is served by another thread than the microphones.
    is_guest: bool,
    /// The phone saves data.
    saver: bool,
    /// Lost of what is sent to the phone: percent.
    lost: u8,
}

impl Class {
    const fn of(size: u8) -> Self {
        Self { size, levels: [Levels::Honest; 3], is_guest: false, saver: false, lost: 0 }
    }
}

/// One open microphone.
struct Speaker {
    srtp: Srtp,
    levels: Levels,
    sequence: u64,
    /// When the voice began, and when it was heard.
    began: Option<Instant>,
    heard: Option<Instant>,
}

/// One slot of the phone.
#[derive(Default)]
struct Stream {
    unwrapper: Unwrapper,
    timestamps: HashMap<u64, u32>,
    /// When and at which timestamp it began.
    zero: Option<(Instant, u32)>,
    newest: Option<(u64, usize)>,
    /// When another speaker came into it.
    changed: Option<Instant>,
}

struct Crowd {
    now: Instant,
    threads: Threads,
    speakers: Vec<Speaker>,
    student: Leg,
    phone: Srtp,
    lost: u8,
    random: StdRng,
    streams: HashMap<u8, Stream>,
    /// Bytes for the phone, with headers.
    bytes: usize,
    seats: VoiceSeats,
    start: Instant,
    slots: [Option<UserId>; SEATS],
    /// When each of them got whom it has.
    since: [Instant; SEATS],
}

impl Crowd {
    fn new(class: Class) -> Self {
        let start = Instant::now();
        let identity = Arc::new(Identity::generate().expect("a certificate"));
        let lesson = LessonId(Uuid::from_u128(1));
        let mut threads = Threads::new(&identity, 1 + u8::from(class.is_guest), lesson, start);
        let leg = |kind, user| Leg { lesson, user, session: SessionId(Uuid::from_u128(9)), kind };
        let speakers = (0..class.size).map(|number| {
            let user = UserId(Uuid::from_u128(100 + u128::from(number)));
            let (sfu_side, srtp) = srtp_pair(&identity, 10 + number);
            let terms = microphone(number);
            let worker = threads.home();
            let index = worker.legs.next_index().expect("room");
            let room = worker.room(lesson);
            let track = room.track(Publication { user, source: Source::Microphone });
            room.tracks[track].publish(index, &terms.upstreams[0], start);
            let role = Role::Publisher(Uplink::new(terms, vec![track], start));
            insert(worker, leg(LegKind::Publisher, user), sfu_side, role, address(10 + number), start);
            threads.permit(lesson, user, &[Source::Microphone], start);
            let levels = class.levels[usize::from(number) % 3];
            Speaker { srtp, levels, sequence: 1_000, began: None, heard: None }
        });
        let speakers = speakers.collect();
        let student = leg(LegKind::Subscriber, UserId(Uuid::from_u128(3)));
        let (sfu_side, phone) = srtp_pair(&identity, 2);
        insert_subscriber(threads.last(), student, true, sfu_side, start);
        let plan = DataPlan { saver: class.saver, left: None };
        threads.last().obey(Order::Hub(MediaOrder::Spare { leg: student, plan }), start);
        Self {
            now: start,
            threads,
            speakers,
            student,
            phone,
            lost: class.lost,
            random: StdRng::seed_from_u64(7),
            streams: HashMap::new(),
            bytes: 0,
            seats: VoiceSeats::default(),
            start,
            slots: [None; SEATS],
            since: [start; SEATS],
        }
    }

    /// Twenty milliseconds in which these speak; everybody sends.
    fn pass(&mut self, speaking: &[usize]) {
        for number in 0..self.speakers.len() {
            let is_loud = speaking.contains(&number);
            let now = self.now;
            let speaker = &mut self.speakers[number];
            match is_loud {
                true => _ = speaker.began.get_or_insert(now),
                false => (speaker.began, speaker.heard) = (None, None),
            }
            let packet = speaker.packet(number as u8, is_loud);
            deliver(self.threads.home(), address(10 + number as u8), &packet, now);
        }
        self.report();
        let end = self.now + PACKET;
        while self.now < end {
            self.threads.fan_out(self.now);
            self.threads.tick(self.now);
            self.seat();
            self.receive();
            self.now += STEP;
        }
    }

    /// A sign of life, and what is lost.
    fn report(&mut self) {
        let fraction_lost = (u32::from(self.lost) * 256 / 100) as u8;
        let of = |slot: &u8| ReceptionReport {
            ssrc: offer::ssrc(Slot(*slot)),
            fraction_lost,
            ..ReceptionReport::default()
        };
        let reports = self.streams.keys().map(of).collect();
        let report: [Box<dyn Packet>; 1] =
            [Box::new(ReceiverReport { ssrc: 7, reports, ..Default::default() })];
        let sealed = self.phone.seal_rtcp(&marshal(&report).expect("well formed")).expect("sealed");
        deliver(self.threads.last(), SUBSCRIBER, &sealed, self.now);
    }

    /// What the hub does.
    fn seat(&mut self) {
        let at = self.now - self.start;
        while let Ok(event) = self.threads.events.try_recv() {
            let changed = match event {
                MediaEvent::VoiceBegins { user, .. } => self.seats.begins(user, at),
                MediaEvent::Speaking { users, .. } => {
                    self.seats.speaking(&users, UserId(Uuid::from_u128(2)), at)
                }
                _ => false,
            };
            if changed {
                self.assign();
            }
        }
    }

    fn assign(&mut self) {
        let seated = self.seats.users();
        for place in 0..SEATS {
            if self.slots[place].is_some_and(|user| seated.contains(&user)) {
                continue;
            }
            let held = self.now - self.since[place];
            assert!(self.slots[place].is_none() || held >= HOLD, "held for {held:?}");
            self.since[place] = self.now;
            self.slots[place] = seated.iter().find(|user| !self.slots.contains(&Some(**user))).copied();
            let publication = self.slots[place].map(|user| Publication { user, source: Source::Microphone });
            let (leg, slot, cap) = (self.student, Slot(1 + place as u8), LayerCap::FULL);
            let assign = MediaOrder::Assign { leg, slot, publication, cap };
            self.threads.last().obey(Order::Hub(assign), self.now);
        }
    }

    fn receive(&mut self) {
        for (path, datagram) in self.threads.take() {
            if path.peer != SUBSCRIBER {
                continue;
            }
            self.bytes += datagram.len() + 28;
            let is_control = (192..224).contains(&datagram[1]);
            if is_control || self.random.random_range(0..100) < self.lost {
                continue;
            }
            let packet = self.phone.open_rtp(&datagram).expect("a voice");
            let header = Header::parse(&packet, &Map::default()).expect("well formed");
            self.hear(&header, &packet[header.payload_start..header.payload_end]);
        }
    }

    fn hear(&mut self, header: &Header, payload: &[u8]) {
        let packets = match header.payload_type {
            offer::RED => receiver::blocks(payload),
            other => {
                assert_eq!(other, offer::OPUS);
                vec![payload]
            }
        };
        let spoken: Vec<usize> =
            packets.into_iter().flat_map(frames).map(|frame| usize::from(frame[1])).collect();
        let number = spoken[0];
        assert!(spoken.iter().all(|other| *other == number), "voices are not mixed: {spoken:?}");
        self.speakers[number].heard.get_or_insert(self.now);
        let is_lossless = self.lost == 0;
        let stream = self.streams.entry((header.ssrc - offer::ssrc(Slot(0))) as u8).or_default();
        stream.check(header, number, is_lossless, self.now);
    }

    /// Bytes for the phone while each speaks once, one after the other, and the longest time until one was heard.
    fn talk(&mut self, turns: usize) -> (usize, Duration) {
        for _ in 0..BEFORE.as_millis() / PACKET.as_millis() {
            self.pass(&[]);
        }
        let (before, mut longest) = (self.bytes, Duration::ZERO);
        for turn in 0..turns {
            let speaker = turn % self.speakers.len();
            for _ in 0..TURN.as_millis() / PACKET.as_millis() {
                self.pass(&[speaker]);
            }
            let Speaker { began, heard, .. } = &self.speakers[speaker];
            let heard = heard.unwrap_or_else(|| {
                panic!("turn {turn}: {:?} {:?} bytes {}", self.seats, self.slots, self.bytes)
            });
            longest = longest.max(heard - began.expect("it spoke"));
        }
        (self.bytes - before, longest)
    }
}

impl Stream {
    /// Whoever speaks in it, it is one stream: no number is two packets, time is that on the wall, and a marker tells where
    /// another voice begins, which stays for a while.
    fn check(&mut self, header: &Header, speaker: usize, is_lossless: bool, now: Instant) {
        let sequence = self.unwrapper.unwrap(header.sequence);
        let known = *self.timestamps.entry(sequence).or_insert(header.timestamp);
        assert_eq!(known, header.timestamp, "one number for two packets");
        let (began, first) = *self.zero.get_or_insert((now, header.timestamp));
        let shown = i64::from(header.timestamp.wrapping_sub(first) as i32) / 48;
        let passed = (now - began).as_millis() as i64;
        assert!((shown - passed).abs() <= OFF, "{passed} ms on the wall are {shown} ms in the stream");
        let Some((newest, before)) = self.newest.filter(|(newest, _)| sequence > *newest) else {
            assert!(self.newest.is_some() || header.marker || !is_lossless, "a voice begins with a marker");
            self.newest.get_or_insert((sequence, speaker));
            return;
        };
        self.newest = Some((sequence, speaker));
        assert!(!is_lossless || sequence == newest + 1, "no number is left out");
        if before == speaker {
            return;
        }
        assert!(header.marker || !is_lossless, "a voice begins with a marker");
        // The seat is held for all of `HOLD`: `Crowd::assign`.
        let held = self.changed.replace(now).map(|changed| now - changed);
        assert!(held.is_none_or(|held| held >= HOLD - LATE), "heard for {held:?}");
    }
}

/// What a leg with one microphone agreed on.
fn microphone(number: u8) -> PublisherTerms {
    let opus = Format { codec: Codec::Opus, payload_type: 111, retransmission: None };
    let microphone = Upstream {
        mid: "0".into(),
        source: Source::Microphone,
        formats: vec![opus],
        rids: Vec::new(),
        ssrcs: vec![ssrc(number)],
        repairs: Vec::new(),
    };
    let mut extensions = Map::default();
    extensions.insert(LEVEL, Kind::AudioLevel);
    PublisherTerms { upstreams: vec![microphone], extensions }
}

impl Speaker {
    fn packet(&mut self, number: u8, is_loud: bool) -> Vec<u8> {
        self.sequence += 1;
        let level = match self.levels {
            Levels::Honest => Some(if is_loud { SPEECH } else { ROOM } + (self.sequence % 3) as u8 * 3),
            Levels::Untold => None,
            Levels::Shouted => Some(0),
        };
        let mut packet = vec![0x80 | u8::from(level.is_some()) << 4, 111];
        packet.extend((self.sequence as u16).to_be_bytes());
        packet.extend((self.sequence as u32 * 960).to_be_bytes());
        packet.extend(ssrc(number).to_be_bytes());
        if let Some(level) = level {
            packet.extend([0xbe, 0xde, 0, 1, LEVEL << 4, level | 0x80, 0, 0]);
        }
        let header = packet.len();
        packet.extend([TOC, number]);
        let is_hushed = !is_loud && self.levels != Levels::Honest;
        packet.resize(header + if is_hushed { HUSHED } else { SPOKEN }, 0x5a);
        let place = Place { ssrc: ssrc(number), sequence: self.sequence };
        assert!(self.srtp.seal_rtp(place, &mut packet, 0, header));
        packet
    }
}

fn ssrc(number: u8) -> u32 {
    5_000 + u32::from(number)
}

/// A voice that comes joined waits for the two frames that it leaves with.
fn latest(class: Class) -> Duration {
    Duration::from_millis(if class.saver { 160 } else { 100 })
}

#[test]
fn forty_open_microphones_cost_a_phone_no_more_than_three_and_each_voice_is_heard_at_once() {
    const TURNS: usize = 40;
    let (of_three, _) = Crowd::new(Class::of(3)).talk(TURNS);
    let (of_forty, longest) = Crowd::new(Class::of(40)).talk(TURNS);
    println!("3 microphones: {of_three} bytes, 40: {of_forty}; a voice was heard after at most {longest:?}");
    assert!(of_forty <= of_three * 101 / 100, "{of_forty} bytes, {of_three} of three");
    assert!(longest <= latest(Class::of(40)), "{longest:?}");
}

#[test]
fn so_it_is_for_who_saves_data_on_another_thread_and_over_a_link_that_loses() {
    const TURNS: usize = 12;
    let usual = Class::of(40);
    let classes = [
        Class { is_guest: true, ..usual },
        Class { saver: true, ..usual },
        Class { is_guest: true, saver: true, ..usual },
        Class { is_guest: true, lost: 20, ..usual },
        Class { is_guest: true, saver: true, lost: 20, ..usual },
    ];
    for class in classes {
        let (of_three, _) = Crowd::new(Class { size: 3, ..class }).talk(TURNS);
        let (of_forty, longest) = Crowd::new(class).talk(TURNS);
        println!("{class:?}: {of_forty} bytes, of three {of_three}; heard after at most {longest:?}");
        assert!(of_forty <= of_three * 102 / 100, "{class:?}: {of_forty} bytes, {of_three} of three");
        // The first packet may be the one that is lost: the next one has it.
        let patience = if class.lost > 0 { Duration::from_millis(120) } else { Duration::ZERO };
        assert!(longest <= latest(class) + patience, "{class:?}: {longest:?}");
    }
}

#[test]
fn microphones_that_tell_no_level_or_a_false_one_keep_nobody_from_being_heard() {
    const TURNS: usize = 12;
    for levels in
        [[Levels::Honest, Levels::Untold, Levels::Shouted], [Levels::Untold; 3], [Levels::Shouted; 3]]
    {
        let class = Class { levels, is_guest: true, ..Class::of(40) };
        let (of_three, _) = Crowd::new(Class { size: 3, ..class }).talk(TURNS);
        let (of_forty, longest) = Crowd::new(class).talk(TURNS);
        println!("{levels:?}: {of_forty} bytes, of three {of_three}; heard after at most {longest:?}");
        assert!(of_forty <= of_three * 115 / 100, "{levels:?}: {of_forty} bytes, {of_three} of three");
        assert!(longest <= latest(class), "{levels:?}: {longest:?}");
    }
}
