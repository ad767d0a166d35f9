//! What is sent to a subscriber a second time: a picture's packets that it asks for, a voice's without being asked.

use qism_signaling::protocol::Slot;

use super::{Downlink, HEADERS};
use crate::sfu::{
    engine::room::outgoing::{Destination, Outgoing},
    forward::{packet::Packet, red::EARLIER},
};

impl Downlink {
    /// Sends one packet again, as the receiver asked; padding for one that was left out on purpose. What the link does not
    /// take now waits. False when it is not sent now.
    pub fn resend<'a>(
        &mut self,
        slot: Slot,
        wrapped: u16,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        to: &mut Destination<'_>,
    ) -> bool {
        let Some(out) = self.slots.get(usize::from(slot.0)) else { return false };
        let sequence = out.forwarder.full_sequence(wrapped);
        if !self.pacer.may_repair(to.now) {
            self.pacer.owe(usize::from(slot.0), sequence);
            return false;
        }
        self.repair(slot, sequence, find, to)
    }

    /// False when it is not there any more, or when too much was sent again already.
    pub(super) fn repair<'a>(
        &mut self,
        slot: Slot,
        sequence: u64,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        to: &mut Destination<'_>,
    ) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let Some((layer, sequence)) = out.forwarder.origin(sequence) else { return false };
        if self.pacer.is_outdated(usize::from(slot.0), layer, sequence) {
            return false;
        }
        let Some(packet) = find(layer, sequence) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let padding = out.forwarder.leaves_out(packet).then(|| packet.emptied());
        let packet = padding.as_ref().unwrap_or(packet);
        if !self.repairs.take(packet.payload.len()) {
            return false;
        }
        let repair = Some(out.next_repair());
        let outgoing = Outgoing { slot, packet, rewritten, repair, earlier: [None; EARLIER] };
        let size = outgoing.write(&mut self.link, to);
        self.left(size);
        size > 0
    }

    /// Sends a packet of a voice once more, the same bytes; false when it belongs to another source by now.
    pub fn echo(&mut self, slot: Slot, layer: usize, packet: &Packet, to: &mut Destination<'_>) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let outgoing = Outgoing { slot, packet, rewritten, repair: None, earlier: [None; EARLIER] };
        let size = outgoing.write(&mut self.link, to);
        if size > 0 {
            self.voice.count(size + HEADERS, to.now);
        }
        size > 0
    }
}
