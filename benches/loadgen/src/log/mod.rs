//! The log under load on either engine, every commit on the disk: the journal alone, a whole server, five servers and one lesson.

mod bare;
mod packed;
mod served;
mod ten_days;
pub mod transfer;

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use qism_backing::{Postgres, Redis};

use crate::{figures::Figures, server::Stored};

pub async fn run(program: &Path, seconds: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let during = Duration::from_secs(seconds);
    println!("log: SQLite, synchronous = FULL");
    let folder = tempfile::tempdir()?;
    let file = |name: &str| format!("sqlite://{}", folder.path().join(name).display());
    bare::measure("sqlite", &file("qism.db"), during, figures).await?;
    let log = async || Ok(std::fs::metadata(folder.path().join("old-log.db")).map_or(0, |log| log.len()));
    packed::measure("sqlite", &file("old.db"), log, figures).await?;
    served::measure("sqlite", program, Stored::Files, during, figures).await?;
    let Some((postgres, redis)) = backing().await else { return Ok(()) };
    println!("log: PostgreSQL, fsync and synchronous_commit on");
    let log = async || {
        let tables = "SELECT SUM(pg_total_relation_size(inhrelid))::BIGINT FROM pg_inherits WHERE inhparent = 'event'::regclass";
        postgres.number(tables).await.map(|bytes| bytes as u64).context("no answer")
    };
    packed::measure("postgres", &postgres.url(), log, figures).await?;
    bare::measure("postgres", &postgres.url(), during, figures).await?;
    let stored = Stored::Shared { postgres: &postgres, redis: &redis, node: "alone" };
    served::measure("postgres", program, stored, during, figures).await
}

/// One lesson, written by five servers.
pub async fn run_nodes(program: &Path, seconds: u64, figures: &mut Figures) -> anyhow::Result<()> {
    let Some((postgres, redis)) = backing().await else { return Ok(()) };
    served::one_lesson_on_five_nodes(program, &postgres, &redis, Duration::from_secs(seconds), figures).await
}

async fn backing() -> Option<(Postgres, Redis)> {
    let both = Postgres::start_durable().await.zip(Redis::start().await);
    if both.is_none() {
        println!("log: skipped: PostgreSQL or Redis is not installed (tools/setup.sh postgres redis)");
    }
    both
}
