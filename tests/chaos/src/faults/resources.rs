//! Something runs out: the disk, file descriptors.

use std::{path::PathBuf, time::Instant};

use tokio::net::TcpStream;

use super::{Stage, blow, lively, pass};
use crate::{
    bed::Plan,
    browser::Browser,
    network,
    node::{Circumstances, PORT},
    verdict::Verdict,
};

/// Enough for a school, not for much more.
const DISK_MIB: u32 = 128;
/// What a node has once it runs, and some.
const FILES: u32 = 160;

pub async fn disk(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan { disk_mib: Some(DISK_MIB), ..Plan::of(2) };
    let stage = Stage::silent(&program, plan, &[lively(Some(2))]).await?;
    stage.bed.postgres.fill_disk();
    pass(10.0).await;
    stage.bed.postgres.make_room();
    let since = Instant::now();
    pass(15.0).await;
    stage.judge(&[blow(since)]).await
}

/// Strangers hold every connection that the second node can open. It does not answer the proxy's checks any more either, so its
/// people are sent to the other node, which also serves who comes meanwhile; afterwards both do.
pub async fn files(program: PathBuf) -> anyhow::Result<Verdict> {
    let few = Circumstances { files: Some(FILES), ..Circumstances::default() };
    let plan = Plan { circumstances: vec![(2, few)], ..Plan::of(2) };
    let stage = Stage::silent(&program, plan, &[lively(Some(2))]).await?;
    let since = Instant::now();
    let mut strangers = Vec::new();
    for _ in 0..2 * FILES {
        strangers.push(TcpStream::connect((network::address(2), PORT)).await?);
    }
    pass(10.0).await;
    let newcomer = Browser::sign_in("student39").await.is_ok();
    drop(strangers);
    pass(4.0).await;
    let url = format!("http://{}:{PORT}/healthz", network::address(2));
    let is_back = reqwest::get(url).await.is_ok_and(|answer| answer.status().is_success());
    anyhow::ensure!(newcomer, "nobody could sign in meanwhile");
    anyhow::ensure!(is_back, "the node takes nobody any more");
    stage.judge(&[blow(since)]).await
}
