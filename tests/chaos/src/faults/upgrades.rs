//! Nodes end in order and begin again, of this revision or of the next, while lessons go on.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;

use super::{Programs, Stage, blow, lively, pass};
use crate::{
    bed::Plan,
    class::{Class, Roll},
    verdict::{Blow, Verdict},
    voice::Voice,
};

/// From the word to the end of the process.
const ENDS: Duration = Duration::from_secs(30);
const STUDENTS: usize = 40;

fn class(number: usize, spread: Option<usize>) -> Roll {
    Roll { class: number, ..lively(spread) }
}

pub async fn upgrade(program: PathBuf) -> anyhow::Result<Verdict> {
    let rolls = [class(1, None), class(2, Some(3))];
    let mut stage = Stage::with_voice(&program, Plan::of(3), &rolls).await?;
    let mut renewal = Renewal::default();
    for node in 0..3 {
        renewal.renew(&mut stage, node).await?;
    }
    renewal.judge(stage).await
}

/// While both revisions serve, a class that is on all nodes enters, and a voice crosses from each of the two to the other.
pub async fn versions(programs: Programs) -> anyhow::Result<Verdict> {
    let previous =
        programs.previous.context("the program of the revision before is not there: make previous")?;
    let mut stage = Stage::with_voice(&previous, Plan::of(3), &[class(1, None)]).await?;
    stage.bed.around.program = programs.present;
    let mut renewal = Renewal::default();
    renewal.renew(&mut stage, 2).await?;
    stage.classes.push(Class::enter(class(2, Some(3))).await?);
    let crossing = crosses((2, 0)).await?.max(crosses((0, 2)).await?);
    renewal.renew(&mut stage, 1).await?;
    renewal.renew(&mut stage, 0).await?;
    Ok(renewal.judge(stage).await?.note("voice_crosses_in_ms", crossing.as_millis() as u64))
}

/// Time until a voice that comes in on one node is heard on another.
async fn crosses((from, to): (usize, usize)) -> anyhow::Result<Duration> {
    let listener = format!("student{}", 3 * STUDENTS);
    let begun = Instant::now();
    let voice = Voice::across(("teacher3", from), (&listener, to)).await;
    let voice = voice.with_context(|| format!("from node {} to node {}", from + 1, to + 1))?;
    let took = begun.elapsed();
    pass(2.0).await;
    let heard = voice.end().await?.0.len();
    // Packets come every 20 ms.
    anyhow::ensure!(heard > 50, "{heard} packets crossed in two seconds");
    Ok(took)
}

/// What it took so far.
#[derive(Default)]
struct Renewal {
    blows: Vec<Blow>,
    slowest: Duration,
}

impl Renewal {
    /// One ends and begins again.
    async fn renew(&mut self, stage: &mut Stage, node: usize) -> anyhow::Result<()> {
        let since = Instant::now();
        let took = stage.bed.nodes[node].end_in_order().await?;
        anyhow::ensure!(took <= ENDS, "node {} ended after {took:?}", node + 1);
        self.slowest = self.slowest.max(took);
        self.blows.push(blow(since));
        stage.bed.nodes[node].start(&stage.bed.around)?;
        stage.bed.nodes[node].is_ready().await?;
        // The proxy and the others see it.
        pass(3.0).await;
        Ok(())
    }

    async fn judge(self, stage: Stage) -> anyhow::Result<Verdict> {
        let mut verdict =
            stage.judge(&self.blows).await?.note("ended_after_ms", self.slowest.as_millis() as u64);
        anyhow::ensure!(verdict.moves > 0, "nobody was on a node that ended");
        // Nothing was cut that could come back.
        (verdict.chat_back_p95_ms, verdict.media_back_p95_ms) = (None, None);
        Ok(verdict)
    }
}
