//! A subscriber leg's side of the room: its slots, and writing packets for them.

use qism_signaling::{hub::ports::LayerCap, protocol::Slot};

use super::TrackIndex;
use crate::sfu::{
    engine::{
        leg::{
            Path,
            srtp::{Place, Srtp},
        },
        net::batch::Batch,
    },
    forward::{
        forwarder::{Forwarder, Rewritten},
        layers::{LayerFacts, Wish, choose},
        packet::Packet,
    },
    sdp::{SubscriberTerms, offer},
};

/// One slot of a subscriber.
pub struct TrackOut {
    pub slot: Slot,
    /// What flows in it.
    pub track: Option<TrackIndex>,
    pub cap: LayerCap,
    /// What the receiver's link has for this slot, in bits per second.
    pub bitrate: u32,
    pub forwarder: Forwarder,
    /// Unwrapped number of the next retransmission.
    repair_sequence: u64,
    pub packets: u32,
    pub octets: u32,
}

impl TrackOut {
    fn new(slot: Slot, first: u16) -> Self {
        let clock_rate = if offer::is_audio(slot) { 48_000 } else { 90_000 };
        Self {
            slot,
            track: None,
            cap: LayerCap::LOW,
            bitrate: u32::MAX,
            forwarder: Forwarder::new(clock_rate, first),
            repair_sequence: u64::from(first % 1_000),
            packets: 0,
            octets: 0,
        }
    }

    /// The largest picture that may flow.
    pub fn wish(&self) -> Wish {
        Wish { width: self.cap.width, height: self.cap.height, bitrate: self.bitrate }
    }

    /// Chooses the layer to send; yields the one whose key frame is waited for.
    pub fn choose_layer(&mut self, is_audio: bool, facts: &[LayerFacts]) -> Option<usize> {
        if is_audio {
            self.forwarder.want(Some(0));
            return None;
        }
        self.forwarder.want(choose(facts, self.wish()));
        self.forwarder.awaited()
    }
}

/// The slots of one subscriber leg.
pub struct Downlink {
    pub terms: SubscriberTerms,
    pub slots: Vec<TrackOut>,
    /// Number of the next packet on the whole connection.
    transport_sequence: u16,
}

impl Downlink {
    /// `first` gives each slot its first sequence number.
    pub fn new(terms: SubscriberTerms, mut first: impl FnMut() -> u16) -> Self {
        let slots = terms.slots().map(|slot| TrackOut::new(slot, first())).collect();
        Self { terms, slots, transport_sequence: 0 }
    }

    pub fn slot(&mut self, slot: Slot) -> Option<&mut TrackOut> {
        self.slots.get_mut(usize::from(slot.0))
    }

    /// Sends the fresh packets of a track into a slot.
    pub fn send<'a>(
        &mut self,
        slot: Slot,
        fresh: impl Iterator<Item = (usize, &'a Packet)>,
        srtp: &mut Srtp,
        path: Path,
        batch: &mut Batch,
    ) {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return };
        for (layer, packet) in fresh {
            if let Some(rewritten) = out.forwarder.forward(layer, packet) {
                let outgoing = Outgoing { slot: out.slot, packet, rewritten, repair: None };
                if outgoing.write(&mut self.transport_sequence, srtp, path, batch) {
                    out.packets = out.packets.wrapping_add(1);
                    out.octets = out.octets.wrapping_add(packet.payload.len() as u32);
                }
            }
        }
    }

    /// Sends one packet again, as the receiver asked; false when it is not there any more.
    pub fn resend<'a>(
        &mut self,
        slot: Slot,
        wrapped: u16,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        srtp: &mut Srtp,
        path: Path,
        batch: &mut Batch,
    ) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let full = out.forwarder.full_sequence(wrapped);
        let Some((layer, sequence)) = out.forwarder.origin(full) else { return false };
        let Some(packet) = find(layer, sequence) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        out.repair_sequence += 1;
        let outgoing = Outgoing { slot, packet, rewritten, repair: Some(out.repair_sequence) };
        outgoing.write(&mut self.transport_sequence, srtp, path, batch)
    }
}

/// One packet on its way into the batch.
struct Outgoing<'a> {
    slot: Slot,
    packet: &'a Packet,
    rewritten: Rewritten,
    /// Number in the retransmission stream, for a packet that is sent again.
    repair: Option<u64>,
}

impl Outgoing<'_> {
    fn write(&self, transport_sequence: &mut u16, srtp: &mut Srtp, path: Path, batch: &mut Batch) -> bool {
        let place = self.place();
        let is_audio = offer::is_audio(self.slot);
        let written = batch.push_with(path, |buffer, start| {
            self.write_fixed_header(place, !is_audio, buffer);
            if !is_audio {
                write_transport_extension(*transport_sequence, buffer);
            }
            let header = buffer.len() - start;
            self.write_payload(buffer);
            srtp.seal_rtp(place, buffer, start, header)
        });
        if written && !is_audio {
            *transport_sequence = transport_sequence.wrapping_add(1);
        }
        written
    }

    fn place(&self) -> Place {
        match self.repair {
            Some(sequence) => Place { ssrc: offer::retransmission_ssrc(self.slot), sequence },
            None => Place { ssrc: offer::ssrc(self.slot), sequence: self.rewritten.sequence },
        }
    }

    fn write_fixed_header(&self, place: Place, has_extension: bool, buffer: &mut Vec<u8>) {
        let payload_type = match (offer::is_audio(self.slot), self.repair) {
            (true, _) => offer::OPUS,
            (false, None) => offer::VP8,
            (false, Some(_)) => offer::RTX,
        };
        let marker = u8::from(self.packet.marker) << 7;
        buffer.push(0x80 | u8::from(has_extension) << 4);
        buffer.push(payload_type | marker);
        buffer.extend((place.sequence as u16).to_be_bytes());
        buffer.extend(self.rewritten.timestamp.to_be_bytes());
        buffer.extend(place.ssrc.to_be_bytes());
    }

    fn write_payload(&self, buffer: &mut Vec<u8>) {
        if self.repair.is_some() {
            buffer.extend((self.rewritten.sequence as u16).to_be_bytes());
        }
        let payload = &self.packet.payload;
        match self.packet.vp8.filter(|vp8| vp8.length > 0) {
            Some(vp8) => {
                vp8.write(payload, self.rewritten.numbers, buffer);
                buffer.extend_from_slice(&payload[vp8.length..]);
            }
            None => buffer.extend_from_slice(payload),
        }
    }
}

/// The only extension we send, one element of two bytes: constant length keeps runs of equal datagrams.
fn write_transport_extension(sequence: u16, buffer: &mut Vec<u8>) {
    let [high, low] = sequence.to_be_bytes();
    buffer.extend([0xbe, 0xde, 0, 1, offer::TRANSPORT_EXTENSION << 4 | 1, high, low, 0]);
}
