//! Whole servers whose students raise and lower their hands.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use qism_backing::{Postgres, Redis};
use qism_client::{Person, Socket, converse};
use qism_signaling::protocol::{UserId, limits};
use tokio::{sync::mpsc, task::JoinSet};

use crate::{
    figures::{Figures, quantile},
    hands::{self, Waved},
    process::seconds_between,
    server::{Server, Size, Stored, teacher_of},
};

/// Many small lessons: what is told to many readers costs more than what is kept, and is another bench's matter.
const SCHOOL: Size = Size { classes: 200, students_per_class: 5 };
/// Of one student; the server takes 20 frames a second.
const WAVES_PER_S: f64 = 17.0;
/// One lesson on several nodes: so many of its students on each, and so many commands a second.
const NODES: usize = 5;
const STUDENTS_BY_NODE: usize = 8;
const COMMANDS_BY_NODE: f64 = 100.0;

pub async fn measure(
    engine: &str,
    program: &Path,
    stored: Stored<'_>,
    during: Duration,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    let server = Server::start_school(program, SCHOOL, stored)?;
    let teachers = (0..SCHOOL.classes).map(teacher_of).collect();
    let _teachers = Listening::start(enter(&server, teachers).await?);
    let students = (1..=SCHOOL.classes * SCHOOL.students_per_class).map(|n| format!("student{n}"));
    let hands = enter(&server, students.collect()).await?;
    let (cpu, offered) = (server.process().cpu(), hands.len() as f64 * WAVES_PER_S);
    let waved = hands::wave(hands, WAVES_PER_S, during).await?;
    let cores = seconds_between(&cpu, &server.process().cpu()) / waved.seconds;
    figures.put(format!("log.{engine}.served_offered_per_s"), offered);
    figures.put(format!("log.{engine}.served_appends_per_s"), waved.per_s());
    figures.put(format!("log.{engine}.served_cores"), cores);
    Ok(())
}

/// Everybody in the lesson of their class.
async fn enter(server: &Server, logins: Vec<String>) -> anyhow::Result<Vec<(Socket, UserId)>> {
    let mut inside = Vec::new();
    for person in Person::sign_in_all(&server.url, logins).await? {
        let (socket, welcome) = person.enter(person.lesson().await?).await?;
        inside.push((socket, welcome.user));
    }
    Ok(inside)
}

/// Teachers, without whom no lesson is open; they read what they are told until dropped.
struct Listening(JoinSet<()>);

impl Listening {
    fn start(people: Vec<(Socket, UserId)>) -> Self {
        let mut reading = JoinSet::new();
        for (socket, _) in people {
            reading.spawn(async move {
                // Nothing is written but pings.
                let (_writer, outgoing) = mpsc::channel(1);
                converse(socket, outgoing, tokio::time::interval(limits::PING_INTERVAL), |_| {}).await;
            });
        }
        Self(reading)
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        self.0.abort_all();
    }
}

/// Five processes write into the same lesson at the same time.
pub async fn one_lesson_on_five_nodes(
    program: &Path,
    postgres: &Postgres,
    redis: &Redis,
    during: Duration,
    figures: &mut Figures,
) -> anyhow::Result<()> {
    println!("log: one lesson on {NODES} nodes, {COMMANDS_BY_NODE} commands a second on each");
    // The demonstration needs several classes; the others stay away.
    let size = Size { classes: 4, students_per_class: NODES * STUDENTS_BY_NODE };
    let (mut nodes, mut hands, mut listening) = (Vec::new(), Vec::new(), Vec::new());
    for number in 0..NODES {
        let stored = Stored::Shared { postgres, redis, node: &format!("node{number}") };
        // The first one makes the school.
        let node = Server::start_school(program, size, stored)?;
        if number == 0 {
            listening.push(Listening::start(enter(&node, vec![teacher_of(0)]).await?));
        }
        let students = (1..=STUDENTS_BY_NODE).map(|n| format!("student{}", number * STUDENTS_BY_NODE + n));
        hands.extend(enter(&node, students.collect()).await?);
        nodes.push(node);
    }
    let before = Appends::of(&nodes).await?;
    let waved = hands::wave(hands, COMMANDS_BY_NODE / STUDENTS_BY_NODE as f64, during).await?;
    let after = Appends::of(&nodes).await?;
    tell(&waved, &before, &after, figures);
    Ok(())
}

fn tell(waved: &Waved, before: &Appends, after: &Appends, figures: &mut Figures) {
    figures.put("log.nodes.commands_per_s", waved.per_s());
    figures.put("log.nodes.p50_ms", quantile(&waved.delays_ms, 0.5));
    figures.put("log.nodes.p99_ms", quantile(&waved.delays_ms, 0.99));
    let commits = (after.commits - before.commits).max(1.0);
    figures.put("log.nodes.events_per_commit", (after.events - before.events) / commits);
    figures.put("log.nodes.conflicts_per_commit", (after.conflicts - before.conflicts) / commits);
}

/// What the nodes' metrics tell, together.
#[derive(Debug, Default)]
struct Appends {
    commits: f64,
    events: f64,
    conflicts: f64,
}

impl Appends {
    async fn of(nodes: &[Server]) -> anyhow::Result<Self> {
        let mut all = Self::default();
        for node in nodes {
            let metric = async |name: &str| node.metric(name).await.with_context(|| format!("no {name}"));
            all.commits += metric("qism_append_seconds_count").await?;
            all.events += metric("qism_appended_events_total").await?;
            all.conflicts += metric("qism_append_conflicts_total").await?;
        }
        Ok(all)
    }
}
