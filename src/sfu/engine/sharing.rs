//! Fits what goes to each other node into what the link to it bears. What one link bears is told in `relay::congestion`.

use std::time::Instant;

use qism_signaling::protocol::{LessonId, Source};

use super::{
    counters::{Counters, add},
    exports::{Node, class_of, relay_one},
    net::batch::Batch,
    relay::{
        Far, Relay,
        congestion::{Congestion, Waiting},
        packet,
    },
    room::{
        Room, TrackIndex,
        export::{Export, Way},
        track::TrackIn,
    },
    worker::Worker,
};
use crate::sfu::forward::{
    allocator::{Budget, Demand, Step, allocate, blocked},
    forwarder::EVERY_FRAME,
};

/// Packets of padding at one look: a clock that jumped must not flood the link.
const MOST_PADDING: usize = 64;

/// One export of a picture, to find it again.
type Place = (LessonId, TrackIndex);

impl Worker {
    /// Reviews every link between nodes.
    pub(super) fn share_relays(&mut self, now: Instant) {
        for far in self.ways.relays.fars() {
            self.share_relay(far, now);
        }
    }

    /// Gives each picture on a link its part.
    pub(super) fn share_relay(&mut self, far: Far, now: Instant) {
        let Some(relay) = self.ways.relays.get_mut(far) else { return };
        let Some((bitrate, may_rise)) = relay.congestion.for_pictures(now) else { return };
        let (places, demands): (Vec<Place>, Vec<Demand>) =
            self.rooms.values_mut().flat_map(|room| demands(room, Way::Relay(far))).unzip();
        let given = allocate(Budget { bitrate, hard: u32::MAX, may_rise }, &demands);
        if let Some(wanted) = blocked(&demands, &given).filter(|_| may_rise) {
            relay.congestion.consider_probe(wanted, now);
        }
        for ((lesson, track), step) in places.into_iter().zip(given) {
            let track = self.rooms.get_mut(&lesson).and_then(|room| room.tracks.get_mut(track));
            let export = track.and_then(|track| track.exports.iter_mut().find(|it| it.to == Way::Relay(far)));
            if let Some(remote) = export.and_then(|export| export.remote.as_mut()) {
                remote.borne = step.map_or(0, |step| step.layer + 1);
            }
        }
    }

    /// Sends what waited for links between nodes, and padding where one is probed.
    pub(super) fn drain_relays(&mut self, now: Instant) {
        for far in self.ways.relays.fars() {
            while self.drain_one(far, now).is_some() {}
            self.pad_relay(far, now);
        }
    }

    fn drain_one(&mut self, far: Far, now: Instant) -> Option<()> {
        let link = self.ways.relays.get_mut(far)?.outgoing(now)?;
        let Waiting { lesson, track, layer, sequence, generation, begins, .. } = link.congestion.poll(now)?;
        let track = self.rooms.get_mut(&lesson).and_then(|room| room.tracks.get_mut(track));
        // Shut, left, or other streams meanwhile.
        let Some(track) = track.filter(|it| it.is_permitted() && it.shape().generation == generation) else {
            return Some(());
        };
        let mut exports = std::mem::take(&mut track.exports);
        let export = exports.iter_mut().find(|export| export.to == Way::Relay(far));
        if let (Some(export), Some(packet)) = (export, track.ring(layer).and_then(|ring| ring.get(sequence)))
        {
            let mut to = Node { link, batch: &mut self.batch, counters: &self.counters, now };
            relay_one(packet, (layer, begins), export, &mut to);
        }
        track.exports = exports;
        Some(())
    }

    fn pad_relay(&mut self, far: Far, now: Instant) -> Option<()> {
        let link = self.ways.relays.get_mut(far)?.outgoing(now)?;
        let (due, mut sent) = (link.congestion.poll_padding(now), 0);
        for _ in 0..MOST_PADDING {
            if sent >= due {
                break;
            }
            let (nth, number) = (link.congestion.next_padding(), link.congestion.next_number());
            let size = packet::write_padding(nth, number, link.srtp, link.path, &mut self.batch);
            link.congestion.padded(size, now);
            add(&self.counters.relay_bytes_out, size as u64);
            sent += size.max(1);
        }
        Some(())
    }

    /// Tells other nodes when their packets arrived.
    pub(super) fn feed_back_relays(&mut self) {
        for relay in self.ways.relays.iter_mut() {
            while let Some(feedback) = relay.congestion.poll_feedback() {
                send_control(relay, &feedback, (&mut self.batch, &self.counters));
            }
        }
    }

    /// Clocks, by which round trips are measured; and how each link stands, for whoever watches.
    pub(super) fn report_to_nodes(&mut self, now: Instant) {
        for relay in self.ways.relays.iter_mut().filter(|relay| relay.is_live(now)) {
            if let Some(report) = relay.round_trip.report(now) {
                send_control(relay, &report, (&mut self.batch, &self.counters));
            }
        }
        self.tell_links(now);
    }

    pub(super) fn tell_links(&mut self, now: Instant) {
        let links = self.ways.relays.iter_mut().map(|relay| relay.now(now)).collect();
        self.counters.links.tell(self.number, links);
    }

    /// Something waits for a link between nodes.
    pub(super) fn are_relays_busy(&mut self) -> bool {
        self.ways.relays.iter_mut().any(|relay| Congestion::is_busy(&relay.congestion))
    }
}

/// Seals a control packet and sends it.
pub(super) fn send_control(relay: &mut Relay, packet: &[u8], (batch, counters): (&mut Batch, &Counters)) {
    if let Some(sealed) = relay.seal_rtcp(packet) {
        add(&counters.relay_bytes_out, sealed.len() as u64);
        batch.push(relay.path, &sealed);
    }
}

/// The pictures of a lesson on one way, and what each would take.
fn demands(room: &mut Room, way: Way) -> Vec<(Place, Demand)> {
    let lesson = room.lesson;
    let demand = |(index, track): (TrackIndex, &TrackIn)| {
        class_of(track)?;
        let export = track.exports.iter().find(|export| export.to == way)?;
        Some(((lesson, index), demand(track, export)?))
    };
    room.tracks.iter().enumerate().filter_map(demand).collect()
}

/// The layers that are asked for, one more with each step: the far node passes all of them on.
fn demand(track: &TrackIn, export: &Export) -> Option<Demand> {
    let lanes = &export.remote.as_ref()?.lanes;
    let (mut sum, mut flowing, mut steps) = (0_u32, 0, Vec::new());
    for (place, layer) in export.asked_layers(&track.shape()).into_iter().enumerate() {
        sum = sum.saturating_add(track.layers.get(layer)?.potential().bitrate);
        steps.push(Step { layer: place, temporal: EVERY_FRAME, bitrate: sum });
        if lanes.get(layer)?.gate.is_open() {
            flowing = sum;
        }
    }
    let is_screen = track.publication.source == Source::Screen;
    let wanted = steps.last().map_or(0, |step| step.bitrate);
    Some(Demand { priority: u8::from(!is_screen), steps, flowing, is_kept: is_screen, wanted })
}
