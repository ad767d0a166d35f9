//! Frames as text, each rendered once and shared by all its readers.

use bytes::Bytes;

use crate::protocol::{Event, Logged, ServerFrame};

/// A frame as JSON text.
pub(crate) fn frame(frame: &ServerFrame) -> Bytes {
    // Every wire type is a plain tree of strings, numbers and lists: serialization cannot fail.
    Bytes::from(serde_json::to_vec(frame).expect("wire types serialize"))
}

/// An event as a frame.
pub(crate) fn event(logged: &Logged) -> Bytes {
    frame(&ServerFrame::Event(logged.clone()))
}

/// The same number with what the others may see.
pub(crate) fn instead(logged: &Logged, shown: &Event) -> Bytes {
    let mut logged = logged.clone();
    if *shown == (Event::Withheld {}) {
        logged.sender = None;
    }
    logged.event = shown.clone();
    event(&logged)
}
