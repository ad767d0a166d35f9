//! A teacher with voice, screen and camera at the door of one node, a student at another's: how much of each crosses, and how late. Neither
//! comes back: whoever is cut has nothing to tell.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use anyhow::Context as _;
use qism::probe::{Entrance, Peer, Reception};
use qism_signaling::protocol::{ReceiveMode, Slot, Source, UserId, WantedVideo};
use tokio::task::JoinHandle;

use crate::{network::address, node::PORT, voice::sign_in_at};

/// Finer than what is told by it.
const LOOK: Duration = Duration::from_millis(5);
/// Pictures a second, and what lies between two in RTP time.
const PICTURES: u32 = 10;
const STEP: u32 = 90_000 / PICTURES;
/// Everything flows again once this much of a second came.
const WHOLE: f64 = 0.9;

/// The two of them.
pub struct Show {
    looking: JoinHandle<()>,
    shown: Arc<Mutex<Shown>>,
}

/// What was seen of each track.
#[derive(Clone, Debug)]
pub struct Shown {
    pub voice: Watched,
    pub screen: Watched,
    pub camera: Watched,
}

/// One track, looked at again and again.
#[derive(Clone, Debug)]
pub struct Watched {
    source: Source,
    slot: Slot,
    /// Packets of each moment.
    parts: u32,
    looks: Vec<Look>,
}

#[derive(Clone, Copy, Debug)]
struct Look {
    at: Instant,
    /// Packets so far.
    sent: u64,
    came: u64,
    /// Arrival and RTP time of the latest packet.
    latest: Option<(Instant, u32)>,
}

impl Show {
    /// Returns when all three flow. The pictures are of so many packets: of the screen, of the camera.
    pub async fn begin(
        teacher: (&str, usize),
        student: (&str, usize),
        [screen, camera]: [u32; 2],
    ) -> anyhow::Result<Self> {
        let (teacher, user) = teach(teacher, [screen, camera]).await?;
        let (student, reception) = watch(student, user).await?;
        let mut shown = Shown {
            voice: Watched::of(Source::Microphone, Slot::TEACHER_AUDIO, 1),
            screen: Watched::of(Source::Screen, Slot::SCREEN, screen),
            camera: Watched::of(Source::Camera, Slot::FIRST_CAMERA, camera),
        };
        let begun = Instant::now();
        while shown.all().iter().any(|track| track.looks.last().is_none_or(|look| look.came == 0)) {
            anyhow::ensure!(begun.elapsed() < Duration::from_secs(20), "not everything is shown");
            shown.look(&teacher, &reception);
            tokio::time::sleep(LOOK).await;
        }
        let shown = Arc::new(Mutex::new(shown));
        let for_task = shown.clone();
        let looking = tokio::spawn(async move {
            // Both stay as long as they are looked at.
            let _student = student;
            loop {
                for_task.lock().unwrap_or_else(PoisonError::into_inner).look(&teacher, &reception);
                tokio::time::sleep(LOOK).await;
            }
        });
        Ok(Self { looking, shown })
    }

    pub fn end(self) -> Shown {
        self.looking.abort();
        self.shown.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn teach((login, node): (&str, usize), [screen, camera]: [u32; 2]) -> anyhow::Result<(Peer, UserId)> {
    let signed_in = sign_in_at(login, address(node + 1), PORT).await?;
    let mut teacher = Peer::enter(&signed_in, Entrance::first(signed_in.current_lesson().await?)).await?;
    teacher.publish(Source::Microphone).await?;
    teacher.publish_large(Source::Screen, screen).await?;
    teacher.publish_large(Source::Camera, camera).await?;
    let user = teacher.welcome.user;
    Ok((teacher, user))
}

async fn watch((login, node): (&str, usize), teacher: UserId) -> anyhow::Result<(Peer, Reception)> {
    let signed_in = sign_in_at(login, address(node + 1), PORT).await?;
    let mut student = Peer::enter(&signed_in, Entrance::first(signed_in.current_lesson().await?)).await?;
    let camera = WantedVideo { user: teacher, width: 1_280, height: 720 };
    student.receive(ReceiveMode::Everything, vec![camera]).await?;
    let reception = student.listen(2).await.context("the student's leg")?;
    Ok((student, reception))
}

impl Shown {
    fn all(&self) -> [&Watched; 3] {
        [&self.voice, &self.screen, &self.camera]
    }

    fn look(&mut self, teacher: &Peer, reception: &Reception) {
        for track in [&mut self.voice, &mut self.screen, &mut self.camera] {
            let slot = reception.slot(track.slot);
            let (sent, at) = (teacher.sent(track.source), Instant::now());
            track.looks.push(Look { at, sent, came: slot.packets, latest: slot.latest_time() });
        }
    }

    /// The first moment from which on everything came for a second.
    pub fn whole_from(&self, since: Instant) -> Option<Instant> {
        let second = Duration::from_secs(1);
        let last = self.voice.looks.last()?.at;
        let starts = self.voice.looks.iter().map(|look| look.at).filter(|at| *at >= since);
        let mut whole = starts.take_while(|at| *at + second <= last);
        whole.find(|at| self.all().iter().all(|track| track.share(*at, *at + second) >= WHOLE))
    }
}

impl Watched {
    fn of(source: Source, slot: Slot, parts: u32) -> Self {
        Self { source, slot, parts, looks: Vec::new() }
    }

    fn between(&self, since: Instant, until: Instant) -> &[Look] {
        let at = |moment: Instant| self.looks.partition_point(|look| look.at < moment);
        &self.looks[at(since)..at(until)]
    }

    /// What share of the packets that were sent came.
    pub fn share(&self, since: Instant, until: Instant) -> f64 {
        match self.between(since, until) {
            [first, .., last] if last.sent > first.sent => {
                (last.came - first.came) as f64 / (last.sent - first.sent) as f64
            }
            _ => 0.0,
        }
    }

    /// The longest time without a packet.
    pub fn silence(&self, since: Instant, until: Instant) -> Duration {
        let (mut last, mut came, mut longest) = (since, None, Duration::ZERO);
        for look in self.between(since, until) {
            if came.replace(look.came) != Some(look.came) {
                longest = longest.max(look.at - last);
                last = look.at;
            }
        }
        longest.max(until - last)
    }

    /// How long the latest of the pictures that came was under way, from its sending to its last packet.
    pub fn wait(&self, since: Instant, until: Instant) -> Duration {
        let Some(first) = self.first_shown() else { return Duration::ZERO };
        let mut longest = Duration::ZERO;
        for look in self.between(since, until) {
            let Some((came, time)) = look.latest.filter(|(came, _)| (since..until).contains(came)) else {
                continue;
            };
            let picture = first.0 + i64::from(time.wrapping_sub(first.1) as i32) / i64::from(STEP);
            if let Some(sent) = self.sent_at(picture) {
                longest = longest.max(came.saturating_duration_since(sent));
            }
        }
        longest
    }

    /// The number of the first picture that was seen to come, and its RTP time. On a link that bears all it is the latest that was sent.
    fn first_shown(&self) -> Option<(i64, u32)> {
        let (came, time) = self.looks.iter().find_map(|look| look.latest)?;
        let before = self.looks.iter().rev().find(|look| look.at <= came)?;
        Some(((before.sent / u64::from(self.parts)) as i64 - 1, time))
    }

    /// When a picture was seen to be sent.
    fn sent_at(&self, picture: i64) -> Option<Instant> {
        let sent = u64::try_from(picture + 1).ok()? * u64::from(self.parts);
        let at = self.looks.partition_point(|look| look.sent < sent);
        self.looks.get(at).map(|look| look.at)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Ten pictures a second of two packets, a look each 10 ms; from the third second on each takes 200 ms longer, and in the fifth none comes.
    fn watched(start: Instant) -> Watched {
        let mut track = Watched::of(Source::Camera, Slot::FIRST_CAMERA, 2);
        let (mut came, mut latest) = (0, None);
        for step in 0..900_u64 {
            let at = start + Duration::from_millis(step * 10);
            for picture in 0..90_u64 {
                let takes = if picture >= 30 { 22 } else { 2 };
                if picture * 10 + takes == step && !(50..60).contains(&picture) {
                    (came, latest) = (came + 2, Some((at, 7_000 + picture as u32 * STEP)));
                }
            }
            track.looks.push(Look { at, sent: (step / 10 + 1) * 2, came, latest });
        }
        track
    }

    #[test]
    fn shares_silences_and_waits_are_those_of_the_span() {
        let start = Instant::now();
        let (track, at) = (watched(start), |ms: u64| start + Duration::from_millis(ms));
        assert!(track.share(at(1_000), at(3_000)) > 0.95 && track.share(at(5_300), at(6_000)) < 0.01);
        assert_eq!(track.wait(at(500), at(2_900)), Duration::from_millis(20));
        assert_eq!(track.wait(at(3_300), at(5_000)), Duration::from_millis(220));
        assert_eq!(track.silence(at(1_000), at(2_900)), Duration::from_millis(100));
        assert_eq!(track.silence(at(4_000), at(7_000)), Duration::from_millis(1_100));
    }

    #[test]
    fn all_is_whole_from_the_first_good_second_on() {
        let start = Instant::now();
        let track = watched(start);
        let shown = Shown { voice: track.clone(), screen: track.clone(), camera: track };
        let from = shown.whole_from(start + Duration::from_millis(5_000)).expect("it comes back") - start;
        assert!(from > Duration::from_millis(5_500) && from < Duration::from_millis(6_300), "{from:?}");
    }
}
