//! Who is here, and how they are called. What a first frame has no room for follows page by page, each as of its own moment, and
//! only once the reader has taken what waits: a teacher on a slow link is in the lesson with the first page, hears it
//! with the second, and never has more waiting than others. Pages hold the people as well as the participants, so that whoever
//! was cut off between two of them is told of all again and misses nobody.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::protocol::{Participant, Person, Role, ServerFrame, Snapshot, UserId, limits};

use super::RoomTask;
use crate::hub::seats::{Seat, SeatId};

/// Between two looks at whether a reader has taken a page.
const PAGE_GAP: Duration = Duration::from_millis(50);
/// A participant beside the name, without tracks: as many as have tracks fit into what a page leaves free.
const PARTICIPANT_BYTES: usize = 160;

/// What somebody starts from.
#[derive(Debug)]
pub(super) struct Beginning {
    pub snapshot: Snapshot,
    pub people: Vec<Person>,
    /// Of whom the pages behind it tell, in this order.
    pub untold: VecDeque<UserId>,
}

/// Who is still to be told of whom. Bounded by the seats, and by the people of the lesson for each.
#[derive(Debug, Default)]
pub(super) struct Pages {
    owed: Vec<(SeatId, VecDeque<UserId>)>,
    due: Option<Instant>,
}

impl Pages {
    /// What this connection is told of from now on.
    pub(super) fn follow(&mut self, seat: SeatId, untold: VecDeque<UserId>) {
        self.owed.retain(|(id, _)| *id != seat);
        if !untold.is_empty() {
            self.owed.push((seat, untold));
            self.due.get_or_insert_with(|| Instant::now() + PAGE_GAP);
        }
    }

    /// Waits for the next look; for ever when nobody is owed anything.
    pub(super) async fn next(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

impl RoomTask {
    /// For who knows nothing yet.
    pub(super) fn beginning(&self, seat: &Seat) -> Beginning {
        let mut snapshot = self.room.snapshot(seat.user, seat.role);
        let mut untold = self.in_order(seat);
        let people = self.next_people(&mut untold);
        if !untold.is_empty() {
            let left_out: std::collections::HashSet<_> = untold.iter().collect();
            snapshot.participants.retain(|participant| !left_out.contains(&participant.user));
        }
        Beginning { snapshot, people, untold }
    }

    /// For who comes back and knows the state, or as much of it as the line carried: when that took pages, all are told again.
    pub(super) fn beginning_again(&self, seat: &Seat) -> Beginning {
        let mut beginning = self.beginning(seat);
        if !beginning.untold.is_empty() {
            beginning.untold = self.in_order(seat);
        }
        beginning
    }

    /// A page to everybody who is owed one and has taken what was sent.
    pub(super) fn tell_pages(&mut self) {
        let mut owed = std::mem::take(&mut self.pages.owed);
        owed.retain_mut(|(id, untold)| {
            let Some(seat) = self.seats.get(*id) else { return false };
            if !seat.outbox.is_waiting() {
                self.tell_page(seat, untold);
            }
            !untold.is_empty()
        });
        self.pages.due = (!owed.is_empty()).then(|| Instant::now() + PAGE_GAP);
        self.pages.owed = owed;
    }

    /// The next people as they are now, and how many students are here: who left before being told of was not counted off.
    fn tell_page(&self, seat: &Seat, untold: &mut VecDeque<UserId>) {
        let people = self.next_people(untold);
        let seen = |person: &Person| self.room.participant_seen(person.user, seat.user, seat.role);
        let participants: Vec<Participant> = people.iter().filter_map(seen).collect();
        seat.outbox.send(&ServerFrame::People { people, participants });
        let students_present = self.room.roster.students_present();
        seat.outbox.send(&ServerFrame::Counts { students_present });
    }

    /// Takes as many as fit into one frame; one at least.
    fn next_people(&self, untold: &mut VecDeque<UserId>) -> Vec<Person> {
        let (mut people, mut bytes) = (Vec::new(), 0);
        while let Some(user) = untold.front() {
            if let Some(person) = self.people.get(user) {
                bytes += bytes_of(person) + PARTICIPANT_BYTES;
                if bytes > limits::ROSTER_BYTES && !people.is_empty() {
                    break;
                }
                people.push(person.clone());
            }
            untold.pop_front();
        }
        people
    }

    /// Whose names this person may know from the start: oneself, staff, who has the floor or a hand up, who is here, the others.
    fn in_order(&self, seat: &Seat) -> VecDeque<UserId> {
        let all = seat.role != Role::Student || self.people.len() <= limits::FULL_ROSTER_PEOPLE;
        let may_know = |p: &&Person| {
            all || p.user == seat.user || p.role != Role::Student || self.named.contains(&p.user)
        };
        let mut users: Vec<_> = self.people.values().filter(may_know).map(|p| p.user).collect();
        users.sort_by_cached_key(|user| (self.rank(*user, seat), *user));
        users.into()
    }

    fn rank(&self, user: UserId, seat: &Seat) -> u8 {
        let is_student = self.people.get(&user).is_some_and(|person| person.role == Role::Student);
        match user {
            _ if user == seat.user => 0,
            _ if !is_student => 1,
            _ if self.room.is_notable(user) => 2,
            _ if self.room.roster.role_of_present(user).is_some() => 3,
            _ => 4,
        }
    }
}

/// On the wire, with a comma.
fn bytes_of(person: &Person) -> usize {
    serde_json::to_vec(person).map_or(0, |text| text.len() + 1)
}
