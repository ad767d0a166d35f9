//! A look into the journal: what was written beyond our head, or, where it holds another history, all of it. Meanwhile the
//! lesson goes on: what other nodes bring is folded, and what is wished waits in its lane.

use crate::{
    protocol::{CloseCode, Event, LessonId, Logged, Position},
    room::Room,
};

use super::{Asked, Flight, RoomTask, commits::continues};
use crate::hub::{
    appender::{Decided, Intent},
    ports::{Journal, Unavailable},
    seats::Seat,
};

/// Events read at once when catching up.
const CATCH_UP: usize = 500;

/// What the journal is asked, and for whom.
pub(super) struct Reading {
    /// Our head when it was asked. Letters may have brought more since.
    asked: Position,
    /// Decided again on what is read.
    intents: Vec<Intent>,
    /// Written into another history than ours: acknowledged when that one is read.
    committed: Vec<Decided>,
    answer: Asked<Answer, Unavailable>,
}

/// What the journal has.
pub(super) enum Answer {
    /// From the head on with which it was asked: that one first, if it is an event.
    Since(Vec<Logged>),
    /// The fold of all there is, and which of it this version does not know.
    Anew(Box<Room>, Vec<Logged>),
}

impl Reading {
    pub(super) async fn answer(&mut self) -> Result<Answer, Unavailable> {
        self.answer.as_mut().await
    }
}

impl RoomTask {
    /// Reads what the journal has beyond our head, then decides these again. A history without our head, or that does not
    /// continue it (the journal went back to an older state), is folded anew and everybody reset.
    pub(super) fn look_into_journal(&mut self, intents: Vec<Intent>) {
        let (journal, lesson, asked) = (self.hub.ports.journal.clone(), self.lesson, self.room.head);
        // The head itself is read along, to see whether it is still there.
        let before = asked.number.saturating_sub(1);
        let answer = Box::pin(async move { journal.read(lesson, before, CATCH_UP).await.map(Answer::Since) });
        self.flight = Some(Flight::Reading(Reading { asked, intents, committed: Vec::new(), answer }));
    }

    /// Folds the journal from its beginning, and resets everybody to it.
    pub(super) fn fold_anew(&mut self, intents: Vec<Intent>, committed: Vec<Decided>) {
        let asked = self.room.head;
        tracing::error!(lesson = %self.lesson, number = asked.number, "the journal holds another history");
        let (journal, lesson) = (self.hub.ports.journal.clone(), self.lesson);
        let answer = Box::pin(async move { whole(&*journal, lesson).await });
        self.flight = Some(Flight::Reading(Reading { asked, intents, committed, answer }));
    }

    /// Reads all there is, before anybody is served.
    pub(super) async fn read_up(&mut self) -> Result<(), Unavailable> {
        self.look_into_journal(Vec::new());
        while let Some(Flight::Reading(mut reading)) = self.flight.take() {
            let answer = reading.answer().await;
            self.has_read(reading, answer)?;
        }
        Ok(())
    }

    /// The journal has answered. Without an answer whoever waited for it is told to come again.
    pub(super) fn has_read(
        &mut self,
        reading: Reading,
        answer: Result<Answer, Unavailable>,
    ) -> Result<(), Unavailable> {
        let Reading { asked, intents, committed, .. } = reading;
        match answer {
            Ok(Answer::Since(events)) => {
                let is_all = events.len() < CATCH_UP;
                match self.take_in(asked, events) {
                    true if is_all => self.lanes.put_back(intents.into_iter()),
                    true => self.look_into_journal(intents),
                    false => self.fold_anew(intents, committed),
                }
            }
            Ok(Answer::Anew(room, unknown)) => {
                self.turn_to(*room, &unknown);
                self.committed_elsewhere(committed);
                self.lanes.put_back(intents.into_iter());
            }
            Err(error) => {
                tracing::debug!(lesson = %self.lesson, %error, "the next comparison of heads reads again");
                self.committed_elsewhere(committed);
                if !intents.is_empty() {
                    self.store_failed(intents);
                }
                return Err(error);
            }
        }
        Ok(())
    }

    /// Folds what the journal has from the head on with which it was `asked`. What letters brought meanwhile is older than the
    /// answer, or newer: then there is nothing to fold. False: it does not continue our history.
    pub(super) fn take_in(&mut self, asked: Position, events: Vec<Logged>) -> bool {
        let mut events = events.into_iter().skip_while(|logged| logged.number < asked.number);
        if asked.number > 0 && events.next().is_none_or(|own| own.chain != asked.chain) {
            return false;
        }
        for logged in events {
            let head = self.room.head;
            if logged.number < head.number || (logged.number, logged.chain) == (head.number, head.chain) {
                continue;
            }
            if !continues(&head, &logged) {
                return false;
            }
            self.fold_foreign(&logged);
            self.unconfirmed = true;
        }
        self.after_change();
        true
    }

    /// From now on the journal's history is ours.
    fn turn_to(&mut self, room: Room, unknown: &[Logged]) {
        unknown.iter().for_each(|logged| self.note_unknown(logged));
        self.unconfirmed = room.head.number > 0;
        self.room = room;
        self.ring.clear();
        self.early.clear();
        self.reset_all();
        self.unseat_strangers();
        self.after_change();
    }

    /// Who sits here by an attachment that this history does not have comes in again.
    fn unseat_strangers(&mut self) {
        let is_known = |seat: &Seat| {
            let last =
                self.room.roster.member(seat.user).map(|member| (member.last.session, member.last.attach));
            last == Some((seat.session, seat.attach))
        };
        let strangers = self.seats.iter().filter(|(_, seat)| !is_known(seat)).map(|(_, seat)| seat.user);
        for user in strangers.collect::<Vec<_>>() {
            self.unseat(user, CloseCode::Draining);
        }
    }
}

/// The fold of a lesson's whole log.
async fn whole(journal: &dyn Journal, lesson: LessonId) -> Result<Answer, Unavailable> {
    let mut room = Room::new(journal.origin(lesson).await?);
    let mut unknown = Vec::new();
    loop {
        let events = journal.read(lesson, room.head.number, CATCH_UP).await?;
        let is_all = events.len() < CATCH_UP;
        for logged in events {
            room.apply(&logged);
            if matches!(logged.event, Event::Unknown(_)) {
                unknown.push(logged);
            }
        }
        if is_all {
            return Ok(Answer::Anew(Box::new(room), unknown));
        }
    }
}
