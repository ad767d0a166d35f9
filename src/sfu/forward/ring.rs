//! The last packets of one incoming stream, shared by all its subscribers for retransmission.

use super::packet::Packet;

/// Keeps the newest packets by sequence number.
#[derive(Debug)]
pub struct PacketRing {
    /// Place = sequence number modulo the length, a power of two.
    places: Vec<Option<Packet>>,
}

impl PacketRing {
    /// A ring for `capacity` packets, rounded up to a power of two.
    pub fn new(capacity: usize) -> Self {
        Self { places: vec![None; capacity.next_power_of_two()] }
    }

    fn place(&self, sequence: u64) -> usize {
        sequence as usize & (self.places.len() - 1)
    }

    /// Stores a packet; false when it is there already or is too old to matter.
    pub fn insert(&mut self, packet: Packet) -> bool {
        let place = self.place(packet.sequence);
        if self.places[place].as_ref().is_some_and(|kept| kept.sequence >= packet.sequence) {
            return false;
        }
        self.places[place] = Some(packet);
        true
    }

    pub fn get(&self, sequence: u64) -> Option<&Packet> {
        self.places[self.place(sequence)].as_ref().filter(|packet| packet.sequence == sequence)
    }

    pub fn clear(&mut self) {
        self.places.fill(None);
    }
}
