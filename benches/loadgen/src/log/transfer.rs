//! How long a thousand lessons of 45 minutes take from one PostgreSQL database to another, and how long servers are away for it.

use std::time::{Duration, Instant};

use anyhow::ensure;
use qism::{
    config::{Config, Databases},
    storage::Store,
};
use qism_backing::Postgres;
use qism_client::SmallSchool;
use qism_signaling::protocol::LessonId;

use super::packed::teach;
use crate::figures::Figures;

const LESSONS: u64 = 1_000;
/// Of a lively lesson of 45 minutes.
const EVENTS: usize = 600;
/// Lessons that somebody wrote into after they were copied.
const CHANGED: usize = 10;
/// Lessons taught at once.
const TOGETHER: usize = 12;

pub async fn run(figures: &mut Figures) -> anyhow::Result<()> {
    let Some(postgres) = Postgres::start_durable().await else {
        println!("transfer: skipped: PostgreSQL is not installed (tools/setup.sh postgres)");
        return Ok(());
    };
    println!(
        "transfer: {LESSONS} lessons of {EVENTS} events, from one database of a PostgreSQL to another, fsync on"
    );
    let (default, apart) = (postgres.url(), postgres.database("academy").await);
    let lessons = taught(&default).await?;
    let together = databases(&format!("default = \"{default}\""))?;
    let split = databases(&format!("default = \"{default}\"\n\"01\" = \"{apart}\""))?;

    let rows = ahead(&split, LESSONS).await?;
    figures.put("log.transfer.ahead_s", rows);
    touch(&default, &lessons[..CHANGED]).await?;
    let (outage, clearing) = offline(&split, &[]).await?;
    figures.put("log.transfer.outage_s", outage);
    figures.put("log.transfer.clearing_s", clearing);
    let (whole, _) = offline(&together, std::slice::from_ref(&apart)).await?;
    figures.put("log.transfer.outage_without_ahead_s", whole);

    let store = Store::open(&default).await?;
    let tomorrow = store.database_now().await? + 86_400_000;
    let packed = store.pack(tomorrow, Duration::ZERO).await?;
    ensure!(packed as u64 == LESSONS, "{packed} lessons were packed");
    store.close().await;
    figures.put("log.transfer.packed_ahead_s", ahead(&split, LESSONS).await?);
    figures.put("log.transfer.packed_outage_s", offline(&split, &[]).await?.0);
    Ok(())
}

fn databases(urls: &str) -> anyhow::Result<Databases> {
    Ok(Config::parse("qism.toml", &format!("[storage.url]\n{urls}\n"))?.storage.url)
}

/// All of one school, ended.
async fn taught(url: &str) -> anyhow::Result<Vec<LessonId>> {
    let store = Store::open(url).await?;
    let school = SmallSchool::add(&store, "01000A").await?;
    let mut lessons = Vec::new();
    for _ in 0..LESSONS {
        lessons.push(school.lesson(&store).await?);
    }
    for some in lessons.chunks(TOGETHER) {
        let teaching = some.iter().map(|lesson| teach(&store, *lesson, EVENTS, true));
        futures_util::future::try_join_all(teaching).await?;
    }
    store.close().await;
    Ok(lessons)
}

/// Somebody writes into ended lessons: they are not as they were copied.
async fn touch(url: &str, lessons: &[LessonId]) -> anyhow::Result<()> {
    let store = Store::open(url).await?;
    for lesson in lessons {
        teach(&store, *lesson, EVENTS + 40, false).await?;
    }
    store.close().await;
    Ok(())
}

/// Seconds.
async fn ahead(databases: &Databases, expected: u64) -> anyhow::Result<f64> {
    let began = Instant::now();
    let done = Store::copy_ahead(databases, &[]).await?;
    ensure!(done.copied == expected, "{done:?}");
    Ok(began.elapsed().as_secs_f64())
}

/// Seconds until servers may start, and until nothing is left behind.
async fn offline(databases: &Databases, from: &[String]) -> anyhow::Result<(f64, f64)> {
    let began = Instant::now();
    let transferred = Store::transfer(databases, from).await?;
    let outage = began.elapsed().as_secs_f64();
    ensure!(transferred.lessons == LESSONS, "{} lessons were moved", transferred.lessons);
    transferred.clear().await?;
    Ok((outage, began.elapsed().as_secs_f64() - outage))
}
