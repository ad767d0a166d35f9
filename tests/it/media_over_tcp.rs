//! The HTTP port takes connections that carry media; strangers get nothing there, and HTTP goes on beside them. That media
//! really flow so is proven with a browser (`tests/e2e/network.test.mjs`).

use std::time::Duration;

use qism_signaling::protocol::{LegKind, Slot, Source};
use rtc::rtp::Packet;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use crate::{
    peer::{FILM_PACKETS, FILM_TICKS, Plane, Publisher, Received, Subscriber, eventually},
    server::{SOON, Server},
    sfu::{EVERYTHING, forged_check, is_up, ssrc},
};

/// Sends these bytes to the HTTP port; what comes back until the server closes.
async fn told(server: &Server, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(server.address()).await.expect("connected");
    stream.write_all(bytes).await.expect("sent");
    let mut answer = Vec::new();
    // A reset is an end too.
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the server closes");
    answer
}

fn framed(datagram: &[u8]) -> Vec<u8> {
    [&(datagram.len() as u16).to_be_bytes(), datagram].concat()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stranger_on_the_media_side_of_the_port_gets_no_answer_and_http_goes_on() {
    let server = Server::start().await;
    for ufrag in ["00000000ffffffffffffffff", "zz", "ff00000000"] {
        assert_eq!(told(&server, &framed(&forged_check(ufrag))).await, b"", "{ufrag}");
    }
    let mut cut_short = framed(&forged_check("00000000ffffffffffffffff"));
    cut_short[..2].copy_from_slice(&1_500u16.to_be_bytes());
    let waits = told(&server, &cut_short);
    let health = async { server.http.get(server.url("/healthz")).send().await.expect("an answer").status() };
    let (waited, status) = tokio::join!(waits, health);
    assert_eq!((waited.len(), status.as_u16()), (0, 200));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_begins_like_nothing_we_speak_is_closed() {
    let server = Server::start().await;
    let answer = told(&server, &[0, 20, 9, 9, 9, 9, 9, 9, 9, 9, b'\r', b'\n', b'\r', b'\n']).await;
    assert!(answer.is_empty() || answer.starts_with(b"HTTP/1.1 400"), "{answer:?}");
}

/// The count that a packet of a film's voice carries.
fn count(packet: &Packet) -> u32 {
    u32::from_be_bytes(packet.payload[1..5].try_into().expect("four bytes"))
}

/// How many packets of the voice the newest that was heard is behind.
fn behind(publisher: &Publisher, received: &Received) -> u32 {
    let heard = received.packets(ssrc(Slot::TEACHER_AUDIO)).last().map_or(0, count);
    publisher.spoken().saturating_sub(heard)
}

/// Whole, or cut where the picture stopped flowing: then a key frame is next, and nothing is drawn upon what is missing.
fn is_whole(picture: &[Packet], next: &[Packet]) -> bool {
    // RFC 7741 section 4.3: the lowest bit of a frame's first byte is clear for a key frame.
    let starts_anew = next[0].payload[4] & 1 == 0;
    (picture.len() == FILM_PACKETS && picture[FILM_PACKETS - 1].header.marker) || starts_anew
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_slowly_hears_every_word_at_once_and_sees_only_whole_pictures() {
    reads_slowly(true).await;
}

/// As aiortc, GStreamer and FFmpeg do not: only what the connection takes tells how narrow it is.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_peer_that_reads_slowly_and_sends_no_feedback_hears_every_word_at_once_too() {
    reads_slowly(false).await;
}

/// 200 kbit/s for a film that is 400 alone.
async fn reads_slowly(feeds_back: bool) {
    /// Two seconds; behind all that the kernel and a longer queue would take it is six.
    const BEHIND: u32 = 100;
    let mut plane = Plane::start();
    let publisher = Publisher::join(&plane).await;
    plane.permit(publisher.leg.user, &EVERYTHING);
    is_up(&mut plane, LegKind::Publisher).await;
    let (subscriber, link) = Subscriber::join_over_tcp(&plane, feeds_back).await;
    for (slot, source) in [(Slot::TEACHER_AUDIO, Source::Microphone), (Slot::FIRST_CAMERA, Source::Camera)] {
        plane.assign(subscriber.leg, slot, publisher.leg.user, source);
    }
    is_up(&mut plane, LegKind::Subscriber).await;
    publisher.send_film(&plane.sfu);
    let (received, voice, camera) =
        (subscriber.received.clone(), ssrc(Slot::TEACHER_AUDIO), ssrc(Slot::FIRST_CAMERA));
    eventually("both flow", || received.count(voice) > 50 && received.count(camera) > 100).await;
    link.narrow(200);
    let (until, mut most) = (publisher.spoken() + 500, 0);
    while publisher.spoken() < until {
        tokio::time::sleep(Duration::from_millis(20)).await;
        most = most.max(behind(&publisher, &received));
    }
    assert!(most <= BEHIND, "{most} packets behind");
    link.narrow(0);
    let then = received.count(camera);
    eventually("the picture is back", || received.count(camera) > then + 100).await;
    let counts: Vec<u32> = received.packets(voice).iter().map(count).collect();
    assert!(counts.windows(2).all(|pair| pair[1] == pair[0] + 1), "every word, in order: {counts:?}");
    let totals = plane.sfu.counters();
    assert_eq!(totals.packets_refused, 0, "there was room in the queue for all that left the pacer");
    let packets = received.packets(camera);
    let pictures: Vec<_> = packets.chunk_by(|a, b| a.header.timestamp == b.header.timestamp).collect();
    assert!(pictures.windows(2).all(|pair| is_whole(pair[0], pair[1])), "no picture has a hole");
    let sent = (publisher.spoken() / FILM_TICKS) as usize;
    assert!(pictures.len() < sent * 9 / 10, "{} of {sent}: the link did not take them", pictures.len());
    subscriber.leave().await;
    plane.sfu.stop();
}
