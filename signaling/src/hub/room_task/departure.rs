//! Everybody goes to another node, make before break: told one by one, whoever is heard or seen first, while events and media
//! go on here. The place of who has gone is kept like that of a cut line, so the media carries on for the grace of one.

use std::{collections::VecDeque, time::Duration};

use tokio::time::Instant;

use crate::{
    hub::seats::SeatId,
    protocol::{CloseCode, ServerFrame, limits},
};

use super::RoomTask;

/// Listeners begin so much later than those whom they hear: those are there, then, when they come.
const LEAD: Duration = Duration::from_millis(300);
/// So many people of all lessons are sent per second: each makes a ticket, a connection and two handshakes elsewhere.
const PEOPLE_PER_SECOND: u32 = 500;
/// The last lesson begins at the latest after this, however many there are.
const LONGEST: Duration = Duration::from_secs(15);

/// The departure of one lesson.
#[derive(Debug)]
pub(crate) struct Departure {
    /// Who is told when, in order. Bounded by the seats.
    turns: VecDeque<(Instant, SeatId)>,
    /// Who is still here then is closed; `None`: that is done.
    ends: Option<Instant>,
}

impl Departure {
    /// `first` go now, the others over [`limits::MOVE_SPREAD`].
    fn begin(first: Vec<SeatId>, others: Vec<SeatId>, now: Instant) -> Self {
        let each = (limits::MOVE_SPREAD - LEAD) / u32::try_from(others.len().max(1)).unwrap_or(u32::MAX);
        let mut due = now + LEAD;
        let mut turns: VecDeque<_> = first.into_iter().map(|id| (now, id)).collect();
        for id in others {
            turns.push_back((due, id));
            due += each;
        }
        Self { turns, ends: Some(now + limits::MOVE_SPREAD + limits::MOVE_WITHIN) }
    }

    fn next(&self) -> Option<Instant> {
        let ends = self.ends?;
        Some(self.turns.front().map_or(ends, |(due, _)| *due))
    }

    /// Those whose turn it is, each once.
    fn due(&mut self, now: Instant) -> Vec<SeatId> {
        let due = self.turns.iter().take_while(|(due, _)| *due <= now).count();
        self.turns.drain(..due).map(|(_, id)| id).collect()
    }
}

/// Waits for the next turn; for ever without one.
pub(super) async fn turn(departure: Option<&Departure>) {
    match departure.and_then(Departure::next) {
        Some(due) => tokio::time::sleep_until(due).await,
        None => std::future::pending().await,
    }
}

/// When each lesson of a node begins to depart, by how many people the lessons have.
pub(crate) fn turns(lessons: impl Iterator<Item = u32>) -> Vec<Duration> {
    let starts = lessons.scan(0_u32, |before, people| {
        let start = Duration::from_secs(1) * *before / PEOPLE_PER_SECOND;
        *before = before.saturating_add(people);
        Some(start)
    });
    let starts: Vec<Duration> = starts.collect();
    let last = starts.last().copied().unwrap_or_default();
    let hurry = if last > LONGEST { LONGEST.as_secs_f64() / last.as_secs_f64() } else { 1.0 };
    starts.into_iter().map(|start| start.mul_f64(hurry)).collect()
}

impl RoomTask {
    pub(super) fn move_out(&mut self) {
        let mut people: Vec<_> = self.seats.iter().map(|(id, seat)| (id, seat.user)).collect();
        tracing::info!(lesson = %self.lesson, people = people.len(), "moving to another node");
        let teacher = self.roll.info.teacher;
        people.sort_by_key(|(id, user)| (*user != teacher, *id));
        let sends = |user| self.room.stage.tracks_of(user).next().is_some();
        let (first, others): (Vec<_>, Vec<_>) =
            people.into_iter().partition(|(_, user)| *user == teacher || sends(*user));
        let ids = |people: Vec<(SeatId, _)>| people.into_iter().map(|(id, _)| id).collect();
        self.departure = Some(Departure::begin(ids(first), ids(others), Instant::now()));
    }

    /// Somebody who was at the door when the others were sent away.
    pub(super) fn departs_too(&mut self, id: SeatId) {
        let now = Instant::now();
        if let Some(departure) = &mut self.departure {
            departure.turns.push_front((now, id));
            departure.ends.get_or_insert(now + limits::MOVE_WITHIN);
        }
    }

    pub(super) fn next_departs(&mut self) {
        let now = Instant::now();
        let Some(departure) = &mut self.departure else { return };
        let Some(ends) = departure.ends else { return };
        let due = departure.due(now);
        if now >= ends {
            departure.ends = None;
            return self.close_who_stayed();
        }
        let within_ms = u32::try_from((ends - now).as_millis()).unwrap_or(u32::MAX);
        for seat in due.into_iter().filter_map(|id| self.seats.get(id)) {
            seat.outbox.send(&ServerFrame::Move { within_ms });
        }
    }

    /// Older clients, and lines over which nothing comes: they come back in the ordinary way, or are cut off.
    fn close_who_stayed(&mut self) {
        for id in self.seats.ids() {
            if let Some(seat) = self.seats.get(id) {
                seat.outbox.close(CloseCode::Draining);
            }
            self.disconnected(id);
        }
    }

    /// True when nobody is here and nothing is carried for those who have gone.
    pub(super) fn has_moved_out(&self) -> bool {
        self.departure.is_some() && self.cuts.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn ids(range: std::ops::Range<u64>) -> Vec<SeatId> {
        range.map(SeatId).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_heard_goes_first_and_the_others_spread_over_two_seconds() {
        let now = Instant::now();
        let mut departure = Departure::begin(ids(0..2), ids(2..40), now);
        assert_eq!(departure.due(now), ids(0..2));
        assert_eq!(departure.due(now + LEAD), ids(2..3));
        let half = departure.due(now + LEAD + (limits::MOVE_SPREAD - LEAD) / 2).len();
        assert!((18..=19).contains(&half), "{half}");
        assert_eq!(departure.due(now + limits::MOVE_SPREAD).len(), 37 - half);
        assert_eq!(departure.next(), Some(now + limits::MOVE_SPREAD + limits::MOVE_WITHIN));
    }

    proptest! {
        #[test]
        fn lessons_begin_in_order_at_the_pace_and_never_too_late(people in proptest::collection::vec(0_u32..2_000, 0..400)) {
            let starts = turns(people.iter().copied());
            prop_assert_eq!(starts.len(), people.len());
            prop_assert!(starts.windows(2).all(|two| two[0] <= two[1]));
            prop_assert!(starts.iter().all(|start| *start <= LONGEST + Duration::from_millis(1)));
            let all: u32 = people.iter().sum();
            if all <= PEOPLE_PER_SECOND {
                prop_assert!(starts.iter().all(|start| *start <= Duration::from_secs(1)));
            }
        }
    }
}
