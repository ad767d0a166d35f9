//! A subscriber leg's side of the room: its slots, and writing packets for them.

use std::time::Instant;

use qism_signaling::{hub::ports::LayerCap, protocol::Slot};

use super::{
    TrackIndex,
    link::Link,
    outgoing::{Destination, Outgoing},
    track::TrackIn,
};
use crate::sfu::{
    forward::{
        allocator::Step,
        forwarder::{EVERY_FRAME, Forwarder},
        layers::{LayerFacts, Wish, choose},
        listeners::ReportedLoss,
        packet::Packet,
        protection::Protection,
        red::EARLIER,
        repairs::RepairBudget,
    },
    sdp::{Abilities, SubscriberTerms, offer},
};

/// How far a picture may go on the receiver's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    None,
    UpTo(Step),
    Paused,
}

/// One slot of a subscriber.
pub struct TrackOut {
    pub slot: Slot,
    /// What flows in it.
    pub track: Option<TrackIndex>,
    pub cap: LayerCap,
    /// What the receiver's link has for this slot.
    pub limit: Limit,
    pub forwarder: Forwarder,
    /// Unwrapped number of the next retransmission.
    repair_sequence: u64,
    pub packets: u32,
    pub octets: u32,
    /// What its receiver last said of it.
    pub loss: Option<ReportedLoss>,
}

impl TrackOut {
    fn new(slot: Slot, first: u16) -> Self {
        let clock_rate = if offer::is_audio(slot) { 48_000 } else { 90_000 };
        Self {
            slot,
            track: None,
            cap: LayerCap::LOW,
            limit: Limit::None,
            forwarder: Forwarder::new(clock_rate, first),
            repair_sequence: u64::from(first % 1_000),
            packets: 0,
            octets: 0,
            loss: None,
        }
    }

    pub fn is_audio(&self) -> bool {
        offer::is_audio(self.slot)
    }

    /// The largest picture that may flow.
    pub fn wish(&self) -> Wish {
        Wish { width: self.cap.width, height: self.cap.height }
    }

    /// Chooses the layer to send; yields the one whose key frame is waited for.
    pub fn choose_layer(&mut self, is_audio: bool, facts: &[LayerFacts]) -> Option<usize> {
        if is_audio {
            self.forwarder.want(Some(0));
            return None;
        }
        let wanted = choose(facts, self.wish());
        let (layer, temporal) = match self.limit {
            Limit::None => (wanted, EVERY_FRAME),
            Limit::UpTo(step) => (wanted.map(|wanted| smaller(wanted, step.layer, facts)), step.temporal),
            Limit::Paused => (None, EVERY_FRAME),
        };
        self.forwarder.want(layer);
        self.forwarder.want_temporal(temporal);
        self.forwarder.awaited()
    }
}

/// The smaller of two layers; the limit counts only while its layer is alive.
fn smaller(wanted: usize, limit: usize, facts: &[LayerFacts]) -> usize {
    match facts.get(limit).filter(|limit| limit.alive && limit.size < facts[wanted].size) {
        Some(_) => limit,
        None => wanted,
    }
}

/// How voices are sent to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceCare {
    Plain,
    /// Each packet carries earlier frames.
    Redundant,
    /// Each packet is sent again a little later.
    Echoed,
}

/// The slots of one subscriber leg.
pub struct Downlink {
    pub terms: SubscriberTerms,
    /// Unknown until the receiver answered.
    pub abilities: Option<Abilities>,
    pub slots: Vec<TrackOut>,
    pub link: Link,
    repairs: RepairBudget,
    pub protection: Protection,
    /// Whether the receiver was last told that its pictures are stopped.
    pub told_stopped: bool,
}

impl Downlink {
    /// `first` gives each slot its first sequence number.
    pub fn new(terms: SubscriberTerms, mut first: impl FnMut() -> u16) -> Self {
        let slots = terms.slots().map(|slot| TrackOut::new(slot, first())).collect();
        Self {
            terms,
            abilities: None,
            slots,
            link: Link::default(),
            repairs: RepairBudget::default(),
            protection: Protection::default(),
            told_stopped: false,
        }
    }

    pub fn slot(&mut self, slot: Slot) -> Option<&mut TrackOut> {
        self.slots.get_mut(usize::from(slot.0))
    }

    /// How a track reaches this receiver now.
    pub fn care(&self, track: &TrackIn, now: Instant) -> VoiceCare {
        match (track.is_audio() && self.protection.is_on(now), self.abilities) {
            (false, _) => VoiceCare::Plain,
            (true, Some(Abilities { red: true, .. })) => VoiceCare::Redundant,
            (true, _) => VoiceCare::Echoed,
        }
    }

    /// Sends the fresh packets of a track into a slot; true when a new source began to flow with them.
    pub fn send(&mut self, slot: Slot, track: &TrackIn, care: VoiceCare, to: &mut Destination<'_>) -> bool {
        let shows_h264 = self.abilities.is_some_and(|abilities| abilities.h264);
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let was_idle = out.forwarder.current().is_none();
        for (layer, packet) in track.fresh() {
            if packet.is_h264() && !shows_h264 {
                // Nothing of what follows would be a picture: begin anew once the publisher has switched.
                out.forwarder.restart();
                continue;
            }
            if let Some(rewritten) = out.forwarder.forward(layer, packet) {
                let earlier = match care {
                    VoiceCare::Redundant => track.earlier(layer, packet.sequence, &out.forwarder),
                    VoiceCare::Plain | VoiceCare::Echoed => [None; EARLIER],
                };
                let outgoing = Outgoing { slot: out.slot, packet, rewritten, repair: None, earlier };
                if outgoing.write(&mut self.link, to) {
                    self.repairs.sent(packet.payload.len());
                    out.packets = out.packets.wrapping_add(1);
                    out.octets = out.octets.wrapping_add(packet.payload.len() as u32);
                }
            }
        }
        was_idle && out.forwarder.current().is_some()
    }

    /// Sends one packet again, as the receiver asked; padding for one that was left out on purpose. False when it is not
    /// there any more, or when too much was sent again already.
    pub fn resend<'a>(
        &mut self,
        slot: Slot,
        wrapped: u16,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        to: &mut Destination<'_>,
    ) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let full = out.forwarder.full_sequence(wrapped);
        let Some((layer, sequence)) = out.forwarder.origin(full) else { return false };
        let Some(packet) = find(layer, sequence) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let padding = out.forwarder.leaves_out(packet).then(|| packet.emptied());
        let packet = padding.as_ref().unwrap_or(packet);
        if !self.repairs.take(packet.payload.len()) {
            return false;
        }
        out.repair_sequence += 1;
        let repair = Some(out.repair_sequence);
        let outgoing = Outgoing { slot, packet, rewritten, repair, earlier: [None; EARLIER] };
        outgoing.write(&mut self.link, to)
    }

    /// Sends a packet of a voice once more, the same bytes; false when it belongs to another source by now.
    pub fn echo(&mut self, slot: Slot, layer: usize, packet: &Packet, to: &mut Destination<'_>) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let outgoing = Outgoing { slot, packet, rewritten, repair: None, earlier: [None; EARLIER] };
        outgoing.write(&mut self.link, to)
    }
}
