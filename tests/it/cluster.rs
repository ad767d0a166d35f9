//! Three nodes, one school: over a private PostgreSQL and a private Redis, with people of one lesson on all of them.

use std::{collections::HashMap, path::Path, sync::atomic::Ordering, time::Duration};

use futures_util::StreamExt as _;
use qism::{app::Running, config::Config, telemetry::Redacted};
use qism_backing::{Postgres, Redis};
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, Event, LeftReason, LessonId, Logged, Position, Recipients,
    ServerFrame, SessionId, UserId,
};
use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::time::Instant;
use uuid::Uuid;

use crate::{
    program::Program,
    server::{self, Line, Person, eventually},
};

const KEY: &str = "a key that the three nodes of this test share";

pub struct Cluster {
    pub nodes: Vec<Running>,
    pub redis: Redis,
    storage_url: String,
    /// Its own, unless it was given one.
    _postgres: Option<Postgres>,
    folder: TempDir,
}

impl Cluster {
    /// `None` where PostgreSQL or Redis is not installed.
    pub async fn of(nodes: usize) -> Option<Self> {
        let Some(postgres) = Postgres::start().await else { return skipped() };
        let cluster = Self::on(&postgres.url(), nodes).await?;
        Some(Self { _postgres: Some(postgres), ..cluster })
    }

    /// Over somebody's PostgreSQL, whose standbys are their affair.
    pub async fn on(storage_url: &str, nodes: usize) -> Option<Self> {
        let Some(redis) = Redis::start().await else { return skipped() };
        let folder = tempfile::tempdir().expect("a folder");
        let storage_url = storage_url.to_owned();
        let mut cluster = Self { nodes: Vec::new(), redis, storage_url, _postgres: None, folder };
        for n in 0..nodes {
            let running = Running::start_demo(cluster.config(n)).await.expect("the node starts");
            cluster.nodes.push(running);
        }
        for node in &cluster.nodes {
            connected(node, 1).await;
        }
        Some(cluster)
    }

    pub fn config(&self, n: usize) -> Config {
        config(self.folder.path(), &self.storage_url, &self.redis.url(), n)
    }

    /// The same as a file, for a node in a process of its own.
    pub fn file(&self, n: usize) -> std::path::PathBuf {
        self.file_with(n, "")
    }

    /// The same, with more sections.
    pub fn file_with(&self, n: usize, more: &str) -> std::path::PathBuf {
        let path = self.folder.path().join(format!("node{n}.toml"));
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"{}\"\n[media]\nudp_port = 0\nlisten_addresses = [\"127.0.0.1\"]\n\
             [cluster]\nredis = \"{}\"\nkey = \"{KEY}\"\nnode = \"node{n}\"\n[log]\nfilter = \"warn\"\n{more}",
            self.storage_url,
            self.redis.url()
        );
        std::fs::write(&path, text).expect("written");
        path
    }

    pub fn storage_url(&self) -> &str {
        &self.storage_url
    }

    pub fn url(&self, n: usize) -> String {
        self.nodes[n].url()
    }

    async fn enter(&self, n: usize, login: &str) -> Line {
        Person::sign_in(&self.url(n), login).await.enter().await
    }
}

pub fn skipped<T>() -> Option<T> {
    eprintln!("skipped: PostgreSQL or Redis is not installed (tools/setup.sh postgres redis)");
    None
}

/// Of one of several nodes.
pub fn config(folder: &Path, storage_url: &str, redis_url: &str, n: usize) -> Config {
    let mut config = server::config(folder);
    config.storage.url = storage_url.into();
    config.storage.standby = qism::config::Standby::None;
    config.cluster.redis = Some(Redacted::new(redis_url.to_owned()));
    config.cluster.key = Some(Redacted::new(KEY.into()));
    config.cluster.node = format!("node{n}");
    config.metrics.listen = "127.0.0.1:0".parse().ok();
    config
}

/// Waits until the node's bus has been made for the nth time.
pub async fn connected(node: &Running, times: u64) {
    let bus = node.bus().expect("a cluster");
    eventually(async || {
        (bus.counters().connected.load(Ordering::Relaxed) >= times && node.bus_is_up()).then_some(())
    })
    .await;
}

fn say(text: &str) -> Command {
    Command::Say { text: text.into(), to: Recipients::Everyone }
}

/// Waits until this line has been told that somebody came: the node behind it knows them only then.
async fn seen(line: &mut Line, who: UserId) {
    let came = |event: &Event| matches!(event, Event::Attached { user, .. } if *user == who);
    line.socket.find(|frame| logged(frame).filter(|l| came(&l.event))).await;
}

fn logged(frame: &ServerFrame) -> Option<Logged> {
    match frame {
        ServerFrame::Event(logged) => Some(logged.clone()),
        _ => None,
    }
}

fn text(logged: &Logged) -> Option<(u64, String)> {
    match &logged.event {
        Event::Said { text, .. } => text.clone().map(|text| (logged.number, text)),
        _ => None,
    }
}

/// Reads this line to the event with that number; everything it was told on the way, which must be without gaps.
async fn told_up_to(line: &mut Line, number: u64) -> Vec<Logged> {
    let mut told: Vec<Logged> = Vec::new();
    while told.last().is_none_or(|last| last.number < number) {
        let next = line.socket.find(logged).await;
        assert!(told.last().is_none_or(|last| last.number + 1 == next.number), "exactly once and in order");
        told.push(next);
    }
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn three_nodes_teach_one_lesson() {
    let Some(cluster) = Cluster::of(3).await else { return };
    let mut lines = vec![cluster.enter(0, "teacher1").await];
    for n in 0..3 {
        lines.push(cluster.enter(n, &format!("student{}", n + 1)).await);
    }
    let mut senders = tokio::task::JoinSet::new();
    for (who, mut line) in lines.into_iter().enumerate() {
        senders.spawn(async move {
            let mut last = 0;
            let mut told = Vec::new();
            for n in 0..10 {
                let id = line.command(say(&format!("{who}-{n}"))).await;
                let number = loop {
                    match line.socket.frame().await {
                        ServerFrame::Accepted { id: answered, number } if answered == id => break number,
                        ServerFrame::Refused { error, .. } => panic!("refused: {error:?}"),
                        frame => told.extend(logged(&frame)),
                    }
                };
                assert!(number > last);
                last = number;
                tokio::time::sleep(Duration::from_millis(210)).await;
            }
            (who, line, told)
        });
    }
    let mut back: Vec<_> = senders.join_all().await;
    back.sort_by_key(|(who, ..)| *who);
    let (mut seen, mut lines): (Vec<_>, Vec<_>) =
        back.into_iter().map(|(_, line, told)| (told, line)).unzip();
    let id = lines[3].command(Command::RaiseHand {}).await;
    let hand = accepted_collecting(&mut lines[3], id, &mut seen[3]).await;
    for (line, told) in lines.iter_mut().zip(&mut seen) {
        while told.last().is_none_or(|last| last.number < hand) {
            told.push(line.socket.find(logged).await);
        }
        assert!(told.windows(2).all(|two| two[0].number + 1 == two[1].number), "no gap, nothing twice");
    }
    let chats: Vec<Vec<(u64, String)>> =
        seen.iter().map(|told| told.iter().filter_map(text).collect()).collect();
    assert_eq!(chats[0].len(), 40);
    assert!(chats.iter().all(|chat| *chat == chats[0]), "the same lines in the same order everywhere");
    let user = lines[3].welcome.user;
    let id = lines[0].command(Command::GiveFloor { user }).await;
    accepted_collecting(&mut lines[0], id, &mut seen[0]).await;
    for n in 0..3 {
        let visitor = cluster.enter(n, ["director", "supervisor", "student9"][n]).await;
        let snapshot = visitor.welcome.snapshot.expect("a snapshot");
        assert!(snapshot.hands.is_empty() && snapshot.participants.iter().any(|p| p.user == user && p.floor));
        assert!(snapshot.students_present >= 3);
    }
}

async fn accepted_collecting(line: &mut Line, id: CommandId, told: &mut Vec<Logged>) -> u64 {
    loop {
        match line.socket.frame().await {
            ServerFrame::Accepted { id: answered, number } if answered == id => return number,
            ServerFrame::Refused { error, .. } => panic!("refused: {error:?}"),
            frame => told.extend(logged(&frame)),
        }
    }
}

#[tokio::test]
async fn no_newer_event_is_written_while_a_server_that_does_not_know_it_lives() {
    let Some(postgres) = Postgres::start().await else { return };
    let Some(cluster) = Cluster::on(&postgres.url(), 1).await else { return };
    let mut student = cluster.enter(0, "student1").await;
    let mut teacher = cluster.enter(0, "teacher1").await;
    // A server of before the first format, that beats far into the future.
    let beats = "INSERT INTO node (incarnation, name, version, beat, draining, load, event_format) \
         VALUES ('00000000-0000-0000-0000-00000000000a', 'old', '0.0', 9999999999999, 0, 0, 0)";
    postgres.execute(beats).await;
    until_said(&mut student, Err(ErrorCode::NotYet)).await;
    postgres.execute("DELETE FROM node WHERE name = 'old'").await;
    until_said(&mut student, Ok(())).await;
    let line = |frame: &ServerFrame| logged(frame).and_then(|logged| text(&logged));
    teacher.socket.find(line).await;
}

/// Writes lines until one is answered so.
async fn until_said(line: &mut Line, wanted: Result<(), ErrorCode>) {
    let mut answer = None;
    while answer != Some(wanted) {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let id = line.command(say("once all are renewed")).await;
        let of_it = |frame: &ServerFrame| match frame {
            ServerFrame::Accepted { id: answered, .. } if *answered == id => Some(Ok(())),
            ServerFrame::Refused { id: answered, error, .. } if *answered == id => Some(Err(*error)),
            _ => None,
        };
        answer = Some(line.socket.find(of_it).await);
    }
}

#[tokio::test]
async fn whoever_is_signed_in_or_must_wait_is_so_on_every_node() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let person = Person::sign_in(&cluster.url(0), "student1").await;
    let there = person.at(&cluster.url(1));
    assert_eq!(there.json("/api/me").await["login"], "student1");
    let lesson = there.first_lesson().await;
    let session = SessionId(Uuid::now_v7());
    let ticket = person.ticket(lesson, session).await;
    let line = server::enter_with(&cluster.url(1), lesson, ticket.clone(), None).await;
    assert_eq!(line.welcome.attach.0, 1);
    let mut second = server::open_socket(&cluster.url(0)).await;
    second.send(&ClientFrame::Hello { version: 1, ticket, position: None }).await;
    assert_eq!(second.closed().await, Some(4401), "a ticket is good once, wherever");
    // Steering: whichever node is asked, the lesson's people are sent to one node.
    let path = async |person: &Person| {
        let wish = json!({ "session": SessionId(Uuid::now_v7()) });
        let answer = person.post(&format!("/api/lessons/{lesson}/ticket"), &wish).await;
        answer.json::<Value>().await.expect("JSON")["socket"].as_str().expect("a path").to_owned()
    };
    let open_here = eventually(async || {
        let (one, other) = (path(&person).await, path(&there).await);
        (one == other && one == "/ws/node1").then_some(one)
    });
    open_here.await;
    let today = person.json("/api/lessons").await;
    assert_eq!(today["lessons"][0]["students_present"], 1, "known on the other node");
    let guess = async |n: usize| {
        let body = json!({ "login": "student2", "password": "wrong" });
        Person::stranger_at(&cluster.url(n)).post("/api/session", &body).await.status().as_u16()
    };
    for n in 0..5 {
        assert_eq!(guess(n % 2).await, 401);
    }
    // Each guess more doubles the wait: sooner or later both come too early.
    eventually(async || ([guess(0).await, guess(1).await] == [429, 429]).then_some(())).await;
}

#[tokio::test]
async fn a_mute_by_a_teacher_elsewhere_stops_the_microphone_here() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut teacher = cluster.enter(0, "teacher1").await;
    let mut student = cluster.enter(1, "student1").await;
    let user = student.welcome.user;
    seen(&mut teacher, user).await;
    let id = teacher.command(Command::GiveFloor { user }).await;
    teacher.accepted(id).await;
    let given = |frame: &ServerFrame| logged(frame).filter(|l| matches!(l.event, Event::FloorGiven { .. }));
    student.socket.find(given).await;
    let source = qism_signaling::protocol::Source::Microphone;
    let id = student.command(Command::Publish { source, muted: false }).await;
    student.accepted(id).await;
    let published =
        |frame: &ServerFrame| logged(frame).filter(|l| matches!(l.event, Event::Published { .. }));
    teacher.socket.find(published).await;
    let id = teacher.command(Command::Mute { user }).await;
    let number = teacher.accepted(id).await;
    let told = told_up_to(&mut student, number).await;
    assert!(matches!(told.last().map(|l| &l.event), Some(Event::MutedSet { muted: true, .. })));
    let remove = Command::Remove {
        user,
        reason: qism_signaling::protocol::RemovalReason::Other,
        note: String::new(),
        keep_out: true,
    };
    let id = teacher.command(remove).await;
    teacher.accepted(id).await;
    assert_eq!(student.socket.closed().await, Some(4405), "out, on the other node");
}

#[tokio::test]
async fn a_forged_letter_is_dropped_and_counted() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut teacher = cluster.enter(0, "teacher1").await;
    let mut student = cluster.enter(1, "student1").await;
    let id = teacher.command(say("قبل")).await;
    let number = teacher.accepted(id).await;
    told_up_to(&mut student, number).await;
    let bus = cluster.nodes[1].bus().expect("a cluster");
    let before = bus.counters().forged.load(Ordering::Relaxed);
    let mut redis = cluster.redis.connection().await;
    let envelope = json!({ "from": Uuid::now_v7(), "lesson": teacher.lesson, "content": {
        "type": "shut", "command": Uuid::now_v7(), "user": student.welcome.user, "source": null } });
    let mut forged = vec![0_u8; 32];
    forged.extend(serde_json::to_vec(&envelope).expect("JSON"));
    for bytes in [forged, b"nonsense".to_vec()] {
        let heard: i64 = redis::cmd("PUBLISH")
            .arg(format!("qism:{}", teacher.lesson))
            .arg(bytes)
            .query_async(&mut redis)
            .await
            .expect("published");
        assert_eq!(heard, 2, "both nodes listen");
    }
    eventually(async || (bus.counters().forged.load(Ordering::Relaxed) == before + 2).then_some(())).await;
    let administrator = Person::sign_in(&cluster.url(0), "administrator").await;
    let of_it = |trouble: &Value| {
        trouble["kind"] == "forged" && trouble["server"] == "node1" && trouble["amount"] == before + 2
    };
    eventually(async || {
        let fleet = administrator.json("/api/fleet").await;
        fleet["troubles"].as_array().expect("a list").iter().any(of_it).then_some(())
    })
    .await;
    let id = teacher.command(say("بعد")).await;
    let number = teacher.accepted(id).await;
    let told = told_up_to(&mut student, number).await;
    assert_eq!(told.len(), 1, "nothing of it was told: {told:?}");
}

#[tokio::test]
async fn a_letter_that_somebody_kept_and_sends_again_is_dropped_and_counted() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut teacher = cluster.enter(0, "teacher1").await;
    let mut student = cluster.enter(1, "student1").await;
    let channel = format!("qism:{}", teacher.lesson);
    let mut listening = cluster.redis.subscribe(&channel).await;
    let id = teacher.command(say("مرة")).await;
    let number = teacher.accepted(id).await;
    told_up_to(&mut student, number).await;
    let kept = listening.next().await.expect("a letter").get_payload_bytes().to_vec();
    // Its sender knows its own letters.
    let forged = || {
        let buses = cluster.nodes.iter().map(|node| node.bus().expect("a cluster"));
        buses.map(|bus| bus.counters().forged.load(Ordering::Relaxed)).sum::<u64>()
    };
    let before = forged();
    let mut redis = cluster.redis.connection().await;
    for _ in 0..5 {
        let sent = redis::cmd("PUBLISH").arg(&channel).arg(&kept).query_async::<i64>(&mut redis).await;
        assert_eq!(sent.expect("published"), 3, "both nodes listen, and the test");
    }
    eventually(async || (forged() == before + 5).then_some(())).await;
}

#[tokio::test]
async fn redis_dies_and_nobody_notices_but_the_clock() {
    let Some(mut cluster) = Cluster::of(2).await else { return };
    let mut teacher = cluster.enter(0, "teacher1").await;
    let mut student = cluster.enter(1, "student1").await;
    let mut worst = [Duration::ZERO; 3];
    for (phase, worst) in worst.iter_mut().enumerate() {
        match phase {
            1 => {
                cluster.redis.kill();
                eventually(async || cluster.nodes.iter().all(|node| !node.bus_is_up()).then_some(())).await;
            }
            2 => {
                cluster.redis.revive().await;
                for node in &cluster.nodes {
                    connected(node, 2).await;
                }
            }
            _ => {}
        }
        for n in 0..8 {
            let (from, to) =
                if n % 2 == 0 { (&mut teacher, &mut student) } else { (&mut student, &mut teacher) };
            let id = from.command(say(&format!("{phase}-{n}"))).await;
            from.accepted(id).await;
            let sent = Instant::now();
            let line = |frame: &ServerFrame| logged(frame).filter(|l| l.command == id);
            to.socket.find(line).await;
            *worst = sent.elapsed().max(*worst);
            tokio::time::sleep(Duration::from_millis(130)).await;
        }
    }
    eprintln!("latest delivery with Redis {:?}, without {:?}, again with {:?}", worst[0], worst[1], worst[2]);
    // Both lines are still the first ones: nobody was made to come back.
    for line in [&mut teacher, &mut student] {
        line.socket.send(&ClientFrame::Ping { nonce: 5 }).await;
        line.socket.find(|frame| matches!(frame, ServerFrame::Pong { nonce: 5, .. }).then_some(())).await;
    }
}

/// Acknowledged lines of each sender, at least.
const LINES: usize = 9;

/// What a browser does: keeps what is not acknowledged, comes back with its position on another node, sends it again.
struct Sender {
    person: Person,
    lesson: LessonId,
    session: SessionId,
    line: Line,
    position: Position,
    waiting: Vec<(CommandId, String)>,
    refused: Vec<CommandId>,
    acknowledged: Vec<(CommandId, u64)>,
    seen: Vec<u64>,
    urls: Vec<String>,
}

impl Sender {
    async fn enter(login: &str, urls: &[String]) -> Self {
        let person = Person::sign_in(&urls[0], login).await;
        let (lesson, session) = (person.first_lesson().await, SessionId(Uuid::now_v7()));
        let ticket = person.ticket(lesson, session).await;
        let line = server::enter_with(&urls[0], lesson, ticket, None).await;
        let position = line.welcome.snapshot.as_ref().expect("a snapshot").position;
        let (waiting, refused, acknowledged, seen) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let urls = urls.to_vec();
        Self { person, lesson, session, line, position, waiting, refused, acknowledged, seen, urls }
    }

    /// Sends lines until told to stop, and until all, and enough, are acknowledged.
    async fn chat(mut self, stop: tokio::sync::watch::Receiver<bool>) -> Self {
        let mut next = Instant::now();
        while !(*stop.borrow() && self.waiting.is_empty() && self.acknowledged.len() >= LINES) {
            if Instant::now() >= next {
                next = Instant::now() + Duration::from_millis(250);
                let stops = *stop.borrow();
                self.speak(stops).await;
            }
            match tokio::time::timeout_at(next, self.line.socket.try_frame()).await {
                Ok(Some(frame)) => self.take(frame),
                Ok(None) => self.come_back().await,
                Err(_) => {}
            }
        }
        self
    }

    /// Says again what was refused, as whoever was too fast after a return; else a new line, unless it is time to stop.
    async fn speak(&mut self, stops: bool) {
        let refused = self.refused.pop();
        let again = self.waiting.iter().find(|(id, _)| Some(*id) == refused).cloned();
        let is_enough = stops && self.acknowledged.len() + self.waiting.len() >= LINES;
        let (id, text) = match again {
            Some(again) => again,
            None if is_enough => return,
            None => {
                let id = CommandId(Uuid::now_v7());
                self.waiting.push((id, format!("line {id}")));
                self.waiting[self.waiting.len() - 1].clone()
            }
        };
        self.line.again(id, say(&text)).await;
    }

    fn take(&mut self, frame: ServerFrame) {
        match frame {
            ServerFrame::Accepted { id, number } => {
                self.waiting.retain(|(waiting, _)| *waiting != id);
                self.acknowledged.push((id, number));
            }
            ServerFrame::Event(logged) => {
                assert_eq!(logged.number, self.position.number + 1, "exactly once and in order");
                self.position = Position { number: logged.number, chain: logged.chain };
                self.seen.push(logged.number);
            }
            ServerFrame::Refused { id, .. } => self.refused.push(id),
            ServerFrame::Reset { .. } => panic!("nothing was lost, and yet a reset"),
            _ => {}
        }
    }

    async fn come_back(&mut self) {
        let url = self.urls[1].clone();
        self.person = self.person.at(&url);
        let ticket = self.person.ticket(self.lesson, self.session).await;
        self.line = server::enter_with(&url, self.lesson, ticket, Some(self.position)).await;
        if let Some(snapshot) = &self.line.welcome.snapshot {
            self.position = snapshot.position;
        }
        for (id, text) in self.waiting.clone() {
            self.line.again(id, say(&text)).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_node_loses_nothing_that_was_acknowledged() {
    let Some(cluster) = Cluster::of(2).await else { return };
    let mut doomed = tokio::task::block_in_place(|| Program::of_file(&cluster.file(2)));
    let survivors = [cluster.url(0), cluster.url(1)];
    let (stop, stopped) = tokio::sync::watch::channel(false);
    let mut lines = tokio::task::JoinSet::new();
    let teacher = Sender::enter("teacher1", &survivors).await;
    let lesson = teacher.lesson;
    lines.spawn(teacher.chat(stopped.clone()));
    for n in 1..=4 {
        let urls = [doomed.url.clone(), survivors[n % 2].clone()];
        lines.spawn(Sender::enter(&format!("student{n}"), &urls).await.chat(stopped.clone()));
    }
    // One that will not come back.
    let lost = Person::sign_in(&doomed.url, "student9").await.enter().await;
    let absent = lost.welcome.user;
    tokio::time::sleep(Duration::from_secs(2)).await;
    doomed.kill();
    let killed = Instant::now();
    let mut watcher = cluster.enter(1, "director").await;
    let cut = watcher.socket.find(|frame| logged(frame).filter(|l| is_cut(l, absent))).await;
    eprintln!("cut off was shown {:?} after the kill", killed.elapsed());
    drop(lost);
    tokio::time::sleep(Duration::from_secs(1)).await;
    stop.send_replace(true);
    let senders = lines.join_all().await;
    let log = journal(&cluster, lesson).await;
    assert!(log.iter().zip(1..).all(|(logged, number)| logged.number == number), "no gaps");
    assert_eq!(log.iter().filter(|l| is_cut(l, absent)).count(), 1, "written once, as event {}", cut.number);
    let mut by_command: HashMap<CommandId, u64> = HashMap::new();
    for logged in log.iter().filter(|l| matches!(l.event, Event::Said { .. })) {
        assert_eq!(by_command.insert(logged.command, logged.number), None, "twice");
    }
    for sender in &senders {
        for (id, number) in &sender.acknowledged {
            assert_eq!(by_command.get(id), Some(number), "lost or elsewhere");
        }
        assert!(sender.acknowledged.windows(2).all(|two| two[0].1 < two[1].1), "out of order");
    }
}

fn is_cut(logged: &Logged, user: UserId) -> bool {
    matches!(logged.event, Event::Left { user: who, reason: LeftReason::Cut, .. } if who == user)
}

async fn journal(cluster: &Cluster, lesson: LessonId) -> Vec<Logged> {
    let store = qism::storage::Store::open_beside(&cluster.storage_url).await.expect("opened");
    let log = store.journal().read(lesson, 0, 10_000).await.expect("read");
    store.close().await;
    log
}

#[tokio::test]
async fn a_node_that_is_stopped_sends_its_people_to_another() {
    let Some(mut cluster) = Cluster::of(2).await else { return };
    let mut teacher = cluster.enter(0, "teacher1").await;
    let person = Person::sign_in(&cluster.url(1), "student1").await;
    let (lesson, session) = (person.first_lesson().await, SessionId(Uuid::now_v7()));
    let ticket = person.ticket(lesson, session).await;
    let mut line: Line = server::enter_with(&cluster.url(1), lesson, ticket, None).await;
    let position = line.welcome.snapshot.as_ref().expect("a snapshot").position;
    let leaving = tokio::spawn(cluster.nodes.remove(1).stop());
    assert_eq!(line.socket.closed().await, Some(4502));
    let here = person.at(&cluster.url(0));
    let wish = json!({ "session": session });
    let answer = here.post(&format!("/api/lessons/{lesson}/ticket"), &wish).await;
    let answer: Value = answer.json().await.expect("JSON");
    assert_eq!(answer["socket"], "/ws/node0", "not to the one that goes");
    let ticket = answer["ticket"].as_str().expect("a ticket").to_owned();
    let mut back = server::enter_with(&cluster.url(0), lesson, ticket, Some(position)).await;
    assert_eq!(back.welcome.attach.0, 2, "the same session: nobody saw a leave");
    leaving.await.expect("no panic");
    let id = back.command(say("هنا")).await;
    let number = back.accepted(id).await;
    let told = told_up_to(&mut teacher, number).await;
    assert!(!told.iter().any(|l| matches!(l.event, Event::Left { .. })), "{told:?}");
}
