//! A publication's way from its own thread to another: what that thread was told, and what it asks for.

use std::time::Instant;

use super::shape::Shape;
use crate::sfu::forward::listeners::ReportedLoss;

/// What the subscribers on another thread ask for together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Demand {
    /// Layers that anybody receives: one bit each, the smallest layer the lowest. `None` while their sizes are unknown.
    pub layers: Option<u8>,
    /// Receivers of the lesson who do not decode H.264.
    pub without_h264: u32,
}

/// One other thread.
#[derive(Debug)]
pub struct Export {
    pub to: u8,
    /// The shape that was last told; nothing else crosses before it is the present one.
    pub told: Option<Shape>,
    pub demand: Demand,
    losses: Vec<u8>,
    reported: Option<Instant>,
}

impl Export {
    pub fn new(to: u8) -> Self {
        Self { to, told: None, demand: Demand::default(), losses: Vec::new(), reported: None }
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
}

/// A publication's way to this thread from its own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Import {
    pub generation: u32,
    /// What was last asked for, and when: repeated, since a full bridge loses it.
    pub told: Option<(Demand, Instant)>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sfu::forward::listeners::worst_decile;

    #[test]
    fn listeners_of_every_thread_count_alike() {
        let (now, mut export) = (Instant::now(), Export::new(1));
        assert_eq!(export.losses().count(), 0);
        export.lost(vec![40], now);
        let here = |count| std::iter::repeat_n(ReportedLoss { fraction: 5, at: now }, count);
        assert_eq!(worst_decile(here(3).chain(export.losses()), now), 40, "in a small class everybody");
        assert_eq!(worst_decile(here(20).chain(export.losses()), now), 5, "one of many on another thread");
    }
}
