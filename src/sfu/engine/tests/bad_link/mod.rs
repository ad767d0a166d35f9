//! One teacher, one student on a bad link, and the whole engine between them, in virtual time: a minute runs in about a
//! second. The DTLS handshake is left out (keys are given), everything after it is the real thing.

mod cable;
mod crowd;
mod publisher;
mod receiver;
mod scenarios;
mod sparing;
mod speakers;
mod threads;

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use qism_signaling::{
    hub::ports::{DataLeft, DataPlan, LayerCap, Leg, MediaEvent, MediaOrder},
    protocol::{LegKind, LessonId, Publication, SessionId, Slot, Source, UserId, media::Pictures},
};
use rtc::{
    crypto::{RTCCryptoProvider, providers::RingProvider},
    srtp::{config::SessionKeys, protection_profile::ProtectionProfile},
    stun::{
        attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute},
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, Message, TransactionId},
        textattrs::TextAttribute,
    },
};
use tokio::sync::mpsc;
use uuid::Uuid;

use cable::{Cable, Nature};
use publisher::{MID, Program, Publisher, RID, RIDS, SCREEN, VOICE};
use receiver::Receiver;
use threads::Threads;

use super::{
    identity::Identity,
    inbox::Order,
    leg::{Transport, dtls::Keys, ice::IceLite, inbound::STREAMS, srtp::Srtp},
    legs::{LegState, Role, credentials},
    net::{batch::Batch, socket::Datagram},
    room::{LegIndex, downlink::Downlink, uplink::Uplink},
    worker::Worker,
};
use crate::sfu::{
    forward::{
        extensions::{Kind, Map},
        packet::Codec,
    },
    sdp::{Abilities, Candidates, PublisherTerms, SubscriberTerms, Upstream, answer::Format},
};

/// How finely time passes.
const STEP: Duration = Duration::from_millis(1);
/// Half of the round trip.
const DELAY: Duration = Duration::from_millis(50);
/// With less than so many bytes a second left the hub has voices joined.
const TIGHT: u64 = 12_000;
/// A frame is waited for so long.
const PLAYED: Duration = Duration::from_millis(200);

/// Everything.
pub struct World {
    start: Instant,
    now: Instant,
    threads: Threads,
    publisher: Publisher,
    receiver: Receiver,
    /// The teacher's voice to the server.
    uplink: Cable,
    /// To the student, and back.
    down: Cable,
    up: Cable,
    subscriber: LegIndex,
    /// The student's leg, and the teacher.
    names: (Leg, UserId),
    /// When the student was told that pictures rest, or flow again.
    told: Vec<(Duration, bool)>,
    /// What publishers were told of layers.
    wanted: Vec<(Duration, Vec<bool>)>,
    /// What the teacher was told of the screen's bit rate.
    rates: Vec<(Duration, Option<u32>)>,
    /// Second by second: dropped by the full queue, padding, the estimate in kbit/s.
    seconds: Vec<[usize; 3]>,
    /// The student's budget, and when it has to have lasted.
    budget: Option<(u64, Duration)>,
    /// Whether voices come joined whatever is left of it.
    saver: bool,
    /// Bytes of the student, as the hub is told.
    carried: u64,
    /// What the student was told of the budget's effect on pictures.
    spared: Vec<(Duration, Pictures)>,
}

/// Who the student is.
#[derive(Clone, Copy)]
pub struct Student {
    /// Served by another thread than the teacher.
    pub is_guest: bool,
    /// The browser takes redundant audio.
    pub red: bool,
}

impl Student {
    /// On the teacher's thread, with Chromium.
    pub const USUAL: Self = Self { is_guest: false, red: true };
    /// On either thread.
    pub const EITHER: [Self; 2] = [Self::USUAL, Self { is_guest: true, ..Self::USUAL }];
    /// On either thread, with either browser.
    pub const ALL: [Self; 4] = [
        Self::USUAL,
        Self { red: false, ..Self::USUAL },
        Self { is_guest: true, red: true },
        Self { is_guest: true, red: false },
    ];
}

impl std::fmt::Display for Student {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let thread = if self.is_guest { "guest thread" } else { "home thread" };
        write!(f, "{thread}, {} RED", if self.red { "with" } else { "without" })
    }
}

/// A picture against the voice.
pub struct Skew {
    pub width: u16,
    /// Positive: it would be shown later than the voice of its moment.
    pub seconds: f64,
}

const PUBLISHER: SocketAddr = address(1);
const SUBSCRIBER: SocketAddr = address(2);

const fn address(last: u8) -> SocketAddr {
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, last)), 5_000)
}

impl World {
    /// A student at the far end of a link; what the teacher sends is assigned to them.
    pub fn new(nature: Nature, program: Program, seed: u64) -> Self {
        Self::of(Student::USUAL, nature, program, seed)
    }

    /// The same with this student.
    pub fn of(student: Student, nature: Nature, program: Program, seed: u64) -> Self {
        let Student { is_guest, red } = student;
        let start = Instant::now();
        let identity = Arc::new(Identity::generate().expect("a certificate"));
        let lesson = LessonId(Uuid::from_u128(1));
        let mut threads = Threads::new(&identity, 1 + u8::from(is_guest), lesson, start);
        let leg = |kind, user| Leg { lesson, user, session: SessionId(Uuid::from_u128(9)), kind };
        let (teacher, student) = (UserId(Uuid::from_u128(2)), UserId(Uuid::from_u128(3)));
        let (sfu_side, teacher_side) = srtp_pair(&identity, 1);
        insert_publisher(threads.home(), leg(LegKind::Publisher, teacher), sfu_side, start);
        let (sfu_side, student_side) = srtp_pair(&identity, 2);
        let student = leg(LegKind::Subscriber, student);
        let subscriber = insert_subscriber(threads.last(), student, red, sfu_side, start);
        threads.permit(
            lesson,
            teacher,
            &[Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio],
            start,
        );
        for (slot, source) in [
            (Slot::TEACHER_AUDIO, Source::Microphone),
            (Slot::SCREEN, Source::Screen),
            // A page without sound.
            (Slot::SCREEN_AUDIO, Source::ScreenAudio),
            (Slot::FIRST_CAMERA, Source::Camera),
        ] {
            let publication = Some(Publication { user: teacher, source });
            let cap = LayerCap::FULL;
            let assign = MediaOrder::Assign { leg: student, slot, publication, cap };
            threads.last().obey(Order::Hub(assign), start);
        }
        Self {
            start,
            now: start,
            threads,
            publisher: Publisher::new(teacher_side, program, start),
            receiver: Receiver::new(student_side, start),
            uplink: Cable::new(Nature::good(Duration::ZERO), seed + 2, start),
            down: Cable::new(nature, seed, start),
            up: Cable::new(Nature { bitrate: None, ..nature }, seed + 1, start),
            subscriber,
            names: (student, teacher),
            told: Vec::new(),
            wanted: Vec::new(),
            rates: Vec::new(),
            seconds: Vec::new(),
            budget: None,
            saver: false,
            carried: 0,
            spared: Vec::new(),
        }
    }

    /// What the student wants to pay for from now on: voices joined, and so many bytes for so long.
    pub fn spare(&mut self, saver: bool, budget: Option<(u64, Duration)>) {
        let ends = self.now - self.start;
        self.budget = budget.map(|(bytes, time)| (self.carried + bytes, ends + time));
        self.saver = saver;
        self.order_plan();
    }

    /// As the hub does it, each time it is told of bytes.
    fn order_plan(&mut self) {
        let at = self.now - self.start;
        let left = self.budget.map(|(budget, ends)| DataLeft {
            bytes: budget.saturating_sub(self.carried),
            time: ends.saturating_sub(at),
        });
        let is_tight = left.is_some_and(|left| left.bytes < TIGHT * left.time.as_secs());
        let plan = DataPlan { saver: self.saver || is_tight, left };
        let spare = MediaOrder::Spare { leg: self.names.0, plan };
        self.threads.last().obey(Order::Hub(spare), self.now);
    }

    /// How large the camera in a slot may be from now on.
    pub fn cap(&mut self, slot: Slot, cap: LayerCap) {
        let (leg, user) = self.names;
        let publication = Some(Publication { user, source: Source::Camera });
        let assign = MediaOrder::Assign { leg, slot, publication, cap };
        self.threads.last().obey(Order::Hub(assign), self.now);
    }

    /// The teacher switches camera and screen on.
    pub fn begin(&mut self, program: Program) {
        self.publisher.begin(program, self.now);
    }

    /// Changes the link, both ways; the way up stays wide.
    pub fn set(&mut self, nature: Nature) {
        self.down.nature = nature;
        self.up.nature = Nature { bitrate: None, ..nature };
    }

    pub fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            if (self.now - self.start).as_millis().is_multiple_of(1_000) {
                self.note_second();
            }
            self.step();
            self.now += STEP;
        }
    }

    fn step(&mut self) {
        for datagram in self.publisher.poll(self.now) {
            match publisher::is_voice(&datagram) {
                true => self.uplink.send(datagram, self.now),
                false => deliver(self.threads.home(), PUBLISHER, &datagram, self.now),
            }
        }
        while let Some(datagram) = self.uplink.poll(self.now) {
            deliver(self.threads.home(), PUBLISHER, &datagram, self.now);
        }
        self.threads.fan_out(self.now);
        while let Some(datagram) = self.up.poll(self.now) {
            deliver(self.threads.last(), SUBSCRIBER, &datagram, self.now);
        }
        self.threads.fan_out(self.now);
        self.threads.tick(self.now);
        for (path, datagram) in self.threads.take() {
            match path.peer == PUBLISHER {
                true => self.publisher.handle_rtcp(&datagram, self.now),
                false => self.down.send(datagram, self.now),
            }
        }
        while let Some(datagram) = self.down.poll(self.now) {
            self.receiver.receive(&datagram, self.now);
        }
        for datagram in self.receiver.poll(self.now) {
            self.up.send(datagram, self.now);
        }
        self.hear_events();
    }

    fn note_second(&mut self) {
        let estimate = match self.threads.last().legs.get_mut(self.subscriber) {
            Some(LegState { role: Role::Subscriber(downlink), .. }) => downlink.link.estimate(),
            _ => None,
        };
        let estimate = estimate.unwrap_or(0) as usize / 1_000;
        self.seconds.push([self.down.overflowed, self.receiver.padding, estimate]);
    }

    fn hear_events(&mut self) {
        let at = self.now - self.start;
        while let Ok(event) = self.threads.events.try_recv() {
            match event {
                MediaEvent::LayersWanted { layers, .. } => {
                    self.publisher.layers_wanted(&layers);
                    self.wanted.push((at, layers));
                }
                MediaEvent::ScreenRate { bitrate, .. } => {
                    self.publisher.take_screen_rate(bitrate);
                    self.rates.push((at, bitrate));
                }
                MediaEvent::PicturesStopped { stopped, .. } => self.told.push((at, stopped)),
                MediaEvent::PicturesSpared { pictures, .. } => self.spared.push((at, pictures)),
                MediaEvent::Carried { bytes, .. } => {
                    let student = self.names.0.user;
                    let of_student = bytes.iter().filter(|(user, _)| *user == student);
                    self.carried += of_student.map(|(_, bytes)| bytes).sum::<u64>();
                    if self.budget.is_some() {
                        self.order_plan();
                    }
                }
                _ => {}
            }
        }
    }

    /// The longest time without a new frame of the voice, in a span of the lesson.
    pub fn longest_silence(&self, from: Duration, until: Duration) -> Duration {
        self.silence(from, until).0
    }

    /// … and when it began.
    pub fn silence(&self, from: Duration, until: Duration) -> (Duration, Duration) {
        let (from, until) = (self.start + from, self.start + until);
        let mut times: Vec<Instant> =
            self.receiver.heard.values().copied().filter(|at| (from..until).contains(at)).collect();
        times.extend([from, until]);
        times.sort_unstable();
        times.windows(2).map(|pair| (pair[1] - pair[0], pair[0] - self.start)).max().expect("two times")
    }

    /// The share of the voice's frames, in a span of the lesson, that were not there when a player who waits for 200 ms at most
    /// needs them: percent.
    pub fn missed(&self, from: Duration, until: Duration) -> f64 {
        let number = |at: Duration| (at.as_millis() / 20) as u32;
        let numbers = number(from)..number(until);
        let is_missed = |number: &u32| {
            let due = self.start + publisher::FRAME * *number + DELAY + PLAYED;
            self.receiver.heard.get(number).is_none_or(|heard| *heard > due)
        };
        100.0 * numbers.clone().filter(is_missed).count() as f64 / numbers.len() as f64
    }

    /// Bytes that the student's link was given, both ways, with headers, lost ones too.
    pub fn given(&self) -> usize {
        self.down.given + self.up.given
    }

    /// Bytes of padding and of everything that reached the student or was lost on the way.
    pub fn padding(&self) -> (usize, usize) {
        (self.receiver.padding, self.down.bytes)
    }

    /// Pictures of a slot shown in a span of the lesson.
    pub fn shown(&self, slot: Slot, from: Duration, until: Duration) -> usize {
        let span = self.start + from..self.start + until;
        self.receiver.shown.iter().filter(|it| it.slot == slot && span.contains(&it.at)).count()
    }

    /// Bytes of pictures that came in a span of the lesson.
    pub fn pictures(&self, from: Duration, until: Duration) -> usize {
        let span = self.start + from..self.start + until;
        self.receiver.pictures.iter().filter(|(at, _)| span.contains(at)).map(|(_, bytes)| bytes).sum()
    }

    /// How far each picture of the camera is from the voice, by the clocks that the receiver was told, from a time of the lesson
    /// on.
    pub fn skews(&self, from: Duration) -> Vec<Skew> {
        let from = self.start + from;
        let camera = |it: &&receiver::Shown| it.slot == Slot::FIRST_CAMERA && it.at >= from;
        let skew = |picture: &receiver::Shown| {
            let clock = picture.clock?;
            let place = self.receiver.spoken.partition_point(|(at, ..)| *at <= picture.at);
            let (_, number, said) = self.receiver.spoken.get(place.checked_sub(1)?)?;
            let taken = self.publisher.taken[picture.id as usize].as_secs_f64();
            let seconds = (clock - taken) - (said - f64::from(*number) * 0.02);
            Some(Skew { width: picture.width, seconds })
        };
        self.receiver.shown.iter().filter(camera).filter_map(skew).collect()
    }

    /// When a slot first showed a picture of at least this width, from a time of the lesson on.
    pub fn first_shown(&self, slot: Slot, width: u16, from: Duration) -> Option<Duration> {
        let fits = |it: &&receiver::Shown| it.slot == slot && it.width >= width && it.at >= self.start + from;
        self.receiver.shown.iter().find(fits).map(|it| it.at - self.start)
    }
}

fn deliver(worker: &mut Worker, peer: SocketAddr, bytes: &[u8], now: Instant) {
    worker.receive(0, Datagram { bytes, peer, local: None }, now);
}

/// Both ends of one connection's keys.
fn srtp_pair(identity: &Identity, salt: u8) -> (Srtp, Srtp) {
    let profile = ProtectionProfile::AeadAes128Gcm;
    let key = |byte: u8| vec![byte * 16 + salt; 16];
    let salt_of = |byte: u8| vec![byte * 16 + salt; profile.salt_len()];
    let end = |ours: u8, theirs: u8| {
        let session = SessionKeys {
            local_master_key: key(ours),
            local_master_salt: salt_of(ours),
            remote_master_key: key(theirs),
            remote_master_salt: salt_of(theirs),
        };
        Srtp::new(&Keys { profile, session }, STREAMS, identity).expect("keys")
    };
    (end(1, 2), end(2, 1))
}

fn insert_publisher(worker: &mut Worker, leg: Leg, srtp: Srtp, now: Instant) {
    let vp8 = Format { codec: Codec::Vp8, payload_type: 96, retransmission: None };
    let opus = Format { codec: Codec::Opus, payload_type: 111, retransmission: None };
    let section = |mid: &str, source, format, ssrcs: &[u32]| Upstream {
        mid: mid.into(),
        source,
        formats: vec![format],
        rids: Vec::new(),
        ssrcs: ssrcs.to_vec(),
        repairs: Vec::new(),
    };
    let camera = Upstream {
        rids: RIDS.iter().map(|rid| (*rid).to_owned()).collect(),
        ..section("1", Source::Camera, vp8, &[])
    };
    let mut extensions = Map::default();
    extensions.insert(MID, Kind::Mid);
    extensions.insert(RID, Kind::Rid);
    let voice = section("0", Source::Microphone, opus, &[VOICE]);
    let screen = section("2", Source::Screen, vp8, &[SCREEN]);
    let terms = PublisherTerms { upstreams: vec![voice, camera, screen], extensions };
    let index = worker.legs.next_index().expect("room");
    let room = worker.room(leg.lesson);
    let tracks = terms.upstreams.iter().map(|upstream| {
        let track = room.track(Publication { user: leg.user, source: upstream.source });
        room.tracks[track].publish(index, upstream, now);
        track
    });
    let tracks = tracks.collect();
    insert(worker, leg, srtp, Role::Publisher(Uplink::new(terms, tracks, now)), PUBLISHER, now);
}

fn insert_subscriber(worker: &mut Worker, leg: Leg, red: bool, srtp: Srtp, now: Instant) -> LegIndex {
    let mut downlink = Downlink::new(SubscriberTerms::new(2), || 1_000);
    downlink.abilities = Some(Abilities { h264: false, red });
    insert(worker, leg, srtp, Role::Subscriber(Box::new(downlink)), SUBSCRIBER, now)
}

/// Puts a leg in whose handshake is done, and lets its peer nominate its address.
fn insert(
    worker: &mut Worker,
    name: Leg,
    srtp: Srtp,
    role: Role,
    peer: SocketAddr,
    now: Instant,
) -> LegIndex {
    let fresh = credentials(worker.number, worker.legs.next_index().expect("room"));
    let mut transport = Transport::new(IceLite::new(fresh.clone(), now), worker.identity.clone());
    transport.srtp = Some(srtp);
    let index = worker.legs.insert(LegState { name, transport, role, is_up: true, carried: 0 });
    let provider = RingProvider::new();
    let mut check = Message::new();
    check
        .build(&[
            Box::new(TransactionId::default()),
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, format!("{}:peer", fresh.ufrag))),
            Box::new(RawAttribute { typ: ATTR_USE_CANDIDATE, length: 0, value: Vec::new() }),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(
                fresh.password,
                provider.crypto(),
            )),
            Box::new(FINGERPRINT),
        ])
        .expect("well formed");
    deliver(worker, peer, &check.raw, now);
    worker.batch.take();
    index
}
