//! What a packet costs that crosses to another node, and that it crosses once however many receive it there: media planes in
//! processes of their own, linked as nodes are.
//!
//! The teachers of three groups of lessons are on the first plane. One group is received by nobody, one by four students each on the same
//! plane, one by a student each on four others. What the second group costs more than the first is a packet to a subscriber; what
//! the third does, a packet to another node; what the others have to do with it, less the packet to a subscriber, one from another node.

use std::time::{Duration, Instant};

use anyhow::ensure;

use super::{
    Effort,
    audience::Audience,
    plane::{Crossed, Plane},
    publisher::{Pattern, Publisher},
};
use crate::{
    figures::{Figures, median},
    process::{Process, media_threads, seconds_between},
};

/// Of each group: 38 Mbit/s together, which is less than is assumed of a link.
const LESSONS: usize = 20;
/// Other nodes that receive the third group, and students of each lesson of the second.
const COPIES: usize = 4;
/// The lesson of which another plane gets ever more viewers, and how many.
const WATCHED: u32 = 1_000;
const VIEWERS: [usize; 3] = [1, 10, 100];
const PATTERN: Pattern = Pattern::Full;
const WARMING: Duration = Duration::from_secs(2);
/// A round that lost more says nothing about cost.
const MOST_LOST: f64 = 0.005;

pub async fn run(effort: Effort, figures: &mut Figures) -> anyhow::Result<()> {
    let lessons = (LESSONS / effort.share).max(1);
    println!(
        "relay: {lessons} lessons received by nobody, by {COPIES} here, by one on each of {COPIES} other nodes"
    );
    let mut nodes = Nodes::open(lessons).await?;
    let during = Duration::from_secs(effort.seconds);
    let mut costs = Vec::new();
    for _ in 0..effort.rounds {
        costs.extend(nodes.round(during).await?);
    }
    ensure!(!costs.is_empty(), "no round is valid");
    let of = |cost: fn(&Costs) -> f64| median(costs.iter().map(cost).collect());
    figures.put("relay.subscriber_us_per_packet", of(|costs| costs.subscriber));
    figures.put("relay.sent_us_per_packet", of(|costs| costs.sent));
    figures.put("relay.received_us_per_packet", of(|costs| costs.received));
    figures.put("relay.sent_ratio", of(|costs| costs.sent / costs.subscriber));
    figures.put("relay.received_ratio", of(|costs| costs.received / costs.subscriber));
    nodes.viewers(during, figures).await
}

/// Microseconds of CPU by packet.
#[derive(Clone, Copy, Debug)]
struct Costs {
    subscriber: f64,
    sent: f64,
    received: f64,
}

/// What one phase took: seconds of the media threads' CPU a second, here and on the others together, and packets a second.
#[derive(Clone, Copy, Debug)]
struct Phase {
    here: f64,
    there: f64,
    heard: f64,
    crossed: f64,
    is_void: bool,
}

struct Nodes {
    here: Plane,
    there: Vec<Plane>,
    nobody: Vec<Publisher>,
    near: Vec<Publisher>,
    far: Vec<Publisher>,
    watched: Publisher,
    audience: Audience,
}

impl Nodes {
    async fn open(lessons: usize) -> anyhow::Result<Self> {
        let (mut here, start) = (Plane::start()?, Instant::now());
        let mut there = (0..COPIES).map(|_| Plane::start()).collect::<anyhow::Result<Vec<_>>>()?;
        let node = here.meet(&mut there)?;
        let audience = Audience::new(2 * lessons * COPIES + VIEWERS[2], start)?;
        let mut teach = |from: usize| -> anyhow::Result<Vec<Publisher>> {
            let numbers = (from..from + lessons).map(|lesson| lesson as u32);
            tokio::task::block_in_place(|| numbers.map(|lesson| here.publish(lesson, start)).collect())
        };
        let (nobody, near, far) = (teach(2 * lessons)?, teach(0)?, teach(lessons)?);
        let watched = tokio::task::block_in_place(|| here.publish(WATCHED, start))?;
        there[0].elsewhere(WATCHED, node)?;
        for (place, copy) in (0..2 * lessons).flat_map(|lesson| (0..COPIES).map(move |copy| (lesson, copy))) {
            let student = (place as u32, 1 + copy as u32);
            let plane = if place < lessons { &mut here } else { &mut there[copy] };
            if place >= lessons {
                plane.elsewhere(place as u32, node)?;
            }
            plane.subscribe(student, &audience, place * COPIES + copy).await?;
        }
        Ok(Self { here, there, nobody, near, far, watched, audience })
    }

    /// One of each phase; `None` where packets were lost.
    async fn round(&mut self, during: Duration) -> anyhow::Result<Option<Costs>> {
        let silent = self.phase(|_| &[], during).await?;
        let nobody = self.phase(|nodes| &nodes.nobody, during).await?;
        let near = self.phase(|nodes| &nodes.near, during).await?;
        let far = self.phase(|nodes| &nodes.far, during).await?;
        let subscriber = (near.here - nobody.here) * 1e6 / near.heard;
        let sent = (far.here - nobody.here) * 1e6 / far.crossed;
        let received = (far.there - silent.there) * 1e6 / far.crossed - subscriber;
        let is_void = near.is_void || far.is_void;
        println!(
            "    a packet to a subscriber {subscriber:.2} µs, to another node {sent:.2}, from another {received:.2}; {:.0} cross a second{}",
            far.crossed,
            if is_void { ": void" } else { "" }
        );
        Ok((!is_void).then_some(Costs { subscriber, sent, received }))
    }

    async fn phase(
        &mut self,
        teachers: impl Fn(&Self) -> &[Publisher],
        during: Duration,
    ) -> anyhow::Result<Phase> {
        let sending = (teachers(self).len() * COPIES) as f64 * PATTERN.packets_per_second();
        teachers(self).iter().for_each(|publisher| publisher.send(PATTERN));
        tokio::time::sleep(WARMING).await;
        self.audience.restart();
        let here = self.here.process();
        let there: Vec<Process> = self.there.iter().map(Plane::process).collect();
        let cpu = |process: &Process| media_threads(&process.cpu());
        let (before, before_there) = (cpu(&here), there.iter().map(cpu).collect::<Vec<_>>());
        let (crossed, began) = (self.here.crossed()?, Instant::now());
        tokio::time::sleep(during).await;
        let (after, after_there) = (cpu(&here), there.iter().map(cpu).collect::<Vec<_>>());
        let (heard, elapsed) = (self.audience.heard(), began.elapsed().as_secs_f64());
        let crosses = since(&self.here.crossed()?, &crossed);
        teachers(self).iter().for_each(|publisher| publisher.send(Pattern::Nothing));
        let lost = heard.lost as f64 / (heard.lost + heard.packets).max(1) as f64;
        let is_whole = heard.packets as f64 / elapsed > sending * 0.95;
        let spent_there =
            before_there.iter().zip(&after_there).map(|(before, after)| seconds_between(before, after));
        Ok(Phase {
            here: seconds_between(&before, &after) / elapsed,
            there: spent_there.sum::<f64>() / elapsed,
            heard: heard.packets as f64 / elapsed,
            crossed: crosses.packets_out as f64 / elapsed,
            is_void: lost > MOST_LOST || crosses.left_out > 0 || !is_whole,
        })
    }

    /// What crosses while ever more people on the other node watch one lesson.
    async fn viewers(&mut self, during: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let (first, mut joined) = ((self.near.len() + self.far.len()) * COPIES, 0);
        self.watched.send(PATTERN);
        let mut rates = Vec::new();
        for viewers in VIEWERS {
            for number in joined..viewers {
                let student = (WATCHED, 1 + number as u32);
                self.there[0].subscribe(student, &self.audience, first + number).await?;
            }
            joined = viewers;
            tokio::time::sleep(WARMING).await;
            self.audience.restart();
            let (before, began) = (self.here.crossed()?, Instant::now());
            tokio::time::sleep(during).await;
            let (crossed, elapsed) = (since(&self.here.crossed()?, &before), began.elapsed().as_secs_f64());
            let heard = self.audience.heard().packets as f64 / elapsed;
            let whole = PATTERN.packets_per_second() * viewers as f64;
            println!("    {viewers} viewers: {heard:.0} packets of {whole:.0} a second");
            ensure!(heard > whole * 0.95, "not everybody receives");
            rates.push(crossed.bytes_out as f64 / elapsed);
            figures.put(format!("relay.bytes_per_s.{viewers}"), crossed.bytes_out as f64 / elapsed);
        }
        figures.put("relay.bytes_100_viewers_over_1", rates[2] / rates[0]);
        Ok(())
    }
}

fn since(now: &Crossed, before: &Crossed) -> Crossed {
    Crossed {
        packets_out: now.packets_out - before.packets_out,
        bytes_out: now.bytes_out - before.bytes_out,
        left_out: now.left_out - before.left_out,
    }
}
