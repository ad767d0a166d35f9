//! Writing one packet for one subscriber: header, payload with its own numbers, seal; all in place in the batch.

use std::time::Instant;

use qism_signaling::protocol::Slot;

use super::link::Link;
use crate::sfu::{
    engine::{
        leg::{
            Path,
            srtp::{EXTENDED, PADDED, Place, Srtp},
        },
        net::batch::Batch,
    },
    forward::{
        forwarder::Rewritten,
        packet::{Content, Packet},
        red::{self, Block, EARLIER},
    },
    sdp::offer,
};

/// Where the packets of one subscriber go.
pub struct Destination<'a> {
    pub srtp: &'a mut Srtp,
    pub path: Path,
    pub batch: &'a mut Batch,
    pub now: Instant,
}

/// One packet on its way into the batch.
pub struct Outgoing<'a> {
    pub slot: Slot,
    pub packet: &'a Packet,
    pub rewritten: Rewritten,
    /// Number in the retransmission stream, for a packet that is sent again.
    pub repair: Option<u64>,
    /// Frames of a voice that ride along, oldest first.
    pub earlier: [Option<Block<'a>>; EARLIER],
}

impl Outgoing<'_> {
    /// Appends the sealed packet to the batch; its size, zero when it could not be sealed.
    pub fn write(&self, link: &mut Link, to: &mut Destination<'_>) -> usize {
        let (place, is_audio) = (self.place(), offer::is_audio(self.slot));
        let mut size = 0;
        let Destination { srtp, path, batch, now } = to;
        let written = batch.push_with(*path, |buffer, start| {
            self.write_fixed_header(place, !is_audio, buffer);
            if !is_audio {
                write_transport_extension(link.next_number(), buffer);
            }
            let header = buffer.len() - start;
            self.write_payload(buffer);
            let sealed = srtp.seal_rtp(place, buffer, start, header);
            size = buffer.len() - start;
            sealed
        });
        if written && !is_audio {
            link.sent(size, *now);
        }
        if written { size } else { 0 }
    }

    fn place(&self) -> Place {
        match self.repair {
            Some(sequence) => Place { ssrc: offer::retransmission_ssrc(self.slot), sequence },
            None => Place { ssrc: offer::ssrc(self.slot), sequence: self.rewritten.sequence },
        }
    }

    fn write_fixed_header(&self, place: Place, has_extension: bool, buffer: &mut Vec<u8>) {
        let payload_type = match (&self.packet.content, self.repair) {
            (Content::Sound, _) if self.is_redundant() => offer::RED,
            (Content::Sound, _) => offer::OPUS,
            (Content::Vp8(_), None) => offer::VP8,
            (Content::Vp8(_), Some(_)) => offer::VP8_RTX,
            (Content::H264(_), None) => offer::H264,
            (Content::H264(_), Some(_)) => offer::H264_RTX,
        };
        // RFC 3551 section 4.1: a voice begins, here also where another one takes the slot.
        let begins = self.packet.is_sound() && self.rewritten.is_entry;
        let marker = u8::from(self.packet.marker || begins) << 7;
        let flags = if has_extension { EXTENDED } else { 0 };
        place.write_header(flags, payload_type | marker, self.rewritten.timestamp, buffer);
    }

    fn is_redundant(&self) -> bool {
        self.earlier.iter().any(Option::is_some)
    }

    fn write_payload(&self, buffer: &mut Vec<u8>) {
        if self.is_redundant() {
            return red::write(offer::OPUS, self.earlier.iter().flatten(), &self.packet.payload, buffer);
        }
        if self.repair.is_some() {
            buffer.extend((self.rewritten.sequence as u16).to_be_bytes());
        }
        let payload = &self.packet.payload;
        match self.packet.vp8().filter(|vp8| vp8.length > 0 && !payload.is_empty()) {
            Some(vp8) => {
                vp8.write(payload, self.rewritten.numbers, buffer);
                buffer.extend_from_slice(&payload[vp8.length..]);
            }
            None => buffer.extend_from_slice(payload),
        }
    }
}

/// Appends a packet of nothing but so many bytes of padding in the retransmission stream of a slot (RFC 3550 section 5.1); its size. The
/// last byte tells how many, itself included.
pub fn write_padding(
    slot: Slot,
    sequence: u64,
    padding: u8,
    link: &mut Link,
    to: &mut Destination<'_>,
) -> usize {
    let place = Place { ssrc: offer::retransmission_ssrc(slot), sequence };
    let Destination { srtp, path, batch, now } = to;
    let mut size = 0;
    let written = batch.push_with(*path, |buffer, start| {
        place.write_header(PADDED | EXTENDED, offer::VP8_RTX, 0, buffer);
        write_transport_extension(link.next_number(), buffer);
        let header = buffer.len() - start;
        buffer.resize(buffer.len() + usize::from(padding) - 1, 0);
        buffer.push(padding);
        let sealed = srtp.seal_rtp(place, buffer, start, header);
        size = buffer.len() - start;
        sealed
    });
    if written {
        link.sent(size, *now);
    }
    if written { size } else { 0 }
}

/// The only extension we send, one element of two bytes: constant length keeps runs of equal datagrams.
fn write_transport_extension(sequence: u16, buffer: &mut Vec<u8>) {
    let [high, low] = sequence.to_be_bytes();
    buffer.extend_from_slice(&[0xbe, 0xde, 0, 1, offer::TRANSPORT_EXTENSION << 4 | 1, high, low, 0]);
}
