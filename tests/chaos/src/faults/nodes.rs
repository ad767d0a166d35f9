//! What happens to a node: killed, swallowed, stopped, wrong about the time.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Stage, blow, lively, pass};
use crate::{bed::Plan, class::Roll, node::Circumstances, verdict::Verdict};

/// Where the people of dead nodes met: the worst of what was seen.
#[derive(Default)]
struct After {
    nodes: u64,
    relayed: u64,
}

impl After {
    async fn see(&mut self, stage: &Stage) -> anyhow::Result<()> {
        self.nodes = self.nodes.max(stage.most_nodes().await?);
        self.relayed = self.relayed.max(stage.bed.relayed().await?);
        Ok(())
    }

    fn tell(&self, verdict: Verdict) -> Verdict {
        verdict.note("nodes_after", self.nodes).note("relayed_bps_after", self.relayed)
    }
}

/// Three classes of 42 write 504 lines a second; nodes are killed four times and come back.
pub async fn kill(program: PathBuf) -> anyhow::Result<Verdict> {
    let every = Some(Duration::from_millis(250));
    let roll =
        |class| Roll { class, students_per_class: 44, students: 42, teacher: class > 1, every, spread: None };
    let plan = Plan { students_per_class: 44, ..Plan::of(3) };
    let stage = Stage::with_voice(&program, plan, &[roll(1), roll(2), roll(3)]).await?;
    killed(stage, 4).await
}

/// A lesson of twenty and its voice, where their tickets lead: on one node.
pub async fn kill_all(program: PathBuf) -> anyhow::Result<Verdict> {
    killed(Stage::with_voice(&program, Plan::of(2), &[lively(None)]).await?, 5).await
}

/// So many times the node of the first class dies, and comes back when people are on another one.
async fn killed(mut stage: Stage, times: usize) -> anyhow::Result<Verdict> {
    let (mut blows, mut after) = (Vec::new(), After::default());
    for _ in 0..times {
        stage.accompany().await?;
        let doomed = stage.host().await?;
        let since = Instant::now();
        stage.bed.nodes[doomed].kill();
        pass(6.0).await;
        blows.push(blow(since));
        after.see(&stage).await?;
        stage.bed.restart(doomed)?;
        stage.bed.nodes[doomed].is_ready().await?;
        // The proxy and the board see it again.
        pass(4.0).await;
    }
    Ok(after.tell(stage.judge(&blows).await?))
}

/// Two incarnations of one name within a second.
pub async fn restart(program: PathBuf) -> anyhow::Result<Verdict> {
    let mut stage = Stage::with_voice(&program, Plan::of(2), &[lively(None)]).await?;
    let (mut blows, mut slowest) = (Vec::new(), Duration::ZERO);
    for _ in 0..5 {
        let host = stage.host().await?;
        let since = Instant::now();
        stage.bed.restart(host)?;
        stage.bed.nodes[host].is_ready().await?;
        slowest = slowest.max(since.elapsed());
        pass(6.0).await;
        blows.push(blow(since));
    }
    Ok(stage.judge(&blows).await?.note("ready_again_ms", slowest.as_millis() as u64))
}

pub async fn vanish(program: PathBuf) -> anyhow::Result<Verdict> {
    let mut stage = Stage::with_voice(&program, Plan::of(2), &[lively(None)]).await?;
    stage.accompany().await?;
    let host = stage.host().await?;
    let since = Instant::now();
    stage.bed.nodes[host].part_from(None)?;
    pass(15.0).await;
    let blows = [blow(since)];
    let mut after = After::default();
    after.see(&stage).await?;
    stage.bed.nodes[host].heal()?;
    pass(6.0).await;
    Ok(after.tell(stage.judge(&blows).await?))
}

/// A hundred lines a second: some append is always in flight.
pub async fn pause(program: PathBuf) -> anyhow::Result<Verdict> {
    let busy = Roll { students: 25, every: Some(Duration::from_millis(250)), ..lively(None) };
    let stage = Stage::with_voice(&program, Plan::of(2), &[busy]).await?;
    let host = stage.host().await?;
    let since = Instant::now();
    stage.bed.nodes[host].pause()?;
    pass(20.0).await;
    let blows = [blow(since)];
    stage.bed.nodes[host].go_on()?;
    pass(6.0).await;
    stage.judge(&blows).await
}

pub async fn clock(program: PathBuf) -> anyhow::Result<Verdict> {
    let wrong = Circumstances { hours_off: 1, ..Circumstances::default() };
    let plan = Plan { circumstances: vec![(2, wrong)], ..Plan::of(2) };
    let stage = Stage::silent(&program, plan, &[lively(Some(2))]).await?;
    let since = Instant::now();
    pass(10.0).await;
    let blows = [blow(since)];
    let log = stage.bed.log(stage.classes[0].lesson).await?;
    let now =
        std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).context("a clock")?.as_millis();
    let off = log.iter().map(|logged| {
        now.saturating_sub(u128::from(logged.at)).max(u128::from(logged.at).saturating_sub(now))
    });
    let worst = u64::try_from(off.max().unwrap_or(0))?;
    anyhow::ensure!(worst < 300_000, "an event is {worst} ms off");
    Ok(stage.judge(&blows).await?.note("worst_time_off_ms", worst))
}
