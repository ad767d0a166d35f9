//! RTCP that we write.

use bytes::BytesMut;
use rtc::rtcp::{
    packet::{Packet, marshal},
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    transport_feedbacks::transport_layer_nack::{TransportLayerNack, nack_pairs_from_sequence_numbers},
};

/// The SSRC we speak with where we send no media.
pub const OWN_SSRC: u32 = 1;

/// Asks for a key frame.
pub fn picture_loss(ssrc: u32) -> Option<BytesMut> {
    let request = PictureLossIndication { sender_ssrc: OWN_SSRC, media_ssrc: ssrc };
    write(vec![Box::new(request)])
}

/// Asks for packets again.
pub fn nack(ssrc: u32, sequences: &[u16]) -> Option<BytesMut> {
    let nacks = nack_pairs_from_sequence_numbers(sequences);
    write(vec![Box::new(TransportLayerNack { sender_ssrc: OWN_SSRC, media_ssrc: ssrc, nacks })])
}

fn write(packets: Vec<Box<dyn Packet>>) -> Option<BytesMut> {
    marshal(&packets).ok()
}
