//! Doors for `tests/fuzz`: each takes the bytes of a stranger or of a hostile peer and fails when their reader breaks its
//! promise. No part of the server.

use std::{
    sync::{Arc, LazyLock},
    time::Duration,
};

use futures_util::FutureExt as _;
use qism_signaling::protocol::{Source, media::OfferedTrack};

use super::{
    engine::{
        fuzzing::{From, Kept, Lesson},
        identity::Identity,
        leg::{client_hello::ClientHello, stun::Request},
        relay::letter::{self, LetterBox},
    },
    forward::{
        extensions::{Kind, Map},
        h264, rtp, vp8,
    },
    sdp::{Abilities, Candidates, Description, Local, answer},
    streams,
};

static IDENTITY: LazyLock<Arc<Identity>> =
    LazyLock::new(|| Arc::new(Identity::generate().expect("a certificate")));

/// Splits an input into messages: each behind its length in two bytes, the last may be shorter.
fn messages(bytes: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (length, more) = rest.split_first_chunk::<2>()?;
        let (message, left) = more.split_at(usize::from(u16::from_be_bytes(*length)).min(more.len()));
        rest = left;
        Some(message)
    })
}

/// A binding request; our own answer is none.
pub fn stun(bytes: &[u8]) {
    let Some(mut request) = Request::parse(bytes) else { return };
    let _ = request.is_authentic("a password of ours", IDENTITY.crypto());
    let response = request.response(([192, 0, 2, 1], 4_000).into(), "a password of ours", IDENTITY.crypto());
    assert!(response.is_some_and(|response| Request::parse(&response).is_none()));
}

/// A description; what we answer to it is readable for ourselves, and has no line that we did not write.
pub fn sdp(bytes: &[u8]) {
    let Ok(offer) = Description::parse(&String::from_utf8_lossy(bytes)) else { return };
    let _ = Abilities::of(&offer);
    let sources = [Source::Microphone, Source::Camera, Source::Screen, Source::ScreenAudio];
    let track = |(mid, source): (usize, &Source)| OfferedTrack { mid: mid.to_string(), source: *source };
    let tracks: Vec<OfferedTrack> = sources.iter().enumerate().map(track).collect();
    let local = Local {
        ufrag: "ufrag".into(),
        password: "passwordpasswordpassword".into(),
        fingerprint: ["0A"; 32].join(":"),
        setup: "passive",
        candidates: Candidates { udp: vec![([192, 0, 2, 1], 7_882).into()], tcp: Vec::new() },
    };
    let Ok((text, terms)) = answer(&offer, &tracks, &local) else { return };
    assert!(terms.upstreams.len() <= sources.len());
    assert!(text.split("\r\n").all(|line| !line.contains(char::is_control)), "{text:?}");
    let read = Description::parse(&text);
    assert!(read.is_ok(), "{read:?} of {text}");
}

/// A decrypted RTP packet, under a map with every extension.
pub fn rtp(bytes: &[u8]) {
    let mut map = Map::default();
    Kind::ALL.into_iter().zip(1..).for_each(|(kind, id)| map.insert(id, kind));
    let Some(header) = rtp::Header::parse(bytes, &map) else { return };
    assert!(rtp::FIXED_HEADER <= header.payload_start);
    assert!(header.payload_start <= header.payload_end && header.payload_end <= bytes.len());
}

/// A VP8 payload: with other numbers it still says the same of its frame.
pub fn vp8(bytes: &[u8]) {
    let Some(before) = vp8::Descriptor::parse(bytes) else { return };
    let numbers = vp8::Numbers { picture: 0x1234, tl0: 0x56, key_index: 0x17 };
    let mut rewritten = Vec::new();
    before.write(bytes, numbers, &mut rewritten);
    assert!(rewritten.len() <= vp8::LONGEST);
    rewritten.extend(&bytes[before.length..]);
    let after = vp8::Descriptor::parse(&rewritten).expect("still a descriptor");
    let expected = vp8::Descriptor {
        length: after.length,
        picture: before.picture.map(|_| numbers.picture),
        tl0: before.tl0.map(|_| numbers.tl0),
        key_index: before.key_index.map(|_| numbers.key_index),
        ..before
    };
    assert_eq!(after, expected);
    assert_eq!(rewritten[after.length..], bytes[before.length..]);
}

/// An H.264 payload: a size is told by key frames only.
pub fn h264(bytes: &[u8]) {
    let head = h264::Head::parse(bytes);
    assert!(head.key_frame || head.size.is_none());
}

/// The frames of a TCP connection: what was read is what was sent, up to the end or a frame that is too long.
pub fn framing(bytes: &[u8]) {
    let (mut rest, mut read) = (bytes, Vec::new());
    while let Some(Ok(frame)) = streams::read_frame(&mut rest).now_or_never() {
        assert!(frame.len() <= streams::LONGEST);
        read.extend((frame.len() as u16).to_be_bytes());
        read.extend(&frame);
    }
    assert!(bytes.starts_with(&read));
}

/// The datagrams of a handshake's first message.
pub fn client_hello(bytes: &[u8]) {
    let mut hello = ClientHello::default();
    for datagram in messages(bytes) {
        if hello.read(datagram).is_some() {
            assert!(!hello.into_datagrams().is_empty());
            return;
        }
    }
}

/// Datagrams of strangers, over UDP and as first frames over TCP: nothing is kept of them, and nothing answered.
pub fn strangers(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    let before = lesson.kept();
    for datagram in messages(bytes) {
        assert_eq!(lesson.datagram(From::Stranger, datagram), 0, "an answer to a stranger");
        assert_eq!(lesson.connection(datagram), 0, "an answer to a stranger over TCP");
        // As if it were a check that names a leg.
        let mut forged = lesson.forged_check();
        forged.iter_mut().zip(datagram).for_each(|(byte, change)| *byte ^= change);
        assert_eq!(lesson.datagram(From::Stranger, &forged), 0, "an answer to a forgery");
    }
    lesson.wait(Duration::from_millis(100));
    assert_eq!(lesson.kept(), before);
}

/// Datagrams that claim to be of peers whose addresses are known, before they are opened.
pub fn demultiplexer(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    let before = lesson.kept();
    for (datagram, from) in messages(bytes).zip([From::Publisher, From::Subscriber].iter().cycle()) {
        lesson.datagram(*from, datagram);
    }
    assert_eq!(lesson.kept(), before, "a forged source address ends or makes nothing");
}

/// A handshake with whoever passed a check.
pub fn handshake(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    for datagram in messages(bytes) {
        lesson.datagram(From::Newcomer, datagram);
        lesson.wait(Duration::from_millis(100));
    }
    let kept = lesson.kept();
    assert!((2..=3).contains(&kept.legs), "{kept:?}");
}

/// What a peer with keys may send: media and control messages, by the first byte of each as on the wire, and time between.
pub fn media(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    let before = lesson.kept();
    for (packet, turn) in messages(bytes).zip(0u32..) {
        match packet {
            [128..=191, 192..=223, ..] if turn.is_multiple_of(2) => lesson.control(From::Subscriber, packet),
            [128..=191, 192..=223, ..] => lesson.control(From::Publisher, packet),
            _ => lesson.media(packet),
        }
        lesson.wait(Duration::from_millis(20));
    }
    assert_eq!(lesson.kept(), before);
}

/// Control messages of both kinds of peers, each to each.
pub fn rtcp(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    for packet in messages(bytes) {
        lesson.control(From::Subscriber, packet);
        lesson.control(From::Publisher, packet);
    }
}

/// What a node of the cluster may send when it is not what it should be: letters, packets, time between. It can name tracks,
/// one a letter, and nothing else that is kept.
pub fn relay(bytes: &[u8]) {
    let mut lesson = Lesson::begin(&IDENTITY);
    lesson.open_relay();
    let before = lesson.kept();
    let mut letters = 0;
    for packet in messages(bytes) {
        let read = letter::read(packet);
        letters += read.len();
        let mut again = LetterBox::default();
        let mut packets: Vec<Vec<u8>> = read.iter().filter_map(|letter| again.add(letter)).collect();
        packets.extend(again.take());
        assert_eq!(packets.iter().flat_map(|packet| letter::read(packet)).collect::<Vec<_>>(), read);
        lesson.relayed(packet);
        lesson.wait(Duration::from_millis(20));
    }
    let kept = lesson.kept();
    assert!(kept.tracks <= before.tracks + letters);
    assert_eq!(Kept { tracks: before.tracks, ..kept }, before);
}
