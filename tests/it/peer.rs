//! Fixture: real peers on the `webrtc` crate that publish into an SFU and receive from it over loopback.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use crate::{lossy::LossyLink, over_tcp::TcpLink};
use qism::sfu::{Membership, SHARE, Sfu, SfuConfig};
use qism_signaling::{
    hub::ports::{DataPlan, LayerCap, Leg, MediaError, MediaEvent, MediaOrder, MediaPlane},
    protocol::{LegKind, LessonId, Publication, SessionId, Slot, Source, UserId, media::OfferedTrack},
};
use rtc::{
    interceptor::Registry,
    media_stream::MediaStreamTrack,
    peer_connection::{
        configuration::{
            RTCConfigurationBuilder,
            interceptor_registry::register_default_interceptors,
            media_engine::{MIME_TYPE_OPUS, MIME_TYPE_VP8, MediaEngine},
            setting_engine::SettingEngineBuilder,
        },
        sdp::RTCSessionDescription,
    },
    rtp,
    rtp_transceiver::rtp_sender::{
        RTCRtpCodec, RTCRtpCodingParameters, RTCRtpEncodingParameters, RtpCodecKind,
    },
};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;
use webrtc::{
    media_stream::{
        track_local::{TrackLocal, static_rtp::TrackLocalStaticRTP},
        track_remote::{TrackRemote, TrackRemoteEvent},
    },
    peer_connection::{PeerConnection, PeerConnectionBuilder, PeerConnectionEventHandler},
};

/// A publisher of these sources, and a receiver who is up and has each in a slot.
pub async fn lesson(seats: &[(Slot, Source)]) -> (Plane, Publisher, Subscriber) {
    let mut plane = Plane::start();
    let publisher = Publisher::join(&plane).await;
    let user = publisher.leg.user;
    let sources: Vec<Source> = seats.iter().map(|(_, source)| *source).collect();
    plane.permit(user, &sources);
    let subscriber = Subscriber::join(&plane).await;
    for (slot, source) in seats {
        plane.assign(subscriber.leg, *slot, user, *source);
    }
    let is_up = |event: &MediaEvent| match event {
        MediaEvent::LegUp { leg } if leg.kind == LegKind::Subscriber => Some(()),
        _ => None,
    };
    plane.event(is_up).await;
    publisher.send();
    (plane, publisher, subscriber)
}

/// An SFU on loopback with its events.
pub struct Plane {
    pub sfu: Arc<Sfu>,
    pub events: mpsc::Receiver<MediaEvent>,
    pub lesson: LessonId,
}

impl Plane {
    pub fn start() -> Self {
        Self::start_on(1, SHARE)
    }

    /// With so many engine threads, on each of which so many subscribers of the lesson are served.
    pub fn start_on(threads: usize, share: usize) -> Self {
        Self::start_in(None, threads, share)
    }

    /// One node of a cluster.
    pub fn start_in(cluster: Option<Membership>, threads: usize, share: usize) -> Self {
        let (sender, events) = mpsc::channel(256);
        let config = SfuConfig {
            listen: vec!["127.0.0.1".parse().expect("an address")],
            udp_port: 0,
            threads,
            share,
            tcp: None,
            public_addresses: Vec::new(),
            cluster,
        };
        let sfu = Sfu::start(config, sender).expect("loopback ports are free");
        Self { sfu, events, lesson: LessonId(Uuid::new_v4()) }
    }

    pub fn leg(&self, kind: LegKind) -> Leg {
        let (user, session) = (UserId(Uuid::new_v4()), SessionId(Uuid::new_v4()));
        Leg { lesson: self.lesson, user, session, kind }
    }

    pub fn permit(&self, user: UserId, sources: &[Source]) {
        let sources = sources.to_vec();
        self.sfu.order(MediaOrder::Permit { lesson: self.lesson, user, sources });
    }

    pub fn assign(&self, leg: Leg, slot: Slot, user: UserId, source: Source) {
        let publication = Some(Publication { user, source });
        self.sfu.order(MediaOrder::Assign { leg, slot, publication, cap: LayerCap::FULL });
    }

    pub fn empty(&self, leg: Leg, slot: Slot) {
        self.sfu.order(MediaOrder::Assign { leg, slot, publication: None, cap: LayerCap::FULL });
    }

    pub fn spare(&self, leg: Leg, plan: DataPlan) {
        self.sfu.order(MediaOrder::Spare { leg, plan });
    }

    pub async fn publish(
        &self,
        leg: Leg,
        offer: String,
        tracks: Vec<OfferedTrack>,
    ) -> Result<String, MediaError> {
        let (reply, answer) = oneshot::channel();
        self.sfu.order(MediaOrder::Publish { leg, offer, tracks, reply });
        answer.await.expect("the SFU answers")
    }

    pub async fn subscribe(&self, leg: Leg, cameras: u8) -> String {
        let (reply, offer) = oneshot::channel();
        self.sfu.order(MediaOrder::Subscribe { leg, cameras, reply });
        offer.await.expect("the SFU answers").expect("an offer")
    }

    pub async fn answer(&self, leg: Leg, answer: String) -> Result<(), MediaError> {
        let (reply, done) = oneshot::channel();
        self.sfu.order(MediaOrder::SubscriberAnswer { leg, answer, reply });
        done.await.expect("the SFU answers")
    }

    /// The next event that `wanted` picks.
    pub async fn event<T>(&mut self, wanted: impl Fn(&MediaEvent) -> Option<T>) -> T {
        let next = async {
            loop {
                let event = self.events.recv().await.expect("the SFU runs");
                if let Some(found) = wanted(&event) {
                    return found;
                }
            }
        };
        tokio::time::timeout(Duration::from_secs(10), next).await.expect("the event comes")
    }
}

/// Waits until `condition` holds. A picture that comes back behind probes which a busy machine made late needs most: a quarter of
/// a minute.
pub async fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        if condition() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("never: {what}");
}

/// Waits until nothing is counted any more while so much else comes that what was on the way has come too, however slow the machine is.
pub async fn stops(what: &str, counted: impl Fn() -> u64, goes_on: impl Fn() -> u64) {
    const ON_THE_WAY: u64 = 25;
    let began = Instant::now();
    while began.elapsed() < Duration::from_secs(30) {
        let (then, from) = (counted(), goes_on());
        eventually("something else goes on", || goes_on() >= from + ON_THE_WAY).await;
        if counted() == then {
            return;
        }
    }
    panic!("never stops: {what}");
}

fn codec(kind: RtpCodecKind) -> RTCRtpCodec {
    match kind {
        RtpCodecKind::Audio => RTCRtpCodec {
            mime_type: MIME_TYPE_OPUS.to_owned(),
            clock_rate: 48_000,
            channels: 2,
            ..Default::default()
        },
        _ => RTCRtpCodec { mime_type: MIME_TYPE_VP8.to_owned(), clock_rate: 90_000, ..Default::default() },
    }
}

async fn connection(handler: Arc<dyn PeerConnectionEventHandler>) -> Arc<dyn PeerConnection> {
    let mut engine = MediaEngine::default();
    engine.register_default_codecs().expect("codecs");
    let registry = register_default_interceptors(Registry::new(), &mut engine).expect("interceptors");
    let settings = SettingEngineBuilder::new().with_include_loopback_candidate(true).build();
    let connection = PeerConnectionBuilder::new()
        .with_configuration(RTCConfigurationBuilder::default().build())
        .with_media_engine(engine)
        .with_interceptor_registry(registry)
        .with_setting_engine(settings)
        .with_handler(handler)
        .with_udp_addrs(vec!["127.0.0.1:0"])
        .build()
        .await
        .expect("a connection");
    Arc::new(connection)
}

struct Quiet;
impl PeerConnectionEventHandler for Quiet {}

/// Sends a synthetic microphone and camera until dropped.
pub struct Publisher {
    pub leg: Leg,
    connection: Arc<dyn PeerConnection>,
    tracks: Vec<Arc<TrackLocalStaticRTP>>,
    stopped: Arc<AtomicBool>,
    spoken: Arc<AtomicU32>,
}

impl Publisher {
    /// Makes the leg; nothing is sent before [`Self::send`].
    pub async fn join(plane: &Plane) -> Self {
        Self::join_as(plane, plane.leg(LegKind::Publisher)).await
    }

    /// Makes this leg, or replaces it as a reloaded page does.
    pub async fn join_as(plane: &Plane, leg: Leg) -> Self {
        let connection = connection(Arc::new(Quiet)).await;
        let mut tracks = Vec::new();
        for (kind, ssrc) in [(RtpCodecKind::Audio, 1001), (RtpCodecKind::Video, 1002)] {
            let track = Arc::new(TrackLocalStaticRTP::new(track(kind, ssrc)));
            connection.add_track(track.clone()).await.expect("a sender");
            tracks.push(track);
        }
        let offer = connection.create_offer(None).await.expect("an offer");
        connection.set_local_description(offer.clone()).await.expect("set");
        let offered = offered(&offer.sdp);
        let answer = plane.publish(leg, offer.sdp, offered).await.expect("an answer");
        let answer = RTCSessionDescription::answer(answer).expect("well formed");
        connection.set_remote_description(answer).await.expect("acceptable");
        Self { leg, connection, tracks, stopped: Arc::default(), spoken: Arc::default() }
    }

    /// Sends 50 packets of each track a second; every tenth picture is a key frame of 640 × 360.
    pub fn send(&self) {
        self.send_with(|count| count.is_multiple_of(10));
    }

    /// The same, with a key frame at the start and whenever the SFU asked for one.
    pub fn send_with_key_frames_on_demand(&self, sfu: &Arc<Sfu>) {
        let (sfu, asked) = (sfu.clone(), AtomicU64::new(0));
        self.send_with(move |count| {
            let now = sfu.counters().plis_out;
            asked.swap(now, Ordering::Relaxed) != now || count == 0
        });
    }

    fn send_with(&self, is_key: impl Fn(u32) -> bool + Send + Sync + 'static) {
        let is_key = Arc::new(is_key);
        for (track, is_audio) in self.tracks.iter().cloned().zip([true, false]) {
            let (stopped, is_key) = (self.stopped.clone(), is_key.clone());
            tokio::spawn(async move {
                let mut timer = tokio::time::interval(Duration::from_millis(20));
                for count in 0u32.. {
                    timer.tick().await;
                    if stopped.load(Ordering::Relaxed) {
                        return;
                    }
                    let _ = track.write_rtp(packet(is_audio, !is_audio && is_key(count), count)).await;
                }
            });
        }
    }

    /// Sends a voice whose packets carry their count, and 12 pictures a second of [`FILM_PACKETS`] packets each, 400 kbit/s: a key frame at the start and whenever the SFU asked for one.
    pub fn send_film(&self, sfu: &Arc<Sfu>) {
        let (voice, film) = (self.tracks[0].clone(), self.tracks[1].clone());
        let (stopped, spoken, sfu) = (self.stopped.clone(), self.spoken.clone(), sfu.clone());
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(Duration::from_millis(20));
            let (mut sequence, mut asked) = (0, 0);
            for count in 0u32.. {
                timer.tick().await;
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let mut packet = packet(true, false, count);
                packet.payload = [&[0xfc][..], &count.to_be_bytes(), &[7; 75]].concat().into();
                let _ = voice.write_rtp(packet).await;
                spoken.store(count, Ordering::Relaxed);
                if !count.is_multiple_of(FILM_TICKS) {
                    continue;
                }
                let now = sfu.counters().plis_out;
                let is_key = count == 0 || std::mem::replace(&mut asked, now) != now;
                for packet in picture_of_many(is_key, count, &mut sequence) {
                    let _ = film.write_rtp(packet).await;
                }
            }
        });
    }

    /// The count of the newest packet of a voice that [`Self::send_film`] sent.
    pub fn spoken(&self) -> u32 {
        self.spoken.load(Ordering::Relaxed)
    }

    /// Sends the microphone alone: in turn `silent` packets too small for speech, and `loud` ones that carry their count.
    pub fn speak_now_and_then(&self, silent: u32, loud: u32) {
        let (track, stopped) = (self.tracks[0].clone(), self.stopped.clone());
        tokio::spawn(async move {
            let mut timer = tokio::time::interval(Duration::from_millis(20));
            for count in 0u32.. {
                timer.tick().await;
                if stopped.load(Ordering::Relaxed) {
                    return;
                }
                let mut packet = packet(true, false, count);
                let mut payload = vec![0xfc; if count % (silent + loud) < silent { 8 } else { 80 }];
                payload[1..5].copy_from_slice(&count.to_be_bytes());
                packet.payload = payload.into();
                let _ = track.write_rtp(packet).await;
            }
        });
    }

    /// Sends no more; the leg stays.
    pub fn fall_silent(&self) {
        self.stopped.store(true, Ordering::Relaxed);
    }

    pub async fn leave(self) {
        self.fall_silent();
        let _ = self.connection.close().await;
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
    }
}

fn track(kind: RtpCodecKind, ssrc: u32) -> MediaStreamTrack {
    let encoding = RTCRtpEncodingParameters {
        rtp_coding_parameters: RTCRtpCodingParameters { ssrc: Some(ssrc), ..Default::default() },
        codec: codec(kind),
        ..Default::default()
    };
    MediaStreamTrack::new(
        format!("stream-{ssrc}"),
        format!("track-{ssrc}"),
        String::new(),
        kind,
        vec![encoding],
    )
}

/// Which mid carries what: sound is the microphone, pictures are the camera.
fn offered(sdp: &str) -> Vec<OfferedTrack> {
    let mut source = Source::Microphone;
    let mut tracks = Vec::new();
    for line in sdp.lines() {
        if line.starts_with("m=") {
            source = if line.starts_with("m=audio") { Source::Microphone } else { Source::Camera };
        }
        if let Some(mid) = line.strip_prefix("a=mid:") {
            tracks.push(OfferedTrack { mid: mid.to_owned(), source });
        }
    }
    tracks
}

fn packet(is_audio: bool, is_key: bool, count: u32) -> rtp::Packet {
    let (payload_type, ssrc, step) = if is_audio { (111, 1001, 960) } else { (96, 1002, 1_800) };
    let payload = if is_audio { vec![0xfc; 80] } else { picture(is_key, count) };
    rtp::Packet {
        header: rtp::Header {
            version: 2,
            marker: !is_audio,
            payload_type,
            sequence_number: (count as u16).wrapping_add(65_500),
            timestamp: count.wrapping_mul(step),
            ssrc,
            ..Default::default()
        },
        payload: payload.into(),
    }
}

/// A VP8 picture in one packet, with a picture number.
fn picture(is_key: bool, count: u32) -> Vec<u8> {
    let number = (count as u16 & 0x7fff) | 0x8000;
    let mut payload = vec![0x90, 0x80];
    payload.extend(number.to_be_bytes());
    if is_key {
        payload.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x80, 0x02, 0x68, 0x01]);
    } else {
        payload.extend([0x11, 0, 0]);
    }
    payload.resize(700, 7);
    payload
}

/// Packets of one picture of a film.
pub const FILM_PACKETS: usize = 4;
/// Packets of a voice for each picture of a film.
pub const FILM_TICKS: u32 = 4;

/// The packets of one VP8 picture; `sequence` goes on.
fn picture_of_many(is_key: bool, count: u32, sequence: &mut u16) -> Vec<rtp::Packet> {
    let whole = |at: usize| {
        let mut packet = packet(false, is_key && at == 0, count);
        let mut payload = packet.payload.to_vec();
        if at > 0 {
            // RFC 7741 section 4.2: not the beginning of a partition.
            payload[0] &= !0x10;
        }
        payload.resize(1_000, 7);
        packet.payload = payload.into();
        packet.header.marker = at + 1 == FILM_PACKETS;
        packet.header.sequence_number = sequence.wrapping_add(at as u16);
        packet
    };
    let packets = (0..FILM_PACKETS).map(whole).collect();
    *sequence = sequence.wrapping_add(FILM_PACKETS as u16);
    packets
}

/// What a subscriber got, by SSRC.
#[derive(Clone, Default)]
pub struct Received(Arc<Mutex<HashMap<u32, Vec<rtp::Packet>>>>);

impl Received {
    pub fn count(&self, ssrc: u32) -> usize {
        self.sequences(ssrc).len()
    }

    pub fn sequences(&self, ssrc: u32) -> Vec<u16> {
        self.packets(ssrc).iter().map(|packet| packet.header.sequence_number).collect()
    }

    pub fn packets(&self, ssrc: u32) -> Vec<rtp::Packet> {
        self.0.lock().expect("not poisoned").get(&ssrc).cloned().unwrap_or_default()
    }
}

struct Collector(Received);

#[async_trait::async_trait]
impl PeerConnectionEventHandler for Collector {
    async fn on_track(&self, track: Arc<dyn TrackRemote>) {
        let received = self.0.clone();
        tokio::spawn(async move {
            while let Some(event) = track.poll().await {
                if let TrackRemoteEvent::OnRtpPacket(packet) = event {
                    let mut received = received.0.lock().expect("not poisoned");
                    received.entry(packet.header.ssrc).or_default().push(packet);
                }
            }
        });
    }
}

/// The port that an offer's first candidate tells.
pub fn candidate_port(offer: &str) -> u16 {
    told(offer, "a=candidate:1 ").split(' ').nth(4).and_then(|port| port.parse().ok()).expect("a port")
}

/// What follows this word in the description.
pub fn told<'a>(offer: &'a str, word: &str) -> &'a str {
    offer.lines().find_map(|line| line.strip_prefix(word)).expect("in the offer").trim()
}

/// Transport-wide feedback needs both.
fn is_of_feedback(line: &str) -> bool {
    line.contains("transport-cc") || line.contains("transport-wide-cc")
}

/// The same offer, as if the SFU were at this port of loopback.
fn by_way_of(port: u16, offer: &str) -> String {
    offer.replace(&format!(" {} typ host", candidate_port(offer)), &format!(" {port} typ host"))
}

/// Receives whatever is assigned.
pub struct Subscriber {
    pub leg: Leg,
    pub received: Received,
    connection: Arc<dyn PeerConnection>,
}

impl Subscriber {
    pub async fn join(plane: &Plane) -> Self {
        let leg = plane.leg(LegKind::Subscriber);
        let offer = plane.subscribe(leg, 2).await;
        Self::accept(plane, leg, offer).await
    }

    /// Joins over a link that can be made to lose datagrams.
    pub async fn join_over_link(plane: &Plane, seed: u64) -> (Self, LossyLink) {
        let leg = plane.leg(LegKind::Subscriber);
        let offer = plane.subscribe(leg, 2).await;
        let link = LossyLink::open(candidate_port(&offer), seed).await;
        (Self::accept(plane, leg, by_way_of(link.port, &offer)).await, link)
    }

    /// Joins over one TCP connection, and says what comes when, or never.
    pub async fn join_over_tcp(plane: &Plane, feeds_back: bool) -> (Self, TcpLink) {
        let leg = plane.leg(LegKind::Subscriber);
        let mut offer = plane.subscribe(leg, 2).await;
        if !feeds_back {
            offer = offer.split_inclusive("\r\n").filter(|line| !is_of_feedback(line)).collect();
        }
        let link = TcpLink::open(plane.sfu.clone()).await;
        (Self::accept(plane, leg, by_way_of(link.port, &offer)).await, link)
    }

    async fn accept(plane: &Plane, leg: Leg, offer: String) -> Self {
        let received = Received::default();
        let connection = connection(Arc::new(Collector(received.clone()))).await;
        let offer = RTCSessionDescription::offer(offer).expect("well formed");
        connection.set_remote_description(offer).await.expect("acceptable");
        let answer = connection.create_answer(None).await.expect("an answer");
        connection.set_local_description(answer.clone()).await.expect("set");
        plane.answer(leg, answer.sdp).await.expect("acceptable");
        Self { leg, received, connection }
    }

    pub async fn leave(self) {
        let _ = self.connection.close().await;
    }
}
