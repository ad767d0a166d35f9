//! The other threads' side of a lesson on several: packets come over the bridge into a track of this thread, with rings,
//! slots and gates of its own; what its subscribers ask for goes back.

use std::time::{Duration, Instant};

use qism_signaling::protocol::LessonId;

use super::{
    bridge::{Bridge, Content, Crossing},
    counters::add,
    reports::reported_losses,
    room::{TrackIndex, export::Demand, track::TrackIn, wanted},
    worker::Worker,
};
use crate::sfu::forward::packet::Packet;

/// What is asked for is told again so often.
const REPEAT: Duration = Duration::from_secs(1);

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

    /// Tells the home thread what the subscribers here ask for: when that changed, and now and then.
    pub(super) fn tell_demand(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let Some(home) = room.home else { return };
        let without_h264 = room.without_h264 as u32;
        let track = &mut room.tracks[track];
        let content = if track.subscribers.is_empty() {
            if track.import.is_none_or(|import| import.told.is_none()) {
                return;
            }
            Content::Leave
        } else {
            let demand = Demand { layers: wanted::mask(track, &mut self.legs), without_h264 };
            let told = track.import.and_then(|import| import.told);
            if told.is_some_and(|(told, at)| told == demand && now < at + REPEAT) {
                return;
            }
            Content::Demand(demand)
        };
        let told = match &content {
            Content::Demand(demand) => Some((*demand, now)),
            _ => None,
        };
        if send(lesson, home, track, content, &mut self.bridges) {
            track.import.get_or_insert_default().told = told;
        }
    }

    /// Tells the home threads what listeners here lose.
    pub(super) fn report_to_homes(&mut self, now: Instant) {
        for room in self.rooms.values() {
            let Some(home) = room.home else { continue };
            for track in room.tracks.iter().filter(|track| track.is_audio()) {
                let losses = reported_losses(track, &mut self.legs);
                let fresh = losses.iter().filter(|loss| loss.is_fresh(now));
                let fractions: Vec<u8> = fresh.map(|loss| loss.fraction).collect();
                if !fractions.is_empty() {
                    send(room.lesson, home, track, Content::Losses(fractions), &mut self.bridges);
                }
            }
        }
    }
}

/// Asks for the key frame that somebody here waits for; the home thread asks the publisher.
pub(super) fn ask_key_frame(
    lesson: LessonId,
    home: u8,
    track: &mut TrackIn,
    bridges: &mut [Option<Bridge>],
    now: Instant,
) {
    if let Some(layer) = track.keyframes.poll(now) {
        send(lesson, home, track, Content::KeyFrame { layer: layer as u8 }, bridges);
    }
}

fn send(
    lesson: LessonId,
    home: u8,
    track: &TrackIn,
    content: Content,
    bridges: &mut [Option<Bridge>],
) -> bool {
    let bridge = bridges.get_mut(usize::from(home)).and_then(Option::as_mut);
    bridge.is_some_and(|bridge| bridge.send(Crossing { lesson, publication: track.publication, content }))
}
