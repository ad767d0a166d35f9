//! Whether a layer of a picture crosses to another node: it stops as a whole where the link has no room, and goes on with a key
//! frame.

use std::time::Duration;

use crate::sfu::forward::{pacer::LONGEST, packet::Packet};

/// What happens to a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// `begins`: for the first time since it was shut.
    Open {
        begins: bool,
    },
    Shut,
    /// Shut, and there is room: a key frame would open it.
    WantsKeyFrame,
}

/// What the link has for a layer.
#[derive(Clone, Copy, Debug)]
pub struct Room {
    /// It has a part of the link.
    pub is_borne: bool,
    /// What waits before it takes so long.
    pub wait: Duration,
    /// Bits per second; zero while unknown: nothing waits then.
    pub bitrate: u32,
}

/// One layer on one link.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gate {
    is_shut: bool,
    /// Timestamps of the frame that comes in, and of the newest key frame.
    frame: Option<u32>,
    key_frame: Option<u32>,
    /// Of the key frame so far.
    key_bytes: usize,
}

impl Gate {
    pub fn is_open(&self) -> bool {
        !self.is_shut
    }

    /// A fresh packet of the layer. A frame that would wait for longer than [`LONGEST`] shuts the gate, but not behind a key
    /// frame that takes longer itself: another one would take as long.
    pub fn take(&mut self, packet: &Packet, room: Room) -> Passage {
        let is_new = self.frame.replace(packet.timestamp) != Some(packet.timestamp);
        if !room.is_borne {
            self.is_shut = true;
            return Passage::Shut;
        }
        let mut begins = false;
        if packet.starts_key_frame() && room.wait <= LONGEST {
            begins = self.is_shut;
            (self.is_shut, self.key_frame, self.key_bytes) = (false, Some(packet.timestamp), 0);
        }
        let is_key = self.key_frame == Some(packet.timestamp);
        if is_key {
            self.key_bytes += packet.payload.len();
        } else if is_new && room.wait > LONGEST.max(self.key_frame_takes(room.bitrate)) {
            self.is_shut = true;
        }
        match self.is_shut {
            false => Passage::Open { begins },
            true if room.wait < LONGEST / 2 => Passage::WantsKeyFrame,
            true => Passage::Shut,
        }
    }

    fn key_frame_takes(&self, bitrate: u32) -> Duration {
        // A fifth more: voices go before.
        Duration::from_micros(self.key_bytes as u64 * 9_600_000 / u64::from(bitrate.max(1)))
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;

    use super::*;
    use crate::sfu::forward::packet::{Codec, Content};

    fn packet(timestamp: u32, is_key: bool) -> Packet {
        let head = [0x10, if is_key { 0 } else { 1 }, 0, 0, 0x9d, 1, 0x2a, 0x40, 0x01, 0xb4, 0x00];
        let mut payload = head.to_vec();
        payload.resize(1_000, 0);
        Packet {
            sequence: u64::from(timestamp),
            timestamp,
            marker: true,
            captured: None,
            arrived: Instant::now(),
            content: Content::read(Codec::Vp8, &payload),
            payload: Bytes::from(payload),
        }
    }

    fn room(wait_ms: u64) -> Room {
        Room { is_borne: true, wait: Duration::from_millis(wait_ms), bitrate: 1_000_000 }
    }

    const OPEN: Passage = Passage::Open { begins: false };

    #[test]
    fn a_layer_stops_where_it_would_be_late_and_goes_on_with_a_key_frame() {
        let mut gate = Gate::default();
        assert_eq!(gate.take(&packet(1, false), room(0)), OPEN);
        assert_eq!(gate.take(&packet(2, false), room(260)), Passage::Shut);
        assert_eq!(gate.take(&packet(3, false), room(200)), Passage::Shut);
        assert_eq!(gate.take(&packet(4, false), room(20)), Passage::WantsKeyFrame);
        assert_eq!(gate.take(&packet(5, true), room(260)), Passage::Shut, "it would be late, too");
        assert_eq!(gate.take(&packet(6, true), room(20)), Passage::Open { begins: true });
        assert_eq!(gate.take(&packet(7, false), room(20)), OPEN);
        let nothing = Room { is_borne: false, ..room(0) };
        assert_eq!(gate.take(&packet(8, true), nothing), Passage::Shut);
        assert_eq!(gate.take(&packet(9, false), room(0)), Passage::WantsKeyFrame);
    }

    #[test]
    fn what_follows_a_large_key_frame_waits_as_long_as_that_takes() {
        let mut gate = Gate::default();
        for part in 0..60 {
            assert_eq!(gate.take(&packet(1, part == 0), room(part * 8)), OPEN);
        }
        // 60 kB take half a second on a megabit.
        assert_eq!(gate.take(&packet(2, false), room(500)), OPEN);
        assert_eq!(gate.take(&packet(3, false), room(700)), Passage::Shut);
    }
}
