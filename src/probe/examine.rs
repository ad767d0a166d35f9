//! One examination: enter a lesson, listen and look for some seconds, perhaps speak, and tell.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use qism_signaling::protocol::{
    Event, LessonId, Publication, ReceiveMode, ServerFrame, Slot, Snapshot, Source, UserId, WantedVideo,
};

use super::{
    Address, Door, Entrance, Peer, ProbeError, Reception, Report, Trust,
    report::{JoinTimes, Received, RoundTrips, Sent},
};

/// Camera slots asked for, as a phone does.
const CAMERAS: u8 = 2;
/// How often the socket is pinged, and new cameras are asked for.
const ROUND: Duration = Duration::from_millis(500);

/// Which lesson to examine.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LessonChoice {
    /// The one that is going on for this person.
    #[default]
    Current,
    One(LessonId),
}

impl std::str::FromStr for LessonChoice {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "current" => Ok(Self::Current),
            id => id.parse().map(Self::One).map_err(|_| "`current`, or the id of a lesson".to_owned()),
        }
    }
}

/// What to do.
pub struct Examination {
    pub address: Address,
    pub trust: Trust,
    pub login: String,
    pub password: String,
    pub lesson: LessonChoice,
    pub listen_for: Duration,
    pub publish: Vec<Source>,
}

/// Does it.
pub async fn examine(examination: &Examination) -> Result<Report, ProbeError> {
    let door = Door::new(examination.address.clone(), &examination.trust)?;
    let began = Instant::now();
    let signed_in = door.sign_in(&examination.login, &examination.password).await?;
    let sign_in = began.elapsed();
    let lesson = match examination.lesson {
        LessonChoice::One(lesson) => lesson,
        LessonChoice::Current => signed_in.current_lesson().await?,
    };
    let entered = Instant::now();
    let mut peer = Peer::enter(&signed_in, Entrance::first(lesson)).await?;
    let reception = peer.listen(CAMERAS).await?;
    peer.receive(ReceiveMode::Everything, Vec::new()).await?;
    let mut problems = Vec::new();
    for source in &examination.publish {
        if let Err(error) = peer.publish(*source).await {
            problems.push(format!("cannot publish {}: {error}", word(*source)));
        }
    }
    let (trips, end) = listen(&peer, examination.listen_for).await;
    problems.extend(end);
    let report = Report {
        server: examination.address.origin(),
        lesson,
        role: peer.welcome.role,
        join: join_times(&peer, &reception, sign_in, entered),
        round_trip: RoundTrips::of(trips, peer.media_round_trip_ms().await),
        received: received(&peer, &reception),
        sent: sent(&peer, &examination.publish),
        problems,
    };
    // The report is complete; a server that is slow to say goodbye changes nothing.
    let _ = tokio::time::timeout(ROUND, peer.leave()).await;
    Ok(report.judged(reception.up().is_some()))
}

/// Pings and asks for the cameras that appear; gives the round trips, and what ended it too early.
async fn listen(peer: &Peer, listen_for: Duration) -> (Vec<Duration>, Option<String>) {
    let (began, mut trips, mut asked) = (Instant::now(), Vec::new(), Vec::new());
    for nonce in 1.. {
        let cameras = wanted(&published(peer), peer.welcome.user);
        if cameras != asked && peer.receive(ReceiveMode::Everything, cameras.clone()).await.is_ok() {
            asked = cameras;
        }
        match peer.ping(nonce).await {
            Ok(trip) => trips.push(trip),
            Err(error) => {
                return (trips, Some(format!("after {} s: {error}", began.elapsed().as_secs())));
            }
        }
        let left = listen_for.saturating_sub(began.elapsed());
        if left.is_zero() {
            break;
        }
        tokio::time::sleep(left.min(ROUND)).await;
    }
    (trips, None)
}

fn wanted(published: &BTreeMap<Publication, bool>, me: UserId) -> Vec<WantedVideo> {
    let cameras = published.keys().filter(|track| track.source == Source::Camera && track.user != me);
    let wanted = cameras.map(|track| WantedVideo { user: track.user, width: 640, height: 360 });
    wanted.take(usize::from(CAMERAS)).collect()
}

/// What is published in the lesson now, and whether it is muted.
fn published(peer: &Peer) -> BTreeMap<Publication, bool> {
    let mut tracks = BTreeMap::new();
    peer.welcome.snapshot.iter().for_each(|snapshot| seed(&mut tracks, snapshot));
    peer.heard(|frame| {
        match frame {
            ServerFrame::Reset { snapshot, .. } => seed(&mut tracks, snapshot),
            ServerFrame::Event(logged) => apply(&mut tracks, &logged.event),
            _ => {}
        }
        None::<()>
    });
    tracks
}

fn seed(tracks: &mut BTreeMap<Publication, bool>, snapshot: &Snapshot) {
    tracks.clear();
    for participant in &snapshot.participants {
        for track in &participant.published {
            tracks.insert(Publication { user: participant.user, source: track.source }, track.muted);
        }
    }
}

fn apply(tracks: &mut BTreeMap<Publication, bool>, event: &Event) {
    match *event {
        Event::Published { user, source, muted } => {
            tracks.insert(Publication { user, source }, muted);
        }
        Event::MutedSet { user, source, muted, .. } => {
            tracks.entry(Publication { user, source }).and_modify(|is_muted| *is_muted = muted);
        }
        Event::Unpublished { user, source, .. } => {
            tracks.remove(&Publication { user, source });
        }
        Event::CameraRevoked { user, .. } => {
            tracks.remove(&Publication { user, source: Source::Camera });
        }
        Event::Left { user, .. } | Event::FloorTaken { user, .. } | Event::Removed { user, .. } => {
            tracks.retain(|track, _| track.user != user);
        }
        _ => {}
    }
}

/// The latest content of each slot and when it was told.
fn assigned(peer: &Peer) -> BTreeMap<u8, (Instant, Publication)> {
    let mut slots = BTreeMap::new();
    for (at, slot, publication) in peer.assignments() {
        match publication {
            Some(publication) => _ = slots.insert(slot.0, (at, publication)),
            None => _ = slots.remove(&slot.0),
        }
    }
    slots
}

fn received(peer: &Peer, reception: &Reception) -> Vec<Received> {
    let slots = assigned(peer);
    let others = published(peer).into_iter().filter(|(track, _)| track.user != peer.welcome.user);
    let told = others.map(|(track, muted)| {
        let slot = slots.iter().find(|(_, (_, publication))| *publication == track);
        let name = name(peer, track.user);
        match slot {
            Some((slot, (at, _))) => {
                Received::in_slot(Slot(*slot), track, name, muted, reception.slot(Slot(*slot)), *at)
            }
            None => Received::nowhere(track, name, muted, is_owed(peer, track)),
        }
    });
    told.collect()
}

/// Everybody receives the teacher's voice and the screen; other speakers and cameras only while there is a slot.
fn is_owed(peer: &Peer, track: Publication) -> bool {
    match track.source {
        Source::Microphone => track.user == peer.welcome.lesson.teacher,
        Source::Screen | Source::ScreenAudio => true,
        Source::Camera => false,
    }
}

fn name(peer: &Peer, user: UserId) -> String {
    let person = peer.welcome.people.iter().find(|person| person.user == user);
    let spelling = person.and_then(|person| person.name.latin.as_ref().or(person.name.arabic.as_ref()));
    spelling.map_or_else(|| user.to_string(), |name| format!("{} {}", name.given, name.family))
}

fn sent(peer: &Peer, sources: &[Source]) -> Vec<Sent> {
    sources.iter().map(|source| Sent { source: *source, packets: peer.sent(*source) }).collect()
}

fn join_times(peer: &Peer, reception: &Reception, sign_in: Duration, entered: Instant) -> JoinTimes {
    let since = |at: Option<Instant>| at.map(|at| at.saturating_duration_since(entered));
    let slots = reception.all();
    let first = |is_audio: bool| {
        let slots = slots.iter().filter(|(slot, _)| is_sound(*slot) == is_audio);
        slots.filter_map(|(_, reception)| reception.first).min()
    };
    JoinTimes {
        sign_in,
        ticket: peer.times.ticket,
        socket: peer.times.socket,
        welcome: peer.times.welcome,
        media: since(reception.up()),
        first_sound: since(first(true)),
        first_picture: since(first(false)),
    }
}

pub(super) fn is_sound(slot: Slot) -> bool {
    use qism_signaling::protocol::SlotKind::{ScreenAudio, SpeakerAudio, TeacherAudio};
    matches!(slot.kind(), TeacherAudio | SpeakerAudio | ScreenAudio)
}

/// How a source is called on a terminal.
pub(super) fn word(source: Source) -> &'static str {
    match source {
        Source::Microphone => "microphone",
        Source::Camera => "camera",
        Source::Screen => "screen",
        Source::ScreenAudio => "screen sound",
    }
}
