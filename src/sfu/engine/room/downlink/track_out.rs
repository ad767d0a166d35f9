//! One slot of a subscriber: what flows in it, and which layer may.

use std::time::{Duration, Instant};

use qism_signaling::{hub::ports::LayerCap, protocol::Slot};
use rtc::rtcp::reception_report::ReceptionReport;

use crate::sfu::{
    engine::room::TrackIndex,
    forward::{
        allocator::Step,
        ceiling::Takes,
        forwarder::{EVERY_FRAME, Forwarder, Rewritten},
        layers::{LayerFacts, Wish, choose},
        listeners::ReportedLoss,
        own_loss::{Lost, OwnLoss, Told},
    },
    sdp::offer,
};

/// So long a layer that the link does not bear flows on while the key frame of the lower one is waited for.
const UPPER_FLOWS_ON: Duration = Duration::from_millis(300);

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
    /// Of a screen: what the link would take of it.
    pub takes: Takes,
    pub forwarder: Forwarder,
    /// Unwrapped number of the last retransmission.
    repair_sequence: u64,
    pub packets: u32,
    pub octets: u32,
    /// What left, to judge what its receiver says of it.
    own_loss: OwnLoss,
    /// What its receiver's own link lost when it last said so.
    pub loss: Option<ReportedLoss>,
    /// A smaller layer than the one that flows is waited for since then.
    narrowed: Option<Instant>,
    /// Another source or layer began to flow, and its receiver was not told its clock.
    pub begins: bool,
}

impl TrackOut {
    pub(super) fn new(slot: Slot, first: u16) -> Self {
        let clock_rate = if offer::is_audio(slot) { 48_000 } else { 90_000 };
        Self {
            slot,
            track: None,
            cap: LayerCap::LOW,
            limit: Limit::None,
            takes: Takes::Nothing,
            forwarder: Forwarder::new(clock_rate, first),
            repair_sequence: u64::from(first % 1_000),
            packets: 0,
            octets: 0,
            own_loss: OwnLoss::default(),
            loss: None,
            narrowed: None,
            begins: false,
        }
    }

    pub fn is_audio(&self) -> bool {
        offer::is_audio(self.slot)
    }

    /// What its receiver's own link lost since the report before.
    pub fn own_loss(&mut self, report: &ReceptionReport) -> Lost {
        // A signed number of 24 bits.
        let total_lost = ((report.total_lost << 8) as i32) >> 8;
        let highest = self.forwarder.full_sequence(report.last_sequence_number as u16);
        self.own_loss.told(Told { highest, total_lost, fraction: report.fraction_lost })
    }

    /// A packet of so many bytes left for the first time.
    pub(super) fn left(&mut self, rewritten: Rewritten, bytes: usize) {
        self.own_loss.left(rewritten.sequence);
        self.begins |= rewritten.is_entry;
        self.packets = self.packets.wrapping_add(1);
        self.octets = self.octets.wrapping_add(bytes as u32);
    }

    /// The number of the next retransmission.
    pub(super) fn next_repair(&mut self) -> u64 {
        self.repair_sequence += 1;
        self.repair_sequence
    }

    /// The largest picture that may flow.
    pub fn wish(&self) -> Wish {
        Wish { width: self.cap.width, height: self.cap.height }
    }

    /// Chooses the layer to send; yields the one whose key frame is waited for. Meanwhile the old one flows on, but not
    /// for long where the link does not bear it.
    pub(super) fn choose_layer(&mut self, facts: &[LayerFacts], now: Instant) -> Option<usize> {
        let wanted = choose(facts, self.wish());
        let (layer, temporal) = match self.limit {
            Limit::None => (wanted, EVERY_FRAME),
            Limit::UpTo(step) => (wanted.map(|wanted| smaller(wanted, step.layer, facts)), step.temporal),
            Limit::Paused => (None, EVERY_FRAME),
        };
        self.forwarder.want(layer);
        self.forwarder.want_temporal(temporal);
        self.stop_upper(facts, now);
        self.forwarder.awaited()
    }

    fn stop_upper(&mut self, facts: &[LayerFacts], now: Instant) {
        let size = |layer: usize| facts.get(layer).and_then(|facts| facts.size);
        let is_narrowed = self.forwarder.current().zip(self.forwarder.awaited());
        if is_narrowed.is_none_or(|(current, awaited)| size(awaited) >= size(current)) {
            self.narrowed = None;
        } else if now >= *self.narrowed.get_or_insert(now) + UPPER_FLOWS_ON {
            self.narrowed = None;
            self.forwarder.stop();
        }
    }
}

/// The smaller of two layers; the limit counts only while its layer is alive.
fn smaller(wanted: usize, limit: usize, facts: &[LayerFacts]) -> usize {
    match facts.get(limit).filter(|limit| limit.alive && limit.size < facts[wanted].size) {
        Some(_) => limit,
        None => wanted,
    }
}
