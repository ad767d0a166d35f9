//! What the hub orders.

use std::time::Instant;

use qism_signaling::{
    hub::ports::{LayerCap, Leg, MediaError, MediaOrder},
    protocol::{LegKind, LessonId, Publication, Slot, Source, UserId, media::OfferedTrack},
};

use super::{
    counters::add,
    fanout::restart_slots,
    inbox::Order,
    leg::{Transport, ice::IceLite},
    legs::{LegState, Role, credentials},
    room::{LegIndex, downlink::Downlink, uplink::Uplink},
    worker::Worker,
};
use crate::sfu::{
    forward::forwarder::FIRST_SEQUENCE_LIMIT,
    sdp::{self, Abilities, Description, Local, SdpError, Setup, SubscriberTerms},
};

impl From<SdpError> for MediaError {
    fn from(error: SdpError) -> Self {
        Self::Sdp(error.to_string())
    }
}

impl Worker {
    /// Carries out one order.
    pub fn obey(&mut self, order: Order, now: Instant) {
        match order {
            Order::Hub(order) => self.obey_hub(order, now),
            Order::Bridge { to, bridge } => self.lay_bridge(to, bridge),
            Order::Host { lesson, home } => self.room(lesson).home = Some(home),
            Order::Meet(neighbors) => self.meet(neighbors, now),
        }
    }

    /// A reply nobody waits for any more is no error.
    fn obey_hub(&mut self, order: MediaOrder, now: Instant) {
        match order {
            MediaOrder::Publish { leg, offer, tracks, reply } => {
                let _ = reply.send(self.publish(leg, &offer, &tracks, now));
            }
            MediaOrder::Subscribe { leg, cameras, reply } => {
                let _ = reply.send(self.subscribe(leg, cameras, now));
            }
            MediaOrder::SubscriberAnswer { leg, answer, reply } => {
                let _ = reply.send(self.accept_answer(leg, &answer, now));
            }
            MediaOrder::RestartSubscriber { leg, reply } => {
                let _ = reply.send(self.restart_subscriber(leg));
            }
            MediaOrder::Permit { lesson, user, sources } => self.permit(lesson, user, sources),
            MediaOrder::Origin { lesson, user, node } => self.set_origin(lesson, user, node, now),
            MediaOrder::Heard { lesson, voices } => self.tell_nodes(lesson, &voices, now),
            MediaOrder::Assign { leg, slot, publication, cap } => {
                self.assign(leg, slot, publication, cap, now);
            }
            MediaOrder::Spare { leg, plan } => self.spare(leg, plan, now),
            MediaOrder::Close { leg } => {
                if let Some(index) = self.legs.find(&leg) {
                    self.close_leg(index, now);
                }
            }
            MediaOrder::CloseLesson { lesson } => self.close_lesson(lesson, now),
        }
    }

    fn publish(
        &mut self,
        leg: Leg,
        offer: &str,
        tracks: &[OfferedTrack],
        now: Instant,
    ) -> Result<String, MediaError> {
        let offer = Description::parse(offer)?;
        let standing = self.legs.find(&leg).filter(|&index| self.is_same_peer(index, &offer));
        match standing {
            Some(index) => self.restart_publisher(index, &offer, tracks),
            None => self.open_publisher(leg, &offer, tracks, now),
        }
    }

    fn is_same_peer(&mut self, index: LegIndex, offer: &Description) -> bool {
        self.legs.get_mut(index).is_some_and(|state| state.transport.is_same_peer(offer))
    }

    /// A new offer on a connection that stands: an ICE restart. The streams stay as agreed.
    fn restart_publisher(
        &mut self,
        index: LegIndex,
        offer: &Description,
        tracks: &[OfferedTrack],
    ) -> Result<String, MediaError> {
        let fresh = credentials(self.number, index);
        let local = self.local(&fresh.ufrag, &fresh.password, setup_answering(offer));
        let (answer, _) = sdp::answer(offer, tracks, &local)?;
        if let Some(state) = self.legs.get_mut(index) {
            state.transport.ice.restart(fresh);
        }
        Ok(answer)
    }

    fn open_publisher(
        &mut self,
        leg: Leg,
        offer: &Description,
        tracks: &[OfferedTrack],
        now: Instant,
    ) -> Result<String, MediaError> {
        if let Some(old) = self.legs.find(&leg) {
            self.close_leg(old, now);
        }
        let index = self.legs.next_index().ok_or(MediaError::Full)?;
        let fresh = credentials(self.number, index);
        let local = self.local(&fresh.ufrag, &fresh.password, setup_answering(offer));
        let (answer, terms) = sdp::answer(offer, tracks, &local)?;
        let mut transport = Transport::new(IceLite::new(fresh, now), self.identity.clone());
        transport.accept(offer)?;
        let room = self.room(leg.lesson);
        let mut indices = Vec::new();
        for upstream in &terms.upstreams {
            let track = room.track(Publication { user: leg.user, source: upstream.source });
            room.tracks[track].publish(index, upstream, now);
            indices.push(track);
        }
        self.insert_leg(leg, transport, Role::Publisher(Uplink::new(terms, indices, now)));
        Ok(answer)
    }

    fn insert_leg(&mut self, name: Leg, transport: Transport, role: Role) {
        self.legs.insert(LegState { name, transport, role, is_up: false, carried: 0 });
        add(&self.counters.legs_opened, 1);
    }

    fn subscribe(&mut self, leg: Leg, cameras: u8, now: Instant) -> Result<String, MediaError> {
        if let Some(old) = self.legs.find(&leg) {
            self.close_leg(old, now);
        }
        let index = self.legs.next_index().ok_or(MediaError::Full)?;
        let (fresh, terms) = (credentials(self.number, index), SubscriberTerms::new(cameras));
        let offer = sdp::offer(terms, &self.local(&fresh.ufrag, &fresh.password, OFFERED));
        let transport = Transport::new(IceLite::new(fresh, now), self.identity.clone());
        let downlink = Downlink::new(terms, || rand::random::<u16>() % FIRST_SEQUENCE_LIMIT);
        self.room(leg.lesson);
        self.insert_leg(leg, transport, Role::Subscriber(Box::new(downlink)));
        Ok(offer)
    }

    fn accept_answer(&mut self, leg: Leg, answer: &str, now: Instant) -> Result<(), MediaError> {
        let index = self.find_subscriber(leg)?;
        let answer = Description::parse(answer)?;
        if answer.transport.setup == Some(Setup::ActPass) {
            return Err(MediaError::Sdp("setup: an answer is active or passive".into()));
        }
        let state = self.legs.get_mut(index).ok_or(MediaError::NoLeg)?;
        state.transport.accept(&answer)?;
        state.transport.ice.hear(now);
        let Role::Subscriber(downlink) = &mut state.role else { return Err(MediaError::NoLeg) };
        let is_first = downlink.abilities.is_none();
        let abilities = *downlink.abilities.get_or_insert(Abilities::of(&answer));
        if is_first && !abilities.h264 {
            self.room(leg.lesson).without_h264 += 1;
        }
        Ok(())
    }

    fn find_subscriber(&self, leg: Leg) -> Result<LegIndex, MediaError> {
        self.legs.find(&leg).filter(|_| leg.kind == LegKind::Subscriber).ok_or(MediaError::NoLeg)
    }

    fn restart_subscriber(&mut self, leg: Leg) -> Result<String, MediaError> {
        let index = self.find_subscriber(leg)?;
        let fresh = credentials(self.number, index);
        let local = self.local(&fresh.ufrag, &fresh.password, OFFERED);
        let state = self.legs.get_mut(index).ok_or(MediaError::NoLeg)?;
        let Role::Subscriber(downlink) = &state.role else { return Err(MediaError::NoLeg) };
        let offer = sdp::offer(downlink.terms, &local);
        state.transport.ice.restart(fresh);
        Ok(offer)
    }

    fn local(&self, ufrag: &str, password: &str, setup: &'static str) -> Local {
        Local {
            ufrag: ufrag.to_owned(),
            password: password.to_owned(),
            fingerprint: self.identity.fingerprint().to_owned(),
            setup,
            candidates: self.candidates.clone(),
        }
    }

    /// Opens and shuts gates. A slot that a shut track flowed in starts anew at a key frame, should it open again.
    fn permit(&mut self, lesson: LessonId, user: UserId, sources: Vec<Source>) {
        let room = self.rooms.entry(lesson).or_insert_with(|| super::room::Room::new(lesson));
        for track in room.permit(user, sources) {
            restart_slots(room, track, &mut self.legs);
        }
    }

    fn assign(
        &mut self,
        leg: Leg,
        slot: Slot,
        publication: Option<Publication>,
        cap: LayerCap,
        now: Instant,
    ) {
        let Some(index) = self.legs.find(&leg) else { return };
        let Some(room) = self.rooms.get_mut(&leg.lesson) else { return };
        let Some(LegState { role: Role::Subscriber(downlink), .. }) = self.legs.get_mut(index) else {
            return;
        };
        let fits = publication.is_none_or(|it| it.source.is_audio() == sdp::offer::is_audio(slot));
        let Some(out) = downlink.slot(slot).filter(|_| fits) else { return };
        let track = publication.map(|publication| room.track(publication));
        out.cap = cap;
        downlink.review_soon();
        let Some(out) = downlink.slot(slot) else { return };
        if out.track != track {
            if let Some(old) = out.track {
                room.tracks[old].unsubscribe_slot(index, slot);
            }
            out.track = track;
            out.loss = None;
            downlink.restart(slot);
            if let Some(track) = track {
                room.tracks[track].subscribe(index, slot);
            }
        }
        if let Some(track) = track {
            self.tell_demand(leg.lesson, track, now);
            self.choose_layers(leg.lesson, track, now);
            self.ask_key_frame(leg.lesson, track, now);
            self.ring_bridges();
        }
    }

    fn close_lesson(&mut self, lesson: LessonId, now: Instant) {
        for index in self.legs.indices() {
            if self.legs.get_mut(index).is_some_and(|state| state.name.lesson == lesson) {
                self.close_leg(index, now);
            }
        }
        self.rooms.remove(&lesson);
    }
}

/// We begin the handshake with who receives: its first message leaves with the answer to the first check, and no server asks a
/// WebRTC client to say hello twice, as rtc's does. A peer that answers `active` all the same is served.
const OFFERED: &str = "active";

/// We are the DTLS server unless the peer insists to be.
fn setup_answering(offer: &Description) -> &'static str {
    match offer.transport.setup {
        Some(Setup::Passive) => "active",
        _ => "passive",
    }
}
