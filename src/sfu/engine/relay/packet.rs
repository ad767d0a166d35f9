//! A media packet between two nodes: as it came from the publisher, under an SSRC that both nodes agreed on and with a number
//! of its own.

use bytes::Bytes;

use super::SSRCS;
use crate::sfu::{
    engine::{
        leg::{
            Path,
            srtp::{EXTENDED, Place, Srtp},
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
/// The extensions (RFC 3550 section 5.3.1): when the packet was captured, and its transport-wide number; or that number alone.
const CAPTURED: u16 = 0x5143;
const NUMBERED: u16 = 0x5144;
/// The stream of padding: no layer is named so.
const PADDING_SSRC: u32 = SSRCS / 2;
const PADDING: usize = 1_100;

/// Appends the sealed packet to the batch; its size, zero when it could not be sealed. A packet that is repeated has the number
/// that it had first: sealed once more under the same place it must be the same bytes.
pub fn write(
    packet: &Packet,
    place: Place,
    number: u16,
    srtp: &mut Srtp,
    path: Path,
    batch: &mut Batch,
) -> usize {
    let mut size = 0;
    let written = batch.push_with(path, |buffer, start| {
        let kind = payload_type(&packet.content) | u8::from(packet.marker) << 7;
        place.write_header(EXTENDED, kind, packet.timestamp, buffer);
        write_extension(packet.captured, number, buffer);
        let header = buffer.len() - start;
        buffer.extend_from_slice(&packet.payload);
        let sealed = srtp.seal_rtp(place, buffer, start, header);
        size = buffer.len() - start;
        sealed
    });
    if written { size } else { 0 }
}

fn write_extension(captured: Option<u32>, number: u16, buffer: &mut Vec<u8>) {
    let (profile, words) = if captured.is_some() { (CAPTURED, 2_u16) } else { (NUMBERED, 1) };
    buffer.extend(profile.to_be_bytes());
    buffer.extend(words.to_be_bytes());
    buffer.extend(captured.map(u32::to_be_bytes).into_iter().flatten());
    buffer.extend(number.to_be_bytes());
    buffer.extend([0; 2]);
}

/// Appends a packet of nothing, the nth of its stream, to find out what the link bears; its size.
pub fn write_padding(nth: u64, number: u16, srtp: &mut Srtp, path: Path, batch: &mut Batch) -> usize {
    let mut size = 0;
    let place = Place { ssrc: PADDING_SSRC, sequence: nth };
    let written = batch.push_with(path, |buffer, start| {
        place.write_header(EXTENDED, VP8, 0, buffer);
        write_extension(None, number, buffer);
        let header = buffer.len() - start;
        buffer.resize(buffer.len() + PADDING, 0);
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
    /// Transport-wide; a node of an older version tells none.
    pub number: Option<u16>,
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
        let (captured, number) = extension(packet).unwrap_or_default();
        Some(Self { header, codec, captured, number, payload })
    }
}

fn extension(packet: &[u8]) -> Option<(Option<u32>, Option<u16>)> {
    let (head, rest) = packet.split_first_chunk::<FIXED_HEADER>()?;
    let (extension, rest) = rest.split_first_chunk::<4>().filter(|_| head[0] == 0x90)?;
    let [profile, words] =
        [[extension[0], extension[1]], [extension[2], extension[3]]].map(u16::from_be_bytes);
    let word =
        |place: usize| rest.get(place * 4..)?.first_chunk::<4>().filter(|_| place < usize::from(words));
    let number = |place| word(place).map(|word| u16::from_be_bytes([word[0], word[1]]));
    match profile {
        CAPTURED => Some((word(0).map(|word| u32::from_be_bytes(*word)), number(1))),
        NUMBERED => Some((None, number(0))),
        _ => None,
    }
}
