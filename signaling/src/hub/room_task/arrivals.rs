//! Coming in and going away.

use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use crate::{
    protocol::{
        Attach, CloseCode, CommandId, LegKind, Person, Position, Role, ServerFrame, SessionId, UserId,
        VERSION, frame::Welcome, limits,
    },
    room::roster::Arrival,
};

use super::{Cut, RoomTask};
use crate::hub::{
    appender::{Intent, Knock, Wish},
    outbox::Outbox,
    ports::{Leg, MediaOrder},
    registry::Entry,
    render,
    seats::{Reception, Seat, SeatId},
};

impl RoomTask {
    /// Somebody with a ticket: queued to be decided like everything else.
    pub(super) async fn knock(
        &mut self,
        entry: Entry,
        position: Option<Position>,
        outbox: Outbox,
        reply: oneshot::Sender<Result<SeatId, CloseCode>>,
    ) {
        if let Err(code) = self.know(entry.user).await {
            let _ = reply.send(Err(code));
            return;
        }
        let arrival = Arrival {
            user: entry.user,
            role: entry.role,
            visit: entry.visit,
            session: entry.session,
            incarnation: self.hub.config.incarnation,
        };
        let knock = Knock { entry, arrival, position, outbox, reply };
        let intent = Intent::new(self.lesson, Some(entry.user), entry.ticket, Wish::Arrive(Box::new(knock)));
        self.queue(intent);
    }

    /// Makes sure that the name of an arrival is known, also of one who is not on the roll.
    async fn know(&mut self, user: UserId) -> Result<(), CloseCode> {
        if self.people.contains_key(&user) {
            return Ok(());
        }
        match self.hub.ports.admissions.person(self.lesson, user).await {
            Ok(Some(person)) => {
                self.people.insert(user, person);
                Ok(())
            }
            Ok(None) => Err(CloseCode::NotAdmitted),
            Err(_) => Err(CloseCode::Unavailable),
        }
    }

    /// The `attached` event is in the log and folded: give the connection its seat and its welcome.
    pub(super) fn seat(&mut self, knock: Knock, attach: Attach) {
        let entry = knock.entry;
        let fresh = knock.position.is_none();
        let reception = self.unseat_before(&entry, fresh);
        let lost = !fresh && reception.camera_slots.is_none();
        let seat = Seat {
            user: entry.user,
            role: entry.role,
            session: entry.session,
            attach,
            outbox: knock.outbox,
            last_heard: Instant::now(),
            reception,
            held: None,
        };
        self.welcome(&seat, knock.position);
        self.begin_account(&seat);
        if lost {
            for leg in [LegKind::Subscriber, LegKind::Publisher] {
                seat.outbox.send(&ServerFrame::LegLost { leg });
            }
        }
        let id = self.seats.add(seat);
        self.empty_since = None;
        self.departs_too(id);
        if knock.reply.send(Ok(id)).is_err() {
            self.disconnected(id);
        }
    }

    /// The person's former connection ends here. A reconnect of the same page keeps its media; a fresh page, or another
    /// device, starts anew.
    fn unseat_before(&mut self, entry: &Entry, fresh: bool) -> Reception {
        let mut kept = Reception::default();
        if let Some(seat) = self.seats.id_of(entry.user).and_then(|id| self.seats.remove(id)) {
            seat.outbox.close(CloseCode::Replaced);
            if seat.session == entry.session {
                kept = seat.reception;
            } else {
                self.close_legs(seat.user, seat.session);
            }
        }
        if let Some(at) = self.cuts.iter().position(|cut| cut.user == entry.user) {
            let cut = self.cuts.swap_remove(at);
            if cut.session == entry.session {
                kept = cut.reception;
            } else {
                self.close_legs(cut.user, cut.session);
            }
        }
        if fresh {
            self.close_legs(entry.user, entry.session);
            return Reception::default();
        }
        kept
    }

    fn welcome(&self, seat: &Seat, position: Option<Position>) {
        let missing = position.and_then(|position| self.missing_since(position));
        let snapshot = missing.is_none().then(|| self.room.snapshot(seat.user, seat.role));
        seat.outbox.send(&ServerFrame::Welcome(Box::new(Welcome {
            version: VERSION,
            user: seat.user,
            role: seat.role,
            session: seat.session,
            attach: seat.attach,
            lesson: self.roll.info.clone(),
            people: self.people_for(seat.user, seat.role),
            snapshot,
            server_time: self.hub.ports.clock.now_ms(),
        })));
        for (logged, audience) in missing.into_iter().flatten() {
            seat.outbox.push(match &audience.others {
                Some(others) if !audience.readers.include(seat.user, seat.role) => {
                    render::instead(logged, others)
                }
                _ => render::event(logged),
            });
        }
        self.tell_present(seat);
    }

    /// What no event says and is otherwise told when it changes: who speaks, and in a crowd how many are here.
    fn tell_present(&self, seat: &Seat) {
        seat.outbox.send(&ServerFrame::Speaking { users: self.speakers.clone() });
        if self.room.is_crowd() && seat.role == Role::Student {
            let students_present = self.room.roster.students_present();
            seat.outbox.send(&ServerFrame::Counts { students_present });
        }
    }

    /// Whose names this person may know from the start.
    fn people_for(&self, user: UserId, role: Role) -> Vec<Person> {
        let all = role != Role::Student || self.people.len() <= limits::FULL_ROSTER_PEOPLE;
        self.people
            .values()
            .filter(|p| all || p.user == user || p.role != Role::Student || self.named.contains(&p.user))
            .cloned()
            .collect()
    }

    /// The socket is gone: the place is kept for the grace of a cut line, media goes on.
    pub(super) fn disconnected(&mut self, id: SeatId) {
        let Some(seat) = self.seats.remove(id) else { return };
        let due = Instant::now() + self.hub.config.cut_grace;
        self.carried(seat.user, seat.outbox.take_carried());
        let Seat { user, session, attach, reception, .. } = seat;
        self.cuts.push(Cut { due, user, session, attach, reception });
        if self.seats.is_empty() {
            self.empty_since = Some(Instant::now());
        }
    }

    /// The school withdrew the right to be here.
    pub(super) fn withdraw(&mut self, user: UserId) {
        let command = CommandId(Uuid::now_v7());
        self.hold(command, user, None);
        self.queue(Intent::new(self.lesson, None, command, Wish::PutOut { user }));
    }

    /// The school erased this person: out, and nothing of what they wrote, nor their name, stays with anybody here.
    pub(super) fn erase(&mut self, user: UserId) {
        self.withdraw(user);
        self.forget_name(user);
        self.queue_own(Wish::Erase { user });
    }

    /// Takes somebody's connection away.
    pub(super) fn unseat(&mut self, user: UserId, code: CloseCode) {
        if let Some(seat) = self.seats.id_of(user).and_then(|id| self.seats.remove(id)) {
            self.close_legs(seat.user, seat.session);
            seat.outbox.close(code);
        }
        if self.seats.is_empty() {
            self.empty_since = Some(Instant::now());
        }
    }

    pub(super) fn close_legs(&self, user: UserId, session: SessionId) {
        for kind in [LegKind::Publisher, LegKind::Subscriber] {
            let leg = Leg { lesson: self.lesson, user, session, kind };
            self.hub.ports.media.order(MediaOrder::Close { leg });
        }
    }
}
