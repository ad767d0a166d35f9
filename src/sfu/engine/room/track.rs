//! One publication: its incoming layers, and the slots it flows to.

use std::time::{Duration, Instant};

use bytes::Bytes;
use qism_signaling::protocol::{IncarnationId, Publication, Slot, Source, UserId};

use super::{
    LegIndex,
    codecs::Agreement,
    export::{Export, Import, Streams, Way},
    joined::{JOINED, Joined},
    layer::LayerIn,
    shape::Shape,
    uplink::Stream,
};
use crate::sfu::{
    engine::relay::packet::Incoming,
    forward::{
        ceiling::{Ceiling, Takes},
        forwarder::Forwarder,
        gather,
        keyframes::KeyframeGate,
        layers::LayerFacts,
        nack::NackTracker,
        packet::{Codec, Packet},
        red::{Block, EARLIER},
        ring::PacketRing,
        rtp::Header,
    },
    sdp::{Upstream, answer::LAYERS},
};

const CAMERA_INTERVAL: Duration = Duration::from_millis(500);
/// Key frames of a screen are big.
const SCREEN_INTERVAL: Duration = Duration::from_secs(1);
/// A picture that came no longer ago flows.
const FLOWS: Duration = Duration::from_secs(2);
/// A node that the publisher left is asked on for so long, in case what it still gets is all there is.
const LEAVING: Duration = Duration::from_secs(6);

/// A published track.
pub struct TrackIn {
    pub publication: Publication,
    /// The leg that sends it.
    pub publisher: Option<LegIndex>,
    /// Closed unless the hub opened it.
    permitted: bool,
    pub layers: Vec<LayerIn>,
    pub keyframes: KeyframeGate<UserId>,
    pub subscribers: Vec<(LegIndex, Slot)>,
    /// The same voice in fewer packets.
    pub joined: Joined,
    /// Packets that came since the last fan-out: (layer, number).
    fresh: Vec<(usize, u64)>,
    /// Our clock minus the publisher's (NTP, 32.32 fixed point), the same for all its tracks.
    pub clock_offset: Option<i64>,
    /// Which layers anybody receives, as last told to the hub.
    pub told_wanted: Option<Vec<bool>>,
    /// Of a screen: what its encoder was asked to stay below.
    pub ceiling: Ceiling,
    /// Whether the publisher may send H.264; `None` when it cannot.
    pub h264: Option<Agreement>,
    /// The streams are other ones now: every slot starts anew at a key frame.
    pub is_restarted: bool,
    /// A layer came up or changed its size: subscribers choose anew before the next fan-out.
    pub is_changed: bool,
    /// Counts how often the streams became other ones.
    generation: u32,
    /// Other threads with subscribers of this track.
    pub exports: Vec<Export>,
    /// Where the packets come over a bridge or a relay.
    pub import: Option<Import>,
    /// The node that the publisher is on; `None`: this one.
    pub origin: Option<IncarnationId>,
    /// The one before, until the new one sends, but not longer than this.
    leaving: Option<(IncarnationId, Instant)>,
}

impl TrackIn {
    pub fn new(publication: Publication, permitted: bool) -> Self {
        let interval = match publication.source {
            Source::Screen => SCREEN_INTERVAL,
            _ => CAMERA_INTERVAL,
        };
        Self {
            publication,
            publisher: None,
            permitted,
            layers: Vec::new(),
            keyframes: KeyframeGate::new(interval),
            subscribers: Vec::new(),
            joined: Joined::default(),
            fresh: Vec::new(),
            clock_offset: None,
            told_wanted: None,
            ceiling: Ceiling::default(),
            h264: None,
            is_restarted: false,
            is_changed: false,
            generation: 0,
            exports: Vec::new(),
            import: None,
            origin: None,
            leaving: None,
        }
    }

    pub fn is_audio(&self) -> bool {
        self.publication.source.is_audio()
    }

    /// Somebody sends it, here or elsewhere, or is about to.
    pub fn is_published(&self) -> bool {
        self.publisher.is_some() || self.import.is_some()
    }

    /// Units of the RTP timestamp per second.
    pub fn clock_rate(&self) -> u32 {
        if self.is_audio() { 48_000 } else { 90_000 }
    }

    pub fn is_permitted(&self) -> bool {
        self.permitted
    }

    /// Opens or shuts the gate; true when it was shut by this. What was kept is forgotten, so that nothing of it can
    /// be retransmitted.
    pub fn permit(&mut self, permitted: bool) -> bool {
        let shut = self.permitted && !permitted;
        self.permitted = permitted;
        if shut {
            self.forget_streams();
        }
        shut
    }

    fn forget_streams(&mut self) {
        self.generation += 1;
        let ssrcs: Vec<Option<u32>> = self.layers.iter().map(|layer| layer.ssrc).collect();
        let is_video = !self.is_audio();
        self.layers = ssrcs.iter().map(|_| LayerIn::new(is_video)).collect();
        for (layer, ssrc) in self.layers.iter_mut().zip(ssrcs) {
            layer.ssrc = ssrc;
        }
        self.keyframes.clear();
        self.fresh.clear();
        self.joined.restart();
    }

    /// A publisher's leg announces this track as agreed.
    pub fn publish(&mut self, publisher: LegIndex, upstream: &Upstream, now: Instant) {
        let layers = upstream.rids.len();
        let is_video = !self.is_audio();
        self.publisher = Some(publisher);
        (self.import, self.leaving) = (None, None);
        self.generation += 1;
        self.is_restarted = true;
        self.clock_offset = None;
        (self.told_wanted, self.ceiling) = (None, Ceiling::default());
        self.h264 = upstream.speaks(Codec::H264).then(|| Agreement::new(now));
        self.layers = (0..layers.clamp(1, LAYERS)).map(|_| LayerIn::new(is_video)).collect();
        self.fresh.clear();
        self.joined.restart();
    }

    pub fn unpublish(&mut self) {
        self.publisher = None;
        self.generation += 1;
        self.clock_offset = None;
        self.told_wanted = None;
        self.h264 = None;
        self.layers.clear();
        self.keyframes.clear();
        self.fresh.clear();
        self.joined.restart();
    }

    pub fn subscribe(&mut self, leg: LegIndex, slot: Slot) {
        self.subscribers.push((leg, slot));
    }

    pub fn unsubscribe(&mut self, leg: LegIndex) {
        self.subscribers.retain(|(subscriber, _)| *subscriber != leg);
    }

    pub fn unsubscribe_slot(&mut self, leg: LegIndex, slot: Slot) {
        self.subscribers.retain(|subscriber| *subscriber != (leg, slot));
    }

    /// Takes a packet of a permitted track.
    pub fn receive(&mut self, stream: Stream, codec: Codec, header: &Header, payload: Bytes, now: Instant) {
        let layer = stream.layer;
        let is_lone = self.layers.len() == 1;
        let Some(incoming) = self.layers.get_mut(layer) else { return };
        let before = incoming.facts(is_lone, now);
        let kept = match stream.is_repair {
            true => incoming.receive_repair(header, codec, payload, now),
            false => {
                if incoming.start(header.ssrc) {
                    self.is_restarted = true;
                    self.generation += 1;
                    self.joined.restart();
                }
                incoming.receive(header, codec, payload, now)
            }
        };
        let Some(sequence) = kept else { return };
        let after = incoming.facts(is_lone, now);
        self.is_changed |= (before.size, before.alive) != (after.size, after.alive);
        self.kept(layer, sequence);
    }

    /// A packet is in the ring and waits for the fan-out.
    fn kept(&mut self, layer: usize, sequence: u64) {
        let packet = self.layers.get(layer).and_then(|layer| layer.ring.get(sequence));
        if packet.is_some_and(Packet::starts_key_frame) {
            self.keyframes.arrived(layer);
        }
        if let Some(packet) = packet.filter(|packet| packet.is_sound()) {
            self.joined.take(packet, packet.arrived);
        }
        self.fresh.push((layer, sequence));
    }

    /// A receiver waits for a key frame of this layer. One that just came and is passed on next is it.
    pub fn want_key_frame(&mut self, receiver: UserId, layer: usize, now: Instant) {
        let is_it = |(of, packet): (usize, &Packet)| of == layer && packet.starts_key_frame();
        if !self.fresh().any(is_it) {
            self.keyframes.want_for(receiver, layer, now);
        }
    }

    /// Other threads miss some of the fresh packets: what follows them is no picture there.
    pub fn want_key_frames(&mut self) {
        if !self.is_audio() {
            self.fresh.iter().for_each(|(layer, _)| self.keyframes.want(*layer));
        }
    }

    /// What other threads must know besides the packets.
    pub fn shape(&self) -> Shape {
        let sizes = std::array::from_fn(|layer| self.layers.get(layer)?.potential().size);
        Shape {
            generation: self.generation,
            layers: self.layers.len() as u8,
            sizes,
            clock_offset: self.clock_offset,
        }
    }

    /// Another thread that receives it told what the widest link there takes.
    pub fn taken(&mut self, way: Way, takes: Takes) {
        if let Some(export) = self.exports.iter_mut().find(|export| export.to == way) {
            export.takes = takes;
        }
    }

    /// Nobody receives it, here or elsewhere.
    pub fn is_unwanted(&self) -> bool {
        self.subscribers.is_empty() && self.exports.is_empty()
    }

    /// A layer does not come any more, until it comes. Of a lone encoding there is nothing else to show.
    pub fn stop_layer(&mut self, layer: usize) {
        let is_lone = self.layers.len() == 1;
        if let Some(layer) = self.layers.get_mut(layer).filter(|_| !is_lone) {
            layer.stop();
        }
    }

    /// Where the publisher is from now on. What comes from where it was is taken until the new node sends.
    pub fn move_to(&mut self, origin: Option<IncarnationId>, now: Instant) {
        if self.origin == origin {
            return;
        }
        if let Some(import) = &mut self.import {
            self.leaving = self.origin.map(|node| (node, now + LEAVING));
            import.told = None;
        }
        self.origin = origin;
    }

    /// The nodes that are asked for it.
    pub fn origins(&mut self, now: Instant) -> impl Iterator<Item = IncarnationId> + use<> {
        self.leaving = self.leaving.filter(|(_, until)| now < *until);
        self.origin.into_iter().chain(self.leaving.map(|(node, _)| node))
    }

    /// The node that its packets come from, and the SSRC of its layer 0 there.
    pub fn remote(&self) -> Option<(IncarnationId, u32)> {
        self.import?.streams.remote.map(|(node, _, ssrc)| (node, ssrc))
    }

    /// Whether what a node says of this track counts.
    pub fn may_come_from(&self, node: IncarnationId) -> bool {
        self.origin == Some(node) || self.leaving.is_some_and(|(leaving, _)| leaving == node)
    }

    /// Takes the shape of a track that comes from another node; false when what we have is better: the publisher has not
    /// begun to send there.
    pub fn take_shape_of_node(&mut self, shape: Shape, streams: Streams) -> bool {
        let is_new = streams.remote.map(|(node, ..)| node) == self.origin;
        if self.publisher.is_some() || (is_new && self.leaving.is_some()) {
            if shape.layers == 0 || !is_new {
                return false;
            }
            self.leaving = None;
            if self.publisher.is_some() {
                self.unpublish();
            }
        }
        self.take_shape(shape, streams);
        true
    }

    /// Takes the shape of a track that comes over a bridge or a relay.
    pub fn take_shape(&mut self, shape: Shape, streams: Streams) {
        let is_video = !self.is_audio();
        let known = self.import.get_or_insert_default();
        if known.streams != streams || self.layers.len() != usize::from(shape.layers) {
            known.streams = streams;
            self.layers = (0..shape.layers).map(|_| LayerIn::new(is_video)).collect();
            if !is_video {
                self.layers.iter_mut().for_each(|layer| layer.nack = NackTracker::of_voice());
            }
            self.generation += 1;
            self.is_restarted = true;
            self.keyframes.clear();
            self.fresh.clear();
            self.joined.restart();
        }
        for (layer, size) in self.layers.iter_mut().zip(shape.sizes) {
            self.is_changed |= layer.learn_size(size);
        }
        self.clock_offset = shape.clock_offset;
    }

    /// Takes a packet that came over a bridge.
    pub fn import(&mut self, layer: usize, packet: Packet, now: Instant) {
        let is_lone = self.layers.len() == 1;
        let Some(incoming) = self.layers.get_mut(layer) else { return };
        let before = incoming.facts(is_lone, now);
        let sequence = packet.sequence;
        if !incoming.import(packet, now) {
            return;
        }
        let after = incoming.facts(is_lone, now);
        self.is_changed |= (before.size, before.alive) != (after.size, after.alive);
        self.kept(layer, sequence);
    }

    /// Takes a packet that came from another node.
    pub fn receive_relayed(&mut self, layer: usize, incoming: Incoming, now: Instant) {
        let is_lone = self.layers.len() == 1;
        let Some(to) = self.layers.get_mut(layer) else { return };
        let before = to.facts(is_lone, now);
        let Some(sequence) = to.receive_relayed(incoming, now) else { return };
        let after = to.facts(is_lone, now);
        self.is_changed |= (before.size, before.alive) != (after.size, after.alive);
        self.kept(layer, sequence);
    }

    /// What is kept of a layer.
    pub fn ring(&self, layer: usize) -> Option<&PacketRing> {
        match layer {
            JOINED => Some(self.joined.ring()),
            layer => Some(&self.layers.get(layer)?.ring),
        }
    }

    /// Packets since the last fan-out, joined ones too.
    pub fn fresh_of_all_forms(&self) -> impl Iterator<Item = (usize, &Packet)> {
        self.fresh().chain(self.joined.fresh())
    }

    /// Packets since the last fan-out.
    pub fn fresh(&self) -> impl Iterator<Item = (usize, &Packet)> {
        self.fresh
            .iter()
            .filter_map(|&(layer, sequence)| Some((layer, self.layers.get(layer)?.ring.get(sequence)?)))
    }

    /// At most so many packets right before one of a voice, oldest first, as far as they are there, belong to the same source in
    /// this receiver's slot, and fit a redundant packet.
    pub fn earlier(
        &self,
        layer: usize,
        sequence: u64,
        copies: usize,
        forwarder: &Forwarder,
    ) -> [Option<Block<'_>>; EARLIER] {
        std::array::from_fn(|place| {
            if EARLIER - place > copies {
                return None;
            }
            let ring = self.ring(layer)?;
            let own = ring.get(sequence)?;
            let frame = ring.get(sequence.checked_sub((EARLIER - place) as u64)?)?;
            forwarder.rewrite(layer, frame)?;
            let offset = own.timestamp.wrapping_sub(frame.timestamp);
            Some(Block { offset, frame: &frame.payload }).filter(Block::fits)
        })
    }

    /// Some packet of it is being waited for.
    pub fn misses_packets(&self) -> bool {
        self.layers.iter().any(|layer| layer.nack.is_waiting())
    }

    /// Until when the fresh packets wait for the rest of their picture, if they do. Joined voices wait for nothing.
    pub fn waits_until(&self, now: Instant) -> Option<Instant> {
        if !self.layers.iter().any(|layer| layer.is_gathering(now)) {
            return None;
        }
        let (_, oldest) = self.fresh().next()?;
        Some(oldest.arrived + gather::LONGEST).filter(|until| now < *until)
    }

    pub fn has_fresh(&self) -> bool {
        !self.fresh.is_empty() || self.joined.has_fresh()
    }

    pub fn clear_fresh(&mut self) {
        self.fresh.clear();
        self.joined.clear_fresh();
    }

    /// Frames can be left out without hurting the others.
    pub fn has_temporal_layers(&self) -> bool {
        self.layers.iter().any(|layer| layer.has_temporal_layers)
    }

    /// Some packet of the present streams has come.
    pub fn has_come(&self) -> bool {
        self.layers.iter().any(LayerIn::has_come)
    }

    /// Some packet came lately.
    pub fn flows(&self, now: Instant) -> bool {
        self.layers.iter().filter_map(LayerIn::newest).any(|newest| now < newest + FLOWS)
    }

    /// What is known of each layer.
    pub fn facts(&self, now: Instant) -> Vec<LayerFacts> {
        let is_lone = self.layers.len() == 1;
        // Of other threads and nodes only those come that were asked for.
        let newest =
            self.layers.iter().filter(|_| self.publisher.is_some()).filter_map(LayerIn::newest).max();
        let facts = |layer: &LayerIn| {
            let facts = layer.facts(is_lone, now);
            let rests = newest.is_some_and(|newest| layer.rests_beside(newest));
            LayerFacts { alive: facts.alive && !rests, ..facts }
        };
        self.layers.iter().map(facts).collect()
    }
}
