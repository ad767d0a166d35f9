//! The connections of one room on this node.

use std::collections::HashMap;

use bytes::Bytes;
use tokio::time::Instant;

use crate::{
    protocol::{Attach, CloseCode, LegKind, LessonId, ReceiveMode, Role, SessionId, UserId, WantedVideo},
    room::{
        audience::Readers,
        seating::{Demand, Table},
    },
};

use super::{outbox::Outbox, ports::Leg};

/// One connection, unique in this process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct SeatId(pub u64);

/// Somebody connected here.
#[derive(Debug)]
pub(crate) struct Seat {
    pub user: UserId,
    pub role: Role,
    pub session: SessionId,
    pub attach: Attach,
    pub outbox: Outbox,
    /// To the accuracy of a tick. Any frame counts; the client pings when it has nothing to say.
    pub last_heard: Instant,
    pub reception: Reception,
}

/// What one person receives. Kept through the grace of a cut line, since the legs live on meanwhile.
#[derive(Debug, Default)]
pub(crate) struct Reception {
    pub mode: ReceiveMode,
    pub cameras: Vec<WantedVideo>,
    /// `None` until the subscriber leg is asked for.
    pub camera_slots: Option<usize>,
    /// Offers may come packed.
    pub takes_packed: bool,
    /// What the SFU was last ordered to put into the slots.
    pub table: Table,
}

impl Seat {
    pub(crate) fn leg(&self, lesson: LessonId, kind: LegKind) -> Leg {
        Leg { lesson, user: self.user, session: self.session, kind }
    }

    /// What this receiver wants, once there is a leg to put it on.
    pub(crate) fn demand(&self) -> Option<Demand> {
        self.reception.camera_slots.map(|camera_slots| Demand {
            user: self.user,
            role: self.role,
            mode: self.reception.mode,
            cameras: self.reception.cameras.clone(),
            camera_slots,
        })
    }
}

/// All seats, by connection and by person (one live session per person per lesson).
#[derive(Debug, Default)]
pub(crate) struct Seats {
    seats: HashMap<SeatId, Seat>,
    by_user: HashMap<UserId, SeatId>,
    next: u64,
}

impl Seats {
    pub(crate) fn add(&mut self, seat: Seat) -> SeatId {
        self.next += 1;
        let id = SeatId(self.next);
        self.by_user.insert(seat.user, id);
        self.seats.insert(id, seat);
        id
    }

    pub(crate) fn remove(&mut self, id: SeatId) -> Option<Seat> {
        let seat = self.seats.remove(&id)?;
        if self.by_user.get(&seat.user) == Some(&id) {
            self.by_user.remove(&seat.user);
        }
        Some(seat)
    }

    pub(crate) fn get(&self, id: SeatId) -> Option<&Seat> {
        self.seats.get(&id)
    }

    pub(crate) fn get_mut(&mut self, id: SeatId) -> Option<&mut Seat> {
        self.seats.get_mut(&id)
    }

    pub(crate) fn id_of(&self, user: UserId) -> Option<SeatId> {
        self.by_user.get(&user).copied()
    }

    pub(crate) fn of(&self, user: UserId) -> Option<&Seat> {
        self.id_of(user).and_then(|id| self.get(id))
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.seats.is_empty()
    }

    pub(crate) fn ids(&self) -> Vec<SeatId> {
        self.seats.keys().copied().collect()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (SeatId, &Seat)> {
        self.seats.iter().map(|(id, seat)| (*id, seat))
    }

    /// One rendering to everybody, for the next [`Seats::write_all`].
    pub(crate) fn broadcast(&self, frame: &Bytes) {
        for seat in self.seats.values() {
            seat.outbox.put(frame.clone());
        }
    }

    /// One rendering to the readers, another to the others, for the next [`Seats::write_all`].
    pub(crate) fn split(&self, readers: Readers, frame: &Bytes, others: &Bytes) {
        for seat in self.seats.values() {
            let frame = if readers.include(seat.user, seat.role) { frame } else { others };
            seat.outbox.put(frame.clone());
        }
    }

    /// Writes everybody's frames.
    pub(crate) fn write_all(&self) {
        self.seats.values().for_each(|seat| seat.outbox.write());
    }

    /// Who said anything since this was last called was heard now.
    pub(crate) fn note_heard(&mut self, now: Instant) {
        for seat in self.seats.values_mut().filter(|seat| seat.outbox.take_heard()) {
            seat.last_heard = now;
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.seats.len()
    }

    pub(crate) fn close_all(&mut self, code: CloseCode) {
        for (_, seat) in self.seats.drain() {
            seat.outbox.close(code);
        }
        self.by_user.clear();
    }
}

/// A room that ends in any way leaves nobody behind.
impl Drop for Seats {
    fn drop(&mut self) {
        self.close_all(CloseCode::Unavailable);
    }
}
