//! A subscriber leg's side of the room: its slots, and writing packets for them.

mod padding;
mod repairing;
mod reviews;
mod track_out;

use std::time::{Duration, Instant};

use qism_signaling::protocol::{Slot, media::Pictures};

use super::{
    TrackIndex,
    link::Link,
    outgoing::{Destination, Outgoing},
    track::TrackIn,
};
use crate::sfu::{
    engine::ahead::fetch,
    forward::{
        budget::DataBudget,
        layers::LayerFacts,
        meter::{Meter, Peak},
        pacer::{Fate, Pacer},
        packet::Packet,
        prober::{Found, Prober},
        protection::Protection,
        red::EARLIER,
        repairs::RepairBudget,
    },
    sdp::{Abilities, SubscriberTerms, offer},
};

use reviews::Reviews;
pub use reviews::{REVIEW, Review};
pub use track_out::{Limit, TrackOut};

/// IP and UDP headers.
const HEADERS: usize = 28;
/// What a link must bear for redundancy, in bits per second: two earlier frames in each packet of a voice, and a small picture.
const REDUNDANCY: u32 = 130_000;
/// What a voice takes, in bits per second: Opus, its headers and the retransmissions of pictures.
const VOICE: u32 = 50_000;
/// At most so many bits per second leave for a connection: what may leave at once always finds room in its queue.
const STREAM: u32 = 6_000_000;
/// A connection that is full takes at least so many, in bits per second.
const TRICKLE: u32 = 50_000;
/// A key frame that left is there within this time, with what had to be sent again.
const ARRIVES: Duration = Duration::from_millis(500);

/// What carries a leg.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Carrier {
    Datagrams,
    /// One TCP connection; full: it has enough to write for now.
    Stream {
        is_full: bool,
    },
}

impl Carrier {
    /// What a probe found over it. A connection's arrivals are uneven by its own repairs: where it took all of a probe without filling,
    /// that came late without having met the end of the link.
    pub fn found(self, found: Found) -> Found {
        match (self, found) {
            (Self::Stream { is_full: false }, Found::More) => Found::NoEnd,
            _ => found,
        }
    }
}

/// How voices are sent to a receiver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VoiceCare {
    Plain,
    /// Each packet carries so many earlier ones.
    Redundant(usize),
    /// Each packet is sent again a little later, twice.
    Echoed,
}

/// The slots of one subscriber leg.
pub struct Downlink {
    pub terms: SubscriberTerms,
    /// Unknown until the receiver answered.
    pub abilities: Option<Abilities>,
    pub slots: Vec<TrackOut>,
    pub link: Link,
    repairs: RepairBudget,
    /// Pictures that wait for the link.
    pub pacer: Pacer,
    pub carrier: Carrier,
    /// Noted with the worker, who comes back until nothing waits and no probe runs.
    pub is_paced: bool,
    pub prober: Prober,
    /// False while the receiver saves bytes: nothing is sent then but what was asked for.
    pub may_probe: bool,
    /// Voices as they flow, headers included; pictures.
    pub voice: Meter,
    /// The most that voices took lately.
    voices: Peak,
    pictures: Meter,
    pub protection: Protection,
    /// Whether the receiver was last told that its pictures are stopped.
    pub told_stopped: bool,
    /// Voices come joined.
    pub saver: bool,
    reviews: Reviews,
    /// When the clocks of its slots were last told.
    pub clocks_told: Option<Instant>,
    /// What this receiver may still cost; `None`: no limit.
    pub budget: Option<DataBudget>,
    /// What the receiver was last told of its budget's effect.
    pub told_spared: Pictures,
}

impl Downlink {
    /// `first` gives each slot its first sequence number.
    pub fn new(terms: SubscriberTerms, mut first: impl FnMut() -> u16) -> Self {
        let slots: Vec<TrackOut> = terms.slots().map(|slot| TrackOut::new(slot, first())).collect();
        let pacer = Pacer::new(slots.len());
        Self {
            terms,
            abilities: None,
            slots,
            link: Link::default(),
            repairs: RepairBudget::default(),
            pacer,
            carrier: Carrier::Datagrams,
            is_paced: false,
            prober: Prober::default(),
            may_probe: true,
            voice: Meter::default(),
            voices: Peak::default(),
            pictures: Meter::default(),
            protection: Protection::default(),
            told_stopped: false,
            saver: false,
            reviews: Reviews::default(),
            clocks_told: None,
            budget: None,
            told_spared: Pictures::Full,
        }
    }

    pub fn slot(&mut self, slot: Slot) -> Option<&mut TrackOut> {
        self.slots.get_mut(usize::from(slot.0))
    }

    /// Chooses the layer that a slot gets; yields the one whose key frame is to be asked for. One that is there and waits for
    /// the link is not.
    pub fn choose_layer(&mut self, slot: Slot, facts: &[LayerFacts], now: Instant) -> Option<usize> {
        let awaited = self.slot(slot)?.choose_layer(facts, now)?;
        (!self.pacer.has_key_frame(usize::from(slot.0), awaited)).then_some(awaited)
    }

    /// A key frame of this layer is on its way to a receiver who asks for one: it waits, or left just now. A second one would
    /// hold up a narrow link for seconds, of this receiver or of any other.
    pub fn has_key_frame(&self, slot: Slot, layer: usize, now: Instant) -> bool {
        let place = usize::from(slot.0);
        let left = self.pacer.key_frame_left(place, layer);
        self.pacer.has_key_frame(place, layer) || left.is_some_and(|left| now < left + ARRIVES)
    }

    /// Fetches what the next packet of a slot touches, once this here is near.
    pub fn fetch_slot(&self, slot: Slot) {
        let Some(out) = self.slots.get(usize::from(slot.0)) else { return };
        fetch(out);
        if !offer::is_audio(slot) {
            self.pacer.lane(usize::from(slot.0)).into_iter().for_each(fetch);
            fetch(self.link.next_places());
        }
    }

    /// … and once the slot is near.
    pub fn fetch_numbers(&self, slot: Slot) {
        let out = self.slots.get(usize::from(slot.0));
        out.and_then(|out| out.forwarder.newest_range()).into_iter().for_each(fetch);
    }

    /// What is to be done about the link now, with feedback that just came or by the clock; from then on it counts anew.
    pub fn review(&mut self, with_feedback: bool, now: Instant) -> Review {
        self.reviews.poll(with_feedback, &self.link, now)
    }

    /// The link was shared out. Where everybody has what they want of a wide one, it is not done again for a while.
    pub fn shared(&mut self, now: Instant) {
        let is_calm = |out: &TrackOut| out.limit == Limit::None && out.forwarder.awaited().is_none();
        let is_calm = self.budget.is_none()
            && self.prober.bitrate().is_none()
            && self.slots.iter().filter(|out| !out.is_audio()).all(is_calm);
        self.reviews.shared(self.link.estimate().filter(|_| is_calm), now);
    }

    /// What is asked for is another thing now.
    pub fn review_soon(&mut self) {
        self.reviews = Reviews::default();
    }

    /// How a track reaches this receiver now.
    pub fn care(&self, track: &TrackIn, now: Instant) -> VoiceCare {
        // On a narrow link redundancy would take the place of the voice itself.
        let is_narrow = || self.link.estimate().is_some_and(|it| it < REDUNDANCY) && self.link.was_full(now);
        let copies = if track.is_audio() { self.protection.copies(self.saver, now) } else { 0 };
        match self.abilities {
            _ if copies == 0 || is_narrow() => VoiceCare::Plain,
            Some(Abilities { red: true, .. }) => VoiceCare::Redundant(copies),
            _ => VoiceCare::Echoed,
        }
    }

    /// Sends the fresh packets of a track into a slot.
    pub fn send(&mut self, slot: Slot, track: &TrackIn, care: VoiceCare, to: &mut Destination<'_>) {
        let shows_h264 = self.abilities.is_some_and(|abilities| abilities.h264);
        for (layer, packet) in track.fresh_of_all_forms() {
            let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return };
            if packet.is_h264() && !shows_h264 {
                // Nothing of what follows would be a picture: begin anew once the publisher has switched.
                out.forwarder.stop();
                continue;
            }
            let place = usize::from(out.slot.0);
            let fate = match out.is_audio() {
                true => Fate::Leaves,
                false => self.pacer.offer(place, layer, packet, out.forwarder.flow(), to.now),
            };
            match fate {
                Fate::Leaves => self.forward(place, track, (layer, packet), care, to),
                Fate::LeftOut => self.slots[place].forwarder.leave_out(layer, packet),
                Fate::Stays => {}
            }
        }
    }

    /// Sends one packet in the slot at a place, if it is wanted there.
    fn forward(
        &mut self,
        place: usize,
        track: &TrackIn,
        (layer, packet): (usize, &Packet),
        care: VoiceCare,
        to: &mut Destination<'_>,
    ) {
        let out = &mut self.slots[place];
        let Some(rewritten) = out.forwarder.forward(layer, packet) else { return };
        let earlier = match care {
            VoiceCare::Redundant(copies) => track.earlier(layer, packet.sequence, copies, &out.forwarder),
            VoiceCare::Plain | VoiceCare::Echoed => [None; EARLIER],
        };
        let outgoing = Outgoing { slot: out.slot, packet, rewritten, repair: None, earlier };
        let size = outgoing.write(&mut self.link, to);
        if size == 0 {
            return;
        }
        self.repairs.sent(packet.payload.len());
        out.left(rewritten, packet.payload.len());
        match out.is_audio() {
            true => {
                self.voice.count(size + HEADERS, to.now);
                self.prober.voiced(size);
            }
            false => {
                self.pictures.count(size, to.now);
                self.left(size);
            }
        }
    }

    /// Bits per second to keep free for voices that pause: as many as spoke at once lately, at least one. The estimate is of
    /// pictures only; voices that flow had their place when it was made. Who was never heard, such as the sound of a silent
    /// screen, takes nothing: on a narrow link it would be all there is.
    pub fn kept_for_voices(&mut self, now: Instant) -> u32 {
        let flowing = self.voice.bitrate(now);
        let is_assigned = self.slots.iter().any(|out| out.is_audio() && out.track.is_some());
        let least = if is_assigned { VOICE } else { 0 };
        let expected = self.voices.told(flowing, now).max(least);
        // Voices are not even: a little less is no pause.
        if flowing > expected / 5 * 4 { 0 } else { expected - flowing }
    }

    /// A picture's packet left, the first time or again.
    fn left(&mut self, size: usize) {
        self.pacer.sent(size);
        self.prober.sent(size);
    }

    /// Lets pictures leave as the link takes them.
    pub fn follow_link(&mut self, now: Instant) {
        let (pace, is_held) = (self.link.pace(now), self.link.is_held(now));
        let (pace, is_held) = match self.prober.bitrate() {
            Some(probe) => (pace.map(|pace| pace.max(probe)), false),
            None => (pace, is_held),
        };
        match self.carrier {
            Carrier::Datagrams => self.pacer.set_link(pace, is_held, now),
            Carrier::Stream { is_full } => {
                let takes = if is_full { self.link.flow(now).max(TRICKLE) } else { STREAM };
                self.pacer.set_link(Some(pace.unwrap_or(takes).min(STREAM)), is_held || is_full, now);
            }
        }
    }

    /// Sends what waited and may leave now; `track` knows what flows in a slot.
    pub fn drain<'a>(&mut self, track: impl Fn(TrackIndex) -> Option<&'a TrackIn>, to: &mut Destination<'_>) {
        self.follow_link(to.now);
        while let Some((lane, sequence)) = self.pacer.poll_owed(to.now) {
            let out = &self.slots[lane];
            let Some(track) = out.track.and_then(&track) else { continue };
            self.repair(out.slot, sequence, |layer, sequence| track.ring(layer)?.get(sequence), to);
        }
        while let Some(next) = self.pacer.poll(to.now) {
            let out = &mut self.slots[next.lane];
            if next.restarts {
                out.forwarder.stop();
            }
            if next.is_entry && !out.forwarder.takes(next.layer) {
                // The slot wants another layer by now, and what flowed before was not kept for it.
                out.forwarder.stop();
                self.pacer.clear(next.lane);
                continue;
            }
            let Some(track) = out.track.and_then(&track) else { continue };
            // What the ring does not hold any more waited too long; its number stays a gap.
            let packet = track.layers.get(next.layer).and_then(|layer| layer.ring.get(next.sequence));
            match packet {
                Some(packet) if next.left_out => out.forwarder.leave_out(next.layer, packet),
                Some(packet) => self.forward(next.lane, track, (next.layer, packet), VoiceCare::Plain, to),
                None => {}
            }
        }
        for place in 0..self.slots.len() {
            if self.pacer.take_broken(place) {
                self.slots[place].forwarder.stop();
            }
        }
    }

    /// Another source flows in a slot, or the same begins anew.
    pub fn restart(&mut self, slot: Slot) {
        if let Some(out) = self.slots.get_mut(usize::from(slot.0)) {
            out.forwarder.restart();
            self.pacer.clear(usize::from(slot.0));
        }
    }
}
