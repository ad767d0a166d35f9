//! The home thread's side of a lesson on several: each packet crosses once to every other thread with subscribers, behind
//! the shape it belongs to; what they ask for is merged here.

use std::time::Instant;

use qism_signaling::protocol::LessonId;

use super::{
    bridge::{Bridge, Content, Crossing},
    counters::{Counters, add},
    room::{TrackIndex, export::Export, track::TrackIn},
    worker::Worker,
};

impl Worker {
    /// The way to another thread.
    pub(super) fn lay_bridge(&mut self, to: u8, bridge: Bridge) {
        let place = usize::from(to);
        if self.bridges.len() <= place {
            self.bridges.resize_with(place + 1, || None);
        }
        self.bridges[place] = Some(bridge);
    }

    /// Wakes the threads that something crossed to.
    pub(super) fn ring_bridges(&mut self) {
        self.bridges.iter_mut().flatten().for_each(Bridge::ring);
    }

    /// Takes everything that other threads sent.
    pub fn receive_crossings(&mut self, now: Instant) {
        for place in 0..self.bridges.len() {
            while let Some(crossing) = self.bridges[place].as_mut().and_then(Bridge::receive) {
                self.receive_crossing(place as u8, crossing, now);
            }
        }
        self.ring_bridges();
    }

    /// A lesson that was closed meanwhile is nobody's any more.
    fn receive_crossing(&mut self, from: u8, crossing: Crossing, now: Instant) {
        let Crossing { lesson, publication, content } = crossing;
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let index = room.track(publication);
        let track = &mut room.tracks[index];
        match content {
            Content::Shape(shape) => track.take_shape(shape),
            Content::Packet { layer, packet } => self.import(lesson, index, (layer, packet), now),
            Content::Demand(demand) => {
                export_to(track, from).demand = demand;
                self.tell_shape(lesson, index);
            }
            Content::Leave => track.exports.retain(|export| export.to != from),
            Content::Losses(losses) => export_to(track, from).lost(losses, now),
            Content::KeyFrame { layer } if usize::from(layer) < track.layers.len() => {
                track.keyframes.want(usize::from(layer));
                self.ask_key_frame(lesson, index, now);
            }
            Content::KeyFrame { .. } => {}
        }
    }

    /// Passes a room's fresh packets to its other threads.
    pub(super) fn export(&mut self, lesson: LessonId) {
        let Some(room) = self.rooms.get_mut(&lesson).filter(|room| room.home.is_none()) else { return };
        for track in room.tracks.iter_mut().filter(|track| !track.exports.is_empty()) {
            let mut exports = std::mem::take(&mut track.exports);
            for export in &mut exports {
                if !export_fresh(lesson, track, export, &mut self.bridges, &self.counters) {
                    track.want_key_frames();
                }
            }
            track.exports = exports;
        }
    }

    /// A thread that asked for a track hears of it at once, not with its next packet.
    fn tell_shape(&mut self, lesson: LessonId, track: TrackIndex) {
        let Some(room) = self.rooms.get_mut(&lesson).filter(|room| room.home.is_none()) else { return };
        let track = &mut room.tracks[track];
        let mut exports = std::mem::take(&mut track.exports);
        for export in &mut exports {
            is_told(lesson, track, export, &mut self.bridges);
        }
        track.exports = exports;
    }
}

/// The export to a thread, made when that thread first asks.
fn export_to(track: &mut TrackIn, to: u8) -> &mut Export {
    let known = track.exports.iter().position(|export| export.to == to);
    let place = known.unwrap_or_else(|| {
        track.exports.push(Export::new(to));
        track.exports.len() - 1
    });
    &mut track.exports[place]
}

/// True when the other thread knows the present shape, by now.
fn is_told(lesson: LessonId, track: &TrackIn, export: &mut Export, bridges: &mut [Option<Bridge>]) -> bool {
    let shape = track.shape();
    if export.told == Some(shape) {
        return true;
    }
    let Some(Some(bridge)) = bridges.get_mut(usize::from(export.to)) else { return false };
    let content = Content::Shape(shape);
    let told = bridge.send(Crossing { lesson, publication: track.publication, content });
    if told {
        export.told = Some(shape);
    }
    told
}

/// Passes the fresh packets to one thread; false when some did not get through.
fn export_fresh(
    lesson: LessonId,
    track: &TrackIn,
    export: &mut Export,
    bridges: &mut [Option<Bridge>],
    counters: &Counters,
) -> bool {
    if !is_told(lesson, track, export, bridges) {
        return false;
    }
    let Some(Some(bridge)) = bridges.get_mut(usize::from(export.to)) else { return false };
    let (mut crossed, mut missed) = (0, 0);
    for (layer, packet) in track.fresh() {
        let content = Content::Packet { layer: layer as u8, packet: packet.clone() };
        match bridge.send(Crossing { lesson, publication: track.publication, content }) {
            true => crossed += 1,
            false => missed += 1,
        }
    }
    add(&counters.packets_crossed, crossed);
    add(&counters.packets_not_crossed, missed);
    missed == 0
}
