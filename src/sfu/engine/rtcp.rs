//! RTCP that we write.

use bytes::BytesMut;
use rtc::rtcp::{
    packet::{Packet, marshal},
    payload_feedbacks::picture_loss_indication::PictureLossIndication,
    receiver_report::ReceiverReport,
    reception_report::ReceptionReport,
    sender_report::SenderReport,
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

/// One report about each stream.
pub fn receiver_report(reports: Vec<ReceptionReport>) -> Option<BytesMut> {
    let report = ReceiverReport { ssrc: OWN_SSRC, reports, ..ReceiverReport::default() };
    write(vec![Box::new(report)])
}

/// The clock of one of our streams.
pub fn sender_report(report: SenderReport) -> Option<BytesMut> {
    write(vec![Box::new(report)])
}

fn write(packets: Vec<Box<dyn Packet>>) -> Option<BytesMut> {
    marshal(&packets).ok()
}
