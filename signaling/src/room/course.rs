//! Where the lesson stands: waiting, open, paused, ended.

use crate::protocol::{Event, Phase};

/// The lesson's course.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Course {
    pub phase: Phase,
}

impl Course {
    pub(super) fn apply(&mut self, event: &Event) {
        self.phase = match event {
            _ if self.phase == Phase::Ended => Phase::Ended,
            Event::Opened { .. } | Event::Resumed {} => Phase::Open,
            Event::Paused { .. } => Phase::Paused,
            Event::Ended { .. } => Phase::Ended,
            _ => return,
        };
    }
}
