//! A publication's way from its own thread to another, of this node or of another one: what that thread was told, and what
//! it asks for.

use std::time::{Duration, Instant};

use qism_signaling::protocol::IncarnationId;
use serde::{Deserialize, Serialize};

use super::shape::Shape;
use crate::sfu::{
    engine::relay::{Far, gate::Gate},
    forward::{ceiling::Takes, listeners::ReportedLoss, renumber::Renumberer},
    sdp::answer::LAYERS,
};

/// A shape that another node has not confirmed is told again so often.
const TOLD_AGAIN: Duration = Duration::from_millis(100);
/// Another node that has not asked for so long does not want it any more: it asks every second.
const LEASE: Duration = Duration::from_secs(4);

/// Another thread.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// Of this node, over a bridge.
    Thread(u8),
    /// Of another node, over a relay.
    Relay(Far),
}

/// What the subscribers on another thread ask for together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Demand {
    /// Layers that anybody receives: one bit each, the smallest layer the lowest. `None` while their sizes are unknown.
    pub layers: Option<u8>,
    /// Receivers of the lesson who do not decode H.264.
    pub without_h264: u32,
    /// The version of the shape that they know; 0: none, and always between threads, where nothing is lost.
    pub seen: u32,
}

/// One other thread.
#[derive(Debug)]
pub struct Export {
    pub to: Way,
    /// The shape that was last told; nothing else crosses before it is the present one.
    pub told: Option<Shape>,
    pub demand: Demand,
    /// What the widest link there takes of a screen; all of it, until told.
    pub takes: Takes,
    losses: Vec<u8>,
    reported: Option<Instant>,
    /// On the way to another node.
    pub remote: Option<Remote>,
}

/// What it takes beside that on the way to another node.
#[derive(Debug)]
pub struct Remote {
    /// Of layer 0; another one each time the way is opened or the streams become other ones.
    pub ssrc: u32,
    /// The keys it was opened under.
    pub association: u64,
    /// Of the told shape.
    pub version: u32,
    told_at: Option<Instant>,
    asked_at: Instant,
    pub lanes: [Lane; LAYERS],
    /// Of the layers that are asked for so many, the smallest first, have a part of the link.
    pub borne: usize,
}

/// One layer on its way to another node.
#[derive(Debug, Default)]
pub struct Lane {
    pub gate: Gate,
    numbers: Renumberer,
    /// The other node was told that nothing comes.
    told_stopped: Option<Instant>,
    /// The transport-wide number of each packet, and its lower bits to know it by; place = number modulo the length.
    told: Vec<(u32, u16)>,
}

/// As many as the rings keep.
const TOLD: usize = 1_024;

/// That a layer is stopped is told again so often while packets are left out: what waits still comes, and letters get lost.
const TOLD_STOPPED: Duration = Duration::from_millis(300);

impl Lane {
    /// A packet is left out; true when the other node should be told.
    pub fn leave_out(&mut self, now: Instant) -> bool {
        let is_told = self.told_stopped.is_some_and(|told| now < told + TOLD_STOPPED);
        if !is_told {
            self.told_stopped = Some(now);
        }
        !is_told
    }

    /// The number that a packet leaves with, which has this number on the link; `begins`: what was between was left out.
    pub fn forward(&mut self, sequence: u64, begins: bool, number: u16) -> Option<u64> {
        if begins {
            self.numbers.pause();
        }
        let out = self.numbers.forward(sequence)?;
        self.told.resize(TOLD, (0, 0));
        self.told[out as usize % TOLD] = (out as u32, number);
        Some(out)
    }

    /// The packet that left with this number: its number in the ring, its whole number, and the one on the link.
    pub fn origin(&self, wrapped: u16) -> Option<(u64, u64, u16)> {
        let (sequence, out) = self.numbers.origin(wrapped)?;
        let &(known, number) = self.told.get(out as usize % TOLD)?;
        (known == out as u32).then_some((sequence, out, number))
    }
}

impl Remote {
    pub fn new(association: u64, now: Instant) -> Self {
        let (lanes, borne) = (Default::default(), usize::MAX);
        Self { ssrc: 0, association, version: 0, told_at: None, asked_at: now, lanes, borne }
    }

    /// Other streams, from this SSRC on.
    pub fn begin(&mut self, ssrc: u32) {
        (self.ssrc, self.lanes) = (ssrc, Default::default());
    }
}

impl Export {
    pub fn new(to: Way) -> Self {
        let demand = Demand::default();
        let takes = Takes::All;
        Self { to, told: None, demand, takes, losses: Vec::new(), reported: None, remote: None }
    }

    /// Its subscribers ask for this.
    pub fn asked(&mut self, demand: Demand, now: Instant) {
        self.demand = demand;
        if let Some(remote) = &mut self.remote {
            remote.asked_at = now;
        }
    }

    /// Its listeners told their losses.
    pub fn lost(&mut self, losses: Vec<u8>, now: Instant) {
        (self.losses, self.reported) = (losses, Some(now));
    }

    /// What they told.
    pub fn losses(&self) -> impl Iterator<Item = ReportedLoss> {
        let told = self.reported.into_iter();
        told.flat_map(|at| self.losses.iter().map(move |&fraction| ReportedLoss { fraction, at }))
    }

    /// True for another node that does not ask any more.
    pub fn is_over(&self, now: Instant) -> bool {
        self.remote.as_ref().is_some_and(|remote| now >= remote.asked_at + LEASE)
    }

    /// True when this shape must be told to another node, now.
    pub fn owes(&self, shape: Shape, now: Instant) -> bool {
        let Some(remote) = &self.remote else { return false };
        let is_confirmed = self.told == Some(shape) && self.demand.seen == remote.version;
        let waits = self.told == Some(shape) && remote.told_at.is_some_and(|at| now < at + TOLD_AGAIN);
        !is_confirmed && !waits
    }

    /// Notes that a shape is told to another node; its version.
    pub fn tells(&mut self, shape: Shape, now: Instant) -> Option<u32> {
        let is_new = self.told.replace(shape) != Some(shape);
        let remote = self.remote.as_mut()?;
        remote.version += u32::from(is_new);
        remote.told_at = Some(now);
        Some(remote.version)
    }

    /// Whether a layer of a track of this shape is asked for.
    pub fn takes(&self, layer: usize, shape: &Shape) -> bool {
        if layer >= usize::from(shape.layers).min(LAYERS) {
            return false;
        }
        let Some(mask) = self.demand.layers else { return true };
        mask >> smaller(layer, shape).count() & 1 == 1
    }

    /// Whether the link to the other node has a part for a layer that is asked for.
    pub fn bears(&self, layer: usize, shape: &Shape) -> bool {
        let borne = self.remote.as_ref().map_or(usize::MAX, |remote| remote.borne);
        smaller(layer, shape).filter(|&other| self.takes(other, shape)).count() < borne
    }

    /// The layers that are asked for, the smallest first.
    pub fn asked_layers(&self, shape: &Shape) -> Vec<usize> {
        let mut asked: Vec<usize> = (0..LAYERS).filter(|&layer| self.takes(layer, shape)).collect();
        asked.sort_by_key(|&layer| (shape.sizes[layer], layer));
        asked
    }
}

/// The layers that are smaller than one.
fn smaller(layer: usize, shape: &Shape) -> impl Iterator<Item = usize> {
    let place = |of: usize| (shape.sizes[of], of);
    (0..usize::from(shape.layers).min(LAYERS)).filter(move |&other| place(other) < place(layer))
}

/// A publication's way to this thread from its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Import {
    /// The streams that come; packets of others have nothing to do with them.
    pub streams: Streams,
    /// The version of the shape that was taken last.
    pub seen: u32,
    /// What was last asked for, and when: repeated, since a full bridge loses it, and a link between nodes.
    pub told: Option<(Demand, Instant)>,
    /// The same of what links here take of a screen.
    pub told_takes: Option<(Takes, Instant)>,
}

/// The name of a track's streams on their way here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Streams {
    pub generation: u32,
    /// On the way from another node: which, under which keys, from which SSRC on.
    pub remote: Option<(IncarnationId, u64, u32)>,
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::sfu::forward::listeners::worst_decile;

    fn to_a_node(now: Instant) -> Export {
        let node = IncarnationId(Uuid::from_u128(1));
        let mut export = Export::new(Way::Relay(Far { node, thread: 0 }));
        export.remote = Some(Remote::new(1, now));
        export
    }

    #[test]
    fn a_shape_is_told_until_it_is_confirmed_and_again_when_it_changes() {
        let (now, shape) = (Instant::now(), Shape { layers: 1, ..Shape::default() });
        let mut export = to_a_node(now);
        assert!(export.owes(shape, now));
        assert_eq!(export.tells(shape, now), Some(1));
        assert!(!export.owes(shape, now + TOLD_AGAIN / 2) && export.owes(shape, now + TOLD_AGAIN));
        assert_eq!(export.tells(shape, now + TOLD_AGAIN), Some(1));
        export.asked(Demand { seen: 1, ..Demand::default() }, now + TOLD_AGAIN);
        assert!(!export.owes(shape, now + TOLD_AGAIN * 9));
        let changed = Shape { generation: 1, ..shape };
        assert!(export.owes(changed, now + TOLD_AGAIN * 9), "at once");
        assert_eq!(export.tells(changed, now + TOLD_AGAIN * 9), Some(2));
    }

    #[test]
    fn who_asks_no_more_gets_no_more() {
        let now = Instant::now();
        let mut export = to_a_node(now);
        assert!(!export.is_over(now + LEASE / 2) && export.is_over(now + LEASE));
        export.asked(Demand::default(), now + LEASE);
        assert!(!export.is_over(now + LEASE));
        assert!(
            !Export::new(Way::Thread(1)).is_over(now + LEASE),
            "a thread of this node says when it is over"
        );
    }

    #[test]
    fn layers_are_asked_for_by_their_size() {
        let mut export = to_a_node(Instant::now());
        let sizes = [Some((1280, 720)), Some((320, 180)), Some((640, 360))];
        let shape = Shape { layers: 3, sizes, ..Shape::default() };
        let taken = |export: &Export| [0, 1, 2].map(|layer| export.takes(layer, &shape));
        assert_eq!(taken(&export), [true; 3], "while nothing is known");
        export.demand.layers = Some(0b011);
        assert_eq!(taken(&export), [false, true, true]);
        assert_eq!(export.asked_layers(&shape), [1, 2]);
        let borne = |export: &Export| [1, 2].map(|layer| export.bears(layer, &shape));
        assert_eq!(borne(&export), [true; 2]);
        export.remote.as_mut().expect("to a node").borne = 1;
        assert_eq!(borne(&export), [true, false], "the smallest first");
        assert!(!export.takes(3, &shape));
    }

    #[test]
    fn listeners_of_every_thread_count_alike() {
        let (now, mut export) = (Instant::now(), Export::new(Way::Thread(1)));
        assert_eq!(export.losses().count(), 0);
        export.lost(vec![40], now);
        let here = |count| std::iter::repeat_n(ReportedLoss { fraction: 5, at: now }, count);
        assert_eq!(worst_decile(here(3).chain(export.losses()), now), 40, "in a small class everybody");
        assert_eq!(worst_decile(here(20).chain(export.losses()), now), 5, "one of many on another thread");
    }
}
