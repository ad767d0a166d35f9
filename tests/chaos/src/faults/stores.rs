//! What happens to PostgreSQL and Redis.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Stage, blow, lively, pass};
use crate::{bed::Plan, class::Roll, network, node::PORT, verdict::Verdict};

pub async fn redis(program: PathBuf) -> anyhow::Result<Verdict> {
    let mut stage = Stage::silent(&program, Plan::of(3), &[lively(Some(3))]).await?;
    let since = Instant::now();
    stage.bed.redis.kill();
    pass(60.0).await;
    let blows = [blow(since)];
    stage.bed.redis.revive().await;
    pass(5.0).await;
    stage.judge(&blows).await
}

pub async fn sentinel(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan { sentinels: 3, ..Plan::of(2) };
    let mut stage = Stage::silent(&program, plan, &[lively(Some(2))]).await?;
    anyhow::ensure!(every_bus_is_up(2).await, "the bus is up before");
    let since = Instant::now();
    stage.bed.redis.kill();
    while every_bus_is_up(2).await {
        anyhow::ensure!(since.elapsed() < Duration::from_secs(30), "nobody noticed that Redis is gone");
    }
    while !every_bus_is_up(2).await {
        anyhow::ensure!(since.elapsed() < Duration::from_secs(60), "the bus did not come back");
        pass(0.02).await;
    }
    let back = since.elapsed().as_millis() as u64;
    let blows = [blow(since)];
    pass(5.0).await;
    let mut verdict = stage.judge(&blows).await?;
    // Chat never stopped; back is when all was as before.
    verdict.chat_back_p95_ms = Some(back);
    Ok(verdict)
}

/// What `/readyz` says of it.
async fn every_bus_is_up(nodes: usize) -> bool {
    for node in 1..=nodes {
        let asked = reqwest::get(format!("http://{}:{PORT}/readyz", network::address(node))).await;
        let Ok(answer) = asked else { return false };
        if answer.text().await.is_ok_and(|text| text != "ok") {
            return false;
        }
    }
    true
}

pub async fn postgres(program: PathBuf) -> anyhow::Result<Verdict> {
    let mut stage = Stage::silent(&program, Plan::of(2), &[lively(Some(2))]).await?;
    stage.bed.postgres.kill();
    pass(10.0).await;
    stage.bed.postgres.revive().await;
    let since = Instant::now();
    pass(15.0).await;
    stage.judge(&[blow(since)]).await
}

pub async fn academy(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan { academy: true, ..Plan::of(2) };
    let elsewhere = Roll { class: 2, ..lively(Some(2)) };
    let mut stage = Stage::silent(&program, plan, &[lively(Some(2)), elsewhere]).await?;
    pass(5.0).await;
    let mut academy = stage.bed.academy.take().context("an academy's PostgreSQL")?;
    let killed = Instant::now();
    academy.kill();
    pass(20.0).await;
    let hurt = blow(killed);
    academy.revive().await;
    let since = Instant::now();
    stage.bed.academy = Some(academy);
    pass(15.0).await;
    stage.judge_apart(hurt, blow(since)).await
}

pub async fn lost_tail(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan { standby: true, ..Plan::of(2) };
    let mut stage = Stage::silent(&program, plan, &[lively(Some(2))]).await?;
    let mut standby = stage.bed.standby.take().ok_or(anyhow::anyhow!("a standby"))?;
    standby.deafen().await;
    // Some thirty lines that it will not have.
    pass(3.0).await;
    let port = stage.bed.postgres.port();
    stage.bed.postgres.kill();
    let since = Instant::now();
    standby.promote_to(port).await;
    stage.bed.postgres = standby;
    pass(15.0).await;
    stage.judge(&[blow(since)]).await
}
