//! What this server says of its condition, for whoever watches the fleet. Beside the beat: nobody's life hangs on it.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, atomic::Ordering},
    time::{Duration, Instant},
};

use qism_signaling::{
    hub::ports::{Bus as _, Clock},
    protocol::IncarnationId,
};

use super::metrics::Sources;
use crate::{
    cluster::Board,
    sfu::{LinkNow, Sfu, Tally},
    storage::{Condition, LinkCondition},
};

const EVERY: Duration = Duration::from_secs(3);
/// In a store of its own a server says the same again after this.
const SAME_AGAIN: Duration = Duration::from_secs(15);
/// What was refused is told so long.
const MINUTE: Duration = Duration::from_secs(60);

/// Until it is aborted.
pub(super) async fn tell(sources: Arc<Sources>, clock: Arc<dyn Clock>) {
    let Sources { own, store, .. } = &*sources;
    let (since, mut database_ms) = (clock.now_ms(), 0);
    let (mut flows, mut refused, mut forged) = (Flows::default(), Lately::default(), Lately::default());
    let (mut has_forged, mut told) = (false, None);
    let mut tick = tokio::time::interval(EVERY);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tick.tick().await;
        let (now, logs) = (Instant::now(), store.log_health());
        let condition = Condition {
            since,
            bus: sources.bus.as_ref().map(|bus| bus.is_up()),
            database_ms,
            refused_batches: refused.count(store.refused_batches(), now),
            forged_letters: forged.count(forged_letters(&sources), now),
            logs_away: logs.iter().filter(|log| !log.answers).count() as u64,
            is_unsafe: logs.iter().any(|log| log.shortfall.is_some()),
            waiting: sources.hub.waiting_connections(),
            packing_due: store.packing_due(),
            links: flows.look(&named_links(&sources.sfu, &sources.board), now),
        };
        if condition.forged_letters > 0 && !has_forged {
            tracing::warn!(
                letters = condition.forged_letters,
                "Redis carries letters that cluster.key did not seal"
            );
        }
        has_forged = condition.forged_letters > 0;
        if !store.is_shared() && is_told(told.as_ref(), &condition, now) {
            continue;
        }
        match store.tell_condition(*own, &condition).await {
            Ok(()) => told = Some((condition, now)),
            Err(error) => tracing::debug!(%error, "the condition is not told"),
        }
        database_ms = u32::try_from(now.elapsed().as_millis()).unwrap_or(u32::MAX);
    }
}

/// Nothing else is to be told but how long the database took to be told.
fn is_told(told: Option<&(Condition, Instant)>, condition: &Condition, now: Instant) -> bool {
    told.is_some_and(|(told, since)| {
        let same = Condition { database_ms: told.database_ms, ..condition.clone() } == *told;
        same && now < *since + SAME_AGAIN
    })
}

fn forged_letters(sources: &Sources) -> u64 {
    sources.bus.as_ref().map_or(0, |bus| bus.counters().forged.load(Ordering::Relaxed))
}

/// The links to servers that live, by their names.
pub(super) fn named_links(sfu: &Sfu, board: &Board) -> Vec<(String, LinkNow)> {
    let alive = board.alive();
    let named = |link: LinkNow| {
        let node = alive.iter().find(|node| node.incarnation == link.node)?;
        Some((node.name.clone(), link))
    };
    sfu.links().into_iter().filter_map(named).collect()
}

/// How much of something there was in the last minute. Bounded: a look every [`EVERY`].
#[derive(Default)]
struct Lately(VecDeque<(Instant, u64)>);

impl Lately {
    fn count(&mut self, total: u64, now: Instant) -> u64 {
        self.0.push_back((now, total));
        while self.0.len() > 1 && self.0[1].0 + MINUTE <= now {
            self.0.pop_front();
        }
        // At the start there was none.
        let before = self.0.front().filter(|(at, _)| *at + MINUTE <= now).map_or(0, |(_, total)| *total);
        total - before
    }
}

/// What flows over each link between two looks.
#[derive(Default)]
struct Flows(HashMap<IncarnationId, (Instant, Tally)>);

impl Flows {
    fn look(&mut self, links: &[(String, LinkNow)], now: Instant) -> Vec<LinkCondition> {
        let told = links.iter().map(|(name, link)| {
            let (since, before) = self.0.get(&link.node).copied().unwrap_or((now - EVERY, Tally::default()));
            condition(name, link, before, now.saturating_duration_since(since))
        });
        let told = told.collect();
        self.0 = links.iter().map(|(_, link)| (link.node, (now, link.tally))).collect();
        told
    }
}

fn condition(name: &str, link: &LinkNow, before: Tally, span: Duration) -> LinkCondition {
    let LinkNow { tally, estimate, round_trip, is_live, .. } = *link;
    let each_second =
        |now: u64, before: u64| (now.saturating_sub(before) as f64 / span.as_secs_f64().max(0.001)).round();
    let (told, lost) = (tally.told.saturating_sub(before.told), tally.lost.saturating_sub(before.lost));
    LinkCondition {
        to: name.to_owned(),
        is_up: is_live,
        sent: each_second(tally.bytes_out * 8, before.bytes_out * 8) as u64,
        received: each_second(tally.bytes_in * 8, before.bytes_in * 8) as u64,
        estimate,
        round_trip_ms: round_trip.map(|it| u32::try_from(it.as_millis()).unwrap_or(u32::MAX)),
        lost: u16::try_from(lost * 1_000 / told.max(1)).unwrap_or(u16::MAX),
        left_out: each_second(tally.left_out, before.left_out) as u64,
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_link_is_told_by_what_flowed_since_the_last_look() {
        let (start, mut flows) = (Instant::now(), Flows::default());
        let link = |n: u64| {
            let tally = Tally {
                bytes_out: n * 1_000,
                bytes_in: n * 500,
                told: n * 100,
                lost: n * n,
                left_out: n * 3,
            };
            let node = IncarnationId(Uuid::from_u128(1));
            let round_trip = Some(Duration::from_micros(2_900));
            vec![("b".to_owned(), LinkNow { node, is_live: true, tally, estimate: Some(9), round_trip })]
        };
        assert_eq!(flows.look(&link(3), start)[0].sent, 8_000);
        let told = flows.look(&link(5), start + Duration::from_secs(2));
        let expected = LinkCondition {
            to: "b".into(),
            is_up: true,
            sent: 8_000,
            received: 4_000,
            estimate: Some(9),
            round_trip_ms: Some(2),
            lost: 80,
            left_out: 3,
        };
        assert_eq!(told, [expected]);
    }

    #[test]
    fn what_was_refused_is_told_for_a_minute() {
        let (start, mut refused) = (Instant::now(), Lately::default());
        let mut at = |second: u64, total| refused.count(total, start + Duration::from_secs(second));
        assert_eq!([at(0, 2), at(30, 5), at(59, 5), at(61, 5), at(92, 6), at(170, 6)], [2, 5, 5, 3, 1, 0]);
    }
}
