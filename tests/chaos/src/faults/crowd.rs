//! A thousand in one room, some of whom read nothing.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{Stage, blow, pass};
use crate::{bed::Plan, browser::Browser, class::Roll, verdict::Verdict};

const ROOM: usize = 1_000;
pub const STUCK: usize = 50;
/// Each has told the system to keep a few kilobytes for it and reads none of them.
const WRITERS: usize = 20;

pub async fn stuck(program: PathBuf) -> anyhow::Result<Verdict> {
    let plan = Plan { students_per_class: ROOM, ..Plan::of(2) };
    let listening = ROOM - STUCK - WRITERS;
    let roll = |students, every| Roll {
        class: 1,
        students_per_class: ROOM,
        students,
        teacher: false,
        every,
        spread: None,
    };
    let writers = Roll { teacher: true, ..roll(WRITERS, Some(Duration::from_secs(1))) };
    let mut stage = Stage::silent(&program, plan, &[writers]).await?;
    let mut stuck = Vec::new();
    for n in 0..STUCK {
        let browser = Browser::sign_in(&format!("student{}", WRITERS + n + 1)).await?;
        stuck.push(browser.enter_and_read_nothing().await?);
    }
    let crowd = crate::class::Class::enter_from(roll(listening, None), WRITERS + STUCK).await?;
    stage.classes.push(crowd);
    let since = Instant::now();
    pass(30.0).await;
    let blows = [blow(since)];
    let mut verdict = stage.judge(&blows).await?;
    let mut closed = 0;
    for socket in stuck {
        closed += u64::from(Browser::was_closed(socket).await);
    }
    // Nobody was cut, so there is nothing to come back to.
    verdict.chat_back_p95_ms = None;
    Ok(verdict.note("stuck_readers_closed", closed))
}
