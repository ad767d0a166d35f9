//! A class that all talks: forty open microphones, the whole engine, the hub's seats for voices, and one phone.

use qism_signaling::room::voice_seats::{SEATS, VoiceSeats};
use rtc::rtcp::{
    packet::{Packet, marshal},
    receiver_report::ReceiverReport,
};

use super::*;
use crate::sfu::{engine::leg::srtp::Place, forward::rtp::Header, sdp::offer};

/// Id of the extension.
const LEVEL: u8 = 3;
const PACKET: Duration = Duration::from_millis(20);
/// Levels (−dBov) of speech and of a room.
const SPEECH: u8 = 20;
const ROOM: u8 = 75;
/// Each speaks for so long, one after the other.
const TURN: Duration = Duration::from_secs(3);

/// One open microphone.
struct Speaker {
    srtp: Srtp,
    sequence: u64,
    /// When the voice began, and when it was heard.
    began: Option<Instant>,
    heard: Option<Instant>,
}

struct Crowd {
    now: Instant,
    worker: Worker,
    events: mpsc::Receiver<MediaEvent>,
    speakers: Vec<Speaker>,
    student: Leg,
    phone: Srtp,
    /// Bytes that reached the phone, with headers.
    bytes: usize,
    seats: VoiceSeats,
    start: Instant,
    slots: [Option<UserId>; SEATS],
}

impl Crowd {
    fn new(size: u8) -> Self {
        let start = Instant::now();
        let identity = Arc::new(Identity::generate().expect("a certificate"));
        let (sender, events) = mpsc::channel(1_024);
        let mut worker =
            Worker::new(identity.clone(), 0, Vec::new(), Candidates::default(), sender, Arc::default());
        // There is no socket that a full batch could go to.
        worker.batch = Batch::kept();
        let lesson = LessonId(Uuid::from_u128(1));
        let leg = |kind, user| Leg { lesson, user, session: SessionId(Uuid::from_u128(9)), kind };
        let speakers = (0..size).map(|number| {
            let user = UserId(Uuid::from_u128(100 + u128::from(number)));
            let (sfu_side, srtp) = srtp_pair(&identity, 10 + number);
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
            let terms = PublisherTerms { upstreams: vec![microphone], extensions };
            let index = worker.legs.next_index().expect("room");
            let room = worker.room(lesson);
            let track = room.track(Publication { user, source: Source::Microphone });
            room.tracks[track].publish(index, &terms.upstreams[0], start);
            let role = Role::Publisher(Uplink::new(terms, vec![track], start));
            insert(&mut worker, leg(LegKind::Publisher, user), sfu_side, role, address(10 + number), start);
            let sources = vec![Source::Microphone];
            worker.obey(Order::Hub(MediaOrder::Permit { lesson, user, sources }), start);
            Speaker { srtp, sequence: 1_000, began: None, heard: None }
        });
        let speakers = speakers.collect();
        let student = leg(LegKind::Subscriber, UserId(Uuid::from_u128(3)));
        let (sfu_side, phone) = srtp_pair(&identity, 2);
        insert_subscriber(&mut worker, student, sfu_side, start);
        let (seats, slots) = (VoiceSeats::default(), [None; SEATS]);
        Self { now: start, worker, events, speakers, student, phone, bytes: 0, seats, start, slots }
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
            let packet = speaker.packet(number as u8, if is_loud { SPEECH } else { ROOM });
            deliver(&mut self.worker, address(10 + number as u8), &packet, now);
        }
        // A sign of life.
        let report: [Box<dyn Packet>; 1] =
            [Box::new(ReceiverReport { ssrc: 7, ..ReceiverReport::default() })];
        let sealed = self.phone.seal_rtcp(&marshal(&report).expect("well formed")).expect("sealed");
        deliver(&mut self.worker, SUBSCRIBER, &sealed, self.now);
        let end = self.now + PACKET;
        while self.now < end {
            self.worker.fan_out(self.now);
            self.worker.tick(self.now);
            self.seat();
            self.receive();
            self.now += STEP;
        }
    }

    /// What the hub does.
    fn seat(&mut self) {
        let at = self.now - self.start;
        while let Ok(event) = self.events.try_recv() {
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
            self.slots[place] = seated.iter().find(|user| !self.slots.contains(&Some(**user))).copied();
            let publication = self.slots[place].map(|user| Publication { user, source: Source::Microphone });
            let (leg, slot, cap) = (self.student, Slot(1 + place as u8), LayerCap::FULL);
            self.worker.obey(Order::Hub(MediaOrder::Assign { leg, slot, publication, cap }), self.now);
        }
    }

    fn receive(&mut self) {
        for (path, datagram) in self.worker.batch.take() {
            if path.peer != SUBSCRIBER {
                continue;
            }
            self.bytes += datagram.len() + 28;
            if (192..224).contains(&datagram[1]) {
                continue;
            }
            let packet = self.phone.open_rtp(&datagram).expect("a voice");
            let header = Header::parse(&packet, &Map::default()).expect("well formed");
            assert_eq!(header.payload_type, offer::OPUS);
            let speaker = &mut self.speakers[usize::from(packet[header.payload_start])];
            speaker.heard.get_or_insert(self.now);
        }
    }

    /// Bytes for the phone while each speaks once, one after the other, and the longest time until one was heard.
    fn talk(&mut self, turns: usize) -> (usize, Duration) {
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

impl Speaker {
    fn packet(&mut self, number: u8, level: u8) -> Vec<u8> {
        self.sequence += 1;
        let mut packet = vec![0x90, 111];
        packet.extend((self.sequence as u16).to_be_bytes());
        packet.extend((self.sequence as u32 * 960).to_be_bytes());
        packet.extend(ssrc(number).to_be_bytes());
        let level = level + (self.sequence % 3) as u8 * 3;
        packet.extend([0xbe, 0xde, 0, 1, LEVEL << 4, level | 0x80, 0, 0]);
        let header = packet.len();
        packet.push(number);
        packet.resize(header + 60, 0x5a);
        let place = Place { ssrc: ssrc(number), sequence: self.sequence };
        assert!(self.srtp.seal_rtp(place, &mut packet, 0, header));
        packet
    }
}

fn ssrc(number: u8) -> u32 {
    5_000 + u32::from(number)
}

#[test]
fn forty_open_microphones_cost_a_phone_no_more_than_three_and_each_voice_is_heard_at_once() {
    const TURNS: usize = 40;
    let (of_three, _) = Crowd::new(3).talk(TURNS);
    let (of_forty, longest) = Crowd::new(40).talk(TURNS);
    println!("3 microphones: {of_three} bytes, 40: {of_forty}; a voice was heard after at most {longest:?}");
    assert!(of_forty <= of_three * 101 / 100, "{of_forty} bytes, {of_three} of three");
    assert!(longest <= Duration::from_millis(100), "{longest:?}");
}
