//! Relays at work: what comes over them, what they send by time. What they are is told in `relay`.

use std::{sync::Arc, time::Instant};

use bytes::Bytes;
use qism_signaling::{
    hub::ports::{MediaEvent, Voices},
    protocol::{IncarnationId, LessonId, Publication},
};
use rtc::rtcp::{
    packet::{Packet, unmarshal},
    sender_report::SenderReport,
    transport_feedbacks::transport_layer_nack::TransportLayerNack,
};

use super::{
    counters::add,
    exports::export_to,
    feedback::split_first,
    leg::{Path, srtp::Place},
    ntp,
    relay::{
        Far, Membership, Neighbor, Outgoing, Relays, SSRCS, find,
        letter::{self, Letter, Word},
        packet::{self, Incoming},
    },
    room::{
        export::{Streams, Way},
        shape::Shape,
    },
    rtcp,
    sharing::send_control,
    worker::Worker,
};
use crate::sfu::{
    forward::{feedback::Feedback, rtp::Header},
    sdp::answer::LAYERS,
};

/// Packets one datagram may ask for.
const ASKED: usize = 256;

impl Worker {
    /// From now on this thread has neighbors on other nodes.
    pub fn join_cluster(&mut self, membership: Option<Membership>) {
        let sockets = self.sockets.iter().map(super::net::socket::Socket::address).collect();
        self.ways.relays = Relays::new(membership, self.number, sockets);
    }

    /// These nodes live. Relays to others are closed.
    pub(super) fn meet(&mut self, neighbors: Arc<[Neighbor]>, now: Instant) {
        self.ways.relays.meet(neighbors);
        self.drive_relays(now);
    }

    /// What relays do by time: knocks, handshakes, their end.
    pub(super) fn drive_relays(&mut self, now: Instant) {
        for far in self.ways.relays.useless(now) {
            self.close_relay(far, now);
        }
        for far in self.ways.relays.fars() {
            self.drive_relay(far, now);
        }
    }

    fn drive_relay(&mut self, far: Far, now: Instant) {
        self.knock(far, now);
        let Some(relay) = self.ways.relays.get_mut(far) else { return };
        let result = relay.handle_timeout(now);
        self.send_relay_handshake(far);
        if let Err(error) = result {
            self.fail_relay(far, &error, now);
        }
    }

    fn knock(&mut self, far: Far, now: Instant) {
        let Some(key) = self.ways.relays.key() else { return };
        let Some(relay) = self.ways.relays.get_mut(far) else { return };
        let Some(knock) = relay.poll_knock(now) else { return };
        if let Some(datagram) = knock.write(&key, self.identity.crypto()) {
            self.batch.push(relay.path, &datagram);
        }
    }

    fn send_relay_handshake(&mut self, far: Far) {
        let Some(relay) = self.ways.relays.get_mut(far) else { return };
        while let Some(datagram) = relay.poll_transmit() {
            self.batch.push(relay.path, &datagram);
        }
    }

    fn fail_relay(&mut self, far: Far, error: &super::leg::dtls::DtlsError, now: Instant) {
        let was_up = self.ways.relays.get_mut(far).is_some_and(|relay| relay.is_up());
        if was_up {
            add(&self.counters.relays_closed, 1);
        } else {
            add(&self.counters.relay_failures, 1);
            tracing::warn!(incarnation = %far.node, %error, "a relay did not come up");
        }
        self.ways.relays.restart(far, !was_up, now);
    }

    /// Ends a relay.
    pub(super) fn close_relay(&mut self, far: Far, now: Instant) {
        if let Some(relay) = self.ways.relays.get_mut(far) {
            relay.close(now);
        }
        self.send_relay_handshake(far);
        if self.ways.relays.remove(far).is_some_and(|relay| relay.is_up()) {
            add(&self.counters.relays_closed, 1);
            tracing::info!(incarnation = %far.node, "a relay is closed");
        }
        // A thread without any does not look up for a while.
        self.tell_links(now);
    }

    /// Sends what the relays' letter boxes hold.
    pub(super) fn send_letters(&mut self) {
        for relay in self.ways.relays.iter_mut() {
            while let Some(sealed) = relay.poll_letters() {
                add(&self.counters.relay_bytes_out, sealed.len() as u64);
                self.batch.push(relay.path, &sealed);
            }
        }
    }

    /// Tells the other nodes of a lesson who is heard here.
    pub(super) fn tell_nodes(&mut self, lesson: LessonId, voices: &Voices, now: Instant) {
        let letter = Letter::heard(lesson, voices);
        self.ways.relays.of_lesson(lesson).for_each(|relay| {
            relay.write(&letter, now);
        });
        self.send_letters();
    }

    /// Takes a datagram that may be the knock of a neighbor.
    pub(super) fn receive_knock(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let (far, ended) = self.ways.relays.knocked(path, bytes, &self.identity, now)?;
        add(&self.counters.relays_closed, u64::from(ended));
        self.drive_relay(far, now);
        Some(())
    }

    /// Takes a DTLS datagram of a relay.
    pub(super) fn receive_relay_dtls(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let identity = self.identity.clone();
        let relay = self.ways.relays.at(&path)?;
        let (far, result) = (relay.far, relay.handle_dtls(bytes, &identity, now));
        self.send_relay_handshake(far);
        match result {
            Ok(true) => self.relay_is_up(far, now),
            Ok(false) => {}
            Err(error) => self.fail_relay(far, &error, now),
        }
        Some(())
    }

    /// Everything that was asked for in vain is asked again.
    fn relay_is_up(&mut self, far: Far, now: Instant) {
        add(&self.counters.relays_opened, 1);
        tracing::info!(incarnation = %far.node, thread = far.thread, "a relay is open");
        let lessons: Vec<LessonId> = self.rooms.keys().copied().collect();
        for lesson in lessons {
            self.tell_demands(lesson, now);
        }
        self.send_letters();
    }

    /// Takes a media packet of a relay.
    pub(super) fn receive_relayed(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let relay = self.ways.relays.at(&path)?;
        let (far, packet) = (relay.far, relay.open_rtp(bytes, now)?);
        add(&self.counters.relay_packets_in, 1);
        add(&self.counters.relay_bytes_in, bytes.len() as u64);
        self.take_relayed(far, &packet, now)
    }

    /// Takes an opened media packet.
    pub(super) fn take_relayed(&mut self, far: Far, packet: &Bytes, now: Instant) -> Option<()> {
        let relay = self.ways.relays.get_mut(far)?;
        let incoming = Incoming::read(packet)?;
        let Header { ssrc, sequence, .. } = incoming.header;
        let stream = find(&relay.inward, ssrc);
        let track = stream.and_then(|(lesson, publication, _)| {
            let room = self.rooms.get_mut(&lesson)?;
            let index = room.find(publication)?;
            Some(&mut room.tracks[index])
        });
        let layer = stream.and_then(|(.., layer)| track.as_ref()?.layers.get(layer));
        // What is sent again tells nothing of the way.
        if let Some(number) = incoming.number.filter(|_| layer.is_none_or(|layer| !layer.is_late(sequence))) {
            relay.congestion.arrived(number, ssrc, now);
        }
        // Its shape was lost and comes again in a moment; or it is padding.
        let Some((lesson, _, layer)) = stream else { return Some(()) };
        let streams = (relay.far.node, relay.association(), ssrc - layer as u32);
        let track = track?;
        if track.import.is_none_or(|import| import.streams.remote != Some(streams)) {
            return Some(());
        }
        if !track.is_permitted() {
            add(&self.counters.packets_unpermitted, 1);
            return Some(());
        }
        track.receive_relayed(layer, incoming, now);
        self.touch(lesson);
        Some(())
    }

    /// Takes a control packet of a relay.
    pub(super) fn receive_relay_rtcp(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let relay = self.ways.relays.at(&path)?;
        let (far, packet) = (relay.far, relay.open_rtcp(bytes, now)?);
        add(&self.counters.relay_bytes_in, bytes.len() as u64);
        self.take_relay_control(far, packet, now);
        self.ring_bridges();
        Some(())
    }

    /// Takes an opened control packet.
    pub(super) fn take_relay_control(&mut self, far: Far, packet: Bytes, now: Instant) {
        if letter::is_letters(&packet) {
            for letter in letter::read(&packet) {
                self.take_letter(far, letter, now);
            }
            return;
        }
        let mut rest = &packet[..];
        while let Some(mut first) = split_first(&mut rest) {
            if let Some(feedback) = Feedback::parse(first) {
                let relay = self.ways.relays.get_mut(far);
                if relay.is_some_and(|relay| relay.congestion.handle_feedback(&feedback, now)) {
                    self.share_relay(far, now);
                }
                continue;
            }
            let Ok(packets) = unmarshal(&mut first) else { return };
            if let (Some(report), Some(relay)) = (first_report(&packets), self.ways.relays.get_mut(far)) {
                relay.round_trip.take(report, now);
            }
            let nacks = packets.iter().filter_map(|it| it.as_any().downcast_ref::<TransportLayerNack>());
            nacks.for_each(|nack| _ = self.repeat_to_node(far, nack, now));
        }
    }

    fn take_letter(&mut self, far: Far, letter: Letter, now: Instant) {
        let Letter { lesson, publication, word } = letter;
        let (whose, way) = ((lesson, publication), Way::Relay(far));
        if let Some(relay) = self.ways.relays.get_mut(far).filter(|_| word.is_need()) {
            relay.used = now;
        }
        match word {
            Word::Shape { ssrc, version, clock, shape } => {
                self.take_node_shape(far, whose, (ssrc, version), with_our_clock(shape, clock, now), now);
            }
            Word::Demand(demand) => self.demanded(way, whose, demand, now),
            Word::Leave => self.left(way, whose, now),
            Word::KeyFrame { layer } => self.key_frame_wanted(whose, layer, now),
            Word::Heard(voices) if self.rooms.contains_key(&lesson) => {
                self.tell(MediaEvent::HeardElsewhere { lesson, node: far.node, voices });
            }
            Word::Heard(_) => {}
            Word::Stopped { layer } => {
                let room = self.rooms.get_mut(&lesson);
                let track =
                    room.and_then(|room| Some(room.find(publication)?).map(|at| &mut room.tracks[at]));
                if let Some(track) = track.filter(|track| track.may_come_from(far.node)) {
                    track.stop_layer(usize::from(layer));
                }
            }
            Word::Takes(takes) => {
                let Some(room) = self.rooms.get_mut(&lesson) else { return };
                let Some(index) = room.find(publication) else { return };
                room.tracks[index].taken(way, takes);
            }
            Word::Losses(losses) => {
                let Some(room) = self.rooms.get_mut(&lesson) else { return };
                let Some(index) = room.find(publication) else { return };
                let track = &mut room.tracks[index];
                if track.exports.iter().any(|export| export.to == way) {
                    export_to(track, way).lost(losses, now);
                }
            }
        }
    }

    /// What comes from another node, if it was asked for.
    fn take_node_shape(
        &mut self,
        far: Far,
        (lesson, publication): (LessonId, Publication),
        (ssrc, version): (u32, u32),
        shape: Shape,
        now: Instant,
    ) -> Option<()> {
        if usize::from(shape.layers) > LAYERS || !ssrc.is_multiple_of(SSRCS) {
            return None;
        }
        let room = self.rooms.get_mut(&lesson).filter(|room| room.home.is_none())?;
        let index = room.find(publication)?;
        let track = &mut room.tracks[index];
        if !track.may_come_from(far.node) {
            return None;
        }
        let relay = self.ways.relays.get_mut(far)?;
        let remote = Some((far.node, relay.association(), ssrc));
        let streams = Streams { generation: shape.generation, remote };
        let before = track.import.filter(|import| import.streams.remote == remote).map(|import| import.seen);
        if before.is_some_and(|seen| version < seen) || !track.take_shape_of_node(shape, streams) {
            return None;
        }
        relay.inward.retain(|known, told| *known == ssrc || *told != (lesson, publication));
        relay.inward.insert(ssrc, (lesson, publication));
        if let Some(import) = &mut track.import {
            import.seen = version;
        }
        self.tell_demand(lesson, index, now);
        self.touch(lesson);
        Some(())
    }

    /// Sends again what another node misses.
    fn repeat_to_node(&mut self, far: Far, nack: &TransportLayerNack, now: Instant) -> Option<()> {
        let relay = self.ways.relays.get_mut(far)?;
        let (lesson, publication, layer) = find(&relay.outward, nack.media_ssrc)?;
        let Outgoing { srtp, path, congestion } = relay.outgoing(now)?;
        let room = self.rooms.get(&lesson)?;
        let track = &room.tracks[room.find(publication)?];
        let export = track.exports.iter().find(|export| export.to == Way::Relay(far))?;
        let remote = export.remote.as_ref().filter(|it| it.ssrc + layer as u32 == nack.media_ssrc)?;
        let ring = track.ring(layer)?;
        let lane = remote.lanes.get(layer)?;
        for wrapped in nack.nacks.iter().flat_map(|pair| pair.packet_list()).take(ASKED) {
            let Some((sequence, out, number)) = lane.origin(wrapped) else { continue };
            let Some(kept) = ring.get(sequence) else { continue };
            // It is asked for again where the link has no room now.
            if !congestion.may_repeat(kept.is_sound(), now) {
                break;
            }
            let place = Place { ssrc: nack.media_ssrc, sequence: out };
            let size = packet::write(kept, place, number, srtp, path, &mut self.batch);
            congestion.repeated(size);
            add(&self.counters.relay_packets_repeated, 1);
            add(&self.counters.relay_bytes_out, size as u64);
        }
        Some(())
    }

    /// Asks another node for packets that its relay lost.
    pub(super) fn ask_node(
        &mut self,
        (lesson, node): (LessonId, IncarnationId),
        ssrc: u32,
        missing: &[u16],
        now: Instant,
    ) {
        let Some(nack) = rtcp::nack(ssrc, missing) else { return };
        let Some(relay) = self.ways.relays.toward(node, lesson, now) else { return };
        send_control(relay, &nack, (&mut self.batch, &self.counters));
    }
}

fn first_report(packets: &[Box<dyn Packet>]) -> Option<&SenderReport> {
    packets.iter().find_map(|packet| packet.as_any().downcast_ref())
}

/// The clocks of two nodes differ: what a shape says of the publisher's is put in terms of ours, up to the way of a letter.
fn with_our_clock(shape: Shape, told_at: u64, now: Instant) -> Shape {
    let ahead = ntp::at(now).wrapping_sub(told_at) as i64;
    Shape { clock_offset: shape.clock_offset.map(|offset| offset.wrapping_add(ahead)), ..shape }
}

#[cfg(test)]
#[path = "tests/relays/mod.rs"]
mod tests;
