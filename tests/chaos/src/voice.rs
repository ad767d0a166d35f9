//! A teacher who speaks without a pause and a student who listens: the probe's peers, which come back as browsers do.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use qism::probe::{Away, Door, Entrance, Peer, Reception, SignedIn, Trust};
use qism_signaling::protocol::Source;
use tokio::{sync::watch, task::JoinHandle};

use crate::{network::FRONT, node::FRONT_PORT};

/// Packets come every 20 ms.
const LOOK: Duration = Duration::from_millis(10);
/// Shorter silences are no fault.
const SILENCE: Duration = Duration::from_millis(200);

/// The two of them, until they are told to stop.
pub struct Voice {
    speaker: JoinHandle<()>,
    listener: JoinHandle<Vec<Instant>>,
    stop: watch::Sender<bool>,
}

pub async fn sign_in(login: &str) -> anyhow::Result<SignedIn> {
    let address = format!("http://{FRONT}:{FRONT_PORT}").parse().context("an address")?;
    let door = Door::new(address, &Trust::System)?;
    Ok(door.sign_in(login, qism::school::demo::PASSWORD).await?)
}

impl Voice {
    /// Returns when the voice is heard.
    pub async fn begin(teacher: &str, student: &str) -> anyhow::Result<Self> {
        let (stop, stopped) = watch::channel(false);
        let (teacher, student) = (sign_in(teacher).await?, sign_in(student).await?);
        let lesson = teacher.current_lesson().await?;
        let speaking = Peer::enter(&teacher, Entrance::first(lesson)).await?;
        let listening = Peer::enter(&student, Entrance::first(lesson)).await?;
        let (first, heard) = tokio::sync::oneshot::channel();
        let speaker = tokio::spawn(speak(speaking, stopped.clone()));
        let listener = tokio::spawn(listen(listening, stopped, first));
        tokio::time::timeout(Duration::from_secs(20), heard).await.context("the voice is not heard")??;
        Ok(Self { speaker, listener, stop })
    }

    /// When packets of the voice arrived.
    pub async fn end(self) -> anyhow::Result<Vec<Instant>> {
        self.stop.send_replace(true);
        self.speaker.abort();
        Ok(self.listener.await?)
    }
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

async fn is_cut(peer: &Peer, stop: &watch::Receiver<bool>) {
    while !peer.is_closed() && !*stop.borrow() {
        tokio::time::sleep(LOOK).await;
    }
}

async fn speak(mut peer: Peer, stop: watch::Receiver<bool>) {
    while !*stop.borrow() {
        if peer.publish(Source::Microphone).await.is_ok() {
            is_cut(&peer, &stop).await;
        }
        if !*stop.borrow() {
            peer = come_back(&peer.cut()).await;
        }
    }
}

async fn listen(
    mut peer: Peer,
    stop: watch::Receiver<bool>,
    first: tokio::sync::oneshot::Sender<()>,
) -> Vec<Instant> {
    let (mut arrivals, mut first) = (Vec::new(), Some(first));
    while !*stop.borrow() {
        if let Ok(reception) = peer.listen(0).await {
            let mut count = 0;
            while !peer.is_closed() && !reception.is_lost() && !*stop.borrow() {
                tokio::time::sleep(LOOK).await;
                let now = packets(&reception);
                if now > count {
                    count = now;
                    arrivals.push(Instant::now());
                    first.take().map(|first| first.send(()));
                }
            }
        }
        if !*stop.borrow() {
            peer = come_back(&peer.cut()).await;
        }
    }
    arrivals
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
    }
}
