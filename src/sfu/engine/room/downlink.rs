//! A subscriber leg's side of the room: its slots, and writing packets for them.

mod padding;

use std::time::{Duration, Instant};

use qism_signaling::{
    hub::ports::LayerCap,
    protocol::{Slot, media::Pictures},
};
use rtc::rtcp::reception_report::ReceptionReport;

use super::{
    TrackIndex,
    link::Link,
    outgoing::{Destination, Outgoing},
    track::TrackIn,
};
use crate::sfu::{
    engine::ahead::fetch,
    forward::{
        allocator::Step,
        budget::DataBudget,
        ceiling::Takes,
        forwarder::{EVERY_FRAME, Forwarder},
        layers::{LayerFacts, Wish, choose},
        listeners::ReportedLoss,
        meter::{Meter, Peak},
        own_loss::{Lost, OwnLoss, Told},
        pacer::{Fate, Pacer},
        packet::Packet,
        prober::{Found, Prober},
        protection::Protection,
        red::EARLIER,
        repairs::RepairBudget,
    },
    sdp::{Abilities, SubscriberTerms, offer},
};

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
/// How often what the link bears is shared out.
pub const REVIEW: Duration = Duration::from_millis(100);
/// On a wide link that is done with the feedback, while the leg's state is at hand anyway, but not more often than this …
const REVIEW_SOONEST: Duration = Duration::from_millis(80);
/// … and by the clock when no feedback came for so long.
const REVIEW_LATEST: Duration = Duration::from_millis(150);
/// So long a wide link on which everybody has what they want need not be shared out again.
const CALM: Duration = Duration::from_millis(500);
/// So long a layer that the link does not bear flows on while the key frame of the lower one is waited for.
const UPPER_FLOWS_ON: Duration = Duration::from_millis(300);

/// A key frame that left is there within this time, with what had to be sent again.
const ARRIVES: Duration = Duration::from_millis(500);

/// How far a picture may go on the receiver's link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    None,
    UpTo(Step),
    Paused,
}

/// One slot of a subscriber.
pub struct TrackOut {
    pub slot: Slot,
    /// What flows in it.
    pub track: Option<TrackIndex>,
    pub cap: LayerCap,
    /// What the receiver's link has for this slot.
    pub limit: Limit,
    /// Of a screen: what the link would take of it.
    pub takes: Takes,
    pub forwarder: Forwarder,
    /// Unwrapped number of the next retransmission.
    repair_sequence: u64,
    pub packets: u32,
    pub octets: u32,
    /// What left, to judge what its receiver says of it.
    own_loss: OwnLoss,
    /// What its receiver's own link lost when it last said so.
    pub loss: Option<ReportedLoss>,
    /// A smaller layer than the one that flows is waited for since then.
    narrowed: Option<Instant>,
    /// Another source or layer began to flow, and its receiver was not told its clock.
    pub begins: bool,
}

impl TrackOut {
    fn new(slot: Slot, first: u16) -> Self {
        let clock_rate = if offer::is_audio(slot) { 48_000 } else { 90_000 };
        Self {
            slot,
            track: None,
            cap: LayerCap::LOW,
            limit: Limit::None,
            takes: Takes::Nothing,
            forwarder: Forwarder::new(clock_rate, first),
            repair_sequence: u64::from(first % 1_000),
            packets: 0,
            octets: 0,
            own_loss: OwnLoss::default(),
            loss: None,
            narrowed: None,
            begins: false,
        }
    }

    pub fn is_audio(&self) -> bool {
        offer::is_audio(self.slot)
    }

    /// What its receiver's own link lost since the report before.
    pub fn own_loss(&mut self, report: &ReceptionReport) -> Lost {
        // A signed number of 24 bits.
        let total_lost = ((report.total_lost << 8) as i32) >> 8;
        let highest = self.forwarder.full_sequence(report.last_sequence_number as u16);
        self.own_loss.told(Told { highest, total_lost, fraction: report.fraction_lost })
    }

    /// The largest picture that may flow.
    pub fn wish(&self) -> Wish {
        Wish { width: self.cap.width, height: self.cap.height }
    }

    /// Chooses the layer to send; yields the one whose key frame is waited for. Meanwhile the old one flows on, but not
    /// for long where the link does not bear it.
    fn choose_layer(&mut self, facts: &[LayerFacts], now: Instant) -> Option<usize> {
        let wanted = choose(facts, self.wish());
        let (layer, temporal) = match self.limit {
            Limit::None => (wanted, EVERY_FRAME),
            Limit::UpTo(step) => (wanted.map(|wanted| smaller(wanted, step.layer, facts)), step.temporal),
            Limit::Paused => (None, EVERY_FRAME),
        };
        self.forwarder.want(layer);
        self.forwarder.want_temporal(temporal);
        self.stop_upper(facts, now);
        self.forwarder.awaited()
    }

    fn stop_upper(&mut self, facts: &[LayerFacts], now: Instant) {
        let size = |layer: usize| facts.get(layer).and_then(|facts| facts.size);
        let is_narrowed = self.forwarder.current().zip(self.forwarder.awaited());
        if is_narrowed.is_none_or(|(current, awaited)| size(awaited) >= size(current)) {
            self.narrowed = None;
        } else if now >= *self.narrowed.get_or_insert(now) + UPPER_FLOWS_ON {
            self.narrowed = None;
            self.forwarder.stop();
        }
    }
}

/// The smaller of two layers; the limit counts only while its layer is alive.
fn smaller(wanted: usize, limit: usize, facts: &[LayerFacts]) -> usize {
    match facts.get(limit).filter(|limit| limit.alive && limit.size < facts[wanted].size) {
        Some(_) => limit,
        None => wanted,
    }
}

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

/// What is to be done about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    Nothing,
    /// Only the pacer follows it.
    Follow,
    /// It is shared out among the pictures.
    Share,
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
    /// When the link was last shared out, and whether that was with feedback.
    reviewed: Option<(Instant, bool)>,
    /// Everybody had what they want then; nothing is new while the link bears so many bits per second.
    calm: Option<(Instant, u32)>,
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
            reviewed: None,
            calm: None,
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
        let since = self.reviewed.map_or(Duration::MAX, |(at, _)| now.saturating_duration_since(at));
        let was_fed = self.reviewed.is_some_and(|(_, was_fed)| was_fed);
        let wait = match (with_feedback, was_fed) {
            (true, _) if !self.link.is_wide(now) => return Review::Nothing,
            (true, true) => REVIEW_SOONEST,
            (true, false) => Duration::ZERO,
            (false, true) => REVIEW_LATEST,
            (false, false) => Duration::ZERO,
        };
        if since < wait {
            return Review::Nothing;
        }
        self.reviewed = Some((now, with_feedback));
        if self.calm.is_some_and(|(since, estimate)| now < since + CALM && self.bears(estimate, now)) {
            return Review::Follow;
        }
        Review::Share
    }

    /// The link is as good as it was, or better.
    fn bears(&self, estimate: u32, now: Instant) -> bool {
        self.link.estimate().is_some_and(|it| it >= estimate) && self.link.is_wide(now)
    }

    /// The link was shared out. Where everybody has what they want of a wide one, it is not done again for a while.
    pub fn shared(&mut self, now: Instant) {
        let is_calm = |out: &TrackOut| out.limit == Limit::None && out.forwarder.awaited().is_none();
        let is_calm = self.budget.is_none()
            && self.prober.bitrate().is_none()
            && self.slots.iter().filter(|out| !out.is_audio()).all(is_calm);
        let estimate = self.link.estimate().filter(|_| is_calm);
        self.calm = estimate.map(|estimate| (now, estimate / 20 * 19));
    }

    /// What is asked for is another thing now.
    pub fn review_soon(&mut self) {
        (self.reviewed, self.calm) = (None, None);
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
        out.own_loss.left(rewritten.sequence);
        out.begins |= rewritten.is_entry;
        out.packets = out.packets.wrapping_add(1);
        out.octets = out.octets.wrapping_add(packet.payload.len() as u32);
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

    /// Sends one packet again, as the receiver asked; padding for one that was left out on purpose. What the link does not
    /// take now waits. False when it is not sent now.
    pub fn resend<'a>(
        &mut self,
        slot: Slot,
        wrapped: u16,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        to: &mut Destination<'_>,
    ) -> bool {
        let Some(out) = self.slots.get(usize::from(slot.0)) else { return false };
        let sequence = out.forwarder.full_sequence(wrapped);
        if !self.pacer.may_repair(to.now) {
            self.pacer.owe(usize::from(slot.0), sequence);
            return false;
        }
        self.repair(slot, sequence, find, to)
    }

    /// False when it is not there any more, or when too much was sent again already.
    fn repair<'a>(
        &mut self,
        slot: Slot,
        sequence: u64,
        find: impl FnOnce(usize, u64) -> Option<&'a Packet>,
        to: &mut Destination<'_>,
    ) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let Some((layer, sequence)) = out.forwarder.origin(sequence) else { return false };
        if self.pacer.is_outdated(usize::from(slot.0), layer, sequence) {
            return false;
        }
        let Some(packet) = find(layer, sequence) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let padding = out.forwarder.leaves_out(packet).then(|| packet.emptied());
        let packet = padding.as_ref().unwrap_or(packet);
        if !self.repairs.take(packet.payload.len()) {
            return false;
        }
        out.repair_sequence += 1;
        let repair = Some(out.repair_sequence);
        let outgoing = Outgoing { slot, packet, rewritten, repair, earlier: [None; EARLIER] };
        let size = outgoing.write(&mut self.link, to);
        self.left(size);
        size > 0
    }

    /// Sends a packet of a voice once more, the same bytes; false when it belongs to another source by now.
    pub fn echo(&mut self, slot: Slot, layer: usize, packet: &Packet, to: &mut Destination<'_>) -> bool {
        let Some(out) = self.slots.get_mut(usize::from(slot.0)) else { return false };
        let Some(rewritten) = out.forwarder.rewrite(layer, packet) else { return false };
        let outgoing = Outgoing { slot, packet, rewritten, repair: None, earlier: [None; EARLIER] };
        let size = outgoing.write(&mut self.link, to);
        if size > 0 {
            self.voice.count(size + HEADERS, to.now);
        }
        size > 0
    }
}
