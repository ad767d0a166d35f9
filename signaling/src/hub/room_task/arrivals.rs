//! Coming in and going away.

use std::collections::{HashMap, VecDeque};

use tokio::{sync::oneshot, time::Instant};
use uuid::Uuid;

use crate::{
    protocol::{
        Attach, CloseCode, CommandId, LegKind, Person, Position, Role, ServerFrame, SessionId, UserId,
        VERSION, frame::Welcome,
    },
    room::roster::Arrival,
};

use super::{Cut, RoomMessage, RoomTask, people::Beginning};
use crate::hub::{
    appender::{Intent, Knock, Wish},
    outbox::Outbox,
    ports::{Leg, MediaOrder, Unavailable},
    registry::Entry,
    seats::{Reception, Seat, SeatId},
};

/// Somebody with a ticket.
#[derive(Debug)]
pub(crate) struct Caller {
    pub entry: Entry,
    pub position: Option<Position>,
    pub outbox: Outbox,
    pub reply: oneshot::Sender<Result<SeatId, CloseCode>>,
}

impl Caller {
    pub(super) fn refuse(self, code: CloseCode) {
        let _ = self.reply.send(Err(code));
    }
}

/// Callers who are not on the roll, while the school is asked who they are: once each, however often they call meanwhile. As many
/// as hold a ticket of the last 30 seconds.
#[derive(Debug, Default)]
pub(super) struct Strangers(HashMap<UserId, Vec<Caller>>);

impl RoomTask {
    /// Queued to be decided like everything else. Who is not on the roll is looked up first, while the lesson goes on.
    pub(super) fn knock(&mut self, caller: Caller) {
        let user = caller.entry.user;
        if self.people.contains_key(&user) {
            return self.let_decide(caller);
        }
        let calls = self.strangers.0.entry(user).or_default();
        calls.push(caller);
        if calls.len() == 1 {
            self.ask_who(user);
        }
    }

    fn ask_who(&self, user: UserId) {
        let Some(room) = self.itself.upgrade() else { return };
        let (admissions, lesson) = (self.hub.ports.admissions.clone(), self.lesson);
        tokio::spawn(async move {
            let person = admissions.person(lesson, user).await;
            let _ = room.send(RoomMessage::Introduced { user, person }).await;
        });
    }

    /// The school has answered. Nobody waits for it whose right was withdrawn meanwhile.
    pub(super) fn introduced(&mut self, user: UserId, person: Result<Option<Person>, Unavailable>) {
        let Some(calls) = self.strangers.0.remove(&user) else { return };
        let code = match person {
            Ok(Some(person)) => {
                self.people.insert(user, person);
                return calls.into_iter().for_each(|caller| self.let_decide(caller));
            }
            Ok(None) => CloseCode::NotAdmitted,
            Err(_) => CloseCode::Unavailable,
        };
        calls.into_iter().for_each(|caller| caller.refuse(code));
    }

    fn let_decide(&mut self, caller: Caller) {
        let Caller { entry, position, outbox, reply } = caller;
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
        };
        let untold = self.welcome(&seat, knock.position);
        self.begin_account(&seat);
        if lost {
            for leg in [LegKind::Subscriber, LegKind::Publisher] {
                seat.outbox.send(&ServerFrame::LegLost { leg });
            }
        }
        let id = self.seats.add(seat);
        self.pages.follow(id, untold);
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

    /// Gives back who is still to be told of.
    fn welcome(&self, seat: &Seat, position: Option<Position>) -> VecDeque<UserId> {
        let missing = position.and_then(|position| self.missing_since(position, seat));
        let Beginning { snapshot, people, untold } = match &missing {
            None => self.beginning(seat),
            Some(_) => self.beginning_again(seat),
        };
        let snapshot = missing.is_none().then_some(snapshot);
        seat.outbox.send(&ServerFrame::Welcome(Box::new(Welcome {
            version: VERSION,
            user: seat.user,
            role: seat.role,
            session: seat.session,
            attach: seat.attach,
            lesson: self.roll.info.clone(),
            people,
            snapshot,
            server_time: self.hub.ports.clock.now_ms(),
        })));
        missing.into_iter().flatten().for_each(|frame| seat.outbox.push(frame));
        self.tell_present(seat);
        untold
    }

    /// What no event says and is otherwise told when it changes: who speaks, and in a crowd how many are here.
    fn tell_present(&self, seat: &Seat) {
        seat.outbox.send(&ServerFrame::Speaking { users: self.speakers.clone() });
        if self.room.is_crowd() && seat.role == Role::Student {
            let students_present = self.room.roster.students_present();
            seat.outbox.send(&ServerFrame::Counts { students_present });
        }
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
        let calls = self.strangers.0.remove(&user).into_iter().flatten();
        calls.for_each(|caller| caller.refuse(CloseCode::Withdrawn));
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
