//! A thread's worker with a small lesson in it, for tests that feed it the bytes of strangers and of hostile peers
//! (`tests/fuzz`, and the properties below). No part of the server.

use std::{net::SocketAddr, sync::Arc, time::Duration, time::Instant};

use bytes::Bytes;
use qism_signaling::{
    hub::ports::{LayerCap, Leg, MediaEvent, MediaOrder},
    protocol::{
        IncarnationId, LegKind, LessonId, Publication, SessionId, Slot, Source, UserId, media::OfferedTrack,
    },
};
use rtc::{
    srtp::{config::SessionKeys, protection_profile::ProtectionProfile},
    stun::{
        attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME, RawAttribute},
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, Message, Setter, TransactionId},
        textattrs::TextAttribute,
    },
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::{
    counters::Counters,
    identity::Identity,
    inbox::Order,
    leg::{dtls::Keys, inbound::STREAMS, srtp::Srtp},
    net::{
        socket::Datagram,
        streams::{StreamEvent, StreamOut},
    },
    relay::{Far, Membership, Neighbor, Relays},
    room::LegIndex,
    worker::Worker,
};
use crate::sfu::sdp::Candidates;

/// Whom datagrams come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum From {
    /// An address that no check came from.
    Stranger,
    /// Speaks and shows a camera of two layers.
    Publisher,
    /// Hears and sees it.
    Subscriber,
    /// Passed a check and shakes hands.
    Newcomer,
}

/// What a worker keeps, counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    pub legs: usize,
    pub addresses: usize,
    pub rooms: usize,
    pub streams: usize,
    pub tracks: usize,
    pub relays: usize,
    /// Streams that peers with keys send.
    pub senders: usize,
}

/// A worker with a lesson of three, all in virtual time.
pub struct Lesson {
    worker: Worker,
    now: Instant,
    events: mpsc::Receiver<MediaEvent>,
    legs: [(LegIndex, String); 3],
}

impl Lesson {
    /// Opens it. An identity is expensive to make and can be shared.
    pub fn begin(identity: &Arc<Identity>) -> Self {
        let (sender, events) = mpsc::channel(64);
        let counters = Arc::new(Counters::default());
        let candidates = Candidates { udp: vec![([192, 0, 2, 1], 7_882).into()], tcp: Vec::new() };
        let worker = Worker::new(identity.clone(), 0, Vec::new(), candidates, sender, counters);
        let mut lesson = Self { worker, now: Instant::now(), events, legs: Default::default() };
        lesson.join_cluster();
        let (room, user) = (LessonId(Uuid::from_u128(1)), UserId(Uuid::from_u128(2)));
        let leg = |user: u128, kind| Leg {
            lesson: room,
            user: UserId(Uuid::from_u128(user)),
            session: SessionId(Uuid::from_u128(user)),
            kind,
        };
        let sources = vec![Source::Microphone, Source::Camera];
        lesson.obey(MediaOrder::Permit { lesson: room, user, sources });
        lesson.legs = [
            lesson.publish(leg(2, LegKind::Publisher)),
            lesson.subscribe(leg(3, LegKind::Subscriber)),
            lesson.publish(leg(4, LegKind::Publisher)),
        ];
        for (slot, source) in [(Slot(1), Source::Microphone), (Slot::FIRST_CAMERA, Source::Camera)] {
            let (leg, publication) = (leg(3, LegKind::Subscriber), Some(Publication { user, source }));
            lesson.obey(MediaOrder::Assign { leg, slot, publication, cap: LayerCap::FULL });
        }
        lesson.connect();
        lesson
    }

    /// This node is one of two.
    fn join_cluster(&mut self) {
        let membership = Some(Membership { incarnation: IncarnationId(Uuid::from_u128(8)), key: [7; 32] });
        self.worker.ways.relays = Relays::new(membership, 0, vec![([192, 0, 2, 1], 7_882).into()]);
        let (doors, fingerprint) = (vec![([192, 0, 2, 9], 7_882).into()], ["0A"; 32].join(":"));
        let neighbor = Neighbor { incarnation: NEIGHBOR.node, doors, fingerprint };
        self.worker.obey(Order::Meet([neighbor].into()), self.now);
    }

    /// A relay to the other node stands, and a microphone and a camera there are received here.
    pub fn open_relay(&mut self) {
        let (lesson, user) = (LessonId(Uuid::from_u128(1)), UserId(Uuid::from_u128(5)));
        self.obey(MediaOrder::Origin { lesson, user, node: Some(NEIGHBOR.node) });
        self.obey(MediaOrder::Permit { lesson, user, sources: vec![Source::Microphone, Source::Camera] });
        let (session, kind) = (SessionId(Uuid::from_u128(3)), LegKind::Subscriber);
        let leg = Leg { lesson, user: UserId(Uuid::from_u128(3)), session, kind };
        for (slot, source) in [(Slot(2), Source::Microphone), (Slot(7), Source::Camera)] {
            let publication = Some(Publication { user, source });
            self.obey(MediaOrder::Assign { leg, slot, publication, cap: LayerCap::FULL });
        }
        let identity = self.worker.identity.clone();
        let relay = self.worker.ways.relays.get_mut(NEIGHBOR).expect("asked for");
        relay.take_keys(&keys(), &identity).expect("keys");
        relay.hear(self.now);
        self.sent();
    }

    /// What the other node sends, as it is after decryption.
    pub fn relayed(&mut self, packet: &[u8]) {
        let packet = Bytes::copy_from_slice(packet);
        match packet.get(1) {
            Some(192..=223) => self.worker.take_relay_control(NEIGHBOR, packet, self.now),
            _ => {
                self.worker.take_relayed(NEIGHBOR, &packet, self.now);
                self.worker.fan_out(self.now);
            }
        }
        if let Some(relay) = self.worker.ways.relays.get_mut(NEIGHBOR) {
            relay.hear(self.now);
        }
        self.sent();
    }

    fn obey(&mut self, order: MediaOrder) {
        self.worker.obey(Order::Hub(order), self.now);
    }

    fn publish(&mut self, leg: Leg) -> (LegIndex, String) {
        let (reply, mut answer) = oneshot::channel();
        let tracks = [("0", Source::Microphone), ("1", Source::Camera)]
            .map(|(mid, source)| OfferedTrack { mid: mid.into(), source });
        self.obey(MediaOrder::Publish { leg, offer: offer(), tracks: tracks.to_vec(), reply });
        let answer = answer.try_recv().expect("answered at once").expect("acceptable");
        (self.worker.legs.find(&leg).expect("was made"), answer)
    }

    fn subscribe(&mut self, leg: Leg) -> (LegIndex, String) {
        let (reply, mut offered) = oneshot::channel();
        self.obey(MediaOrder::Subscribe { leg, cameras: 2, reply });
        let offered = offered.try_recv().expect("answered at once").expect("room for one");
        let (reply, _) = oneshot::channel();
        self.obey(MediaOrder::SubscriberAnswer { leg, answer: answer(&offered), reply });
        (self.worker.legs.find(&leg).expect("was made"), offered)
    }

    /// All pass a check; the first two have their keys.
    fn connect(&mut self) {
        for (from, place) in [(From::Publisher, 0), (From::Subscriber, 1), (From::Newcomer, 2)] {
            let check = check(&self.legs[place].1, self.worker.identity.clone());
            self.datagram(from, &check);
        }
        for place in 0..2 {
            let (index, identity) = (self.legs[place].0, self.worker.identity.clone());
            let state = self.worker.legs.get_mut(index).expect("stands");
            state.transport.srtp = Srtp::new(&keys(), STREAMS, &identity).ok();
            state.is_up = true;
        }
        self.sent();
    }

    /// What one datagram makes us send: the bytes.
    pub fn datagram(&mut self, from: From, bytes: &[u8]) -> usize {
        self.worker.receive(0, Datagram { bytes, peer: address(from), local: None }, self.now);
        self.sent()
    }

    /// What the first frame of a connection makes us send.
    pub fn connection(&mut self, first: &[u8]) -> usize {
        let ((urgent, mut written), (pictures, _)) = (mpsc::channel(16), mpsc::channel(1));
        let out = StreamOut { urgent, pictures, queued: Arc::default() };
        let (peer, local) = (address(From::Stranger), [192, 0, 2, 1].into());
        let first = Bytes::copy_from_slice(first);
        self.worker.receive_stream(StreamEvent::Opened { peer, local, out, first }, self.now);
        let sent = self.sent();
        sent + std::iter::from_fn(|| written.try_recv().ok()).map(|frame| frame.len()).sum::<usize>()
    }

    /// A packet of the publisher as it is after decryption.
    pub fn media(&mut self, packet: &[u8]) {
        let packet = Bytes::copy_from_slice(packet);
        self.worker.take_rtp(self.legs[0].0, &packet, self.now);
        self.worker.fan_out(self.now);
        self.sent();
    }

    /// RTCP after decryption, of the publisher or of the subscriber.
    pub fn control(&mut self, from: From, packet: &[u8]) {
        let index = self.legs[usize::from(from != From::Publisher)].0;
        self.worker.handle_feedback(index, packet, self.now);
        self.sent();
    }

    /// Time goes by; nobody falls silent.
    pub fn wait(&mut self, time: Duration) {
        self.now += time;
        for place in 0..2 {
            if let Some(state) = self.worker.legs.get_mut(self.legs[place].0) {
                state.transport.ice.hear(self.now);
            }
        }
        self.worker.tick(self.now);
        while self.events.try_recv().is_ok() {}
        self.sent();
    }

    /// What is kept now.
    pub fn kept(&self) -> Kept {
        let srtp = |&(index, _): &(LegIndex, String)| {
            self.worker.legs.get(index).and_then(|state| state.transport.srtp.as_ref())
        };
        Kept {
            legs: self.worker.legs.indices().count(),
            addresses: self.worker.legs.addresses(),
            rooms: self.worker.rooms.len(),
            streams: self.worker.streams.len(),
            tracks: self.worker.rooms.values().map(|room| room.tracks.len()).sum(),
            relays: self.worker.ways.relays.fars().len(),
            senders: self.legs.iter().filter_map(srtp).map(Srtp::streams).sum(),
        }
    }

    /// Bytes that wait to be sent, and are no more.
    fn sent(&mut self) -> usize {
        let waiting = self.worker.batch.bytes();
        self.worker.flush();
        waiting
    }

    /// The check of a peer that knows the publisher's user fragment but not its password.
    pub fn forged_check(&self) -> Vec<u8> {
        let wrong = self.legs[0].1.replace("a=ice-pwd:", "a=ice-pwd:x");
        check(&wrong, self.worker.identity.clone())
    }
}

/// A media thread of the other node.
const NEIGHBOR: Far = Far { node: IncarnationId(Uuid::from_u128(9)), thread: 0 };

fn address(from: From) -> SocketAddr {
    ([198, 51, 100, from as u8], 4_000).into()
}

fn keys() -> Keys {
    let profile = ProtectionProfile::AeadAes128Gcm;
    let (key, salt) = (|| vec![7; 16], || vec![7; 12]);
    let session = SessionKeys {
        local_master_key: key(),
        local_master_salt: salt(),
        remote_master_key: key(),
        remote_master_salt: salt(),
    };
    Keys { profile, session }
}

/// As a browser nominates us, by our description.
fn check(ours: &str, identity: Arc<Identity>) -> Vec<u8> {
    let told = |word| ours.lines().find_map(|line| line.strip_prefix(word)).unwrap_or_default().trim();
    let (ufrag, password) = (told("a=ice-ufrag:"), told("a=ice-pwd:").to_owned());
    let setters: [Box<dyn Setter + '_>; 6] = [
        Box::new(TransactionId::default()),
        Box::new(BINDING_REQUEST),
        Box::new(TextAttribute::new(ATTR_USERNAME, format!("{ufrag}:peer"))),
        Box::new(RawAttribute { typ: ATTR_USE_CANDIDATE, length: 0, value: Vec::new() }),
        Box::new(MessageIntegrity::new_short_term_integrity_with_provider(password, identity.crypto())),
        Box::new(FINGERPRINT),
    ];
    let mut message = Message::new();
    message.build(&setters).expect("well formed");
    message.raw
}

fn head(setup: &str) -> String {
    let fingerprint = ["0A"; 32].join(":");
    format!(
        "v=0\r\na=ice-ufrag:abcd\r\na=ice-pwd:abcdefghijklmnopqrstuv\r\na=setup:{setup}\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\n"
    )
}

/// A microphone told by its number, and a camera of two layers told by rid, in VP8 and H.264.
fn offer() -> String {
    let uri = |kind: super::super::forward::extensions::Kind| kind.uri();
    let kinds = super::super::forward::extensions::Kind::ALL;
    let extensions: String =
        kinds.iter().zip(1..).map(|(kind, id)| format!("a=extmap:{id} {}\r\n", uri(*kind))).collect();
    format!(
        "{}m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:0\r\na=rtpmap:111 opus/48000/2\r\na=ssrc:1001 cname:a\r\n{extensions}\
         m=video 9 UDP/TLS/RTP/SAVPF 96 97 106 107\r\na=mid:1\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
         a=fmtp:97 apt=96\r\na=rtpmap:106 H264/90000\r\na=fmtp:106 packetization-mode=1;profile-level-id=42e01f\r\n\
         a=rtpmap:107 rtx/90000\r\na=fmtp:107 apt=106\r\n{extensions}a=rid:l send\r\na=rid:h send\r\n\
         a=simulcast:send l;h\r\n",
        head("actpass")
    )
}

/// Takes everything that is offered.
fn answer(offered: &str) -> String {
    let sections = offered.find("m=").map_or("", |at| &offered[at..]);
    let kept = |line: &&str| {
        !["a=ice-", "a=setup", "a=candidate", "a=fingerprint"].iter().any(|it| line.starts_with(it))
    };
    let lines: Vec<&str> = sections.lines().filter(kept).collect();
    format!("{}{}\r\n", head("active"), lines.join("\r\n"))
}

#[cfg(test)]
#[path = "tests/key_frames.rs"]
mod key_frame_tests;
#[cfg(test)]
#[path = "tests/strangers.rs"]
mod tests;
