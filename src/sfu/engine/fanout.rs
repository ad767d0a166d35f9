//! From publications to slots: after each batch of received datagrams, every subscriber gets its burst.

use std::time::Instant;

use qism_signaling::protocol::LessonId;

use super::{
    counters::add,
    echoes::Echo,
    imports,
    legs::{LegState, Legs, Role},
    reports,
    room::{
        Room, TrackIndex,
        downlink::{Carrier, VoiceCare},
        joined::JOINED,
        outgoing::Destination,
        track::TrackIn,
    },
    rtcp,
    worker::{Worker, flush},
};
use crate::sfu::forward::layers::LayerFacts;

impl Worker {
    /// Sends the fresh packets of all rooms, but for those of pictures whose rest is expected any moment.
    pub fn fan_out(&mut self, now: Instant) {
        let mut touched = std::mem::take(&mut self.touched);
        // Other threads first: they work while this one does.
        touched.iter().for_each(|lesson| self.export(*lesson, now));
        self.ring_bridges();
        self.gathering = None;
        touched.retain(|&lesson| {
            let tracks = self.rooms.get(&lesson).map_or(0, |room| room.tracks.len());
            let waiting = (0..tracks).filter_map(|track| self.fan_out_track(lesson, track, now)).min();
            self.gathering = self.gathering.into_iter().chain(waiting).min();
            waiting.is_some()
        });
        // Nothing was received meanwhile.
        self.touched = touched;
    }

    /// Until when the track's packets wait for others, if they do.
    fn fan_out_track(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) -> Option<Instant> {
        let room = self.rooms.get_mut(&lesson)?;
        if !room.tracks[track].has_fresh() {
            return None;
        }
        self.timers.expects(room.tracks[track].misses_packets());
        let waiting = room.tracks[track].waits_until(now);
        if waiting.is_some() {
            return waiting;
        }
        if std::mem::take(&mut room.tracks[track].is_restarted) {
            restart_slots(room, track, &mut self.legs);
        }
        if std::mem::take(&mut room.tracks[track].is_changed) {
            self.choose_layers(lesson, track, now);
            self.ask_key_frame(lesson, track, now);
        }
        self.send_fresh(lesson, track, now);
        if let Some(room) = self.rooms.get_mut(&lesson) {
            room.tracks[track].clear_fresh();
        }
        None
    }

    fn send_fresh(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let track = &room.tracks[track];
        // Of slots that began: their receivers can keep voice and picture in step from the first second on.
        let mut clocks = Vec::new();
        for (place, &(leg, slot)) in track.subscribers.iter().enumerate() {
            self.legs.fetch_ahead(&track.subscribers[place + 1..]);
            let Some(LegState { transport, role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(leg)
            else {
                continue;
            };
            let Some(path) = transport.ice.live_path(now) else { continue };
            let Some(srtp) = &mut transport.srtp else { continue };
            downlink.carrier = self.streams.carrier(path);
            if downlink.carrier != Carrier::Datagrams {
                downlink.follow_link(now);
            }
            let mut to = Destination { srtp, path, batch: &mut self.batch, now };
            let care = downlink.care(track, now);
            downlink.send(slot, track, care, &mut to);
            if downlink.pacer.is_waiting() && !std::mem::replace(&mut downlink.is_paced, true) {
                self.paced.push(leg);
            }
            if care == VoiceCare::Echoed {
                for (layer, packet) in track.fresh_of_all_forms() {
                    self.echoes.sent(Echo { leg, slot, layer, sequence: packet.sequence }, now);
                }
            }
            if let Some(out) = downlink.slot(slot).filter(|out| out.begins) {
                out.begins = false;
                clocks.extend(reports::clock(out, track, now).map(|clock| (leg, clock)));
            }
            if self.batch.is_full() {
                flush(&mut self.batch, &self.sockets, &self.streams, &self.counters);
            }
        }
        for (leg, clock) in clocks {
            self.send_clock(leg, clock, now);
        }
    }

    /// Lets every slot of a track choose its layer, and notes the key frames that are waited for.
    pub(super) fn choose_layers(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        if let Some(room) = self.rooms.get_mut(&lesson) {
            choose_layers(room, track, &mut self.legs, now);
        }
    }

    /// Looks after what no subscriber asks for by itself. Voices are chosen here too; pictures with each subscriber's link.
    pub(super) fn review_track(
        &mut self,
        lesson: LessonId,
        track: TrackIndex,
        with_voices: bool,
        now: Instant,
    ) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        match room.tracks[track].is_audio() {
            true if with_voices => choose_layers(room, track, &mut self.legs, now),
            true => {}
            false => _ = follow_layers(&mut room.tracks[track], now),
        }
    }

    /// Asks the publisher for a key frame where somebody waits for one.
    pub(super) fn ask_key_frame(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let origin = room.origin(track);
        let track = &mut room.tracks[track];
        if let Some(origin) = origin {
            return imports::ask_key_frame(lesson, origin, track, &mut self.ways, now);
        }
        let Some(publisher) = track.publisher else { return };
        let Some(layer) = track.keyframes.poll(now) else { return };
        let ssrc = track.layers.get(layer).and_then(|layer| layer.ssrc);
        let request = ssrc.and_then(rtcp::picture_loss);
        if request.is_some_and(|request| self.send_rtcp(publisher, &request, now)) {
            add(&self.counters.plis_out, 1);
        }
    }
}

/// Every slot that a track flows in starts anew: no number of the old streams means anything in the new ones.
pub(super) fn restart_slots(room: &Room, track: TrackIndex, legs: &mut Legs) {
    for &(leg, slot) in &room.tracks[track].subscribers {
        if let Some(LegState { role: Role::Subscriber(downlink), .. }) = legs.get_mut(leg) {
            downlink.restart(slot);
        }
    }
}

/// What is known of a track's layers; notes the key frames that nobody waits for but that are needed, or no longer are.
fn follow_layers(track: &mut TrackIn, now: Instant) -> Vec<LayerFacts> {
    let facts = track.facts(now);
    if !track.is_audio() && !track.subscribers.is_empty() {
        // A layer whose size nobody knows (its key frame came before the gate was open) cannot be chosen.
        let unknown = facts.iter().enumerate().filter(|(_, facts)| facts.alive && facts.size.is_none());
        unknown.for_each(|(layer, _)| track.keyframes.want(layer));
    }
    // Nobody sends those any more: a key frame of theirs would be asked for again and again.
    let dead = (0..facts.len()).filter(|&layer| !facts[layer].alive && facts[layer].size.is_some());
    dead.for_each(|layer| track.keyframes.arrived(layer));
    facts
}

fn choose_layers(room: &mut Room, track: TrackIndex, legs: &mut Legs, now: Instant) {
    let track = &mut room.tracks[track];
    let (facts, is_audio) = (follow_layers(track, now), track.is_audio());
    let (mut anybody_joins, mut needed) = (false, Vec::new());
    for &(leg, slot) in &track.subscribers {
        let Some(LegState { name, role: Role::Subscriber(downlink), .. }) = legs.get_mut(leg) else {
            continue;
        };
        let joins = downlink.saver;
        if !is_audio {
            needed.extend(downlink.choose_layer(slot, &facts, now).map(|layer| (name.user, layer)));
        } else if let Some(out) = downlink.slot(slot) {
            out.forwarder.want(Some(if joins { JOINED } else { 0 }));
            anybody_joins |= joins;
        }
    }
    needed.into_iter().for_each(|(receiver, layer)| track.want_key_frame(receiver, layer, now));
    track.joined.want(anybody_joins);
}

#[cfg(test)]
#[path = "tests/fanout.rs"]
pub(super) mod tests;
