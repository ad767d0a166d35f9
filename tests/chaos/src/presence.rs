//! Whether people are shown as they are after a node died: who is gone as gone, whoever came back as present.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use qism_signaling::protocol::{Event, Logged, UserId};

use crate::{browser::Seen, verdict::Blow};

/// Who is gone, and who was cut and comes back: the events that show it, if they were told in time.
struct Shown {
    left: Option<u64>,
    back: Vec<Option<u64>>,
}

impl Shown {
    /// All of it is told with this event.
    fn last(&self) -> Option<u64> {
        let all = self.back.iter().copied().chain([self.left]);
        all.collect::<Option<Vec<u64>>>()?.into_iter().max()
    }
}

/// For each of a lesson's people: from the blow until they were told that `gone`, who was on the dead node and does not come back, has
/// left, and that everybody else who was cut is in again. Who was not told counts as long as it was looked at. With what it waited for, in words.
pub fn right_after(log: &[Logged], seen: &[Seen], gone: UserId, blow: Blow) -> (Vec<Duration>, String) {
    let told = first_told(seen);
    let shown = shown(log, seen, &told, gone, blow);
    let last = shown.last();
    let right = |browser: &Seen| {
        let told = browser.told.iter().filter(|(position, _, at)| {
            *at >= blow.since && last.is_some_and(|last| position.number >= last)
        });
        told.map(|(.., at)| *at).next().unwrap_or(blow.until) - blow.since
    };
    let at = |number: Option<u64>| number.and_then(|number| told.get(&number)).map(|at| *at - blow.since);
    let back: Vec<Duration> = shown.back.iter().filter_map(|number| at(*number)).collect();
    let words = format!(
        "gone is told after {:?}; of {} who were cut {} were back, the last after {:?}",
        at(shown.left),
        shown.back.len(),
        back.len(),
        back.iter().max()
    );
    (seen.iter().map(right).collect(), words)
}

fn shown(log: &[Logged], seen: &[Seen], told: &HashMap<u64, Instant>, gone: UserId, blow: Blow) -> Shown {
    let during = |at: &Instant| (blow.since..blow.until).contains(at);
    let number = |is_it: &dyn Fn(&Event) -> bool| {
        let found =
            log.iter().find(|logged| is_it(&logged.event) && told.get(&logged.number).is_some_and(during));
        found.map(|logged| logged.number)
    };
    let left = number(&|event| matches!(event, Event::Left { user, .. } if *user == gone));
    let cut = seen.iter().filter(|browser| browser.cuts.iter().any(|(at, _)| during(at)));
    let back = cut.map(|browser| {
        number(&|event| matches!(event, Event::Attached { user, .. } if Some(*user) == browser.user))
    });
    Shown { left, back: back.collect() }
}

/// When each event was told to whoever was told it first.
fn first_told(seen: &[Seen]) -> HashMap<u64, Instant> {
    let mut first = HashMap::new();
    for (position, is_snapshot, at) in seen.iter().flat_map(|browser| &browser.told) {
        if !is_snapshot {
            let earliest = first.entry(position.number).or_insert(*at);
            *earliest = (*earliest).min(*at);
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use qism_signaling::protocol::{
        Attach, Chain, CommandId, IncarnationId, LeftReason, Position, Role, SessionId,
    };
    use uuid::Uuid;

    use super::*;

    fn user(number: u128) -> UserId {
        UserId(Uuid::from_u128(number))
    }

    fn attached(number: u128) -> Event {
        Event::Attached {
            user: user(number),
            role: Role::Student,
            visit: false,
            session: SessionId(Uuid::from_u128(number)),
            attach: Attach(1),
            incarnation: IncarnationId(Uuid::from_u128(9)),
        }
    }

    fn left(number: u128) -> Event {
        let session = SessionId(Uuid::from_u128(number));
        Event::Left { user: user(number), session, attach: Attach(1), reason: LeftReason::Cut }
    }

    fn log(events: Vec<Event>) -> Vec<Logged> {
        let logged = |(number, event)| {
            let command = CommandId(Uuid::from_u128(u128::from(number)));
            Logged { number, chain: Chain(number), at: number, sender: None, command, event }
        };
        (1..).zip(events).map(logged).collect()
    }

    /// Was told each event that many milliseconds after the start.
    fn person(number: u128, start: Instant, told: &[(u64, u64)]) -> Seen {
        let told = told.iter().map(|(number, ms)| {
            (Position { number: *number, chain: Chain(*number) }, false, start + Duration::from_millis(*ms))
        });
        Seen { user: Some(user(number)), told: told.collect(), ..Seen::default() }
    }

    #[test]
    fn all_is_right_when_who_was_cut_is_in_and_who_is_gone_has_left() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        // 1 stays, 2 is cut and back, 3 is gone; 3 had left and come again before.
        let log =
            log(vec![attached(1), attached(2), attached(3), left(3), attached(3), attached(2), left(3)]);
        let early = [(1, 1), (2, 2), (3, 3), (4, 4), (5, 5)];
        let stayed = person(1, start, &[&early[..], &[(6, 1_400), (7, 4_000)]].concat());
        let mut back = person(2, start, &[&early[..], &[(6, 1_450), (7, 4_020)]].concat());
        back.cuts.push((at(1_010), 1006));
        let blow = Blow { since: at(1_000), until: at(9_000) };
        let ms = Duration::from_millis;
        let (times, words) = right_after(&log, &[stayed.clone(), back.clone()], user(3), blow);
        assert_eq!(times, [ms(3_000), ms(3_020)]);
        assert_eq!(
            words,
            "gone is told after Some(3s); of 1 who were cut 1 were back, the last after Some(400ms)"
        );
        let (never, _) = right_after(&log[..6], &[stayed, back], user(3), blow);
        assert_eq!(never, [ms(8_000), ms(8_000)], "nobody was told that they have left");
    }
}
