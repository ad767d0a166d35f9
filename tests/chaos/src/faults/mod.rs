//! The table of faults. Each is one function; what they share is [`Stage`].

mod crowd;
mod links;
mod narrow;
mod nodes;
mod resources;
mod rights;
mod stores;
mod upgrades;

use std::{
    future::Future,
    path::{Path, PathBuf},
    pin::Pin,
    time::{Duration, Instant},
};

use qism::probe::{Entrance, Peer};

use crate::{
    bed::{Bed, Plan},
    class::{Class, Roll},
    presence::right_after,
    verdict::{Blow, Promise, Verdict, percentile},
    voice::{Voice, sign_in},
};

/// What nodes run.
#[derive(Clone, Debug)]
pub struct Programs {
    pub present: PathBuf,
    /// Of the revision before, where it was built.
    pub previous: Option<PathBuf>,
}

type Running = Pin<Box<dyn Future<Output = anyhow::Result<Verdict>>>>;

/// One way to break a cluster.
pub struct Fault {
    pub name: &'static str,
    pub what: &'static str,
    pub promise: Promise,
    run: fn(&Programs) -> Running,
}

/// Everything is kept; the rest is told by name.
const KEPT: Promise = Promise {
    loses_the_tail: false,
    chat_back_ms: None,
    media_back_ms: None,
    media_gap_ms: None,
    delivery_p99_ms: None,
    nobody_reconnects: false,
    at_most: &[],
    at_least: &[],
};

/// The people of a dead node meet on one, and everybody is shown as they are.
const ON_ONE: &[(&str, f64)] = &[("nodes_after", 1.0), ("presence_right_p95_ms", 4_000.0)];

/// A right that was taken back ends within a second; while Redis is away within three.
const SILENCED: Promise = Promise { at_most: &[("voice_stopped_ms", 1_000.0)], ..KEPT };
const SILENCED_LATER: Promise = Promise { at_most: &[("voice_stopped_ms", 3_000.0)], ..KEPT };

macro_rules! fault {
    ($function:path, $name:literal, $what:literal, $promise:expr) => {
        Fault {
            name: $name,
            what: $what,
            promise: $promise,
            run: |programs| Box::pin($function(programs.present.clone())),
        }
    };
}

pub const FAULTS: &[Fault] = &[
    fault!(
        nodes::kill,
        "kill",
        "kill -9 of nodes under 500 lines a second, again and again",
        Promise { chat_back_ms: Some(1_000), media_back_ms: Some(2_000), at_most: ON_ONE, ..KEPT }
    ),
    fault!(
        nodes::kill_all,
        "kill-all",
        "all of a lesson's people are on the node that is killed",
        Promise { chat_back_ms: Some(1_000), media_back_ms: Some(2_000), at_most: ON_ONE, ..KEPT }
    ),
    fault!(
        nodes::restart,
        "restart",
        "a node is killed and starts again at once",
        Promise {
            chat_back_ms: Some(1_000),
            media_back_ms: Some(2_000),
            at_most: &[("ready_again_ms", 5_000.0)],
            ..KEPT
        }
    ),
    fault!(
        nodes::vanish,
        "vanish",
        "a node is swallowed by its network: no packet comes or goes, nobody is told",
        Promise { chat_back_ms: Some(4_000), media_back_ms: Some(5_000), at_most: ON_ONE, ..KEPT }
    ),
    fault!(
        nodes::pause,
        "pause",
        "a node stands still for 20 s in the middle of an append, then goes on",
        Promise { chat_back_ms: Some(4_000), media_back_ms: Some(5_000), ..KEPT }
    ),
    fault!(
        nodes::clock,
        "clock",
        "a node's clock is an hour ahead",
        Promise { delivery_p99_ms: Some(600), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        stores::redis,
        "redis",
        "Redis is killed and away for 60 s",
        Promise { delivery_p99_ms: Some(600), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        stores::sentinel,
        "sentinel",
        "Redis is killed; Sentinels make its replica the primary",
        Promise { chat_back_ms: Some(5_000), delivery_p99_ms: Some(600), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        stores::postgres,
        "postgres",
        "PostgreSQL is killed and back after 10 s",
        Promise { chat_back_ms: Some(5_000), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        stores::academy,
        "academy",
        "of two academies' PostgreSQL one is killed and back after 20 s; both write",
        Promise { chat_back_ms: Some(5_000), delivery_p99_ms: Some(100), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        stores::lost_tail,
        "lost-tail",
        "PostgreSQL is killed; an asynchronous standby without the last lines takes its place",
        Promise {
            loses_the_tail: true,
            chat_back_ms: Some(8_000),
            at_least: &[("resets", lively_people() as f64)],
            ..KEPT
        }
    ),
    fault!(rights::mute, "mute", "a teacher mutes a student while PostgreSQL is down", SILENCED),
    fault!(rights::mute_all, "mute-all", "a teacher mutes all while PostgreSQL is down", SILENCED),
    fault!(
        rights::remove,
        "remove",
        "a teacher removes a student who speaks while PostgreSQL is down",
        SILENCED
    ),
    fault!(
        rights::remove_across,
        "remove-across",
        "a teacher removes a student who speaks to others on another node",
        SILENCED
    ),
    fault!(
        rights::remove_without_redis,
        "remove-across-redis",
        "the same while Redis is away",
        SILENCED_LATER
    ),
    fault!(
        rights::disable,
        "disable",
        "an operator disables the account of a student who speaks on another node",
        SILENCED
    ),
    fault!(
        links::postgres,
        "link-postgres",
        "nothing passes between a node and PostgreSQL for 10 s",
        Promise { chat_back_ms: Some(15_000), ..KEPT }
    ),
    fault!(
        links::redis,
        "link-redis",
        "nothing passes between a node and Redis for 10 s",
        Promise { delivery_p99_ms: Some(600), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        links::both,
        "link-stores",
        "nothing passes between a node and PostgreSQL and Redis for 10 s: it is deaf",
        Promise { chat_back_ms: Some(6_000), media_back_ms: Some(6_000), ..KEPT }
    ),
    fault!(
        links::front,
        "link-front",
        "nothing passes between a node and the proxy and its people for 10 s",
        Promise { chat_back_ms: Some(4_000), ..KEPT }
    ),
    fault!(
        links::nodes,
        "link-nodes",
        "nothing passes between two nodes for 10 s",
        Promise { delivery_p99_ms: Some(600), nobody_reconnects: true, ..KEPT }
    ),
    fault!(
        narrow::link,
        "narrow",
        "the link between two nodes bears 2 Mbit/s behind a queue of 300 ms, for 20 s; voice, screen and camera want more",
        Promise {
            delivery_p99_ms: Some(600),
            nobody_reconnects: true,
            at_most: &[
                ("voice_silence_ms", 400.0),
                ("voice_silence_later_ms", 150.0),
                ("longest_wait_ms", 270.0),
                ("healed_after_ms", 2_000.0),
            ],
            at_least: &[("voice_share", 0.99), ("screen_share", 0.9)],
            ..KEPT
        }
    ),
    fault!(
        resources::disk,
        "disk",
        "PostgreSQL's disk is full for 10 s",
        Promise { chat_back_ms: Some(10_000), ..KEPT }
    ),
    fault!(
        resources::files,
        "files",
        "a node has no file descriptors left for 10 s",
        Promise { chat_back_ms: Some(5_000), ..KEPT }
    ),
    fault!(
        crowd::stuck,
        "stuck",
        "50 of a room of 1,000 read nothing",
        Promise {
            delivery_p99_ms: Some(1_000),
            at_least: &[("stuck_readers_closed", crowd::STUCK as f64)],
            ..KEPT
        }
    ),
    fault!(
        upgrades::upgrade,
        "upgrade",
        "three nodes are told to end and started again, one after the other",
        Promise { media_gap_ms: Some(500), nobody_reconnects: true, ..KEPT }
    ),
    Fault {
        name: "versions",
        what: "nodes of the revision before give way to this one's, one after the other",
        promise: Promise { media_gap_ms: Some(500), nobody_reconnects: true, ..KEPT },
        run: |programs| Box::pin(upgrades::versions(programs.clone())),
    },
];

/// Runs one.
pub async fn run(fault: &Fault, programs: &Programs) -> anyhow::Result<Verdict> {
    (fault.run)(programs).await
}

/// A cluster with a lesson under way.
struct Stage {
    bed: Bed,
    classes: Vec<Class>,
    voice: Option<Voice>,
    /// Somebody of the first class who does not come back from the node that dies.
    companion: Option<Peer>,
    began: Instant,
}

impl Stage {
    /// The first class, taught by a voice; its students and the other classes write.
    async fn with_voice(program: &Path, plan: Plan, rolls: &[Roll]) -> anyhow::Result<Self> {
        let bed = Bed::make(program, &plan).await?;
        let listener = format!("student{}", plan.students_per_class);
        let voice = Some(Voice::begin("teacher1", &listener).await?);
        Self::fill(bed, voice, rolls).await
    }

    async fn silent(program: &Path, plan: Plan, rolls: &[Roll]) -> anyhow::Result<Self> {
        let bed = Bed::make(program, &plan).await?;
        Self::fill(bed, None, rolls).await
    }

    async fn fill(bed: Bed, voice: Option<Voice>, rolls: &[Roll]) -> anyhow::Result<Self> {
        let mut classes = Vec::new();
        for roll in rolls {
            classes.push(Class::enter(*roll).await?);
        }
        // Everybody has come and a good deal has been said.
        pass(4.0).await;
        Ok(Self { bed, classes, voice, companion: None, began: Instant::now() })
    }

    /// The companion comes in, anew after each blow: the last one of the class but the voice's listener.
    async fn accompany(&mut self) -> anyhow::Result<()> {
        let login = format!("student{}", self.bed.around.students_per_class - 1);
        let entrance = Entrance::first(self.classes[0].lesson);
        self.companion = Some(Peer::enter(&sign_in(&login).await?, entrance).await?);
        // Everybody has been told.
        pass(0.5).await;
        Ok(())
    }

    /// The node on which the first class is, counted from 0.
    async fn host(&self) -> anyhow::Result<usize> {
        self.bed.host(self.classes[0].lesson).await
    }

    /// On how many nodes the lesson is that is on most.
    async fn most_nodes(&self) -> anyhow::Result<u64> {
        let mut most = 0;
        for class in &self.classes {
            most = most.max(self.bed.nodes_of(class.lesson).await?);
        }
        Ok(most)
    }

    /// Ends it, and judges what was promised to the first class, which was hurt until `back`, and to the others, which were not to notice.
    async fn judge_apart(self, hurt: Blow, back: Blow) -> anyhow::Result<Verdict> {
        let before = Blow { since: self.began, until: hurt.since };
        let mut verdict = Verdict::default();
        let mut delivered_before = None;
        for (index, class) in self.classes.into_iter().enumerate() {
            let lesson = class.lesson;
            let seen = class.end().await;
            let log = self.bed.log(lesson).await?;
            verdict.add(&Verdict::of(&log, &seen));
            if index == 0 {
                verdict = verdict.chat_back(&seen, &[back]);
                continue;
            }
            let delivered = |during| Verdict::default().delivery(&log, &seen, during).delivery_p99_ms;
            verdict.delivery_p99_ms = verdict.delivery_p99_ms.max(delivered(hurt));
            delivered_before = delivered_before.max(delivered(before));
        }
        Ok(verdict.note("delivery_before_p99_ms", delivered_before))
    }

    /// Ends it, and judges what was promised to whom.
    async fn judge(self, blows: &[Blow]) -> anyhow::Result<Verdict> {
        let voice = match self.voice {
            Some(voice) => Some(voice.end().await?),
            None => None,
        };
        let (mut verdict, mut everybody) = (Verdict::default(), Vec::new());
        let during = Blow { since: self.began, until: Instant::now() };
        let during = blows.first().copied().unwrap_or(during);
        let mut gone = self.companion.map(|companion| companion.welcome.user);
        for class in self.classes {
            let lesson = class.lesson;
            let seen = class.end().await;
            let log = self.bed.log(lesson).await?;
            verdict.add(&Verdict::of(&log, &seen));
            // Of the first class.
            if let Some(gone) = gone.take() {
                let after = blows.iter().map(|blow| right_after(&log, &seen, gone, *blow));
                let (times, words): (Vec<_>, Vec<_>) = after.unzip();
                verdict = verdict
                    .note("presence_right_p95_ms", percentile(times.concat(), 0.95))
                    .note("presence_waited_for", words);
            }
            let figure = Verdict::default().delivery(&log, &seen, during).delivery_p99_ms;
            verdict.delivery_p99_ms = verdict.delivery_p99_ms.max(figure);
            everybody.extend(seen);
        }
        let verdict = verdict.chat_back(&everybody, blows).slowest(&everybody, blows);
        Ok(match voice {
            Some((arrivals, steps)) => {
                verdict.media_back(&arrivals, blows).slowest_voice(&arrivals, &steps, blows)
            }
            None => verdict,
        })
    }
}

const LIVELY: usize = 20;

/// With their teacher.
const fn lively_people() -> usize {
    LIVELY + 1
}

/// Half a class that writes ten lines a second together, on so many nodes.
fn lively(spread: Option<usize>) -> Roll {
    let every = Some(Duration::from_secs(2));
    Roll { class: 1, students_per_class: 40, students: LIVELY, teacher: spread.is_some(), every, spread }
}

async fn pass(seconds: f64) {
    tokio::time::sleep(Duration::from_secs_f64(seconds)).await;
}

/// From the past moment until now.
fn blow(since: Instant) -> Blow {
    Blow { since, until: Instant::now() }
}
