//! Packets are dropped between two for ten seconds; nobody is told.

use std::{net::Ipv4Addr, path::PathBuf, time::Instant};

use super::{Stage, blow, lively, pass};
use crate::{
    bed::Plan,
    network::{self, POSTGRES, REDIS},
    verdict::Verdict,
};

pub async fn postgres(program: PathBuf) -> anyhow::Result<Verdict> {
    parted(program, &[POSTGRES]).await
}

pub async fn redis(program: PathBuf) -> anyhow::Result<Verdict> {
    parted(program, &[REDIS]).await
}

pub async fn front(program: PathBuf) -> anyhow::Result<Verdict> {
    parted(program, &[network::gateway(1)]).await
}

pub async fn nodes(program: PathBuf) -> anyhow::Result<Verdict> {
    parted(program, &[network::address(2)]).await
}

/// The first node from these; people are on both.
async fn parted(program: PathBuf, others: &[Ipv4Addr]) -> anyhow::Result<Verdict> {
    let stage = Stage::silent(&program, Plan::of(2), &[lively(Some(2))]).await?;
    let since = Instant::now();
    for other in others {
        stage.bed.nodes[0].part_from(Some(*other))?;
    }
    pass(10.0).await;
    stage.bed.nodes[0].heal()?;
    pass(12.0).await;
    stage.judge(&[blow(since)]).await
}

/// Deaf to both, where the lesson is: media stops there, and everybody goes elsewhere.
pub async fn both(program: PathBuf) -> anyhow::Result<Verdict> {
    let stage = Stage::with_voice(&program, Plan::of(2), &[lively(None)]).await?;
    let host = stage.host().await?;
    let since = Instant::now();
    for other in [POSTGRES, REDIS] {
        stage.bed.nodes[host].part_from(Some(other))?;
    }
    pass(10.0).await;
    let blows = [blow(since)];
    stage.bed.nodes[host].heal()?;
    pass(8.0).await;
    stage.judge(&blows).await
}
