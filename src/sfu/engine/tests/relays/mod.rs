//! Two nodes and the link between them, in virtual time: a teacher on one, a student on the other.

mod costs;
mod narrow;
mod scenarios;

use std::{
    collections::{HashMap, VecDeque},
    net::SocketAddr,
    sync::Arc,
    time::Duration,
};

use bytes::Bytes;
use qism_signaling::{
    hub::ports::{LayerCap, Leg, MediaEvent, MediaOrder, Voices},
    protocol::{LegKind, SessionId, Slot, Source, UserId},
};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::sfu::{
    engine::{
        identity::Identity, inbox::Order, legs::Role, net::socket::Datagram, parties, relay::knock::Knock,
        room::uplink::Stream,
    },
    forward::{extensions::Values, packet::Codec, rtp::Header},
    sdp::Candidates,
};

const STEP: Duration = Duration::from_millis(10);
/// One way.
const TRAVEL: Duration = Duration::from_millis(20);
/// A voice's packets; a picture comes with each.
const PACKET: Duration = Duration::from_millis(20);
/// What the link keeps for later.
const QUEUE: Duration = Duration::from_secs(1);
const SOURCES: [Source; 2] = [Source::Microphone, Source::Camera];

fn door(node: usize) -> SocketAddr {
    ([192, 0, 2, node as u8 + 1], 7_882).into()
}

fn lesson() -> LessonId {
    LessonId(Uuid::from_u128(1))
}

fn teacher() -> UserId {
    UserId(Uuid::from_u128(2))
}

fn student() -> Leg {
    let (user, session) = (UserId(Uuid::from_u128(3)), SessionId(Uuid::from_u128(3)));
    Leg { lesson: lesson(), user, session, kind: LegKind::Subscriber }
}

fn incarnation(node: usize) -> IncarnationId {
    IncarnationId(Uuid::from_u128(10 + node as u128))
}

/// What is wrong with the second node.
#[derive(Clone, Copy, Default)]
struct Wrong {
    key: bool,
    fingerprint: bool,
    /// The first node was not told of it.
    unknown: bool,
}

/// Both nodes.
struct World {
    now: Instant,
    nodes: [Worker; 2],
    /// (arrival, to which, datagram), in order.
    traveling: VecDeque<(Instant, usize, Vec<u8>)>,
    /// Lost datagrams in a hundred.
    lost: u64,
    random: u64,
    /// Packets of each track that the teacher sent.
    sent: u64,
    next: Instant,
    /// When each packet of the voice was sent, and how long it took to be on the other node.
    voice: HashMap<u64, (Instant, Option<Duration>)>,
    /// The node that the teacher sends to.
    at: usize,
    /// What the link carried so far, in datagrams to each node.
    carried: [usize; 2],
    /// What the link to the second node bears, in bits per second.
    bitrate: Option<u64>,
    /// Until when it is busy with what it has, and for how long somebody waited for that at most.
    busy: Instant,
    waited: Duration,
    /// Packets of each picture.
    parts: u64,
    /// The teacher shows a screen, too.
    screen: bool,
    /// What each node's hub is told.
    events: [mpsc::Receiver<MediaEvent>; 2],
}

impl World {
    fn new(seed: u64) -> Self {
        Self::with(seed, Wrong::default())
    }

    fn with(seed: u64, wrong: Wrong) -> Self {
        let now = Instant::now();
        let identities = [(); 2].map(|()| Arc::new(Identity::generate().expect("a certificate")));
        let [(first, to_first), (second, to_second)] = [(); 2].map(|()| mpsc::channel(1_024));
        let tellers = [first, second];
        let nodes = [0, 1].map(|node| {
            let events = tellers[node].clone();
            let (identity, candidates) = (identities[node].clone(), Candidates::default());
            let mut worker = Worker::new(identity, 0, Vec::new(), candidates, events, Arc::default());
            let key = if wrong.key && node == 1 { [8; 32] } else { [7; 32] };
            let membership = Some(Membership { incarnation: incarnation(node), key });
            worker.ways.relays = Relays::new(membership, 0, vec![door(node)]);
            worker
        });
        let random = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
        let mut world = Self {
            now,
            nodes,
            traveling: VecDeque::new(),
            lost: 0,
            random,
            sent: 0,
            next: now,
            voice: HashMap::new(),
            at: 0,
            carried: [0; 2],
            bitrate: None,
            busy: now,
            waited: Duration::ZERO,
            parts: 1,
            screen: false,
            events: [to_first, to_second],
        };
        for node in 0..2 {
            let far = 1 - node;
            let mut fingerprint = identities[far].fingerprint().to_owned();
            if wrong.fingerprint && node == 0 {
                fingerprint = identities[node].fingerprint().to_owned();
            }
            let neighbor = Neighbor { incarnation: incarnation(far), doors: vec![door(far)], fingerprint };
            let known = if wrong.unknown && node == 0 { Vec::new() } else { vec![neighbor] };
            world.nodes[node].obey(Order::Meet(known.into()), now);
            let (lesson, user, sources) = (lesson(), teacher(), SOURCES.to_vec());
            world.obey(node, MediaOrder::Permit { lesson, user, sources });
        }
        world.publish(0);
        world.join(1);
        let (lesson, user, node) = (lesson(), teacher(), Some(incarnation(0)));
        world.obey(1, MediaOrder::Origin { lesson, user, node });
        world
    }

    fn obey(&mut self, node: usize, order: MediaOrder) {
        self.nodes[node].obey(Order::Hub(order), self.now);
    }

    fn publish(&mut self, node: usize) {
        for source in SOURCES.into_iter().chain(self.screen.then_some(Source::Screen)) {
            let rids: &[&str] = if source == Source::Camera { &["l", "h"] } else { &[] };
            let publication = Publication { user: teacher(), source };
            parties::publish(&mut self.nodes[node], lesson(), publication, rids, self.now);
        }
    }

    /// A student who receives everything.
    fn join(&mut self, node: usize) {
        parties::subscribe(&mut self.nodes[node], student(), door(7), self.now);
        self.show(node, LayerCap::FULL);
    }

    /// The student's window has this size.
    fn show(&mut self, node: usize, cap: LayerCap) {
        let leg = student();
        for (slot, source) in [Slot::TEACHER_AUDIO, Slot::FIRST_CAMERA].into_iter().zip(SOURCES) {
            let publication = Some(Publication { user: teacher(), source });
            self.obey(node, MediaOrder::Assign { leg, slot, publication, cap });
        }
    }

    /// xorshift64: the same losses for the same seed.
    fn is_lost(&mut self) -> bool {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random >> 20) % 100 < self.lost
    }

    /// What a node wants sent goes on its way, to the other node only.
    fn transmit(&mut self, from: usize) {
        for (path, bytes) in self.nodes[from].batch.take() {
            let to = 1 - from;
            if path.peer == door(to) && !self.is_lost() {
                let Some(leaves) = self.leaves(to, bytes.len()) else { continue };
                self.carried[to] += 1;
                let place = self.traveling.partition_point(|(arrival, ..)| *arrival <= leaves + TRAVEL);
                self.traveling.insert(place, (leaves + TRAVEL, to, bytes));
            }
        }
    }

    /// When the link has passed a datagram; `None` where its queue is full.
    fn leaves(&mut self, to: usize, size: usize) -> Option<Instant> {
        let Some(bitrate) = self.bitrate.filter(|_| to == 1) else { return Some(self.now) };
        let waits = self.busy.saturating_duration_since(self.now);
        if waits > QUEUE {
            return None;
        }
        self.waited = self.waited.max(waits);
        // With IP and UDP.
        let takes = Duration::from_micros((size as u64 + 28) * 8_000_000 / bitrate);
        self.busy = self.busy.max(self.now) + takes;
        Some(self.busy)
    }

    fn deliver(&mut self) {
        while self.traveling.front().is_some_and(|(arrival, ..)| *arrival <= self.now) {
            let Some((_, to, bytes)) = self.traveling.pop_front() else { return };
            let datagram = Datagram { bytes: &bytes, peer: door(1 - to), local: None };
            self.nodes[to].receive(0, datagram, self.now);
            self.note_voices();
            self.nodes[to].fan_out(self.now);
            self.transmit(to);
        }
    }

    /// Notes which packets of the voice have come to the student's node.
    fn note_voices(&mut self) {
        let now = self.now;
        let Some(room) = self.nodes[1].rooms.get(&lesson()) else { return };
        let voices = room.tracks.iter().filter(|track| track.is_audio());
        for (_, packet) in voices.flat_map(|track| track.fresh()) {
            if let Some((sent, took)) = self.voice.get_mut(&u64::from(packet.timestamp / 960)) {
                took.get_or_insert(now - *sent);
            }
        }
    }

    /// The teacher sends a packet of each layer; every tenth picture is a key frame.
    fn speak(&mut self) {
        self.take_from_teacher();
        self.nodes[self.at].fan_out(self.now);
        self.voice.insert(self.sent, (self.now, None));
        self.sent += 1;
    }

    fn take_from_teacher(&mut self) {
        let now = self.now;
        let all = [(Source::Microphone, 0), (Source::Camera, 0), (Source::Camera, 1), (Source::Screen, 0)];
        for (source, layer) in all.into_iter().filter(|(source, _)| self.screen || *source != Source::Screen)
        {
            let room = self.nodes[self.at].room(lesson());
            let track = room.track(Publication { user: teacher(), source });
            if !room.tracks[track].is_permitted() || room.tracks[track].publisher.is_none() {
                continue;
            }
            let is_key = self.sent.is_multiple_of(10);
            let parts = if source.is_audio() { 1 } else { self.parts };
            for part in 0..parts {
                let (codec, payload) = match source {
                    Source::Microphone => (Codec::Opus, vec![0xfc; 60]),
                    _ => (Codec::Vp8, picture((is_key, part), self.sent as u16, layer as u8)),
                };
                let header = Header {
                    marker: part + 1 == parts,
                    payload_type: 96,
                    sequence: (self.sent * parts + part) as u16,
                    timestamp: self.sent as u32 * 960,
                    ssrc: 5 + layer as u32 + u32::from(source == Source::Screen) * 2,
                    extensions: Values::default(),
                    payload_start: 0,
                    payload_end: payload.len(),
                };
                let stream = Stream { upstream: 0, layer, is_repair: false };
                room.tracks[track].receive(stream, codec, &header, Bytes::from(payload), now);
            }
        }
        self.nodes[self.at].touch(lesson());
    }

    fn step(&mut self) {
        self.deliver();
        for node in 0..2 {
            // Nobody's own line falls silent here.
            for leg in self.nodes[node].legs.indices() {
                let now = self.now;
                self.nodes[node].legs.get_mut(leg).expect("stands").transport.ice.hear(now);
            }
            self.nodes[node].tick(self.now);
            self.transmit(node);
        }
        if self.now >= self.next {
            self.next += PACKET;
            self.speak();
            self.transmit(self.at);
        }
        self.now += STEP;
    }

    fn run(&mut self, time: Duration) {
        let end = self.now + time;
        while self.now < end {
            self.step();
        }
    }

    /// How many packets of a track the student's node has passed on so far.
    fn passed(&mut self, slot: Slot) -> u32 {
        let leg = self.nodes[1].legs.indices().next().expect("the student");
        match &self.nodes[1].legs.get_mut(leg).expect("stands").role {
            Role::Subscriber(downlink) => downlink.slots[usize::from(slot.0)].packets,
            Role::Publisher(_) => 0,
        }
    }

    /// What this node's hub was told of voices on the other since it was last asked.
    fn heard_elsewhere(&mut self, node: usize) -> Vec<(IncarnationId, Voices)> {
        let events = std::iter::from_fn(|| self.events[node].try_recv().ok());
        let heard = |event| match event {
            MediaEvent::HeardElsewhere { node, voices, .. } => Some((node, voices)),
            _ => None,
        };
        events.filter_map(heard).collect()
    }

    fn both(&mut self) -> [u32; 2] {
        [Slot::TEACHER_AUDIO, Slot::FIRST_CAMERA].map(|slot| self.passed(slot))
    }

    /// Time until this many packets more of each were passed on.
    fn until(&mut self, more: u32, patience: Duration) -> Option<Duration> {
        let (began, before) = (self.now, self.both());
        while self.now < began + patience {
            self.step();
            if self.both().iter().zip(before).all(|(now, before)| *now >= before + more) {
                return Some(self.now - began);
            }
        }
        None
    }
}

/// 320 × 180 in the lower layer, 640 × 360 in the upper one.
fn picture((is_key, part): (bool, u64), number: u16, layer: u8) -> Vec<u8> {
    let mut payload = vec![if part == 0 { 0x90 } else { 0x80 }, 0x80];
    payload.extend((number | 0x8000).to_be_bytes());
    match is_key && part == 0 {
        true if layer == 0 => payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xb4, 0x00]),
        true => payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01]),
        false => payload.extend([0x11, 0, 0]),
    }
    payload.resize(200 + 300 * usize::from(layer), 7);
    payload
}
