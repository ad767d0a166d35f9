//! The publisher's side of a lesson on several threads, of this node and of others: each packet crosses once to every other
//! thread with subscribers, behind the shape it belongs to; what they ask for is merged here.

use std::time::Instant;

use qism_signaling::protocol::{LessonId, Publication, Source};

use super::{
    bridge::{Bridge, Content, Crossing},
    counters::{Counters, add},
    leg::srtp::Place,
    net::batch::Batch,
    ntp,
    relay::{
        self, Far, Outgoing,
        congestion::{Class, Waiting},
        gate::Passage,
        letter::{Letter, Word},
    },
    room::{
        TrackIndex,
        export::{Demand, Export, Remote, Streams, Way},
        shape::Shape,
        track::TrackIn,
    },
    ways::Ways,
    worker::Worker,
};
use crate::sfu::{forward::packet::Packet, sdp::answer::LAYERS};

impl Worker {
    /// The way to another thread.
    pub(super) fn lay_bridge(&mut self, to: u8, bridge: Bridge) {
        let (place, bridges) = (usize::from(to), &mut self.ways.bridges);
        if bridges.len() <= place {
            bridges.resize_with(place + 1, || None);
        }
        bridges[place] = Some(bridge);
    }

    /// Wakes the threads that something crossed to, and seals what other nodes are told.
    pub(super) fn ring_bridges(&mut self) {
        self.ways.bridges.iter_mut().flatten().for_each(Bridge::ring);
        self.send_letters();
    }

    /// Takes everything that other threads sent.
    pub fn receive_crossings(&mut self, now: Instant) {
        for place in 0..self.ways.bridges.len() {
            while let Some(crossing) = self.ways.bridges[place].as_mut().and_then(Bridge::receive) {
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
        let (track, way) = (&mut room.tracks[index], Way::Thread(from));
        match content {
            Content::Shape(shape) => {
                track.take_shape(shape, Streams { generation: shape.generation, remote: None });
            }
            Content::Packet { layer, packet } => self.import(lesson, index, (layer, packet), now),
            Content::Demand(demand) => self.demanded(way, (lesson, publication), demand, now),
            Content::Leave => self.left(way, (lesson, publication), now),
            Content::Losses(losses) => export_to(track, way).lost(losses, now),
            Content::Takes(takes) => track.taken(way, takes),
            Content::KeyFrame { layer } => self.key_frame_wanted((lesson, publication), layer, now),
        }
    }

    /// Another thread receives a publication.
    pub(super) fn demanded(
        &mut self,
        way: Way,
        (lesson, publication): (LessonId, Publication),
        demand: Demand,
        now: Instant,
    ) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let index = room.track(publication);
        if let Way::Relay(far) = way
            && open_remote(&mut room.tracks[index], lesson, far, &mut self.ways, now).is_none()
        {
            return;
        }
        export_to(&mut room.tracks[index], way).asked(demand, now);
        self.tell_shape(lesson, index, now);
        // What comes from another node itself is asked for there.
        self.tell_demand(lesson, index, now);
    }

    /// Another thread receives it no more.
    pub(super) fn left(&mut self, way: Way, (lesson, publication): (LessonId, Publication), now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let Some(index) = room.find(publication) else { return };
        room.tracks[index].exports.retain(|export| export.to != way);
        self.tell_demand(lesson, index, now);
    }

    /// Another thread waits for a key frame.
    pub(super) fn key_frame_wanted(
        &mut self,
        (lesson, publication): (LessonId, Publication),
        layer: u8,
        now: Instant,
    ) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        let Some(index) = room.find(publication) else { return };
        let track = &mut room.tracks[index];
        if usize::from(layer) < track.layers.len() {
            track.keyframes.want(usize::from(layer));
            self.ask_key_frame(lesson, index, now);
        }
    }

    /// Passes a room's fresh packets to its other threads; what waits here for others does not cross yet.
    pub(super) fn export(&mut self, lesson: LessonId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson).filter(|room| room.home.is_none()) else { return };
        let exported = |(_, track): &(usize, &mut TrackIn)| {
            !track.exports.is_empty() && track.waits_until(now).is_none()
        };
        for (index, track) in room.tracks.iter_mut().enumerate().filter(exported) {
            let mut exports = std::mem::take(&mut track.exports);
            for export in &mut exports {
                let is_told = is_told(lesson, track, export, &mut self.ways, now);
                match export.to {
                    Way::Thread(to) => {
                        let bridge = self.ways.bridge(to).filter(|_| is_told);
                        if !cross(lesson, track, bridge, &self.counters) {
                            track.want_key_frames();
                        }
                    }
                    // Another node asks for what it misses by itself.
                    Way::Relay(far) => {
                        let relay = self.ways.relays.get_mut(far).filter(|_| is_told);
                        if let Some(link) = relay.and_then(|relay| relay.outgoing(now)) {
                            let mut to = Node { link, batch: &mut self.batch, counters: &self.counters, now };
                            let stopped = relay_fresh((lesson, index), track, export, &mut to);
                            tell_stopped(&mut self.ways, far, (lesson, track.publication), stopped, now);
                        }
                    }
                }
            }
            track.exports = exports;
        }
    }

    /// A thread that asked for a track hears of it at once, not with its next packet.
    fn tell_shape(&mut self, lesson: LessonId, track: TrackIndex, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson).filter(|room| room.home.is_none()) else { return };
        let track = &mut room.tracks[track];
        let mut exports = std::mem::take(&mut track.exports);
        for export in &mut exports {
            is_told(lesson, track, export, &mut self.ways, now);
        }
        track.exports = exports;
    }

    /// Tells other nodes what they have not confirmed, and forgets those that ask no more.
    pub(super) fn review_exports(&mut self, lesson: LessonId, now: Instant) {
        let Some(room) = self.rooms.get_mut(&lesson) else { return };
        for track in &mut room.tracks {
            track.exports.retain(|export| !export.is_over(now));
        }
        (0..room.tracks.len()).for_each(|track| self.tell_shape(lesson, track, now));
    }
}

/// The export to a thread, made when that thread first asks.
pub(super) fn export_to(track: &mut TrackIn, to: Way) -> &mut Export {
    let known = track.exports.iter().position(|export| export.to == to);
    let place = known.unwrap_or_else(|| {
        track.exports.push(Export::new(to));
        track.exports.len() - 1
    });
    &mut track.exports[place]
}

/// Makes the way to another node, under the present keys.
fn open_remote(track: &mut TrackIn, lesson: LessonId, far: Far, ways: &mut Ways, now: Instant) -> Option<()> {
    let association = ways.relays.get_mut(far)?.association();
    let publication = track.publication;
    let export = export_to(track, Way::Relay(far));
    if export.remote.as_ref().is_some_and(|remote| remote.association == association) {
        return Some(());
    }
    (export.remote, export.told) = (Some(Remote::new(association, now)), None);
    name_streams(export, far, (lesson, publication), ways)
}

/// Gives the streams of a publication new SSRCs on the way to another node: numbers begin anew with them.
fn name_streams(
    export: &mut Export,
    far: Far,
    whose: (LessonId, Publication),
    ways: &mut Ways,
) -> Option<()> {
    let ssrc = ways.relays.next_ssrc();
    export.remote.as_mut()?.begin(ssrc);
    let outward = &mut ways.relays.get_mut(far)?.outward;
    outward.retain(|_, named| *named != whose);
    outward.insert(ssrc, whose);
    Some(())
}

/// What another thread is told of a track. Another node is told only of what comes in here, so that nothing goes in a circle,
/// and once something has come, so that it keeps what it has until then.
fn shape_for(track: &TrackIn, to: Way) -> Shape {
    let shape = track.shape();
    match to {
        Way::Relay(_) if track.publisher.is_none() || !track.has_come() => {
            Shape { generation: shape.generation, ..Shape::default() }
        }
        Way::Thread(_) | Way::Relay(_) => shape,
    }
}

/// True when the other thread knows the present shape, or will in a moment.
fn is_told(lesson: LessonId, track: &TrackIn, export: &mut Export, ways: &mut Ways, now: Instant) -> bool {
    let (shape, publication) = (shape_for(track, export.to), track.publication);
    match export.to {
        Way::Thread(_) if export.told == Some(shape) => true,
        Way::Thread(to) => {
            let Some(bridge) = ways.bridge(to) else { return false };
            let told = bridge.send(Crossing { lesson, publication, content: Content::Shape(shape) });
            export.told = if told { Some(shape) } else { export.told };
            told
        }
        Way::Relay(_) if !export.owes(shape, now) => true,
        Way::Relay(far) => {
            if !ways.relays.get_mut(far).is_some_and(|relay| relay.is_live(now)) {
                return false;
            }
            if export.told.is_some_and(|told| told.generation != shape.generation) {
                name_streams(export, far, (lesson, publication), ways);
            }
            let Some(version) = export.tells(shape, now) else { return false };
            let ssrc = export.remote.as_ref().map_or(0, |remote| remote.ssrc);
            let Some(relay) = ways.relays.get_mut(far) else { return false };
            let word = Word::Shape { ssrc, version, clock: ntp::at(now), shape };
            relay.write(&Letter { lesson, publication, word }, now)
        }
    }
}

/// Passes the fresh packets to another thread of this node; false when some did not get through.
fn cross(lesson: LessonId, track: &TrackIn, bridge: Option<&mut Bridge>, counters: &Counters) -> bool {
    let Some(bridge) = bridge else { return false };
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

/// Another node, to send media to.
pub(super) struct Node<'a> {
    pub link: Outgoing<'a>,
    pub batch: &'a mut Batch,
    pub counters: &'a Counters,
    pub now: Instant,
}

/// Tells another node which layers the link has no room for.
fn tell_stopped(
    ways: &mut Ways,
    far: Far,
    (lesson, publication): (LessonId, Publication),
    stopped: [bool; LAYERS],
    now: Instant,
) {
    for (layer, _) in stopped.iter().enumerate().filter(|(_, stopped)| **stopped) {
        let word = Word::Stopped { layer: layer as u8 };
        if let Some(relay) = ways.relays.get_mut(far) {
            relay.write(&Letter { lesson, publication, word }, now);
        }
    }
}

/// Sends the fresh packets that are asked for to another node, as far as the link has room for them now; the rest waits, or is
/// left out until a key frame. Yields the layers of which the other node should be told that they stopped.
fn relay_fresh(
    (lesson, index): (LessonId, TrackIndex),
    track: &mut TrackIn,
    export: &mut Export,
    to: &mut Node<'_>,
) -> [bool; LAYERS] {
    let shape = shape_for(track, export.to);
    let class = class_of(track);
    let (mut wanted, mut stopped) = ([false; LAYERS], [false; LAYERS]);
    for (layer, packet) in track.fresh() {
        if !export.takes(layer, &shape) {
            continue;
        }
        let is_borne = class.is_none() || export.bears(layer, &shape);
        let Some(lane) = export.remote.as_mut().and_then(|remote| remote.lanes.get_mut(layer)) else {
            break;
        };
        let mut begins = false;
        if let Some(class) = class {
            match lane.gate.take(packet, to.link.congestion.room(class, is_borne, to.now)) {
                Passage::Open { begins: is_first } => begins = is_first,
                passage => {
                    stopped[layer] |= lane.leave_out(to.now);
                    wanted[layer] |= passage == Passage::WantsKeyFrame;
                    add(&to.counters.relay_packets_left_out, 1);
                    to.link.congestion.tally.left_out += 1;
                    continue;
                }
            }
            if !to.link.congestion.is_free(to.now) {
                let (sequence, generation, bytes) = (packet.sequence, shape.generation, packet.payload.len());
                let waiting = Waiting { lesson, track: index, layer, sequence, generation, bytes, begins };
                to.link.congestion.wait(class, waiting);
                continue;
            }
        }
        relay_one(packet, (layer, begins), export, to);
    }
    let wanted = wanted.iter().enumerate().filter(|(_, wanted)| **wanted);
    wanted.for_each(|(layer, _)| track.keyframes.want(layer));
    stopped
}

/// How a track waits for a link between nodes; `None` for a voice, which never does.
pub(super) fn class_of(track: &TrackIn) -> Option<Class> {
    match track.publication.source {
        _ if track.is_audio() => None,
        Source::Screen => Some(Class::Screen),
        _ => Some(Class::Camera),
    }
}

/// Sends one packet to another node; `begins`: packets right before it were left out.
pub(super) fn relay_one(
    packet: &Packet,
    (layer, begins): (usize, bool),
    export: &mut Export,
    to: &mut Node<'_>,
) -> Option<()> {
    let number = to.link.congestion.next_number();
    let remote = export.remote.as_mut()?;
    let sequence = remote.lanes.get_mut(layer)?.forward(packet.sequence, begins, number)?;
    let place = Place { ssrc: remote.ssrc + layer as u32, sequence };
    let size = relay::packet::write(packet, place, number, to.link.srtp, to.link.path, to.batch);
    if size > 0 {
        to.link.congestion.sent(size, packet.is_sound(), to.now);
    }
    add(&to.counters.relay_packets_out, 1);
    add(&to.counters.relay_bytes_out, size as u64);
    Some(())
}
