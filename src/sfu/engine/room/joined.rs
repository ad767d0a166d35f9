//! A voice in joined packets: made once for all listeners on this thread who save data, as if it were another layer.

use std::time::Instant;

use crate::sfu::{
    forward::{forwarder, opus::Joiner, packet::Packet, ring::PacketRing},
    sdp::answer::LAYERS,
};

/// The number of this layer, after all that can come in.
pub const JOINED: usize = LAYERS;
const _: () = assert!(JOINED < forwarder::LAYERS);
/// Nearly four seconds.
const KEPT: usize = 64;

/// The joined form of one voice.
#[derive(Debug)]
pub struct Joined {
    /// Somebody listens to it.
    is_wanted: bool,
    joiner: Joiner,
    ring: PacketRing,
    /// Packets that came since the last fan-out.
    fresh: Vec<u64>,
}

impl Default for Joined {
    fn default() -> Self {
        Self { is_wanted: false, joiner: Joiner::default(), ring: PacketRing::new(KEPT), fresh: Vec::new() }
    }
}

impl Joined {
    pub fn want(&mut self, is_wanted: bool) {
        if !is_wanted && self.is_wanted {
            self.restart();
        }
        self.is_wanted = is_wanted;
    }

    /// The voice is another one now, or nobody listens. The numbers go on: none ever means two packets.
    pub fn restart(&mut self) {
        self.joiner.restart();
        self.ring.clear();
        self.fresh.clear();
    }

    /// Takes a packet of the voice.
    pub fn take(&mut self, packet: &Packet, now: Instant) {
        if self.is_wanted {
            self.joiner.push(packet.clone());
            self.poll(now);
        }
    }

    /// Lets go what has waited long enough; true when there is something to send.
    pub fn poll(&mut self, now: Instant) -> bool {
        while let Some(packet) = self.joiner.poll(now) {
            self.fresh.push(packet.sequence);
            self.ring.insert(packet);
        }
        self.has_fresh()
    }

    /// Something is not sent yet, and is after a while, whatever comes.
    pub fn is_waiting(&self) -> bool {
        self.joiner.is_waiting()
    }

    pub fn ring(&self) -> &PacketRing {
        &self.ring
    }

    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty()
    }

    pub fn fresh(&self) -> impl Iterator<Item = (usize, &Packet)> {
        self.fresh.iter().filter_map(|&sequence| Some((JOINED, self.ring.get(sequence)?)))
    }

    pub fn clear_fresh(&mut self) {
        self.fresh.clear();
    }
}
