//! RTCP that comes in: retransmissions and key frames that subscribers ask for, sender clocks of publishers.

use std::time::Instant;

use rtc::rtcp::{
    packet::{Packet, unmarshal},
    payload_feedbacks::{
        full_intra_request::FullIntraRequest, picture_loss_indication::PictureLossIndication,
    },
    receiver_report::ReceiverReport,
    sender_report::SenderReport,
    transport_feedbacks::transport_layer_nack::TransportLayerNack,
};

use super::{
    counters::add,
    legs::{LegState, Role},
    ntp,
    room::{LegIndex, layer::SenderClock, outgoing::Destination},
    worker::Worker,
};
use crate::sfu::{
    forward::{feedback::Feedback, listeners::ReportedLoss},
    sdp::offer,
};

/// Packets one RTCP datagram may ask for.
const ASKED: usize = 256;
/// Packets one RTCP datagram may tell of: those of some seconds without feedback. A run of many takes two bytes, so that without
/// this bound one datagram would keep the thread busy for milliseconds.
const TOLD: usize = 4_096;

/// What the rest of one RTCP datagram may still make us do.
struct Effort {
    asked: usize,
    told: usize,
}

impl Worker {
    /// Takes a decrypted compound packet. A malformed one is dropped as a whole; transport-wide feedback, most of what comes in,
    /// is read in place.
    pub(super) fn handle_feedback(&mut self, index: LegIndex, mut packet: &[u8], now: Instant) {
        let mut effort = Effort { asked: ASKED, told: TOLD };
        while let Some(mut first) = split_first(&mut packet) {
            if let Some(feedback) = Feedback::parse(first) {
                let Some(left) = effort.told.checked_sub(feedback.count()) else { return };
                effort.told = left;
                self.handle_arrivals(index, &feedback, now);
                continue;
            }
            let Ok(packets) = unmarshal(&mut first) else { return };
            for packet in &packets {
                self.handle_packet(index, packet.as_ref(), &mut effort, now);
            }
        }
    }

    fn handle_arrivals(&mut self, index: LegIndex, feedback: &Feedback<'_>, now: Instant) {
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        let losses = downlink.link.handle_feedback(feedback, &mut self.told, now);
        // A queue that runs over is answered by sending less, not by nothing.
        if !downlink.link.is_crowded(now) {
            downlink.protection.lost_packets(losses.lost, losses.told, now);
        }
        self.review_link(index, true, now);
    }

    fn handle_packet(&mut self, index: LegIndex, packet: &dyn Packet, effort: &mut Effort, now: Instant) {
        let packet = packet.as_any();
        if let Some(nack) = packet.downcast_ref::<TransportLayerNack>() {
            self.handle_nack(index, nack, &mut effort.asked, now);
        } else if let Some(loss) = packet.downcast_ref::<PictureLossIndication>() {
            self.handle_picture_loss(index, loss.media_ssrc, now);
        } else if let Some(request) = packet.downcast_ref::<FullIntraRequest>() {
            for entry in &request.fir {
                self.handle_picture_loss(index, entry.ssrc, now);
            }
        } else if let Some(report) = packet.downcast_ref::<ReceiverReport>() {
            self.handle_receiver_report(index, report, now);
        } else if let Some(report) = packet.downcast_ref::<SenderReport>() {
            self.handle_sender_report(index, report, now);
        }
    }

    fn handle_nack(&mut self, index: LegIndex, nack: &TransportLayerNack, allowed: &mut usize, now: Instant) {
        let Some(slot) = offer::slot_of_ssrc(nack.media_ssrc) else { return };
        let Some(LegState { name, transport, role: Role::Subscriber(downlink), .. }) =
            self.legs.get_mut(index)
        else {
            return;
        };
        let Some(room) = self.rooms.get(&name.lesson) else { return };
        let Some(track) = downlink.slot(slot).and_then(|out| out.track) else { return };
        let Some(path) = transport.ice.live_path(now) else { return };
        let Some(srtp) = &mut transport.srtp else { return };
        let track = &room.tracks[track];
        let mut to = Destination { srtp, path, batch: &mut self.batch, now };
        let asked = nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(*allowed);
        for wrapped in asked {
            *allowed -= 1;
            add(&self.counters.nacks_in, 1);
            let find = |layer: usize, sequence| track.ring(layer)?.get(sequence);
            if downlink.resend(slot, wrapped, find, &mut to) {
                add(&self.counters.retransmissions, 1);
            }
        }
        if downlink.pacer.is_waiting() && !std::mem::replace(&mut downlink.is_paced, true) {
            self.paced.push(index);
        }
    }

    fn handle_picture_loss(&mut self, index: LegIndex, ssrc: u32, now: Instant) {
        let Some(slot) = offer::slot_of_ssrc(ssrc) else { return };
        let Some(LegState { name, role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        let (lesson, receiver) = (name.lesson, name.user);
        let Some(out) = downlink.slot(slot) else { return };
        let (Some(track), Some(layer)) = (out.track, out.forwarder.current()) else { return };
        if downlink.has_key_frame(slot, layer, now) {
            return;
        }
        add(&self.counters.plis_in, 1);
        if let Some(room) = self.rooms.get_mut(&lesson) {
            room.tracks[track].keyframes.want_for(receiver, layer, now);
            self.ask_key_frame(lesson, track, now);
        }
    }

    fn handle_receiver_report(&mut self, index: LegIndex, report: &ReceiverReport, now: Instant) {
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        for block in &report.reports {
            let is_crowded = downlink.link.is_crowded(now);
            if let Some(out) = offer::slot_of_ssrc(block.ssrc).and_then(|slot| downlink.slot(slot)) {
                let fraction = out.own_loss(block).fraction();
                out.loss = Some(ReportedLoss { fraction, at: now });
                match out.is_audio() {
                    _ if is_crowded => {}
                    true => downlink.protection.lost(fraction, now),
                    false => downlink.protection.lost_of_picture(fraction, now),
                }
            }
        }
    }

    fn handle_sender_report(&mut self, index: LegIndex, report: &SenderReport, now: Instant) {
        let Some(LegState { name, role: Role::Publisher(uplink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        let Some(stream) = uplink.stream(report.ssrc).filter(|stream| !stream.is_repair) else { return };
        let Some(room) = self.rooms.get_mut(&name.lesson) else { return };
        let Some(track) = uplink.tracks.get(stream.upstream).map(|&track| &mut room.tracks[track]) else {
            return;
        };
        let clock = SenderClock {
            captured: ntp::in_units(report.ntp_time, track.clock_rate()),
            timestamp: report.rtp_time,
            ntp_middle: (report.ntp_time >> 16) as u32,
            arrived: now,
        };
        if let Some(layer) = track.layers.get_mut(stream.layer) {
            layer.set_clock(clock);
        }
        let offset = uplink.learn_clock(ntp::at(now).wrapping_sub(report.ntp_time) as i64);
        for &track in &uplink.tracks {
            room.tracks[track].clock_offset = Some(offset);
        }
    }
}

/// Takes the first packet off a compound one by the length it tells (RFC 3550 section 6.4.1); `None` at the end, or when that is
/// beyond it.
pub(super) fn split_first<'p>(compound: &mut &'p [u8]) -> Option<&'p [u8]> {
    let &[_, _, high, low] = compound.first_chunk()?;
    let length = (usize::from(u16::from_be_bytes([high, low])) + 1) * 4;
    compound.split_off(..length)
}
