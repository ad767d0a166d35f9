//! What people noticed of a fault: compares what the browsers were told with the log.

use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    time::{Duration, Instant},
};

use qism_signaling::protocol::{CommandId, Event, Logged};
use serde::Serialize;

use crate::{browser::Seen, voice};

/// The figures of one fault. `null`: not part of it.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Verdict {
    /// Lines that were acknowledged and are not in the log, or in another place; events that somebody was not told.
    pub lost: u64,
    /// Lines that are in the log twice, or that somebody was told twice.
    pub duplicated: u64,
    /// Lines that are in the log in another order than their writer wrote them.
    pub reordered: u64,
    /// The first of them: what its writer did about that time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub swapped: Option<String>,
    /// From the fault until people who were cut were told something again; where nobody was cut: until anybody was.
    pub chat_back_p95_ms: Option<u64>,
    /// From the fault until the student heard the teacher again.
    pub media_back_p95_ms: Option<u64>,
    /// The longest time without a packet of the voice.
    pub media_gap_p95_ms: Option<u64>,
    /// From the writing of a line to its reading by everybody, while the fault lasts.
    pub delivery_p99_ms: Option<u64>,
    /// Events that somebody kept although the log has others in their place.
    pub diverged: u64,
    pub acknowledged: u64,
    pub reconnections: u64,
    pub resets: u64,
    /// People who were not told the last event of the log.
    pub behind: u64,
    /// Refused for good.
    pub refused: u64,
    /// People who did not come back: they were told not to.
    pub thrown_out: u64,
    /// Times that somebody went to another server before their own was gone.
    pub moves: u64,
    /// What only this fault has.
    #[serde(flatten)]
    pub more: BTreeMap<&'static str, serde_json::Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
}

/// What must not be exceeded.
#[derive(Clone, Copy, Debug, Default)]
pub struct Promise {
    /// What was acknowledged may be gone: nobody was told that it was safe. What is there everybody must be told all the same.
    pub loses_the_tail: bool,
    pub chat_back_ms: Option<u64>,
    pub media_back_ms: Option<u64>,
    pub media_gap_ms: Option<u64>,
    pub delivery_p99_ms: Option<u64>,
    pub nobody_reconnects: bool,
    /// Of any figure, by its key; one that is not there is none that was kept.
    pub at_most: &'static [(&'static str, f64)],
    pub at_least: &'static [(&'static str, f64)],
}

/// One injection: from when it hurt, until when it is looked at.
#[derive(Clone, Copy, Debug)]
pub struct Blow {
    pub since: Instant,
    pub until: Instant,
}

impl Verdict {
    pub fn failed(error: &anyhow::Error) -> Self {
        Self { error: Some(format!("{error:#}")), ..Self::default() }
    }

    /// Of one lesson.
    pub fn of(log: &[Logged], seen: &[Seen]) -> Self {
        let numbers = Numbers::of(log);
        let mut verdict = Self { duplicated: numbers.twice, ..Self::default() };
        for browser in seen {
            verdict.look_at(browser, &numbers);
        }
        verdict
    }

    fn look_at(&mut self, seen: &Seen, numbers: &Numbers) {
        let of = |id: &CommandId| numbers.by_command.get(id).copied();
        self.acknowledged += seen.acknowledged.len() as u64;
        self.lost += count(seen.acknowledged.iter(), |(id, number)| of(id) != Some(*number));
        let written: Vec<u64> = seen.said.iter().filter_map(|(id, _)| of(id)).collect();
        self.reordered += count(written.windows(2), |two| two[0] >= two[1]);
        if let Some(at) = written.windows(2).position(|two| two[0] >= two[1]) {
            self.swapped.get_or_insert_with(|| swapped(seen, at, &written));
        }
        for two in seen.told.windows(2).filter(|two| !two[1].1) {
            let (before, after) = (two[0].0.number, two[1].0.number);
            self.duplicated += u64::from(after <= before);
            self.lost += (after.max(before + 1) - before - 1).min(1_000);
        }
        // What stood before the last snapshot was replaced by it.
        let start = seen.told.iter().rposition(|(_, is_snapshot, _)| *is_snapshot).unwrap_or(0);
        self.diverged += count(seen.told[start..].iter(), |(position, ..)| {
            let chain = numbers.chains.get(position.number as usize);
            position.number > 0 && chain.is_none_or(|chain| *chain != position.chain.0)
        });
        let last = seen.told.last().map_or(0, |(position, ..)| position.number);
        self.behind += u64::from(seen.stopped.is_none() && last < numbers.last_said);
        self.reconnections += seen.welcomes.len().saturating_sub(1) as u64;
        self.resets += u64::from(seen.resets);
        self.refused += seen.refused.len() as u64;
        self.thrown_out += u64::from(seen.stopped.is_some());
        self.moves += u64::from(seen.moves);
    }

    /// Adds another lesson of the same fault.
    pub fn add(&mut self, other: &Self) {
        self.lost += other.lost;
        self.duplicated += other.duplicated;
        self.reordered += other.reordered;
        self.swapped = self.swapped.take().or_else(|| other.swapped.clone());
        self.diverged += other.diverged;
        self.acknowledged += other.acknowledged;
        self.reconnections += other.reconnections;
        self.resets += other.resets;
        self.behind += other.behind;
        self.refused += other.refused;
        self.thrown_out += other.thrown_out;
        self.moves += other.moves;
    }

    pub fn chat_back(mut self, seen: &[Seen], blows: &[Blow]) -> Self {
        let times = blows.iter().flat_map(|blow| chat_back(seen, *blow)).collect();
        self.chat_back_p95_ms = percentile(times, 0.95);
        self
    }

    pub fn media_back(mut self, arrivals: &[Instant], blows: &[Blow]) -> Self {
        // A voice that did not come back counts as long as it was waited for.
        let back = |blow: &Blow| {
            voice::back(arrivals, blow.since, blow.until)
                .unwrap_or(blow.until.saturating_duration_since(blow.since))
        };
        self.media_back_p95_ms = percentile(blows.iter().map(back).collect(), 0.95);
        let gap = |blow: &Blow| voice::longest_silence(arrivals, blow.since, blow.until);
        self.media_gap_p95_ms = percentile(blows.iter().map(gap).collect(), 0.95);
        self
    }

    /// Of lines written in that time.
    pub fn delivery(mut self, log: &[Logged], seen: &[Seen], during: Blow) -> Self {
        let numbers = Numbers::of(log);
        let mut written = HashMap::new();
        for (id, at) in seen.iter().flat_map(|browser| &browser.said) {
            if let Some(number) =
                numbers.by_command.get(id).filter(|_| (during.since..during.until).contains(at))
            {
                written.insert(*number, *at);
            }
        }
        let told =
            seen.iter().flat_map(|browser| browser.told.iter().filter(|(_, is_snapshot, _)| !is_snapshot));
        let delays = told.filter_map(|(position, _, at)| Some(*at - *written.get(&position.number)?));
        self.delivery_p99_ms = percentile(delays.collect(), 0.99);
        self
    }

    /// Who was told again last, and what they had waited for until then: where to look when that took too long.
    pub fn slowest(self, seen: &[Seen], blows: &[Blow]) -> Self {
        let ways = blows.iter().flat_map(|blow| seen.iter().filter_map(move |one| way_back(one, *blow)));
        let Some((_, words)) = ways.max_by_key(|(took, _)| *took) else { return self };
        self.note("slowest_way_back", words)
    }

    /// What came before the voice was back where that took longest.
    pub fn slowest_voice(self, arrivals: &[Instant], steps: &[voice::Step], blows: &[Blow]) -> Self {
        let back =
            |blow: &Blow| voice::back(arrivals, blow.since, blow.until).unwrap_or(blow.until - blow.since);
        let Some(worst) = blows.iter().max_by_key(|blow| back(blow)) else { return self };
        let took = back(worst);
        let before = |(_, at): &&voice::Step| (worst.since..worst.since + took).contains(at);
        let mut steps: Vec<&voice::Step> = steps.iter().filter(before).collect();
        steps.sort_by_key(|(_, at)| *at);
        let words =
            steps.iter().map(|(what, at)| format!("{what} at {} ms", (*at - worst.since).as_millis()));
        let heard = format!("heard at {} ms", took.as_millis());
        let words: Vec<String> = words.chain([heard]).collect();
        self.note("slowest_voice_back", words.join(", "))
    }

    pub fn note(mut self, key: &'static str, value: impl Into<serde_json::Value>) -> Self {
        self.more.insert(key, value.into());
        self
    }

    pub fn kept(&self, promise: &Promise) -> bool {
        let within = |figure: Option<u64>, bound: Option<u64>| {
            bound.is_none_or(|bound| figure.is_some_and(|figure| figure <= bound))
        };
        let all = serde_json::to_value(self).unwrap_or_default();
        let figure = |key: &str| all.get(key).and_then(serde_json::Value::as_f64);
        self.error.is_none()
            && (promise.loses_the_tail || self.lost == 0)
            && self.behind + self.duplicated + self.reordered + self.diverged + self.refused + self.thrown_out
                == 0
            && within(self.chat_back_p95_ms, promise.chat_back_ms)
            && within(self.media_back_p95_ms, promise.media_back_ms)
            && within(self.media_gap_p95_ms, promise.media_gap_ms)
            && within(self.delivery_p99_ms, promise.delivery_p99_ms)
            && !(promise.nobody_reconnects && self.reconnections > 0)
            && promise.at_most.iter().all(|(key, bound)| figure(key).is_some_and(|figure| figure <= *bound))
            && promise.at_least.iter().all(|(key, bound)| figure(key).is_some_and(|figure| figure >= *bound))
    }
}

/// The line at this place and the next are in the log the other way round.
fn swapped(seen: &Seen, place: usize, written: &[u64]) -> String {
    let since = |at: Instant| format!("{:?}", at.saturating_duration_since(seen.said[place].1));
    let times = |all: &mut dyn Iterator<Item = Instant>| {
        let near = |at: &Instant| {
            at.max(&seen.said[place].1).duration_since(*at.min(&seen.said[place].1)).as_secs() < 5
        };
        all.filter(near).map(since).collect::<Vec<_>>().join(", ")
    };
    format!(
        "lines {place} and {} are {} and {} in the log; written 0 and {} later, cut {}, in {}",
        place + 1,
        written[place],
        written[place + 1],
        since(seen.said[place + 1].1),
        times(&mut seen.cuts.iter().map(|(at, _)| *at)),
        times(&mut seen.welcomes.iter().copied()),
    )
}

fn count<T>(all: impl Iterator<Item = T>, is_it: impl Fn(&T) -> bool) -> u64 {
    all.filter(is_it).count() as u64
}

/// The log by number and by command.
struct Numbers {
    by_command: HashMap<CommandId, u64>,
    /// At the place of the number.
    chains: Vec<u64>,
    twice: u64,
    last_said: u64,
}

impl Numbers {
    fn of(log: &[Logged]) -> Self {
        let (mut by_command, mut chains, mut twice, mut last_said) = (HashMap::new(), vec![0], 0, 0);
        for (logged, expected) in log.iter().zip(1..) {
            twice += u64::from(logged.number != expected);
            chains.push(logged.chain.0);
            if matches!(logged.event, Event::Said { .. }) {
                twice += u64::from(by_command.insert(logged.command, logged.number).is_some());
                last_said = logged.number;
            }
        }
        Self { by_command, chains, twice, last_said }
    }
}

/// For each who was cut: until something was told again. Where nobody was: for everybody.
fn chat_back(seen: &[Seen], blow: Blow) -> Vec<Duration> {
    let during = |at: &Instant| (blow.since..blow.until).contains(at);
    let after = |browser: &Seen, from: Instant| {
        let told = browser.told.iter().map(|(_, _, at)| *at).find(|at| *at >= from);
        told.unwrap_or(blow.until).saturating_duration_since(blow.since)
    };
    let cut = |browser: &Seen| {
        let cut = browser.cuts.iter().map(|(at, _)| *at).find(during)?;
        let back = browser.welcomes.iter().copied().find(|at| *at >= cut).unwrap_or(blow.until);
        Some(after(browser, back))
    };
    let of_cut: Vec<Duration> = seen.iter().filter_map(cut).collect();
    if !of_cut.is_empty() {
        return of_cut;
    }
    seen.iter().map(|browser| after(browser, blow.since)).collect()
}

/// How long somebody who was cut took, and its steps in words.
fn way_back(seen: &Seen, blow: Blow) -> Option<(Duration, String)> {
    let (cut, code) = *seen.cuts.iter().find(|(at, _)| (blow.since..blow.until).contains(at))?;
    let back = seen.welcomes.iter().copied().find(|at| *at >= cut).unwrap_or(blow.until);
    let ms = |at: Instant| at.saturating_duration_since(blow.since).as_millis();
    let mut words = format!("cut with {code} at {} ms", ms(cut));
    for (what, since, took) in seen.steps.iter().filter(|(_, since, _)| (cut..=back).contains(since)) {
        words += &format!(", {what} at {} ms in {} ms", ms(*since), took.as_millis());
    }
    Some((back.saturating_duration_since(blow.since), words))
}

/// The value that `share` of them do not exceed, in milliseconds.
pub fn percentile(mut times: Vec<Duration>, share: f64) -> Option<u64> {
    times.sort();
    let at = ((times.len() as f64 * share).ceil() as usize).max(1) - 1;
    times.get(at.min(times.len().saturating_sub(1))).map(|time| time.as_millis() as u64)
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Invariant: plain numbers and strings always serialize.
        f.write_str(&serde_json::to_string(self).expect("a verdict is JSON"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use qism_signaling::protocol::{Chain, Position, Recipients, UserId};
    use uuid::Uuid;

    fn log() -> Vec<Logged> {
        let user = UserId(Uuid::from_u128(1));
        let said = |number: u64| Logged {
            number,
            chain: Chain(number),
            at: number,
            sender: Some(user),
            command: id(number),
            event: Event::Said { user, to: Recipients::Everyone, text: None },
        };
        (1..=3).map(said).collect()
    }

    fn id(number: u64) -> CommandId {
        CommandId(Uuid::from_u128(number.into()))
    }

    /// Somebody who said and was told all three.
    fn well() -> Seen {
        let now = Instant::now();
        let told = (1..=3).map(|n| (Position { number: n, chain: Chain(n) }, n == 1, now)).collect();
        let acknowledged = (1..=3).map(|n| (id(n), n)).collect();
        let said = (1..=3).map(|n| (id(n), now)).collect();
        Seen { told, acknowledged, said, welcomes: vec![now], ..Seen::default() }
    }

    fn judged(change: impl FnOnce(&mut Seen)) -> Verdict {
        let mut seen = well();
        change(&mut seen);
        Verdict::of(&log(), &[seen])
    }

    #[test]
    fn who_saw_all_in_order_has_nothing_to_complain_of() {
        assert!(judged(|_| {}).kept(&Promise::default()));
    }

    #[test]
    fn each_complaint_is_found() {
        let promise = Promise::default();
        assert_eq!(judged(|seen| seen.acknowledged.push((id(9), 4))).lost, 1);
        assert_eq!(judged(|seen| seen.acknowledged[0].1 = 2).lost, 1);
        assert_eq!(judged(|seen| _ = seen.told.remove(1)).lost, 1);
        assert_eq!(judged(|seen| seen.told.push(seen.told[2])).duplicated, 1);
        assert_eq!(judged(|seen| seen.said.swap(0, 1)).reordered, 1);
        assert_eq!(judged(|seen| seen.told[2].0.chain = Chain(9)).diverged, 1);
        assert_eq!(judged(|seen| _ = seen.told.pop()).behind, 1);
        assert!(!judged(|seen| seen.stopped = Some(4403)).kept(&promise));
        assert!(!judged(|seen| _ = seen.told.pop()).kept(&promise));
        let narrow = Promise { at_most: &[("wait", 250.0)], at_least: &[("share", 0.99)], ..promise };
        let noted = |wait: f64, share: f64| judged(|_| {}).note("wait", wait).note("share", share);
        assert!(noted(250.0, 0.99).kept(&narrow) && !judged(|_| {}).kept(&narrow));
        assert!(!noted(251.0, 1.0).kept(&narrow) && !noted(9.0, 0.98).kept(&narrow));
        let tail = Promise { loses_the_tail: true, at_least: &[("resets", 1.0)], ..promise };
        let reset = |seen: &mut Seen| {
            seen.resets = 1;
            seen.acknowledged.push((id(9), 4));
        };
        assert!(
            judged(reset).kept(&tail) && !judged(|_| {}).kept(&tail),
            "who kept what is gone was not reset"
        );
        let stuck = |seen: &mut Seen| {
            reset(seen);
            seen.told.pop();
        };
        assert!(!judged(stuck).kept(&tail), "who was reset and is told nothing more is stuck");
        let twice = [log(), log()].concat();
        assert!(Verdict::of(&twice, &[]).duplicated > 0);
    }

    #[test]
    fn whoever_was_cut_is_measured_until_something_was_told_again() {
        let since = Instant::now();
        let at = |ms: u64| since + Duration::from_millis(ms);
        let mut cut = well();
        cut.cuts.push((at(10), 1006));
        cut.welcomes.push(at(400));
        cut.steps.push(("ticket", at(250), Duration::from_millis(100)));
        cut.told.push((Position { number: 4, chain: Chain(4) }, false, at(430)));
        let blow = Blow { since, until: at(5_000) };
        assert_eq!(chat_back(&[well(), cut.clone()], blow), [Duration::from_millis(430)]);
        assert_eq!(
            way_back(&cut, blow),
            Some((Duration::from_millis(400), "cut with 1006 at 10 ms, ticket at 250 ms in 100 ms".into()))
        );
        assert_eq!(percentile((1..=100).map(Duration::from_millis).collect(), 0.95), Some(95));
        assert_eq!(percentile(Vec::new(), 0.95), None);
    }
}
