//! What one forwarded packet costs: rounds of each side in turn, so that a change of the machine's mood meets all alike.

use std::time::{Duration, Instant};

use super::{
    audience::Audience,
    floor::Floor,
    publisher::{Pattern, Publisher},
    rounds::Rounds,
};
use crate::{
    figures::quantile,
    process::{Apart, Process, media_threads, seconds_between},
};

/// Until a pattern flows everywhere.
pub const WARMING: Duration = Duration::from_millis(1_500);
/// A round that lost a greater share says nothing about cost.
pub const MOST_LOST: f64 = 0.005;
/// Nor one in which less of what was sent was passed on: voice alone is another load.
pub const LEAST_WHOLE: f64 = 0.95;

/// A server with its load.
#[derive(Clone, Copy)]
pub struct Side<'a> {
    pub name: &'static str,
    pub process: Process,
    pub publisher: &'a Publisher,
    pub audience: &'a Audience,
}

/// One valid round.
#[derive(Clone, Copy, Debug)]
pub struct Round {
    /// CPU of the server's process, by delivered packet.
    pub us_per_packet: f64,
    /// What of it went to its media threads.
    pub media_us: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub lost: f64,
}

impl Side<'_> {
    /// `None` when the round is void.
    pub async fn round(self, pattern: Pattern, during: Duration) -> Option<Round> {
        self.publisher.send(pattern);
        tokio::time::sleep(WARMING).await;
        self.audience.restart();
        let (cpu, began) = (self.process.cpu(), Instant::now());
        tokio::time::sleep(during).await;
        let (after, heard) = (self.process.cpu(), self.audience.heard());
        let elapsed = began.elapsed();
        self.publisher.send(Pattern::Nothing);
        let by_packet = |seconds: f64| seconds * 1e6 / heard.packets as f64;
        let round = Round {
            us_per_packet: by_packet(seconds_between(&cpu, &after)),
            media_us: by_packet(seconds_between(&media_threads(&cpu), &media_threads(&after))),
            p50_ms: quantile(&heard.delays_ms, 0.5),
            p99_ms: quantile(&heard.delays_ms, 0.99),
            lost: heard.lost as f64 / (heard.lost + heard.packets) as f64,
        };
        let rate = heard.packets as f64 / elapsed.as_secs_f64();
        let whole = pattern.packets_per_second() * self.audience.up() as f64;
        let is_void = heard.packets == 0 || round.lost > MOST_LOST || rate < whole * LEAST_WHOLE;
        println!(
            "    {:<6}{:>8.2} µs a packet ({:.2} media), {rate:>8.0} of {whole:.0} a second, p50 {:.2} ms, p99 {:.2} ms, {:.3} % lost{}",
            self.name,
            round.us_per_packet,
            round.media_us,
            round.p50_ms,
            round.p99_ms,
            round.lost * 100.0,
            if is_void { ": void" } else { "" }
        );
        (!is_void).then_some(round)
    }
}

impl Rounds<Round> {
    pub fn us_per_packet(&self) -> Option<f64> {
        self.median(|round| round.us_per_packet)
    }

    pub fn p50_ms(&self) -> Option<f64> {
        self.median(|round| round.p50_ms)
    }

    pub fn p99_ms(&self) -> Option<f64> {
        self.median(|round| round.p99_ms)
    }

    pub fn lost(&self) -> Option<f64> {
        self.median(|round| round.lost)
    }
}

/// What interleaved rounds measured.
#[derive(Debug)]
pub struct Compared {
    pub qism: Rounds<Round>,
    pub janus: Rounds<Round>,
    /// µs a packet.
    pub floor: Rounds<f64>,
}

/// How a comparison is made.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub subscribers: usize,
    pub pattern: Pattern,
    pub rounds: usize,
    pub during: Duration,
}

/// Ours and the floor in turns, with one core to themselves and another one for the load.
pub async fn compare_apart(qism: Side<'_>, plan: Plan) -> anyhow::Result<Compared> {
    let _apart = Apart::keep(qism.process)
        .inspect_err(|error| println!("  server and load are not kept on cores of their own: {error}"));
    println!("  server and floor on one core, the load on another");
    compare(qism, None, plan).await
}

/// Ours, the other, the floor, and again, until each has its rounds or too many were void.
pub async fn compare(qism: Side<'_>, janus: Option<Side<'_>>, plan: Plan) -> anyhow::Result<Compared> {
    let Plan { subscribers, pattern, rounds, during } = plan;
    println!("  {subscribers} subscribers, {pattern:?}");
    let (mut ours, mut theirs) = (Rounds::wanting(rounds), Rounds::wanting(janus.map_or(0, |_| rounds)));
    let opened = tokio::task::spawn_blocking(move || Floor::open(subscribers, Instant::now()));
    let (mut floor, mut floors) = (opened.await??, Rounds::wanting(rounds));
    while ours.is_due() || theirs.is_due() || floors.is_due() {
        if ours.is_due() {
            ours.take(qism.round(pattern, during).await);
        }
        if let Some(janus) = janus.filter(|_| theirs.is_due()) {
            theirs.take(janus.round(pattern, during).await);
        }
        if floors.is_due() {
            let round = move || (floor.round(pattern, during), floor);
            let round = tokio::task::spawn_blocking(round).await?;
            floor = round.1;
            floors.take(round.0?);
        }
    }
    tell_spread(qism.name, ours.valid().iter().map(|round| round.us_per_packet));
    tell_spread("floor", floors.valid().iter().copied());
    Ok(Compared { qism: ours, janus: theirs, floor: floors })
}

/// How far apart the rounds were: no ratio is worth more.
fn tell_spread(name: &str, costs: impl Iterator<Item = f64> + Clone) {
    let ends = costs.clone().reduce(f64::min).zip(costs.reduce(f64::max));
    if let Some((least, most)) = ends {
        println!("    {name:<6}{least:>8.2} to {most:.2} µs a packet");
    }
}
