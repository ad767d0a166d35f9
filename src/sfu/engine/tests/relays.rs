//! Two nodes and the link between them, in virtual time: a teacher on one, a student on the other.

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
use rtc::srtp::{config::SessionKeys, protection_profile::ProtectionProfile};
use tokio::sync::mpsc;
use uuid::Uuid;

use super::*;
use crate::sfu::{
    engine::{
        identity::Identity,
        inbox::Order,
        leg::{Transport, dtls::Keys, ice::IceLite, srtp::Srtp},
        legs::{LegState, Role, credentials},
        net::socket::Datagram,
        relay::knock::Knock,
        room::{downlink::Downlink, uplink::Stream},
    },
    forward::{extensions::Values, packet::Codec, rtp::Header},
    sdp::{Candidates, SubscriberTerms, Upstream, answer::Format},
};

const STEP: Duration = Duration::from_millis(10);
/// One way.
const TRAVEL: Duration = Duration::from_millis(20);
/// A voice's packets; a picture comes with each.
const PACKET: Duration = Duration::from_millis(20);
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
        world.join(1, &identities[1]);
        let (lesson, user, node) = (lesson(), teacher(), Some(incarnation(0)));
        world.obey(1, MediaOrder::Origin { lesson, user, node });
        world
    }

    fn obey(&mut self, node: usize, order: MediaOrder) {
        self.nodes[node].obey(Order::Hub(order), self.now);
    }

    fn publish(&mut self, node: usize) {
        let room = self.nodes[node].room(lesson());
        for (place, source) in SOURCES.into_iter().enumerate() {
            let codec = if source.is_audio() { Codec::Opus } else { Codec::Vp8 };
            let upstream = Upstream {
                mid: place.to_string(),
                source,
                formats: vec![Format { codec, payload_type: 96, retransmission: None }],
                rids: if source.is_audio() { vec![] } else { vec!["l".into(), "h".into()] },
                ssrcs: vec![],
                repairs: vec![],
            };
            let track = room.track(Publication { user: teacher(), source });
            room.tracks[track].publish(usize::MAX, &upstream, self.now);
        }
    }

    /// A student who receives everything.
    fn join(&mut self, node: usize, identity: &Arc<Identity>) {
        let session = SessionKeys {
            local_master_key: vec![1; 16],
            local_master_salt: vec![2; 12],
            remote_master_key: vec![3; 16],
            remote_master_salt: vec![4; 12],
        };
        let keys = Keys { profile: ProtectionProfile::AeadAes128Gcm, session };
        let mut ice = IceLite::new(credentials(0, 0), self.now);
        ice.select(Path { socket: 0, peer: door(7), local: None });
        let mut transport = Transport::new(ice, identity.clone());
        transport.srtp = Some(Srtp::new(&keys, identity).expect("keys"));
        let (user, session) = (UserId(Uuid::from_u128(3)), SessionId(Uuid::from_u128(3)));
        let leg = Leg { lesson: lesson(), user, session, kind: LegKind::Subscriber };
        let role = Role::Subscriber(Box::new(Downlink::new(SubscriberTerms::new(2), || 1)));
        self.nodes[node].legs.insert(LegState { name: leg, transport, role, is_up: true, carried: 0 });
        self.show(node, LayerCap::FULL);
    }

    /// The student's window has this size.
    fn show(&mut self, node: usize, cap: LayerCap) {
        let (user, session) = (UserId(Uuid::from_u128(3)), SessionId(Uuid::from_u128(3)));
        let leg = Leg { lesson: lesson(), user, session, kind: LegKind::Subscriber };
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
                self.carried[to] += 1;
                self.traveling.push_back((self.now + TRAVEL, to, bytes));
            }
        }
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
        let (sequence, now) = (self.sent as u16, self.now);
        for (source, layer) in [(Source::Microphone, 0), (Source::Camera, 0), (Source::Camera, 1)] {
            let room = self.nodes[self.at].room(lesson());
            let track = room.track(Publication { user: teacher(), source });
            let is_key = self.sent.is_multiple_of(10);
            let (codec, payload) = match source {
                Source::Microphone => (Codec::Opus, vec![0xfc; 60]),
                _ => (Codec::Vp8, picture(is_key, sequence, layer as u8)),
            };
            let header = Header {
                marker: true,
                payload_type: 96,
                sequence,
                timestamp: self.sent as u32 * 960,
                ssrc: 5 + layer as u32,
                extensions: Values::default(),
                payload_start: 0,
                payload_end: payload.len(),
            };
            let stream = Stream { upstream: 0, layer, is_repair: false };
            if !room.tracks[track].is_permitted() || room.tracks[track].publisher.is_none() {
                continue;
            }
            room.tracks[track].receive(stream, codec, &header, Bytes::from(payload), now);
        }
        self.nodes[self.at].touch(lesson());
        self.nodes[self.at].fan_out(now);
        self.voice.insert(self.sent, (now, None));
        self.sent += 1;
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
fn picture(is_key: bool, number: u16, layer: u8) -> Vec<u8> {
    let mut payload = vec![0x90, 0x80];
    payload.extend((number | 0x8000).to_be_bytes());
    match is_key {
        true if layer == 0 => payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xb4, 0x00]),
        true => payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01]),
        false => payload.extend([0x11, 0, 0]),
    }
    payload.resize(200 + 300 * usize::from(layer), 7);
    payload
}

#[test]
fn a_relay_is_up_and_carries_within_half_a_second() {
    let mut world = World::new(1);
    let took = world.until(5, Duration::from_secs(5)).expect("it carries");
    println!("first packets after {took:?} at a round trip of {:?}", TRAVEL * 2);
    assert!(took <= Duration::from_millis(700), "{took:?}");
    let totals = world.nodes[0].counters.totals();
    assert_eq!((totals.relays_opened, totals.relay_failures, totals.strangers), (1, 0, 0));
}

#[test]
fn what_a_link_loses_is_there_within_two_round_trips() {
    let mut world = World::new(2);
    world.run(Duration::from_secs(2));
    world.lost = 5;
    let first = world.sent;
    world.run(Duration::from_secs(60));
    let took: Vec<Option<Duration>> = (first..world.sent - 20).map(|count| world.voice[&count].1).collect();
    let late = |round_trips: u32| {
        // The way itself, the wait for packets out of order, and the grain of our time.
        let limit = TRAVEL + TRAVEL * 2 * round_trips + STEP * 2;
        took.iter().filter(|took| took.is_none_or(|took| took > limit)).count()
    };
    let never = took.iter().filter(|took| took.is_none()).count();
    println!(
        "of {}: {} after one round trip more, {} after two, {never} never",
        took.len(),
        late(1),
        late(2)
    );
    assert!(late(2) * 100 <= took.len() && never * 1_000 <= took.len());
    let totals = world.nodes[0].counters.totals();
    assert!(totals.relay_packets_repeated > 50, "{totals:?}");
}

#[test]
fn a_link_that_was_dark_carries_again_within_a_second_and_keeps_its_keys() {
    for seconds in [1, 3, 9, 25] {
        let mut world = World::new(3);
        world.run(Duration::from_secs(2));
        world.lost = 100;
        world.run(Duration::from_secs(seconds));
        world.lost = 0;
        let took = world.until(5, Duration::from_secs(10)).expect("it carries again");
        println!("after {seconds} s of darkness it took {took:?}");
        assert!(took <= Duration::from_secs(1), "{took:?} after {seconds} s");
        assert_eq!(world.nodes[0].counters.totals().relays_opened, 1, "nothing was agreed on anew");
    }
}

#[test]
fn nothing_but_knocks_is_sent_into_the_dark() {
    let mut world = World::new(4);
    world.run(Duration::from_secs(2));
    // What the first node sends is taken; the second one says nothing.
    world.nodes[1].ways.relays = Relays::new(None, 0, Vec::new());
    world.run(Duration::from_secs(3));
    let before = world.carried[1];
    world.run(Duration::from_secs(2));
    assert!(world.carried[1] - before <= 21, "{}", world.carried[1] - before);
}

#[test]
fn who_does_not_belong_gets_nothing_and_leaves_nothing() {
    let wrongs = [
        Wrong { key: true, ..Wrong::default() },
        Wrong { fingerprint: true, ..Wrong::default() },
        Wrong { unknown: true, ..Wrong::default() },
    ];
    for wrong in wrongs {
        let mut world = World::with(5, wrong);
        world.run(Duration::from_secs(10));
        assert_eq!(world.both(), [0, 0], "nothing is passed on");
        let totals = world.nodes[0].counters.totals();
        assert_eq!((totals.relays_opened, totals.relay_packets_out), (0, 0), "{totals:?}");
        if wrong.fingerprint {
            assert!(
                totals.relay_failures > 1 && totals.relay_failures < 12,
                "tried again, ever more seldom: {totals:?}"
            );
        } else {
            assert!(world.nodes[0].ways.relays.is_empty(), "no memory");
            assert_eq!(world.carried[1], 0, "no answer");
            assert!(totals.strangers > 5);
        }
    }
}

#[test]
fn a_node_that_lost_its_end_of_a_relay_makes_a_new_one() {
    let mut world = World::new(6);
    world.run(Duration::from_secs(2));
    let far = Far { node: incarnation(1), thread: 0 };
    world.nodes[0].ways.relays.remove(far);
    let took = world.until(5, Duration::from_secs(10)).expect("it carries again");
    println!("a lost end cost {took:?}");
    assert!(took <= Duration::from_secs(2), "{took:?}");
}

#[test]
fn a_dead_node_and_an_idle_relay_are_forgotten() {
    let mut world = World::new(7);
    world.run(Duration::from_secs(2));
    let now = world.now;
    world.nodes[1].obey(Order::Meet(Vec::new().into()), now);
    assert!(world.nodes[1].ways.relays.is_empty());
    // The first one still takes the second for living, but is asked for nothing any more.
    world.nodes[1].ways.relays = Relays::new(None, 0, Vec::new());
    world.run(Duration::from_secs(40));
    assert!(world.nodes[0].ways.relays.is_empty());
    let exports = world.nodes[0].room(lesson()).tracks.iter().map(|track| track.exports.len()).sum::<usize>();
    assert_eq!(exports, 0);
}

#[test]
fn a_knock_that_is_sent_once_more_by_a_stranger_moves_nothing() {
    let mut world = World::new(8);
    world.run(Duration::from_secs(2));
    let (now, far) = (world.now, Far { node: incarnation(0), thread: 0 });
    let own = Far { node: incarnation(1), thread: 0 };
    let old = Knock { to: own, from: far, attempt: 0, known: 0 };
    let identity = world.nodes[1].identity.clone();
    let datagram = old.write(&[7; 32], identity.crypto()).expect("well formed");
    let stranger = Datagram { bytes: &datagram, peer: door(9), local: None };
    world.nodes[1].receive(0, stranger, now);
    assert!(world.nodes[1].batch.take().iter().all(|(path, _)| path.peer != door(9)), "no answer goes there");
    world.until(20, Duration::from_secs(1)).expect("it carries on");
}

#[test]
fn only_the_layers_that_are_received_cross_and_others_follow_at_once() {
    let mut world = World::new(9);
    world.run(Duration::from_secs(3));
    let per_second = |world: &mut World| {
        let before = world.nodes[0].counters.totals().relay_packets_out;
        world.run(Duration::from_secs(2));
        (world.nodes[0].counters.totals().relay_packets_out - before) / 2
    };
    assert_eq!(
        per_second(&mut world),
        150,
        "the voice, the layer that is shown, and the one to fall back to"
    );
    world.show(1, LayerCap::LOW);
    world.run(Duration::from_millis(500));
    assert_eq!(per_second(&mut world), 100);
    world.show(1, LayerCap::FULL);
    world.run(Duration::from_millis(500));
    assert_eq!(per_second(&mut world), 150);
    world.until(20, Duration::from_secs(1)).expect("and the picture flows");
}

#[test]
fn who_is_heard_on_a_node_is_told_over_the_relay_and_keeps_nothing_open() {
    let mut world = World::new(14);
    world.run(Duration::from_secs(2));
    let (lesson, speaker) = (lesson(), UserId(Uuid::from_u128(4)));
    let crowd = Voices::Speaking((0..40).map(|n| UserId(Uuid::from_u128(n))).collect());
    let voices =
        [Voices::Speaking(vec![speaker, teacher()]), Voices::Begins(speaker), Voices::Speaking(vec![])];
    for voices in voices {
        world.obey(1, MediaOrder::Heard { lesson, voices: voices.clone() });
        world.run(TRAVEL * 2);
        assert_eq!(world.heard_elsewhere(0), [(incarnation(1), voices)]);
    }
    world.obey(0, MediaOrder::Heard { lesson, voices: crowd });
    world.run(TRAVEL * 2);
    let heard = world.heard_elsewhere(1);
    assert!(matches!(&heard[..], [(_, Voices::Speaking(users))] if users.len() == 16), "{heard:?}");
    // Nobody on the second node needs anything any more.
    world.nodes[1].obey(Order::Hub(MediaOrder::CloseLesson { lesson }), world.now);
    for _ in 0..40 {
        world.obey(0, MediaOrder::Heard { lesson, voices: Voices::Begins(speaker) });
        world.run(Duration::from_secs(1));
    }
    assert_eq!(world.heard_elsewhere(1), [], "the lesson is not open there");
    assert!(world.nodes[0].ways.relays.is_empty());
}

#[test]
fn a_teacher_who_publishes_again_after_a_pause_is_heard_at_once() {
    for pause in [1, 20] {
        let mut world = World::new(10);
        world.run(Duration::from_secs(2));
        world.nodes[0].room(lesson()).unpublish(usize::MAX);
        world.next += Duration::from_secs(pause);
        world.run(Duration::from_secs(pause));
        world.publish(0);
        let took = world.until(5, Duration::from_secs(5)).expect("heard again");
        println!("published again after {pause} s: heard and seen {took:?} later");
        assert!(took <= Duration::from_millis(400), "{took:?}");
    }
}

#[test]
fn what_is_shut_and_opened_again_crosses_again() {
    for node in [0, 1] {
        let mut world = World::new(11);
        world.run(Duration::from_secs(2));
        let permit = |sources: &[Source]| MediaOrder::Permit {
            lesson: lesson(),
            user: teacher(),
            sources: sources.to_vec(),
        };
        world.obey(node, permit(&[]));
        // What is on its way still comes where the gate is open.
        world.run(TRAVEL * 2);
        let before = world.both();
        world.run(Duration::from_secs(1));
        assert_eq!(world.both(), before, "nothing while it is shut on either node");
        world.obey(node, permit(&SOURCES));
        world.until(5, Duration::from_secs(1)).expect("again");
    }
}

#[test]
fn a_teacher_who_moves_to_the_students_node_is_taken_from_there() {
    let mut world = World::new(12);
    world.run(Duration::from_secs(2));
    let (lesson, user) = (lesson(), teacher());
    world.obey(1, MediaOrder::Origin { lesson, user, node: None });
    world.obey(0, MediaOrder::Origin { lesson, user, node: Some(incarnation(1)) });
    world.until(20, Duration::from_secs(1)).expect("what still comes from the old node is taken");
    world.publish(1);
    world.at = 1;
    world.until(5, Duration::from_secs(1)).expect("and then what comes here");
    world.run(Duration::from_secs(8));
    let exports = world.nodes[0].room(lesson).tracks.iter().map(|track| track.exports.len()).sum::<usize>();
    assert_eq!(exports, 0, "nothing is asked of the old node");
}

#[test]
fn a_teacher_who_moves_away_is_heard_here_until_something_comes_from_there() {
    let mut world = World::new(13);
    // The student hears a teacher on the same node first, who then moves to the other one.
    world.publish(1);
    let (lesson, user) = (lesson(), teacher());
    world.obey(1, MediaOrder::Origin { lesson, user, node: None });
    world.at = 1;
    world.run(Duration::from_secs(2));
    world.obey(1, MediaOrder::Origin { lesson, user, node: Some(incarnation(0)) });
    world.publish(0);
    // The new leg is there and silent, while the old one goes on.
    world.until(50, Duration::from_millis(1_100)).expect("not one packet less");
    world.at = 0;
    let took = world.until(5, Duration::from_secs(1)).expect("from the new node");
    // Up to 200 ms are the wait for the next key frame.
    assert!(took <= Duration::from_millis(500), "{took:?}");
}
