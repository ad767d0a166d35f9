use std::{net::UdpSocket, sync::Arc, time::Duration};

use bytes::Bytes;
use qism_signaling::{
    hub::ports::{LayerCap, Leg, MediaOrder},
    protocol::{LegKind, Publication, SessionId, Slot, Source, UserId},
};
use rtc::srtp::protection_profile::ProtectionProfile;
use uuid::Uuid;

#[path = "second.rs"]
mod second;

use super::*;
use crate::{
    allocations,
    sfu::{
        engine::{
            counters::Counters,
            identity::Identity,
            inbox::Order,
            leg::{Path, srtp::Place},
            net::socket::{Datagram, Socket},
            parties,
            room::uplink::Stream,
        },
        forward::{extensions::Values, packet::Codec, rtp::Header},
        sdp::Candidates,
    },
};

const SUBSCRIBERS: usize = 100;
/// Packets of one picture.
const PICTURE: u16 = 8;

/// A thread with one lesson: a voice and a camera, and a hundred who receive both.
struct Class {
    worker: Worker,
    lesson: LessonId,
    tracks: [TrackIndex; 2],
    now: Instant,
    /// Whom everything is sent to; kept so that the kernel takes it.
    _drain: UdpSocket,
}

impl Class {
    fn new(subscribers: usize) -> Self {
        let identity = Arc::new(Identity::generate().expect("a certificate"));
        let socket = Socket::bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
        let drain = UdpSocket::bind("127.0.0.1:0").expect("a socket");
        let candidates = Candidates { udp: Vec::new(), tcp: Vec::new() };
        let (events, _) = tokio::sync::mpsc::channel(8);
        let counters = Arc::new(Counters::default());
        let worker = Worker::new(identity, 0, vec![socket], candidates, events, counters);
        let (lesson, now) = (LessonId(Uuid::new_v4()), Instant::now());
        let mut class = Self { worker, lesson, tracks: [0; 2], now, _drain: drain };
        let user = UserId(Uuid::new_v4());
        class.publish(user);
        (0..subscribers).for_each(|_| class.join(user));
        class
    }

    fn publish(&mut self, user: UserId) {
        let sources = vec![Source::Microphone, Source::Camera];
        let permit = MediaOrder::Permit { lesson: self.lesson, user, sources: sources.clone() };
        self.worker.obey(Order::Hub(permit), self.now);
        for (place, source) in sources.into_iter().enumerate() {
            let publication = Publication { user, source };
            self.tracks[place] = parties::publish(&mut self.worker, self.lesson, publication, &[], self.now);
        }
    }

    fn join(&mut self, user: UserId) {
        let leg = Leg {
            lesson: self.lesson,
            user: UserId(Uuid::new_v4()),
            session: SessionId(Uuid::new_v4()),
            kind: LegKind::Subscriber,
        };
        let peer = self._drain.local_addr().expect("bound");
        parties::subscribe(&mut self.worker, leg, peer, self.now);
        for (slot, source) in
            [(Slot::TEACHER_AUDIO, Source::Microphone), (Slot::FIRST_CAMERA, Source::Camera)]
        {
            let publication = Some(Publication { user, source });
            let assign = MediaOrder::Assign { leg, slot, publication, cap: LayerCap::FULL };
            self.worker.obey(Order::Hub(assign), self.now);
        }
    }

    /// A voice and a picture come.
    fn receive(&mut self, picture: u16) {
        self.now += Duration::from_millis(40);
        self.receive_packet(0, picture, Bytes::from_static(&[0xfc; 80]));
        self.receive_picture(picture);
    }

    fn receive_picture(&mut self, picture: u16) {
        for part in 0..PICTURE {
            let mut payload = vec![if part == 0 { 0x90 } else { 0x80 }, 0x80, 0x80, picture as u8];
            match (part, picture) {
                (0, 0) => payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01]),
                (0, _) => payload.extend([0x11, 0, 0]),
                _ => {}
            }
            payload.resize(1_100, 7);
            self.receive_packet(1, picture * PICTURE + part, payload.into());
        }
    }

    fn receive_packet(&mut self, place: usize, sequence: u16, payload: Bytes) {
        let header = Header {
            marker: place == 1 && sequence % PICTURE == PICTURE - 1,
            payload_type: 96,
            sequence: 100 + sequence,
            timestamp: u32::from(sequence),
            ssrc: place as u32 + 1,
            extensions: Values::default(),
            payload_start: 0,
            payload_end: 0,
        };
        let codec = if place == 0 { Codec::Opus } else { Codec::Vp8 };
        let stream = Stream { upstream: place, layer: 0, is_repair: false };
        let track = self.tracks[place];
        let room = self.worker.room(self.lesson);
        room.tracks[track].receive(stream, codec, &header, payload, self.now);
        self.worker.touch(self.lesson);
    }

    fn send(&mut self) {
        self.worker.fan_out(self.now);
        self.worker.flush();
    }

    /// Nanoseconds of CPU by packet to send everything.
    fn cost(&mut self, subscribers: usize) -> f64 {
        let (mut spent, mut packets) = (Duration::ZERO, 0);
        for picture in 0..200 {
            self.receive(picture);
            let before = thread_cpu();
            self.send();
            // The first rounds touch memory for the first time.
            if picture >= 20 {
                spent += thread_cpu() - before;
                packets += subscribers * (usize::from(PICTURE) + 1);
            }
        }
        spent.as_nanos() as f64 / packets as f64
    }

    /// Nanoseconds of CPU to seal one of the packets.
    fn seal(&mut self) -> f64 {
        const SEALS: usize = 90_000;
        let leg = self.worker.legs.indices().next().expect("somebody");
        let state = self.worker.legs.get_mut(leg).expect("there");
        let srtp = state.transport.srtp.as_mut().expect("keys");
        let mut buffer = Vec::with_capacity(2_048);
        let before = thread_cpu();
        for number in 0..SEALS {
            buffer.clear();
            buffer.resize(if number % 9 == 0 { 92 } else { 1_120 }, 7);
            let place = Place { ssrc: 1, sequence: number as u64 };
            assert!(srtp.seal_rtp(place, &mut buffer, 0, 20));
        }
        (thread_cpu() - before).as_nanos() as f64 / SEALS as f64
    }
}

#[test]
fn forwarding_to_a_hundred_subscribers_allocates_nothing() {
    let mut class = Class::new(SUBSCRIBERS);
    for picture in 0..3 {
        class.receive(picture);
        class.send();
    }
    let sent = class.worker.counters.totals().packets_out;
    let rounds = 3..8;
    for picture in rounds.clone() {
        class.receive(picture);
        let allocations = allocations::during(|| class.send());
        assert_eq!(allocations, 0, "picture {picture}");
    }
    let sent = class.worker.counters.totals().packets_out - sent;
    assert_eq!(sent, rounds.len() as u64 * (u64::from(PICTURE) + 1) * SUBSCRIBERS as u64);
}

#[test]
fn a_picture_that_began_before_its_gate_opened_is_asked_for_a_key_frame() {
    let mut class = Class::new(1);
    // No key frame: that was before.
    for picture in 1..3 {
        class.receive(picture);
        class.send();
    }
    let (track, later) = (class.tracks[1], class.now + Duration::from_secs(1));
    let room = class.worker.room(class.lesson);
    assert_eq!(room.tracks[track].keyframes.poll(later), Some(0));
}

/// Nanoseconds of CPU to choose, write and seal a packet for one of so many subscribers; nothing is handed to the kernel.
pub fn forwarding(subscribers: usize) -> f64 {
    let mut dry = Class::new(subscribers);
    // Without a socket the batch is grouped and thrown away.
    dry.worker.sockets.clear();
    dry.cost(subscribers)
}

/// CPU time of this thread.
pub fn thread_cpu() -> Duration {
    // SAFETY: all zeros is a valid timespec, and the call fills it.
    let mut time: libc::timespec = unsafe { std::mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}

/// Its output is the table of docs/packet-cost.md.
#[test]
#[ignore = "prints figures, asserts none: cargo test --release --lib packet_costs -- --ignored --nocapture"]
fn packet_costs() {
    println!("subscribers | seal | choose, write, group | kernel | sum (ns of CPU a packet)");
    for subscribers in [50, 200, 500] {
        let sum = Class::new(subscribers).cost(subscribers);
        let mut dry = Class::new(subscribers);
        // Without a socket the batch is grouped and thrown away.
        dry.worker.sockets.clear();
        let (here, seal) = (dry.cost(subscribers), dry.seal());
        println!("{subscribers} | {seal:.0} | {:.0} | {:.0} | {sum:.0}", here - seal, sum - here);
    }
}
