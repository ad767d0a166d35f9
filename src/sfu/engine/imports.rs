//! The receiving side of a publication that comes in elsewhere, on another thread or on another node: packets come over a
//! bridge or a relay into a track of this thread, with rings, slots and gates of its own; what its subscribers ask for goes
//! back.

use std::time::{Duration, Instant};

use qism_signaling::protocol::{IncarnationId, LessonId, Source, UserId};

use super::{
    bridge::Content,
    counters::add,
    legs::Legs,
    reports::told_losses,
    room::{Origin, TrackIndex, export::Demand, track::TrackIn, wanted},
    ways::Ways,
    worker::Worker,
};
use crate::sfu::forward::packet::Packet;

/// What is asked for is told again so often.
const REPEAT: Duration = Duration::from_secs(1);
/// The same until the other node has said what comes.
const REPEAT_UNANSWERED: Duration = Duration::from_millis(100);

impl Worker {
    /// Takes a packet that another thread received. The gate here shuts by the same order as the one there: what crossed
    /// before that is not sent after it.
    pub(super) fn import(
        &mut self,
        lesson: LessonId,
        track: TrackIndex,
        (layer, packet): (u8, Packet),
        now: Instant,
    ) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let track = &mut room.tracks[track];
        if !track.is_permitted() {
            return add(&self.counters.packets_unpermitted, 1);
        }
        track.import(usize::from(layer), packet, now);
        self.touch(lesson);
    }

    /// Where the tracks of a person come in from now on.
    pub(super) fn set_origin(
        &mut self,
        lesson: LessonId,
        user: UserId,
        node: Option<IncarnationId>,
        now: Instant,
    ) {
        self.room(lesson).set_origin(user, node, now);
        self.tell_demands(lesson, now);
        self.ring_bridges();
    }

    /// The same for all tracks of a lesson.
    pub(super) fn tell_demands(&mut self, lesson: LessonId, now: Instant) {
        let tracks = self.rooms.get(&lesson).map_or(0, |room| room.tracks.len());
        (0..tracks).for_each(|track| self.tell_demand(lesson, track, now));
    }

    /// Tells where a track comes from what the subscribers here ask for: when that changed, and now and then.
    pub(super) fn tell_demand(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let (home, without_h264) = (room.home, room.all_without_h264());
        let Some(track) = room.tracks.get_mut(track) else { return };
        let origins: Vec<Origin> = match home {
            Some(home) => vec![Origin::Thread(home)],
            None => track.origins(now).map(Origin::Node).collect(),
        };
        let Some(&first) = origins.first() else { return };
        let Some(content) = due(track, first, without_h264, &mut self.legs, now) else { return };
        let told = match &content {
            Content::Demand(demand) => Some((*demand, now)),
            _ => None,
        };
        let mut got_through = false;
        for origin in origins {
            let content = told.map_or(Content::Leave, |(demand, _)| Content::Demand(demand));
            got_through |= self.ways.ask(origin, lesson, track.publication, content, now);
        }
        if got_through {
            track.import.get_or_insert_default().told = told;
        }
    }

    /// Tells where a screen comes from what the widest link here takes of it: when that changed, and now and then.
    pub(super) fn tell_takes(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let Some(origin) = room.origin(track) else { return };
        let track = &mut room.tracks[track];
        if track.publication.source != Source::Screen || track.is_unwanted() {
            return;
        }
        let takes = wanted::takes(track, &mut self.legs);
        let import = track.import.get_or_insert_default();
        if import.told_takes.is_some_and(|(told, at)| told == takes && now < at + REPEAT) {
            return;
        }
        if self.ways.ask(origin, lesson, track.publication, Content::Takes(takes), now) {
            import.told_takes = Some((takes, now));
        }
    }

    /// Tells where voices come from what listeners here lose.
    pub(super) fn report_to_origins(&mut self, now: Instant) {
        for room in self.rooms.values() {
            for (index, track) in room.tracks.iter().enumerate().filter(|(_, track)| track.is_audio()) {
                let Some(origin) = room.origin(index) else { continue };
                let losses = told_losses(track, &mut self.legs);
                let fresh = losses.iter().filter(|loss| loss.is_fresh(now));
                let fractions: Vec<u8> = fresh.map(|loss| loss.fraction).collect();
                if !fractions.is_empty() {
                    let content = Content::Losses(fractions);
                    self.ways.ask(origin, room.lesson, track.publication, content, now);
                }
            }
        }
    }
}

/// What is to be told now, if anything.
fn due(
    track: &mut TrackIn,
    origin: Origin,
    without_h264: u32,
    legs: &mut Legs,
    now: Instant,
) -> Option<Content> {
    let told = track.import.and_then(|import| import.told);
    if track.is_unwanted() {
        return told.map(|_| Content::Leave);
    }
    let seen = match origin {
        Origin::Thread(_) => 0,
        Origin::Node(_) => track.import.map_or(0, |import| import.seen),
    };
    let repeat = match origin {
        Origin::Node(_) if seen == 0 => REPEAT_UNANSWERED,
        _ => REPEAT,
    };
    let demand = Demand { layers: wanted::mask(track, legs), without_h264, seen };
    let is_known = told.is_some_and(|(told, at)| told == demand && now < at + repeat);
    (!is_known).then_some(Content::Demand(demand))
}

/// Asks for the key frame that somebody here waits for; whoever has the publisher asks it.
pub(super) fn ask_key_frame(
    lesson: LessonId,
    origin: Origin,
    track: &mut TrackIn,
    ways: &mut Ways,
    now: Instant,
) {
    if let Some(layer) = track.keyframes.poll(now) {
        ways.ask(origin, lesson, track.publication, Content::KeyFrame { layer: layer as u8 }, now);
    }
}
