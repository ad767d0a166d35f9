//! What leaves for a subscriber without any media in it: to ask a link whether it bears more, and to feel whether it bears pictures
//! again.

use std::time::Instant;

use super::{Downlink, TrackOut};
use crate::sfu::{
    engine::room::outgoing::{Destination, write_padding},
    forward::{feelers, protection::STOP_BELOW},
};

/// Bytes of padding in one packet of a probe. What a slow one sends is told apart by as many packets as what a fast one does.
const PADDING: u8 = 255;
const LITTLE: u8 = 100;
/// Up to here a probe is slow, in bits per second.
const SLOW: u32 = 120_000;

impl Downlink {
    /// Sends the padding that a probe needs now; false when none runs.
    pub fn probe(&mut self, to: &mut Destination<'_>) -> bool {
        let Some(due) = self.prober.poll(to.now) else {
            self.link.end_probe(to.now);
            return false;
        };
        let padding = if self.prober.bitrate().unwrap_or(0) > SLOW { PADDING } else { LITTLE };
        let mut sent = 0;
        while sent < due {
            let size = self.pad(padding, to);
            if size == 0 {
                break;
            }
            sent += size;
        }
        true
    }

    /// Sends one packet of padding; its size.
    fn pad(&mut self, padding: u8, to: &mut Destination<'_>) -> usize {
        let Some(out) = self.slots.iter_mut().find(|out| !out.is_audio()) else { return 0 };
        let repair = out.next_repair();
        let size = write_padding(out.slot, repair, padding, &mut self.link, to);
        self.pacer.sent(size);
        self.prober.padded(size);
        size
    }

    /// Pictures are stopped that somebody waits for, and it is time to look again whether the link would bear them.
    pub fn feels(&self, now: Instant) -> bool {
        let is_wanted = |out: &TrackOut| !out.is_audio() && out.track.is_some();
        self.protection.pictures_stopped()
            && self.may_probe
            && self.prober.may_pad()
            && self.link.feelers.is_due(STOP_BELOW, now)
            && self.slots.iter().any(is_wanted)
    }

    /// Sends a pair of packets that tell what the link is like by now, where they are due.
    pub fn feel(&mut self, to: &mut Destination<'_>) {
        if !self.feels(to.now) {
            return;
        }
        let sizes: [usize; feelers::PAIR] = std::array::from_fn(|_| self.pad(feelers::PADDING, to));
        if sizes.iter().all(|size| *size > 0) {
            self.link.felt_out(sizes[0], to.now);
        }
    }

    /// True when stopped pictures come back now.
    pub fn poll_resume(&mut self, now: Instant) -> bool {
        let is_fit = self.link.feelers.verdict(STOP_BELOW, now);
        self.protection.poll_resume(is_fit, now)
    }

    /// Begins a probe where a picture is blocked by what the link is said to bear. While pictures wait they fill the link
    /// themselves.
    pub fn consider_probe(&mut self, wanted: u32, now: Instant) {
        let Some(estimate) = self.link.estimate().filter(|_| self.may_probe) else { return };
        let flowing = self.pictures.bitrate(now);
        if let Some(fell) = self.link.outgrown() {
            self.prober.encourage(fell, now);
        }
        if self.link.is_wider() {
            self.prober.hurry(now);
        }
        if wanted > estimate && self.prober.begin(wanted / 10 * 11, estimate, flowing, now) {
            self.link.begin_probe();
        }
    }

    /// Before any picture flows, looks whether the link bears `wanted` bits per second.
    pub fn consider_look(&mut self, wanted: u32, now: Instant) {
        let (assumed, is_known) = (self.link.assumed(), self.link.estimate().is_some());
        if self.may_probe && self.prober.look(wanted, assumed, is_known, now) {
            self.link.begin_probe();
        }
    }

    /// Some picture was sent.
    pub fn has_shown(&self) -> bool {
        self.slots.iter().any(|out| !out.is_audio() && out.packets > 0)
    }
}
