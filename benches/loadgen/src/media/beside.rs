//! Two builds of the server under the same load, in turns: what a change is worth, on a machine whose mood changes too.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{
    Effort, LARGE, MIDDLE, SMALL,
    lesson::Lesson,
    publisher::Pattern,
    rates::{Compared, Plan, compare},
};
use crate::figures::Figures;

/// What is measured, each with the class grown to that size.
const LOADS: [(usize, Pattern, &str); 4] = [
    (SMALL, Pattern::Full, "50"),
    (SMALL, Pattern::Slow, "50_slow"),
    (MIDDLE, Pattern::Slow, "200"),
    (LARGE, Pattern::Slow, "500"),
];

/// Measures `program` and `other` under the loads that are named, or all.
pub async fn run(
    program: &Path,
    other: &Path,
    named: &[String],
    effort: Effort,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    println!("media: {} beside {}", program.display(), other.display());
    let (start, during) = (Instant::now(), Duration::from_secs(effort.seconds));
    let is_named = |key: &str| named.is_empty() || named.iter().any(|name| name == key);
    let loads: Vec<_> = LOADS.into_iter().filter(|(.., key)| is_named(key)).collect();
    let places = loads.iter().map(|(size, ..)| size / effort.share).max().context("no such load")?;
    let mut lesson = Lesson::start(program, places, start).await?;
    let mut before = Lesson::start(other, places, start).await?;
    for (size, pattern, key) in loads {
        let subscribers = size / effort.share;
        lesson.grow(subscribers).await;
        before.grow(subscribers).await;
        let plan = Plan { subscribers, pattern, rounds: effort.rounds, during };
        let compared = compare(lesson.side(), Some(before.side_named("other")), plan).await?;
        tell(key, &compared, figures);
    }
    Ok(())
}

fn tell(key: &str, compared: &Compared, figures: &mut Figures) {
    for (name, rounds) in [("this", &compared.qism), ("other", &compared.janus)] {
        super::put(figures, &format!("beside.{key}.{name}_us_per_packet"), rounds.us_per_packet());
        super::put(figures, &format!("beside.{key}.{name}_p50_ms"), rounds.p50_ms());
        super::put(figures, &format!("beside.{key}.{name}_p99_ms"), rounds.p99_ms());
    }
    super::put(figures, &format!("beside.{key}.floor_us_per_packet"), compared.floor.median(|cost| *cost));
}
