//! A teacher who speaks without a pause and a student who listens: the probe's peers, which come back as browsers do.

use std::{
    net::Ipv4Addr,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use qism::probe::{Away, Door, Entrance, Peer, ProbeError, Reception, SignedIn, Trust};
use qism_signaling::protocol::{ServerFrame, Source};
use tokio::{sync::watch, task::JoinHandle};

use crate::{
    network::{FRONT, address},
    node::{FRONT_PORT, PORT},
};

/// Packets come every 20 ms.
const LOOK: Duration = Duration::from_millis(10);
/// Shorter silences are no fault.
const SILENCE: Duration = Duration::from_millis(200);

/// The two of them, until they are told to stop.
pub struct Voice {
    speaker: JoinHandle<()>,
    listener: JoinHandle<()>,
    arrivals: Arrivals,
    steps: Steps,
    stop: watch::Sender<bool>,
}

/// What the two of them came through on their way back, and when.
pub type Step = (&'static str, Instant);

type Steps = Arc<Mutex<Vec<Step>>>;

fn note(steps: &Steps, what: &'static str) {
    steps.lock().unwrap_or_else(PoisonError::into_inner).push((what, Instant::now()));
}

/// When packets of the voice came, over whichever connection.
type Arrivals = Arc<Mutex<Vec<Instant>>>;

/// By the proxy.
pub async fn sign_in(login: &str) -> anyhow::Result<SignedIn> {
    enter(login, door(FRONT, FRONT_PORT)?).await
}

/// At the door of one node, and there alone.
pub async fn sign_in_at(login: &str, address: Ipv4Addr, port: u16) -> anyhow::Result<SignedIn> {
    enter(login, door(address, port)?.only()).await
}

fn door(address: Ipv4Addr, port: u16) -> anyhow::Result<Door> {
    let address = format!("http://{address}:{port}").parse().context("an address")?;
    Ok(Door::new(address, &Trust::System)?)
}

async fn enter(login: &str, door: Door) -> anyhow::Result<SignedIn> {
    Ok(door.sign_in(login, qism::school::demo::PASSWORD).await?)
}

impl Voice {
    /// Returns when the voice is heard.
    pub async fn begin(teacher: &str, student: &str) -> anyhow::Result<Self> {
        Self::between(sign_in(teacher).await?, sign_in(student).await?).await
    }

    /// The same, each at the door of one node: the voice crosses from one to the other.
    pub async fn across(teacher: (&str, usize), student: (&str, usize)) -> anyhow::Result<Self> {
        let at = async |(login, node): (&str, usize)| sign_in_at(login, address(node + 1), PORT).await;
        Self::between(at(teacher).await?, at(student).await?).await
    }

    async fn between(teacher: SignedIn, student: SignedIn) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let lesson = teacher.current_lesson().await?;
        let speaking = Peer::enter(&teacher, Entrance::first(lesson)).await?;
        let listening = Peer::enter(&student, Entrance::first(lesson)).await?;
        let (arrivals, steps) = (Arrivals::default(), Steps::default());
        let speaker = tokio::spawn(speak(speaking, teacher, stopped.clone(), steps.clone()));
        let listener = tokio::spawn(listen(listening, student, stopped, arrivals.clone(), steps.clone()));
        let voice = Self { speaker, listener, arrivals, steps, stop };
        let begun = Instant::now();
        while voice.latest().is_none() {
            anyhow::ensure!(begun.elapsed() < Duration::from_secs(20), "the voice is not heard");
            tokio::time::sleep(LOOK).await;
        }
        Ok(voice)
    }

    fn latest(&self) -> Option<Instant> {
        heard(&self.arrivals).last().copied()
    }

    /// When packets of the voice arrived, and what it came through on its way back.
    pub async fn end(self) -> anyhow::Result<(Vec<Instant>, Vec<Step>)> {
        self.stop.send_replace(true);
        self.speaker.abort();
        self.listener.await?;
        let steps = self.steps.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let mut arrivals = heard(&self.arrivals).clone();
        arrivals.sort_unstable();
        Ok((arrivals, steps))
    }
}

fn heard(arrivals: &Arrivals) -> MutexGuard<'_, Vec<Instant>> {
    arrivals.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The longest time without a packet between two moments.
pub fn longest_silence(arrivals: &[Instant], since: Instant, until: Instant) -> Duration {
    let within = arrivals.iter().copied().filter(|at| (since..until).contains(at));
    let all: Vec<Instant> = std::iter::once(since).chain(within).chain([until]).collect();
    all.windows(2).map(|two| two[1] - two[0]).max().unwrap_or_default()
}

/// Time from a fault until the voice was back: to the end of the longest silence that began then. `None`: it did not come back.
pub fn back(arrivals: &[Instant], since: Instant, until: Instant) -> Option<Duration> {
    let before = arrivals.iter().rev().find(|at| **at < since).copied().unwrap_or(since);
    let within = arrivals.iter().filter(|at| (since..until).contains(*at)).copied();
    let all: Vec<Instant> = std::iter::once(before).chain(within).collect();
    let last = *all.last()?;
    // Silence that lasts to the end is none that ended.
    if until - last > Duration::from_secs(2) {
        return None;
    }
    let longest = all.windows(2).max_by_key(|two| two[1] - two[0])?;
    let (begun, ended) = (longest[0], longest[1]);
    Some(if ended - begun > SILENCE { ended - since.min(ended) } else { ended - begun })
}

async fn come_back(away: &Away) -> Peer {
    loop {
        // The first wait of the app's back-off.
        tokio::time::sleep(Duration::from_millis(rand::random_range(150..300))).await;
        if let Ok(peer) = away.come_back().await {
            return peer;
        }
    }
}

/// Why a connection is left.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    /// Its server goes down, and says so before.
    Move,
    Cut,
    Stop,
}

async fn turn(peer: &Peer, reception: Option<&Reception>, stop: &watch::Receiver<bool>) -> Turn {
    let moves =
        |peer: &Peer| !peer.heard(|frame| matches!(frame, ServerFrame::Move { .. }).then_some(())).is_empty();
    loop {
        if *stop.borrow() {
            return Turn::Stop;
        }
        if moves(peer) {
            return Turn::Move;
        }
        if peer.is_closed() || reception.is_some_and(Reception::is_lost) {
            return Turn::Cut;
        }
        tokio::time::sleep(LOOK).await;
    }
}

async fn speak(mut peer: Peer, who: SignedIn, stop: watch::Receiver<bool>, steps: Steps) {
    while !*stop.borrow() {
        if peer.publish(Source::Microphone).await.is_ok() {
            note(&steps, "the teacher speaks");
            while turn(&peer, None, &stop).await == Turn::Move {
                // Both send until the new one does.
                let Ok(new) = speak_beside(&peer, &who).await else { break };
                peer = new;
            }
        }
        if !*stop.borrow() {
            note(&steps, "the teacher is cut");
            peer = come_back(&peer.cut()).await;
            note(&steps, "the teacher is in");
        }
    }
}

async fn speak_beside(peer: &Peer, who: &SignedIn) -> Result<Peer, ProbeError> {
    let mut new = peer.follow(who).await?;
    new.prepare_to_publish().await?;
    new.feed(Source::Microphone)?;
    Ok(new)
}

async fn listen(
    mut peer: Peer,
    who: SignedIn,
    stop: watch::Receiver<bool>,
    arrivals: Arrivals,
    steps: Steps,
) {
    while !*stop.borrow() {
        if let Ok(mut reception) = peer.listen(0).await {
            note(&steps, "the student has answered");
            let mut hearing = Hearing::of(&reception, &arrivals);
            while turn(&peer, Some(&reception), &stop).await == Turn::Move {
                let Ok((new, heard_there)) = listen_beside(&peer, &who).await else { break };
                let there = Hearing::of(&heard_there, &arrivals);
                (peer, reception, hearing) = (new, heard_there, there);
            }
            drop(hearing);
            if let Some(up) = reception.up() {
                steps.lock().unwrap_or_else(PoisonError::into_inner).push(("the student's leg is up", up));
            }
        }
        if !*stop.borrow() {
            note(&steps, "the student is cut");
            peer = come_back(&peer.cut()).await;
            note(&steps, "the student is in");
        }
    }
}

/// The connection before is left when something comes over the new one.
async fn listen_beside(peer: &Peer, who: &SignedIn) -> Result<(Peer, Reception), ProbeError> {
    let mut new = peer.follow(who).await?;
    let reception = new.listen(0).await?;
    let begun = Instant::now();
    while packets(&reception) == 0 && begun.elapsed() < Duration::from_secs(5) {
        tokio::time::sleep(LOOK).await;
    }
    Ok((new, reception))
}

/// Notes when packets come over one connection, until it is dropped.
struct Hearing(JoinHandle<()>);

impl Hearing {
    fn of(reception: &Reception, arrivals: &Arrivals) -> Self {
        let (reception, arrivals) = (reception.clone(), arrivals.clone());
        Self(tokio::spawn(async move {
            let mut count = 0;
            loop {
                let now = packets(&reception);
                if now > count {
                    count = now;
                    heard(&arrivals).push(Instant::now());
                }
                tokio::time::sleep(LOOK).await;
            }
        }))
    }
}

impl Drop for Hearing {
    fn drop(&mut self) {
        self.0.abort();
    }
}

fn packets(reception: &Reception) -> u64 {
    reception.all().iter().map(|(_, slot)| slot.with_sound).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_silence_after_the_fault_counts_to_its_end() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let arrivals: Vec<Instant> = (0..50).chain(120..500).map(|n| at(n * 20)).collect();
        assert_eq!(back(&arrivals, at(985), at(10_000)), Some(Duration::from_millis(1_415)));
        assert!(back(&arrivals, at(5_000), at(9_000)).is_some_and(|gap| gap <= Duration::from_millis(20)));
        assert_eq!(back(&arrivals[..50], at(985), at(10_000)), None);
        assert_eq!(longest_silence(&arrivals, at(500), at(9_980)), Duration::from_millis(1_420));
        assert_eq!(longest_silence(&[], at(0), at(300)), Duration::from_millis(300));
    }
}
