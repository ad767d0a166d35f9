//! `qism probe`: a real participant without a browser. It signs in over HTTP, enters a lesson over the WebSocket,
//! receives and sends over WebRTC (the `webrtc` crate), and tells what it met. The operator's stethoscope, and the
//! peers of our integration tests.
//!
//! Everything goes over the network, as a browser would do it: nothing here touches the server's inside.

mod address;
mod command;
mod door;
mod examine;
mod frames;
mod leg;
mod media;
mod peer;
mod publisher;
mod report;
mod subscriber;

use std::time::Duration;

use qism_signaling::protocol::CloseCode;

pub use address::{Address, Trust};
pub use command::run;
pub use door::{Door, LessonToday, SignedIn};
pub use examine::{Examination, LessonChoice, examine};
pub use peer::{Away, Entrance, Peer};
pub use report::{Report, Verdict};
pub use subscriber::{Reception, SlotReception};

/// Why the probe could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    #[error("{0}: not an address such as https://school.example or http://127.0.0.1:7880")]
    Address(String),
    #[error("the password: {0}")]
    Password(String),
    #[error("cannot reach {address}: {error}")]
    Connect { address: String, error: std::io::Error },
    #[error("certificates: {0}")]
    Trust(String),
    #[error("{asked}: {error}")]
    Http { asked: String, error: String },
    #[error("{asked}: refused with {status} {code}")]
    Refused { asked: String, status: u16, code: String },
    #[error("no lesson is going on for this person; choose one with --lesson ID")]
    NoLesson,
    #[error("WebSocket: {0}")]
    Socket(String),
    #[error("the server closed the connection with {0}{name}", name = close_name(*.0))]
    Closed(u16),
    #[error("waited {waited:?} for {what} in vain", waited = .1, what = .0)]
    TimedOut(&'static str, Duration),
    #[error("the server refused: {0:?}")]
    Command(qism_signaling::protocol::ErrorCode),
    #[error("media: {0}")]
    Media(String),
}

/// The name of a close code of ours, in brackets.
fn close_name(number: u16) -> String {
    let known = CloseCode::ALL.into_iter().find(|code| code.number() == number);
    known.map(|code| format!(" ({code:?})")).unwrap_or_default()
}
