//! Telling: every event to everybody exactly once, rendered once per audience.

use bytes::Bytes;

use crate::{
    protocol::{CommandId, Event, Logged, Name, Position, Role, ServerFrame, UserId, limits},
    room::audience::Audience,
};

use super::{RING, RoomTask, people::Beginning};
use crate::hub::{
    ports::Erase,
    registry::LessonNow,
    render,
    seats::{Seat, SeatId},
};

/// Events that go to the director with a removal or report.
const RECENT: usize = 50;

impl RoomTask {
    /// Folds one committed event and tells it to all seats.
    pub(super) fn fold(&mut self, logged: &Logged) {
        let audience = self.room.audience(&logged.event);
        self.introduce(&logged.event);
        self.room.apply(logged);
        self.note_unknown(logged);
        self.holds.release(logged.command);
        if let Some(erase) = Erase::of_one(&logged.event) {
            self.ring.iter_mut().for_each(|(kept, _)| erase.strike(kept));
        }
        self.tell(logged, &audience);
        if self.ring.len() == RING {
            self.ring.pop_front();
        }
        self.ring.push_back((logged.clone(), audience));
    }

    /// Counts what a newer server wrote; the first of a lesson is told to the operator.
    pub(super) fn note_unknown(&mut self, logged: &Logged) {
        let Event::Unknown(event) = &logged.event else { return };
        self.hub.note_unknown_event();
        if !std::mem::replace(&mut self.skips, true) {
            tracing::warn!(lesson = %self.lesson, number = logged.number, kind = event.kind,
                "skipped: this version does not know such events; renew this server");
        }
    }

    fn tell(&mut self, logged: &Logged, audience: &Audience) {
        if self.seats.is_empty() {
            return;
        }
        let frame = render::event(logged);
        match &audience.others {
            None => self.seats.broadcast(&frame),
            Some(others) => self.seats.split(audience.readers, &frame, &render::instead(logged, others)),
        }
        self.rhythm.told();
    }

    /// A frame that is no event, to everybody.
    pub(super) fn broadcast(&mut self, frame: &Bytes) {
        self.seats.broadcast(frame);
        self.rhythm.told();
    }

    /// Writes what was told, at the rhythm of a class of this size; answers wait for nothing.
    pub(super) fn write_out(&mut self) {
        if self.rhythm.strikes(self.seats.len()) {
            self.seats.write_all();
        } else {
            self.answered.iter().filter_map(|id| self.seats.get(*id)).for_each(|seat| seat.outbox.write());
        }
        self.answered.clear();
    }

    /// Acknowledges a command, by the same write as its event.
    pub(super) fn accept(&mut self, id: SeatId, command: CommandId, number: u64) {
        if let Some(seat) = self.seats.get(id) {
            seat.outbox.put(render::frame(&ServerFrame::Accepted { id: command, number }));
            self.answered.push(id);
        }
    }

    /// Names come before the event that needs them: of visitors to all, of the few who matter to a crowd's students.
    fn introduce(&mut self, event: &Event) {
        let user = match event {
            Event::Attached { user, role, .. } if *role != Role::Student => *user,
            Event::Said { user, .. }
            | Event::HandRaised { user }
            | Event::FloorGiven { user, .. }
            | Event::Published { user, .. }
                if self.room.is_crowd() =>
            {
                *user
            }
            _ => return,
        };
        let on_roll =
            |user: UserId| self.roll.people.iter().any(|p| p.user == user && p.role != Role::Student);
        if on_roll(user) || !self.named.insert(user) {
            return;
        }
        if let Some(person) = self.people.get(&user) {
            let people = vec![person.clone()];
            self.broadcast(&render::frame(&ServerFrame::People { people, participants: Vec::new() }));
        }
    }

    /// Somebody who was erased has no name any more: here, and for all who knew it.
    pub(super) fn forget_name(&mut self, user: UserId) {
        let Some(person) = self.people.get_mut(&user) else { return };
        if std::mem::take(&mut person.name) == Name::default() {
            return;
        }
        let people = vec![person.clone()];
        self.broadcast(&render::frame(&ServerFrame::People { people, participants: Vec::new() }));
    }

    /// The events after a position as this person may see them, when they are still at hand, the history is the same one, and
    /// they are not so long that a snapshot is less.
    pub(super) fn missing_since(&self, position: Position, seat: &Seat) -> Option<Vec<Bytes>> {
        if position == self.room.head {
            return Some(Vec::new());
        }
        let known = |(logged, _): &(Logged, Audience)| {
            logged.number == position.number && logged.chain == position.chain
        };
        let at = self.ring.iter().position(known)?;
        let mut bytes = 0;
        let frames = self.ring.iter().skip(at + 1).map(|(logged, audience)| {
            let frame = match &audience.others {
                Some(others) if !audience.readers.include(seat.user, seat.role) => {
                    render::instead(logged, others)
                }
                _ => render::event(logged),
            };
            bytes += frame.len();
            (bytes <= limits::RESUME_BYTES).then_some(frame)
        });
        frames.collect()
    }

    /// Everybody starts again from a snapshot.
    pub(super) fn reset_all(&mut self) {
        let reset = self.seats.iter().map(|(id, seat)| {
            let Beginning { snapshot, people, untold } = self.beginning(seat);
            seat.outbox.send(&ServerFrame::Reset { snapshot: Box::new(snapshot), people });
            (id, untold)
        });
        let reset: Vec<_> = reset.collect();
        reset.into_iter().for_each(|(id, untold)| self.pages.follow(id, untold));
    }

    /// Removals and reports reach the director, with the last events. Done by the node that wrote them.
    pub(super) fn notify_director(&self, logged: &Logged) {
        if !matches!(logged.event, Event::Removed { .. } | Event::Reported { .. }) {
            return;
        }
        let skip = self.ring.len().saturating_sub(RECENT);
        let recent = self.ring.iter().skip(skip).map(|(logged, _)| logged.clone()).collect();
        let (admissions, lesson, cause) = (self.hub.ports.admissions.clone(), self.lesson, logged.clone());
        tokio::spawn(async move { admissions.notify_director(lesson, cause, recent).await });
    }

    /// What follows from a changed state: gates, seats, and what the timetable page shows.
    pub(super) fn after_change(&mut self) {
        self.sync_permits();
        self.reseat_all();
        let now = LessonNow {
            lesson: self.lesson,
            phase: self.room.course.phase,
            students_present: self.room.roster.students_present(),
            teacher_present: self.room.roster.teacher_present(),
            seats: u32::try_from(self.seats.len()).unwrap_or(u32::MAX),
        };
        self.shown.show(now);
    }
}
