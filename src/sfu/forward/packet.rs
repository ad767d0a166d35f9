//! One received packet in the form that is kept and fanned out.

use std::time::Instant;

use bytes::Bytes;

use super::{h264, vp8};

/// How media is encoded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Codec {
    Opus,
    Vp8,
    H264,
}

/// What the head of a payload tells.
#[derive(Clone, Copy, Debug)]
pub enum Content {
    Sound,
    Vp8(vp8::Descriptor),
    H264(h264::Head),
}

impl Content {
    /// Reads a payload. An unreadable one still is video: it must not pass for an entry.
    pub fn read(codec: Codec, payload: &[u8]) -> Self {
        match codec {
            Codec::Opus => Self::Sound,
            Codec::Vp8 => Self::Vp8(vp8::Descriptor::parse(payload).unwrap_or_default()),
            Codec::H264 => Self::H264(h264::Head::parse(payload)),
        }
    }

    /// Width and height, told by key frames only.
    pub fn size(&self) -> Option<(u16, u16)> {
        match self {
            Self::Sound => None,
            Self::Vp8(descriptor) => descriptor.size,
            Self::H264(head) => head.size,
        }
    }
}

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
    pub content: Content,
}

impl Packet {
    /// The same packet with nothing in it.
    pub fn emptied(&self) -> Self {
        Self { payload: Bytes::new(), ..*self }
    }

    /// True for the first packet of a key frame.
    pub fn starts_key_frame(&self) -> bool {
        match self.content {
            Content::Sound => false,
            Content::Vp8(descriptor) => descriptor.key_frame,
            Content::H264(head) => head.key_frame,
        }
    }

    pub fn is_sound(&self) -> bool {
        matches!(self.content, Content::Sound)
    }

    pub fn is_h264(&self) -> bool {
        matches!(self.content, Content::H264(_))
    }

    /// The descriptor of a VP8 packet.
    pub fn vp8(&self) -> Option<&vp8::Descriptor> {
        match &self.content {
            Content::Vp8(descriptor) => Some(descriptor),
            _ => None,
        }
    }

    /// The temporal layer, 0 where there are none.
    pub fn temporal(&self) -> u8 {
        self.vp8().and_then(|descriptor| descriptor.temporal).map_or(0, |(layer, _)| layer)
    }
}
