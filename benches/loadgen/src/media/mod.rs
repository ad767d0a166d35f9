//! Real media: a lesson of 50, 200, 500 and 1,000 students beside Janus's videoroom under the same load, two hundred who
//! join in one second, a hundred lessons at once.

mod audience;
mod beside;
mod feedback;
mod floor;
mod janus;
mod lesson;
pub mod plane;
mod publisher;
mod rates;
pub mod relay;
mod rounds;
mod sdp;
mod storm;
mod transport;
mod wire;

use std::{
    path::Path,
    time::{Duration, Instant},
};

use crate::{
    figures::{Figures, quantile},
    process::{media_threads, seconds_between},
    server::SETTLED,
};
use janus::Janus;
use lesson::Lesson;
use rates::{Compared, Plan, compare, compare_apart};
use rounds::Rounds;
pub use {
    audience::Audience,
    lesson::subscribe,
    publisher::{Pattern, Publisher},
};

/// Sizes of the class; the figures carry them in their keys.
const SMALL: usize = 50;
const MIDDLE: usize = 200;
const LARGE: usize = 500;
/// Not measured by the packet: that all of them come in.
const CROWD: usize = 1_000;

/// Two builds of the server in turns, under the loads that are named.
pub async fn run_beside(
    program: &Path,
    other: &Path,
    loads: &[String],
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    beside::run(program, other, loads, effort, figures).await
}

/// How long and how often.
#[derive(Clone, Copy, Debug)]
pub struct Effort {
    /// Of each round.
    pub seconds: u64,
    pub rounds: usize,
    /// One person in so many comes.
    pub share: usize,
    /// Why there is no other server to compare with, if so.
    pub alone: bool,
}

pub async fn run(program: &Path, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    storm::run(program, effort.share, figures).await?;
    class(program, effort, figures).await?;
    plane::run(effort, figures).await
}

/// One lesson that grows, beside the other server's.
async fn class(program: &Path, effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    println!("media: one publisher, a class that grows");
    let start = Instant::now();
    let mut lesson = Lesson::start(program, CROWD / effort.share, start).await?;
    let mut janus = match effort.alone {
        true => None,
        false => other(MIDDLE / effort.share, start).await,
    };
    lesson.grow(SMALL / effort.share).await;
    grow_other(&mut janus, SMALL / effort.share).await;
    let during = Duration::from_secs(effort.seconds);
    let plan = |size: usize, pattern| {
        let subscribers = size / effort.share;
        Plan { subscribers, pattern, rounds: effort.rounds, during }
    };
    let small = compare(lesson.side(), janus.as_ref().map(Janus::side), plan(SMALL, Pattern::Full)).await?;
    tell(SMALL, &small, figures);
    tell_apart(SMALL, &compare_apart(lesson.side(), plan(SMALL, Pattern::Full)).await?, figures);
    let slow = compare(lesson.side(), None, plan(SMALL, Pattern::Slow)).await?;
    put_cost(figures, "media.cpu_us_per_packet.50_slow", slow.qism.us_per_packet(), &slow.qism);
    tokio::time::sleep(SETTLED).await;
    let memory = lesson.server.process().memory();
    join_cost(&mut lesson, MIDDLE / effort.share, figures).await;
    grow_other(&mut janus, MIDDLE / effort.share).await;
    let middle = compare(lesson.side(), janus.as_ref().map(Janus::side), plan(MIDDLE, Pattern::Slow)).await?;
    tell(MIDDLE, &middle, figures);
    tell_apart(MIDDLE, &compare_apart(lesson.side(), plan(MIDDLE, Pattern::Slow)).await?, figures);
    delays(&middle, figures);
    drop(janus);
    even(&lesson, during, effort.rounds, figures).await;
    lesson.grow(LARGE / effort.share).await;
    let large = compare(lesson.side(), None, plan(LARGE, Pattern::Slow)).await?;
    tell(LARGE, &large, figures);
    tell_apart(LARGE, &compare_apart(lesson.side(), plan(LARGE, Pattern::Slow)).await?, figures);
    ratio(figures, "media.growth_500_over_50", large.qism.us_per_packet(), slow.qism.us_per_packet());
    tokio::time::sleep(SETTLED).await;
    let more = lesson.server.process().memory().saturating_sub(memory);
    figures.put("media.bytes_per_subscriber", more as f64 / ((LARGE - SMALL) / effort.share) as f64);
    let joins = lesson.grow(CROWD / effort.share).await;
    figures.put("media.up_of_1000", lesson.audience.up() as f64);
    figures.put("media.failed_joins", joins.failed as f64);
    Ok(())
}

/// Janus, or the line that says why not.
async fn other(places: usize, start: Instant) -> Option<Janus> {
    match Janus::start(places, start).await {
        Ok(janus) => Some(janus),
        Err(error) => {
            println!("  janus: skipped: {error:#}");
            None
        }
    }
}

async fn grow_other(janus: &mut Option<Janus>, subscribers: usize) {
    if let Some(running) = janus
        && let Err(error) = running.grow(subscribers).await
    {
        println!("  janus: given up at {subscribers}: {error:#}");
        *janus = None;
    }
}

/// From 50 to 200 while nothing is sent: what a join costs the media threads, and the whole server.
async fn join_cost(lesson: &mut Lesson, students: usize, figures: &mut Figures) {
    let before = lesson.server.process().cpu();
    let joins = lesson.grow(students).await;
    let after = lesson.server.process().cpu();
    let count = joins.times_ms.len().max(1) as f64;
    let media = seconds_between(&media_threads(&before), &media_threads(&after));
    figures.put("media.join_cpu_ms", media * 1_000.0 / count);
    figures.put("media.join_cpu_ms_server", seconds_between(&before, &after) * 1_000.0 / count);
    let mut times = joins.times_ms;
    times.sort_by(f64::total_cmp);
    figures.put("media.join_ms", quantile(&times, 0.5));
}

/// Packets that come one by one: the kernel has nothing to cut.
async fn even(lesson: &Lesson, during: Duration, rounds: usize, figures: &mut Figures) {
    println!("  {MIDDLE} subscribers, Even");
    let mut made = Rounds::wanting(rounds);
    while made.is_due() {
        made.take(lesson.side().round(Pattern::Even, during).await);
    }
    put_cost(figures, "media.even_us_per_packet.200", made.us_per_packet(), &made);
}

fn tell(subscribers: usize, compared: &Compared, figures: &mut Figures) {
    let (qism, janus) = (compared.qism.us_per_packet(), compared.janus.us_per_packet());
    let floor = compared.floor.median(|cost| *cost);
    put_cost(figures, &format!("media.cpu_us_per_packet.{subscribers}"), qism, &compared.qism);
    put_cost(figures, &format!("media.floor_us_per_packet.{subscribers}"), floor, &compared.floor);
    ratio(figures, &format!("media.floor_ratio.{subscribers}"), qism, floor);
    put_cost(figures, &format!("media.janus_us_per_packet.{subscribers}"), janus, &compared.janus);
    ratio(figures, &format!("media.janus_ratio.{subscribers}"), qism, janus);
}

/// Of rounds in which server and load had cores of their own.
fn tell_apart(subscribers: usize, compared: &Compared, figures: &mut Figures) {
    let (qism, floor) = (compared.qism.us_per_packet(), compared.floor.median(|cost| *cost));
    put_cost(figures, &format!("media.apart_us_per_packet.{subscribers}"), qism, &compared.qism);
    put_cost(figures, &format!("media.apart_floor_us_per_packet.{subscribers}"), floor, &compared.floor);
    ratio(figures, &format!("media.apart_floor_ratio.{subscribers}"), qism, floor);
}

fn delays(compared: &Compared, figures: &mut Figures) {
    put(figures, "media.p50_ms", compared.qism.p50_ms());
    put(figures, "media.p99_ms", compared.qism.p99_ms());
    put(figures, "media.loss", compared.qism.lost());
    put(figures, "media.janus_p50_ms", compared.janus.p50_ms());
    put(figures, "media.janus_p99_ms", compared.janus.p99_ms());
    ratio(figures, "media.p50_vs_janus", compared.qism.p50_ms(), compared.janus.p50_ms());
}

fn put(figures: &mut Figures, key: &str, value: Option<f64>) {
    match value {
        Some(value) => figures.put(key, value),
        None => figures.miss(key),
    }
}

/// A cost, and the number of valid rounds that it is the median of.
fn put_cost<T>(figures: &mut Figures, key: &str, value: Option<f64>, rounds: &Rounds<T>) {
    put(figures, key, value);
    put(figures, &format!("{key}.rounds"), value.map(|_| rounds.valid().len() as f64));
}

fn ratio(figures: &mut Figures, key: &str, ours: Option<f64>, theirs: Option<f64>) {
    put(figures, key, ours.zip(theirs).map(|(ours, theirs)| ours / theirs));
}
