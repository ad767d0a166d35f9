//! The SFU over loopback with real peers: what is permitted and assigned arrives, and nothing else.

use std::{net::UdpSocket, time::Duration};

use qism::sfu::{SHARE, Sfu, SfuConfig, SfuError};
use qism_signaling::{
    hub::ports::{MediaError, MediaEvent},
    protocol::{LegKind, Slot, Source, UserId},
};

use crate::peer::{Plane, Publisher, Received, Subscriber, candidate_port, eventually, stops, told};

/// SSRC of a slot on every subscriber leg.
pub fn ssrc(slot: Slot) -> u32 {
    10_000 + u32::from(slot.0)
}

/// An SFU with a publisher who may send everything and is connected.
async fn on_air() -> (Plane, Publisher) {
    let mut plane = Plane::start();
    let publisher = publish(&mut plane, &EVERYTHING).await;
    (plane, publisher)
}

pub const EVERYTHING: [Source; 2] = [Source::Microphone, Source::Camera];

/// A permitted publisher who is connected.
pub async fn publish(plane: &mut Plane, sources: &[Source]) -> Publisher {
    let publisher = Publisher::join(plane).await;
    plane.permit(publisher.leg.user, sources);
    is_up(plane, LegKind::Publisher).await;
    publisher
}

/// Joins and receives everything of a publisher.
pub async fn join(plane: &mut Plane, user: UserId) -> Subscriber {
    let subscriber = Subscriber::join(plane).await;
    plane.assign(subscriber.leg, Slot::TEACHER_AUDIO, user, Source::Microphone);
    plane.assign(subscriber.leg, Slot::FIRST_CAMERA, user, Source::Camera);
    is_up(plane, LegKind::Subscriber).await;
    subscriber
}

/// Packets of voice and picture.
pub fn both(received: &Received) -> (usize, usize) {
    (received.count(ssrc(Slot::TEACHER_AUDIO)), received.count(ssrc(Slot::FIRST_CAMERA)))
}

pub fn in_order(received: &Received) -> bool {
    [Slot::TEACHER_AUDIO, Slot::FIRST_CAMERA].into_iter().all(|slot| {
        let sequences = received.sequences(ssrc(slot));
        sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1))
    })
}

pub async fn is_up(plane: &mut Plane, kind: LegKind) {
    plane.event(|event| matches!(event, MediaEvent::LegUp { leg } if leg.kind == kind).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn voice_and_camera_of_a_permitted_publisher_arrive_in_order() {
    let (mut plane, publisher) = on_air().await;
    let user = publisher.leg.user;
    let subscriber = Subscriber::join(&plane).await;
    plane.assign(subscriber.leg, Slot::TEACHER_AUDIO, user, Source::Microphone);
    plane.assign(subscriber.leg, Slot::FIRST_CAMERA, user, Source::Camera);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    let received = subscriber.received.clone();
    eventually("voice and pictures arrive", || {
        received.count(ssrc(Slot::TEACHER_AUDIO)) > 60 && received.count(ssrc(Slot::FIRST_CAMERA)) > 60
    })
    .await;
    for slot in [Slot::TEACHER_AUDIO, Slot::FIRST_CAMERA] {
        let sequences = received.sequences(ssrc(slot));
        assert!(sequences[0] < 1 << 15);
        assert!(sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{sequences:?}");
    }
    let totals = plane.sfu.counters();
    assert_eq!((totals.legs_opened, totals.legs_closed), (2, 0));
    subscriber.leave().await;
    publisher.leave().await;
    plane.sfu.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_withdrawn_permission_stops_the_packets() {
    let mut plane = Plane::start();
    let publisher = Publisher::join(&plane).await;
    let user = publisher.leg.user;
    is_up(&mut plane, LegKind::Publisher).await;
    let subscriber = Subscriber::join(&plane).await;
    plane.assign(subscriber.leg, Slot::TEACHER_AUDIO, user, Source::Microphone);
    plane.assign(subscriber.leg, Slot::FIRST_CAMERA, user, Source::Camera);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    let sfu = plane.sfu.clone();
    eventually("packets come in", || sfu.counters().packets_unpermitted > 40).await;
    let received = subscriber.received.clone();
    let (voice, camera) = (ssrc(Slot::TEACHER_AUDIO), ssrc(Slot::FIRST_CAMERA));
    assert_eq!((received.count(voice), received.count(camera)), (0, 0), "nothing was permitted yet");
    plane.permit(user, &EVERYTHING);
    eventually("both flow", || received.count(voice) > 20 && received.count(camera) > 20).await;
    plane.permit(user, &[Source::Camera]);
    let of = |ssrc| received.count(ssrc) as u64;
    stops("the microphone, while the camera flows on", || of(voice), || of(camera)).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slot_that_is_emptied_gets_nothing_more_and_takes_only_its_kind() {
    let mut plane = Plane::start();
    let publisher = Publisher::join(&plane).await;
    let user = publisher.leg.user;
    plane.permit(user, &EVERYTHING);
    let subscriber = Subscriber::join(&plane).await;
    plane.assign(subscriber.leg, Slot(1), user, Source::Microphone);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    let received = subscriber.received.clone();
    eventually("voice flows", || received.count(ssrc(Slot(1))) > 20).await;
    plane.assign(subscriber.leg, Slot(2), user, Source::Camera);
    let then = received.count(ssrc(Slot(1)));
    eventually("voice flows on", || received.count(ssrc(Slot(1))) > then + 25).await;
    assert_eq!(received.count(ssrc(Slot(2))), 0, "pictures do not fit a slot for sound");
    plane.empty(subscriber.leg, Slot(1));
    let sfu = plane.sfu.clone();
    stops("the voice", || received.count(ssrc(Slot(1))) as u64, || sfu.counters().packets_in).await;
    plane.sfu.stop();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_publisher_who_reloads_the_page_goes_on_in_the_same_stream() {
    let (mut plane, publisher) = on_air().await;
    let leg = publisher.leg;
    let subscriber = Subscriber::join(&plane).await;
    plane.assign(subscriber.leg, Slot::FIRST_CAMERA, leg.user, Source::Camera);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    let (received, camera) = (subscriber.received.clone(), ssrc(Slot::FIRST_CAMERA));
    eventually("pictures flow", || received.count(camera) > 30).await;
    let reloaded = Publisher::join_as(&plane, leg).await;
    publisher.leave().await;
    is_up(&mut plane, LegKind::Publisher).await;
    let then = received.count(camera);
    reloaded.send();
    eventually("pictures flow again", || received.count(camera) > then + 30).await;
    let sequences = received.sequences(camera);
    assert!(sequences.windows(2).all(|pair| pair[1] == pair[0].wrapping_add(1)), "{sequences:?}");
}

/// The share of a voice's packets that came, among the last so many.
pub fn share_heard(sequences: &[u16], newest: usize) -> f64 {
    let heard: std::collections::HashSet<u16> = sequences.iter().rev().take(newest).copied().collect();
    let (first, last) = (sequences[sequences.len().saturating_sub(newest)], sequences[sequences.len() - 1]);
    heard.len() as f64 / f64::from(last.wrapping_sub(first) + 1)
}

/// These peers do not take redundant audio.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_listener_who_loses_a_fifth_of_all_datagrams_gets_the_voice_again_and_again() {
    let (mut plane, publisher) = on_air().await;
    let user = publisher.leg.user;
    let (subscriber, link) = Subscriber::join_over_link(&plane, 7).await;
    plane.assign(subscriber.leg, Slot::TEACHER_AUDIO, user, Source::Microphone);
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send();
    let (received, voice) = (subscriber.received.clone(), ssrc(Slot::TEACHER_AUDIO));
    eventually("the voice flows", || received.count(voice) > 50).await;
    assert_eq!(plane.sfu.counters().echoes, 0, "nobody lost anything");
    link.lose(20);
    let sfu = plane.sfu.clone();
    eventually("the listener's report came", || sfu.counters().echoes > 0).await;
    let then = received.count(voice);
    eventually("the voice flows on", || received.count(voice) > then + 300).await;
    let share = share_heard(&received.sequences(voice), 250);
    assert!(share > 0.95, "{share}: three times one in five lost is one in 125");
}

#[tokio::test]
async fn garbage_and_forgeries_from_strangers_change_nothing() {
    let plane = Plane::start();
    let offer = plane.subscribe(plane.leg(LegKind::Subscriber), 2).await;
    let port = candidate_port(&offer);
    let stranger = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    stranger.set_read_timeout(Some(Duration::from_millis(200))).expect("a timeout");
    stranger.connect(("127.0.0.1", port)).expect("connected");
    for first in 0..=255u8 {
        for length in [1usize, 12, 13, 40, 1_200, 1_900] {
            let mut bytes = vec![first; length];
            bytes[0] = first;
            stranger.send(&bytes).expect("sent");
        }
    }
    stranger.send(&forged_check(told(&offer, "a=ice-ufrag:"))).expect("sent");
    let mut buffer = [0; 2_048];
    assert!(stranger.recv(&mut buffer).is_err(), "nobody answers a stranger");
    eventually("all were counted as strangers", || {
        let totals = plane.sfu.counters();
        totals.strangers > 1_000 && totals.strangers == totals.packets_in
    })
    .await;
}

/// A binding request with the right user fragment and a made-up MESSAGE-INTEGRITY.
pub fn forged_check(ufrag: &str) -> Vec<u8> {
    let username = format!("{ufrag}:peer");
    let mut attributes = vec![0, 6];
    attributes.extend((username.len() as u16).to_be_bytes());
    attributes.extend(username.bytes());
    attributes.resize(attributes.len().next_multiple_of(4), 0);
    attributes.extend([0, 0x25, 0, 0, 0, 8, 0, 20]);
    attributes.extend([7; 20]);
    let mut check = vec![0, 1];
    check.extend((attributes.len() as u16).to_be_bytes());
    check.extend([0x21, 0x12, 0xa4, 0x42]);
    check.extend([9; 12]);
    check.extend(attributes);
    check
}

#[tokio::test]
async fn a_hopeless_description_is_refused_with_its_line() {
    let plane = Plane::start();
    let leg = plane.leg(LegKind::Publisher);
    let long = "a=x\r\n".repeat(1_000);
    let refused = plane.publish(leg, long, Vec::new()).await;
    assert_eq!(refused, Err(MediaError::Sdp("1000 lines, at most 400 are read".into())));
    let refused = plane.publish(leg, "v=0\r\nnonsense\r\n".into(), Vec::new()).await;
    assert_eq!(refused, Err(MediaError::Sdp("line 2: not of the form x=…".into())));
    assert_eq!(plane.answer(leg, "v=0".into()).await, Err(MediaError::NoLeg));
}

#[test]
fn a_port_in_use_is_a_clear_error() {
    let taken = UdpSocket::bind("127.0.0.1:0").expect("a socket");
    let port = taken.local_addr().expect("bound").port();
    let config = SfuConfig {
        listen: vec!["127.0.0.1".parse().expect("an address")],
        udp_port: port,
        threads: 1,
        share: SHARE,
        tcp: None,
        public_addresses: Vec::new(),
        cluster: None,
    };
    let (events, _keep) = tokio::sync::mpsc::channel(1);
    let error = Sfu::start(config, events).err().expect("refused");
    assert!(matches!(error, SfuError::Bind { .. }));
    assert!(error.to_string().contains(&format!("127.0.0.1:{port}")));
}
