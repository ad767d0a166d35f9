//! Every reader of bytes that anybody on the network can send. Each target takes any bytes and panics when the reader breaks
//! its promise; its corpus is in `tests/fixtures/fuzz/NAME`.

use qism::{http::listener::First, sfu::fuzzing};
use qism_signaling::protocol::ClientFrame;

/// A target by its name.
pub type Target = (&'static str, fn(&[u8]));

pub const TARGETS: &[Target] = &[
    ("stun", fuzzing::stun),
    ("sdp", fuzzing::sdp),
    ("rtp", fuzzing::rtp),
    ("vp8", fuzzing::vp8),
    ("h264", fuzzing::h264),
    ("rtcp", fuzzing::rtcp),
    ("media", fuzzing::media),
    ("relay", fuzzing::relay),
    ("framing", fuzzing::framing),
    ("first_bytes", first_bytes),
    ("strangers", fuzzing::strangers),
    ("demultiplexer", fuzzing::demultiplexer),
    ("client_hello", fuzzing::client_hello),
    ("handshake", fuzzing::handshake),
    ("frames", frames),
];

/// What a connection begins with: more bytes never change what fewer have told, and ten tell it.
fn first_bytes(bytes: &[u8]) {
    let told: Vec<Option<First>> =
        (1..=bytes.len().min(12)).map(|length| First::of(&bytes[..length])).collect();
    for (place, pair) in told.windows(2).enumerate() {
        assert!(pair[0].is_none() || pair[0] == pair[1], "{place}: {told:?}");
    }
    assert!(told.get(9).is_none_or(Option::is_some), "{told:?}");
}

/// A frame of signaling: what was understood is the same when it is written and read again.
fn frames(bytes: &[u8]) {
    let Ok(frame) = serde_json::from_slice::<ClientFrame>(bytes) else { return };
    let text = serde_json::to_string(&frame).expect("every frame can be written");
    assert_eq!(serde_json::from_str::<ClientFrame>(&text).expect("and read"), frame);
}
