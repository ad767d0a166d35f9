//! Events that other nodes wrote: folded in their order, whichever way they come. The bus brings them first; what it lost
//! or turned round is read from the journal.

use std::{collections::BTreeMap, time::Duration};

use tokio::time::Instant;
use tracing::debug;

use crate::protocol::{CloseCode, Event, LeftReason, Logged, Position, SessionId, UserId};

use super::{Cut, RING, RoomTask, commits::continues};
use crate::hub::envelope::{Content, Envelope};

/// Two nodes' letters may overtake each other by so much before the journal is asked.
const GAP: Duration = Duration::from_millis(30);

/// Events beyond the next number. Bounded by [`RING`]; what does not fit is read from the journal.
#[derive(Debug, Default)]
pub(super) struct Early {
    events: BTreeMap<u64, Logged>,
    /// When to stop waiting for what is missing.
    due: Option<Instant>,
}

impl Early {
    fn keep(&mut self, logged: Logged) {
        if self.events.len() < RING {
            self.events.insert(logged.number, logged);
        }
    }

    /// The next one after a number, if it is here; older ones are dropped, a gap begins to be waited for.
    fn next_after(&mut self, number: u64) -> Option<Logged> {
        self.events = self.events.split_off(&(number + 1));
        let next = self.events.remove(&(number + 1));
        if next.is_some() || self.events.is_empty() {
            self.due = None;
        } else {
            self.due.get_or_insert_with(|| Instant::now() + GAP);
        }
        next
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    /// Waits until a gap has been there for too long; for ever without one, or while the journal is being asked: its answer
    /// closes the gap or tells of it.
    pub(super) async fn overdue(&self, in_flight: bool) {
        match self.due {
            Some(due) if !in_flight => tokio::time::sleep_until(due).await,
            _ => std::future::pending().await,
        }
    }
}

impl RoomTask {
    /// A letter from another node.
    pub(super) fn letter(&mut self, envelope: Envelope) {
        match envelope.content {
            Content::Events { events } => {
                for logged in events {
                    self.early.keep(logged);
                }
                self.fold_early();
            }
            Content::Speaking { users } => self.heard_elsewhere(envelope.from, users),
            Content::VoiceBegins { user } => self.seat_voice(user),
            Content::Account { user, bytes } => self.account_arrived(user, bytes),
            Content::Shut { command, user, source } => self.hold_for_another(command, user, source),
            // About no lesson.
            Content::Beats { .. } => {}
        }
    }

    /// Folds what other nodes wrote as far as there is no gap.
    pub(super) fn fold_early(&mut self) {
        let before = self.room.head;
        while let Some(logged) = self.early.next_after(self.room.head.number) {
            if !continues(&self.room.head, &logged) {
                // Another history than ours: the journal says which one holds, at the next comparison of heads.
                self.early.clear();
                self.hub.compare_now.notify_one();
                break;
            }
            self.fold_foreign(&logged);
        }
        if self.room.head != before {
            self.after_change();
        }
    }

    /// Folds one event that this task has not written.
    pub(super) fn fold_foreign(&mut self, logged: &Logged) {
        self.fold(logged);
        self.consequences(&logged.event);
        match &logged.event {
            Event::Attached { user, session, incarnation, .. } if *incarnation != self.own() => {
                self.seated_elsewhere(*user, *session);
            }
            Event::Left { user, session, attach, reason: LeftReason::Cut } => {
                let seat = self.seats.of(*user);
                if seat.is_some_and(|seat| (seat.session, seat.attach) == (*session, *attach)) {
                    // We were taken for dead, and this line with us: a new attachment makes it right.
                    self.unseat(*user, CloseCode::Unavailable);
                }
            }
            _ => {}
        }
    }

    /// Another node holds this person's line now. The media of the same page goes on here for as long as the move may take.
    fn seated_elsewhere(&mut self, user: UserId, session: SessionId) {
        if let Some(seat) = self.seats.id_of(user).and_then(|id| self.seats.remove(id)) {
            seat.outbox.close(CloseCode::Replaced);
            self.carried(user, seat.outbox.take_carried());
            let due = Instant::now() + self.hub.config.cut_grace;
            let (attach, reception) = (seat.attach, seat.reception);
            self.cuts.push(Cut { due, user, session: seat.session, attach, reception });
            if self.seats.is_empty() {
                self.empty_since = Some(Instant::now());
            }
        }
        let (over, others) = self.cuts.drain(..).partition(|cut| cut.user == user && cut.session != session);
        self.cuts = others;
        let over: Vec<Cut> = over;
        for cut in over {
            self.close_legs(cut.user, cut.session);
        }
    }

    /// Nobody brought what is missing: one read brings it.
    pub(super) fn close_gap(&mut self) {
        debug!(lesson = %self.lesson, head = self.room.head.number, "reading what the bus did not bring");
        self.early.due = None;
        self.look_into_journal(Vec::new());
    }

    /// The head that a comparison saw is not ours: somebody else wrote, or the history is another one.
    pub(super) fn head_seen(&mut self, head: Position) {
        // What is in flight tells of it, too. (Mostly a lower head is just older than ours.)
        if self.flight.is_none() && head != self.room.head {
            self.look_into_journal(Vec::new());
        }
    }

    pub(super) fn own(&self) -> crate::protocol::IncarnationId {
        self.hub.config.incarnation
    }
}
