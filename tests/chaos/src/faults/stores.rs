//! What happens to PostgreSQL and Redis.

use std::{
    path::PathBuf,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use qism::probe::{Entrance, Peer};
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, Event, RemovalReason, ServerFrame, Source, UserId,
};
use uuid::Uuid;

use super::{Stage, blow, lively, pass};
use crate::{
    bed::{Bed, Plan},
    class::Roll,
    network,
    node::PORT,
    verdict::Verdict,
    voice,
};

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

pub async fn mute(program: PathBuf) -> anyhow::Result<Verdict> {
    silenced(program, |user| Command::Mute { user }).await
}

pub async fn mute_all(program: PathBuf) -> anyhow::Result<Verdict> {
    silenced(program, |_| Command::MuteAll {}).await
}

pub async fn remove(program: PathBuf) -> anyhow::Result<Verdict> {
    let reason = RemovalReason::Disturbing;
    silenced(program, |user| Command::Remove { user, reason, note: String::new(), keep_out: false }).await
}

/// A student has the floor and speaks; the teacher ends that while nothing can be written. How long is it heard, and is it heard
/// again before PostgreSQL is back?
async fn silenced(program: PathBuf, command: impl Fn(UserId) -> Command) -> anyhow::Result<Verdict> {
    let mut bed = Bed::make(&program, &Plan::of(2)).await?;
    let people = [
        voice::sign_in("teacher1").await?,
        voice::sign_in("student1").await?,
        voice::sign_in("student2").await?,
    ];
    let lesson = people[0].current_lesson().await?;
    let teacher = Peer::enter(&people[0], Entrance::first(lesson)).await?;
    let mut speaker = Peer::enter(&people[1], Entrance::first(lesson)).await?;
    let mut listener = Peer::enter(&people[2], Entrance::first(lesson)).await?;
    let user = speaker.welcome.user;
    teacher.command(Command::GiveFloor { user }).await?;
    speaker.event("the floor", |event| matches!(event, Event::FloorGiven { .. })).await?;
    speaker.publish(Source::Microphone).await?;
    let heard = listener.listen(0).await?;
    let packets = || heard.all().iter().map(|(_, slot)| slot.packets).sum::<u64>();
    let began = Instant::now();
    while packets() < 50 {
        anyhow::ensure!(began.elapsed() < Duration::from_secs(15), "the student is not heard");
        pass(0.05).await;
    }
    bed.postgres.kill();
    pass(0.8).await;
    let count = packets();
    pass(0.2).await;
    anyhow::ensure!(packets() > count, "the voice stopped with PostgreSQL, before the mute");
    let since = Instant::now();
    let id = CommandId(Uuid::now_v7());
    let (mut count, mut latest, mut sent) = (packets(), since, None::<Instant>);
    let mut answers = 0;
    while since.elapsed() < Duration::from_secs(20) {
        // As the app does: again when told.
        if sent.is_none_or(|sent| sent.elapsed() > Duration::from_secs(1) && refusals(&teacher, id) > answers)
        {
            answers = refusals(&teacher, id);
            teacher.send(ClientFrame::Command { id, command: command(user) }).await?;
            sent = Some(Instant::now());
        }
        pass(0.01).await;
        let now = packets();
        if now > count {
            (count, latest) = (now, Instant::now());
        }
    }
    bed.postgres.revive().await;
    let back = Instant::now();
    while teacher
        .heard(|frame| matches!(frame, ServerFrame::Accepted { id: told, .. } if *told == id).then_some(()))
        .is_empty()
    {
        anyhow::ensure!(
            back.elapsed() < Duration::from_secs(20),
            "the mute is not written when PostgreSQL is back"
        );
        if refusals(&teacher, id) > answers {
            answers = refusals(&teacher, id);
            pass(1.0).await;
            teacher.send(ClientFrame::Command { id, command: command(user) }).await?;
        }
        pass(0.05).await;
    }
    pass(2.0).await;
    anyhow::ensure!(packets() == count, "the voice came back");
    let stopped = (latest - since).as_millis() as u64;
    anyhow::ensure!(stopped < 1_000, "the voice was heard for {stopped} ms after the mute, or again");
    Ok(Verdict::default().note("voice_stopped_ms", stopped).note("refused_as_later", answers))
}

fn refusals(peer: &Peer, id: CommandId) -> usize {
    let refused = |frame: &ServerFrame| match frame {
        ServerFrame::Refused { id: told, error: ErrorCode::Unavailable, .. } if *told == id => Some(()),
        _ => None,
    };
    peer.heard(refused).len()
}
