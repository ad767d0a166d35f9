//! The store does not take what was decided: whoever asked is told *later*, and what the server itself wants is kept.

use super::RoomTask;
use crate::{
    hub::{
        appender::{Intent, Refusal, Wish},
        ports::MediaOrder,
        seats::Reception,
    },
    protocol::{CloseCode, ErrorCode},
};

impl RoomTask {
    /// Refuses what was to be written and the commands behind it: tried alone, a later line could overtake an earlier one.
    pub(super) fn store_failed(&mut self, intents: Vec<Intent>) {
        let waiting = self.lanes.take_commands();
        for intent in intents.into_iter().chain(waiting) {
            self.refuse(intent, Refusal::Error(ErrorCode::Unavailable));
        }
        self.after_change();
    }

    /// Keeps a wish of the server's own that found no place in the log. Nobody else would send it again. Bounded: a cut per
    /// connection that ended, one withdrawal and one erasure per person.
    pub(super) fn owe(&mut self, wish: Wish) {
        match wish {
            Wish::Cut { .. } => self.owed.push(wish),
            Wish::PutOut { user } => {
                // The log only confirms it: out is out.
                self.unseat(user, CloseCode::Withdrawn);
                let same = |owed: &Wish| matches!(owed, Wish::PutOut { user: other } if *other == user);
                self.owe_once(wish, same);
            }
            Wish::Erase { user } => {
                let same = |owed: &Wish| matches!(owed, Wish::Erase { user: other } if *other == user);
                self.owe_once(wish, same);
            }
            // The clock wishes these again.
            Wish::Pause | Wish::End(_) | Wish::Command { .. } | Wish::Arrive(_) => {}
        }
    }

    fn owe_once(&mut self, wish: Wish, same: impl Fn(&Wish) -> bool) {
        if !self.owed.iter().any(same) {
            self.owed.push(wish);
        }
    }

    /// Nobody could take a right back here now: media stops at once, everybody comes back elsewhere.
    pub(super) fn cast_off(&mut self) {
        tracing::warn!(lesson = %self.lesson, people = self.seats.len(), "sending everybody elsewhere");
        for id in self.seats.ids() {
            if let Some(seat) = self.seats.get(id) {
                seat.outbox.close(CloseCode::Unavailable);
            }
            self.disconnected(id);
        }
        for cut in &mut self.cuts {
            cut.reception = Reception::default();
        }
        self.hub.ports.media.order(MediaOrder::CloseLesson { lesson: self.lesson });
        self.permitted.clear();
    }

    /// Tries again, at every tick.
    pub(super) fn pay_what_is_owed(&mut self) {
        for wish in std::mem::take(&mut self.owed) {
            self.queue_own(wish);
        }
    }
}
