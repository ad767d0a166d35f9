//! Which published track goes into which slot of one receiver's connection.
//!
//! Stable: whoever sits stays seated while still wanted, so that tiles and voices do not jump.

use crate::{
    hub::ports::LayerCap,
    protocol::{Publication, ReceiveMode, Recipients, Role, Slot, Source, UserId, WantedVideo, limits},
};

use super::Room;

/// The slots of one receiver, by index.
pub type Table = Vec<Seat>;

/// What one slot carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seat {
    pub publication: Option<Publication>,
    pub cap: LayerCap,
}

impl Seat {
    /// An empty slot.
    pub const EMPTY: Self = Self { publication: None, cap: LayerCap::FULL };

    fn full(publication: Option<Publication>) -> Self {
        Self { publication, cap: LayerCap::FULL }
    }
}

/// What one receiver wants.
#[derive(Clone, Debug)]
pub struct Demand {
    pub user: UserId,
    pub role: Role,
    pub mode: ReceiveMode,
    /// Cameras on screen, most wanted first.
    pub cameras: Vec<WantedVideo>,
    /// Camera slots of the subscriber leg.
    pub camera_slots: usize,
}

/// Seats the stage for one receiver. `teacher` has the first voice slot; `speakers` are heard now, loudest first.
pub fn seat(room: &Room, demand: &Demand, teacher: UserId, speakers: &[UserId], now: &[Seat]) -> Table {
    let screen = screen_for(room, demand.user);
    let shows_screen = demand.mode != ReceiveMode::Voice;
    let mut table = vec![Seat::full(voice_of(room, teacher, demand.user))];
    table.extend(voices(room, demand.user, teacher, speakers, slots(now, 1, 3)));
    table.push(Seat::full(screen.filter(|_| shows_screen)));
    table.push(Seat::full(screen.and_then(|screen| screen_audio(room, screen.user))));
    table.extend(cameras(room, demand, slots(now, usize::from(Slot::FIRST_CAMERA.0), demand.camera_slots)));
    table
}

/// The seats `from..from + count` as they are, empty where the table is shorter.
fn slots(now: &[Seat], from: usize, count: usize) -> Vec<Seat> {
    (from..from + count).map(|i| now.get(i).copied().unwrap_or(Seat::EMPTY)).collect()
}

fn voice_of(room: &Room, speaker: UserId, receiver: UserId) -> Option<Publication> {
    let publication = Publication { user: speaker, source: Source::Microphone };
    (speaker != receiver && room.stage.track(speaker, Source::Microphone).is_some()).then_some(publication)
}

/// At most as many voices as seats: those who speak first, then those who sit, then the others in a fixed order.
fn voices(room: &Room, receiver: UserId, teacher: UserId, speakers: &[UserId], now: Vec<Seat>) -> Vec<Seat> {
    let mut wanted: Vec<UserId> = room
        .stage
        .tracks()
        .filter(|(publication, track)| publication.source == Source::Microphone && !track.muted)
        .map(|(publication, _)| publication.user)
        .filter(|user| *user != teacher && *user != receiver)
        .collect();
    let sits = |user: UserId| now.iter().any(|seat| seat.publication.is_some_and(|p| p.user == user));
    wanted.sort_by_key(|user| {
        let speaks = speakers.iter().position(|speaker| speaker == user);
        (speaks.is_none(), !sits(*user), speaks)
    });
    wanted.truncate(now.len());
    let wanted = wanted.into_iter().map(|user| Publication { user, source: Source::Microphone });
    keep_places(&now, wanted.map(|p| Seat::full(Some(p))).collect())
}

fn screen_for(room: &Room, receiver: UserId) -> Option<Publication> {
    room.stage
        .tracks()
        .filter(|(publication, _)| publication.source == Source::Screen && publication.user != receiver)
        .max_by_key(|(_, track)| track.since)
        .map(|(publication, _)| publication)
}

fn screen_audio(room: &Room, user: UserId) -> Option<Publication> {
    room.stage.track(user, Source::ScreenAudio).map(|_| Publication { user, source: Source::ScreenAudio })
}

fn cameras(room: &Room, demand: &Demand, now: Vec<Seat>) -> Vec<Seat> {
    let wanted = match demand.mode {
        ReceiveMode::Voice | ReceiveMode::VoiceAndScreen => Vec::new(),
        ReceiveMode::LowVideo | ReceiveMode::Everything => demand
            .cameras
            .iter()
            .enumerate()
            // A client may name somebody twice; the first wish counts.
            .filter(|(at, camera)| !demand.cameras[..*at].iter().any(|other| other.user == camera.user))
            .map(|(_, camera)| camera)
            .filter(|camera| may_see(room, demand, camera.user))
            .take(now.len().min(limits::WANTED_VIDEOS))
            .map(|camera| Seat {
                publication: Some(Publication { user: camera.user, source: Source::Camera }),
                cap: cap(demand.mode, camera),
            })
            .collect(),
    };
    keep_places(&now, wanted)
}

/// A teacher's camera is for everybody; a student's for whom the grant says.
fn may_see(room: &Room, demand: &Demand, user: UserId) -> bool {
    if user == demand.user || room.stage.track(user, Source::Camera).is_none() {
        return false;
    }
    let staff = room.roster.member(user).is_some_and(|m| m.role != Role::Student);
    staff || demand.role != Role::Student || room.floor.camera_of(user) == Some(Recipients::Everyone)
}

fn cap(mode: ReceiveMode, camera: &WantedVideo) -> LayerCap {
    match mode {
        ReceiveMode::Everything => LayerCap { width: camera.width, height: camera.height },
        _ => LayerCap::LOW,
    }
}

/// Who sat and is still wanted keeps the place; the others fill the gaps in order.
fn keep_places(now: &[Seat], mut wanted: Vec<Seat>) -> Vec<Seat> {
    let mut table: Vec<Seat> = now
        .iter()
        .map(|seat| {
            let found =
                wanted.iter().position(|w| seat.publication.is_some() && w.publication == seat.publication);
            found.map_or(Seat::EMPTY, |i| wanted.remove(i))
        })
        .collect();
    let mut rest = wanted.into_iter();
    for seat in table.iter_mut().filter(|seat| seat.publication.is_none()) {
        match rest.next() {
            Some(next) => *seat = next,
            None => break,
        }
    }
    table
}
