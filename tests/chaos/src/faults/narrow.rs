//! A link between two nodes that bears less than what is wanted over it.

use std::{path::PathBuf, time::Duration, time::Instant};

use super::{Roll, Stage, blow, lively, pass};
use crate::{
    bed::{Bed, Plan},
    network,
    show::{Show, Shown},
    verdict::Verdict,
};

/// Voice and screen take half of it, the camera would take all.
const KBPS: u32 = 2_000;
const SCREEN_PACKETS: u32 = 10;
const CAMERA_PACKETS: u32 = 20;
/// The link is found full, and its queue has drained.
const FOUND: Duration = Duration::from_secs(3);

pub async fn link(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan::of(2);
    let bed = Bed::make(&program, &plan).await?;
    let listener = format!("student{}", plan.students_per_class);
    let show = Show::begin(("teacher1", 0), (&listener, 1), [SCREEN_PACKETS, CAMERA_PACKETS]).await?;
    let stage = Stage::fill(bed, None, &[Roll { teacher: false, ..lively(Some(2)) }]).await?;
    pass(6.0).await;
    let narrowed = Instant::now();
    narrow(&stage, Some(KBPS))?;
    pass(20.0).await;
    let blows = [blow(narrowed)];
    narrow(&stage, None)?;
    let widened = Instant::now();
    pass(20.0).await;
    let shown = show.end();
    Ok(told(stage.judge(&blows).await?, &shown, narrowed, widened))
}

fn narrow(stage: &Stage, kbps: Option<u32>) -> anyhow::Result<()> {
    stage.bed.nodes[0].narrow_to(network::address(2), kbps)?;
    stage.bed.nodes[1].narrow_to(network::address(1), kbps)
}

fn told(verdict: Verdict, shown: &Shown, narrowed: Instant, widened: Instant) -> Verdict {
    let found = narrowed + FOUND;
    let ms = |time: Duration| time.as_millis() as u64;
    // What did not come back counts as long as it was waited for.
    let healed = shown.whole_from(widened).unwrap_or_else(Instant::now) - widened;
    verdict
        .note("voice_share", shown.voice.share(narrowed, widened))
        .note("voice_silence_ms", ms(shown.voice.silence(narrowed, widened)))
        .note("voice_silence_later_ms", ms(shown.voice.silence(found, widened)))
        .note("screen_share", shown.screen.share(found, widened))
        .note("camera_share", shown.camera.share(found, widened))
        .note("longest_wait_ms", ms(shown.screen.wait(found, widened).max(shown.camera.wait(found, widened))))
        .note("longest_wait_at_first_ms", ms(shown.screen.wait(narrowed, found)))
        .note("healed_after_ms", ms(healed))
}
