//! A media packet between two nodes: as it came from the publisher, under an SSRC that both nodes agreed on and with a number
//! of its own.

use bytes::Bytes;

use crate::sfu::{
    engine::{
        leg::{
            Path,
            srtp::{Place, Srtp},
        },
        net::batch::Batch,
    },
    forward::{
        extensions::Map,
        packet::{Codec, Content, Packet},
        rtp::{FIXED_HEADER, Header},
    },
};

const OPUS: u8 = 111;
const VP8: u8 = 96;
const H264: u8 = 98;
/// The only extension (RFC 3550 section 5.3.1): when the packet was captured.
const CAPTURED: u16 = 0x5143;

/// Appends the sealed packet to the batch; its size, zero when it could not be sealed. Sealed once more it is the same
/// bytes.
pub fn write(packet: &Packet, place: Place, srtp: &mut Srtp, path: Path, batch: &mut Batch) -> usize {
    let mut size = 0;
    let written = batch.push_with(path, |buffer, start| {
        buffer.push(0x80 | u8::from(packet.captured.is_some()) << 4);
        buffer.push(payload_type(&packet.content) | u8::from(packet.marker) << 7);
        buffer.extend((place.sequence as u16).to_be_bytes());
        buffer.extend(packet.timestamp.to_be_bytes());
        buffer.extend(place.ssrc.to_be_bytes());
        if let Some(captured) = packet.captured {
            buffer.extend(CAPTURED.to_be_bytes());
            buffer.extend(1u16.to_be_bytes());
            buffer.extend(captured.to_be_bytes());
        }
        let header = buffer.len() - start;
        buffer.extend_from_slice(&packet.payload);
        let sealed = srtp.seal_rtp(place, buffer, start, header);
        size = buffer.len() - start;
        sealed
    });
    if written { size } else { 0 }
}

fn payload_type(content: &Content) -> u8 {
    match content {
        Content::Sound => OPUS,
        Content::Vp8(_) => VP8,
        Content::H264(_) => H264,
    }
}

/// An opened packet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Incoming {
    pub header: Header,
    pub codec: Codec,
    pub captured: Option<u32>,
    pub payload: Bytes,
}

impl Incoming {
    /// Reads an opened packet; `None` when it is malformed or of no codec of ours.
    pub fn read(packet: &Bytes) -> Option<Self> {
        let header = Header::parse(packet, &Map::default())?;
        let codec = match header.payload_type {
            OPUS => Codec::Opus,
            VP8 => Codec::Vp8,
            H264 => Codec::H264,
            _ => return None,
        };
        let payload = packet.slice(header.payload_start..header.payload_end);
        Some(Self { header, codec, captured: captured(packet), payload })
    }
}

fn captured(packet: &[u8]) -> Option<u32> {
    let (head, rest) = packet.split_first_chunk::<FIXED_HEADER>()?;
    let (extension, rest) = rest.split_first_chunk::<4>()?;
    let has_it = head[0] == 0x90 && extension[..2] == CAPTURED.to_be_bytes();
    rest.first_chunk().filter(|_| has_it).map(|value| u32::from_be_bytes(*value))
}
