//! One received packet in the form that is kept and fanned out.

use std::time::Instant;

use bytes::Bytes;

use super::vp8::Descriptor;

/// A decrypted media packet; cloning counts a reference.
#[derive(Clone, Debug)]
pub struct Packet {
    /// Unwrapped number in its incoming stream.
    pub sequence: u64,
    pub timestamp: u32,
    pub marker: bool,
    /// When it was captured by the publisher's clock, in units of the media clock; known after a sender report.
    pub captured: Option<u32>,
    pub arrived: Instant,
    pub payload: Bytes,
    /// The descriptor of a VP8 packet; `None` on audio.
    pub vp8: Option<Descriptor>,
}

impl Packet {
    /// The same packet with nothing in it.
    pub fn emptied(&self) -> Self {
        Self { payload: Bytes::new(), vp8: None, ..*self }
    }

    /// True for the first packet of a key frame.
    pub fn starts_key_frame(&self) -> bool {
        self.vp8.is_some_and(|descriptor| descriptor.key_frame)
    }

    /// The temporal layer, 0 where there are none.
    pub fn temporal(&self) -> u8 {
        self.vp8.and_then(|descriptor| descriptor.temporal).map_or(0, |(layer, _)| layer)
    }
}
