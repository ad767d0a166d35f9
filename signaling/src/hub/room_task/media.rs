//! Orders to the SFU: gates, slots, legs; and what it tells.

use tokio::{sync::oneshot, time::Instant};

use crate::{
    protocol::{
        CloseCode, LegKind, ReceiveMode, ServerFrame, Slot, UserId, WantedVideo, limits, media::OfferedTrack,
    },
    room::seating,
};

use super::RoomTask;
use crate::hub::{
    packed::pack,
    ports::{Leg, MediaError, MediaEvent, MediaOrder, SdpReply, Voices},
    seats::SeatId,
};

/// Camera slots of a subscriber leg: phones 2, laptops 6.
const CAMERA_SLOTS: std::ops::RangeInclusive<u8> = 1..=6;

impl RoomTask {
    /// Orders the gates to be as the fold and the holds say; only differences are ordered.
    pub(super) fn sync_permits(&mut self) {
        let mut users: Vec<UserId> =
            self.room.stage.tracks().map(|(publication, _)| publication.user).collect();
        users.extend(self.permitted.keys().copied());
        users.sort_unstable();
        users.dedup();
        for user in users {
            self.sync_permit(user);
        }
    }

    /// Orders where a person's tracks come in, when that changed: the node that holds their line.
    fn sync_origin(&mut self, user: UserId) {
        let member = self.room.roster.member(user);
        let node = member.map(|member| member.last.incarnation).filter(|node| *node != self.own());
        if self.origins.get(&user).copied() == node {
            return;
        }
        match node {
            Some(node) => self.origins.insert(user, node),
            None => self.origins.remove(&user),
        };
        self.hub.ports.media.order(MediaOrder::Origin { lesson: self.lesson, user, node });
    }

    pub(super) fn sync_permit(&mut self, user: UserId) {
        self.sync_origin(user);
        let mut sources = self.room.permits(user);
        sources.retain(|source| !self.holds.shut(user, *source));
        if self.permitted.get(&user) == Some(&sources) {
            return;
        }
        self.hub.ports.media.order(MediaOrder::Permit {
            lesson: self.lesson,
            user,
            sources: sources.clone(),
        });
        self.permitted.insert(user, sources);
    }

    /// Seats the stage anew for every receiver; only changed slots are told and ordered.
    pub(super) fn reseat_all(&mut self) {
        for id in self.seats.ids() {
            self.reseat(id);
        }
    }

    fn reseat(&mut self, id: SeatId) {
        let Some(seat) = self.seats.get(id) else { return };
        let Some(demand) = seat.demand() else { return };
        let voices = self.voice_seats.users();
        let table =
            seating::seat(&self.room, &demand, self.roll.info.teacher, &voices, &seat.reception.table);
        let leg = seat.leg(self.lesson, LegKind::Subscriber);
        for (index, new) in table.iter().enumerate() {
            let old = seat.reception.table.get(index).copied().unwrap_or(seating::Seat::EMPTY);
            if old == *new {
                continue;
            }
            let slot = Slot(u8::try_from(index).unwrap_or(u8::MAX));
            if old.publication != new.publication {
                seat.outbox.send(&ServerFrame::SlotAssigned { slot, publication: new.publication });
            }
            let (publication, cap) = (new.publication, new.cap);
            self.hub.ports.media.order(MediaOrder::Assign { leg, slot, publication, cap });
        }
        if let Some(seat) = self.seats.get_mut(id) {
            seat.reception.table = table;
        }
    }

    pub(super) fn receive(&mut self, id: SeatId, mode: ReceiveMode, mut cameras: Vec<WantedVideo>) {
        let Some(seat) = self.seats.get_mut(id) else { return };
        cameras.truncate(limits::WANTED_VIDEOS);
        seat.reception.mode = mode;
        seat.reception.cameras = cameras;
        self.order_plan(id);
        self.reseat(id);
    }

    pub(super) fn publisher_offer(&mut self, id: SeatId, offer: String, tracks: Vec<OfferedTrack>) {
        let Some(seat) = self.seats.get(id) else { return };
        let leg = seat.leg(self.lesson, LegKind::Publisher);
        self.sdp_order(id, LegKind::Publisher, |reply| MediaOrder::Publish { leg, offer, tracks, reply });
    }

    pub(super) fn open_subscriber(&mut self, id: SeatId, cameras: u8, packed: bool) {
        let cameras = cameras.clamp(*CAMERA_SLOTS.start(), *CAMERA_SLOTS.end());
        let Some(seat) = self.seats.get_mut(id) else { return };
        seat.reception.camera_slots = Some(usize::from(cameras));
        seat.reception.takes_packed = packed;
        seat.reception.table = Vec::new();
        let leg = seat.leg(self.lesson, LegKind::Subscriber);
        self.sdp_order(id, LegKind::Subscriber, |reply| MediaOrder::Subscribe { leg, cameras, reply });
        self.order_plan(id);
        self.reseat(id);
    }

    pub(super) fn subscriber_answer(&mut self, id: SeatId, answer: String) {
        let Some(seat) = self.seats.get(id) else { return };
        let leg = seat.leg(self.lesson, LegKind::Subscriber);
        let (reply, answered) = oneshot::channel();
        let (lesson, outbox) = (self.lesson, seat.outbox.clone());
        self.hub.ports.media.order(MediaOrder::SubscriberAnswer { leg, answer, reply });
        tokio::spawn(async move {
            if let Err(error) = answered.await.unwrap_or(Err(MediaError::NoLeg)) {
                tracing::debug!(%lesson, %error, "subscriber answer refused");
                outbox.send(&ServerFrame::Error { error: error.code() });
            }
        });
    }

    /// An order that yields a description for the client.
    pub(super) fn sdp_order(&self, id: SeatId, kind: LegKind, order: impl FnOnce(SdpReply) -> MediaOrder) {
        let Some(seat) = self.seats.get(id) else { return };
        let (reply, answered) = oneshot::channel();
        let (lesson, outbox, takes_packed) = (self.lesson, seat.outbox.clone(), seat.reception.takes_packed);
        self.hub.ports.media.order(order(reply));
        tokio::spawn(async move {
            outbox.send(&match answered.await.unwrap_or(Err(MediaError::NoLeg)) {
                Ok(sdp) if kind == LegKind::Publisher => ServerFrame::PublisherAnswer { sdp },
                Ok(sdp) if takes_packed => ServerFrame::PackedOffer { packed: pack(&sdp) },
                Ok(sdp) => ServerFrame::SubscriberOffer { sdp },
                Err(MediaError::NoLeg) => ServerFrame::LegLost { leg: kind },
                Err(error) => {
                    tracing::debug!(%lesson, %error, ?kind, "media order refused");
                    ServerFrame::Error { error: error.code() }
                }
            });
        });
    }

    pub(super) fn media_event(&mut self, event: MediaEvent) {
        match event {
            MediaEvent::LegUp { .. } => {}
            MediaEvent::LegLost { leg } => self.tell_leg(leg, &ServerFrame::LegLost { leg: leg.kind }),
            MediaEvent::PicturesStopped { leg, stopped } => {
                self.tell_leg(leg, &ServerFrame::PicturesStopped { stopped });
            }
            MediaEvent::Carried { bytes, .. } => self.legs_carried(bytes),
            MediaEvent::PicturesSpared { leg, pictures } => self.pictures_spared(leg.user, pictures),
            MediaEvent::Speaking { users, .. } => self.speaking(users),
            MediaEvent::VoiceBegins { user, .. } => self.voice_begins(user),
            MediaEvent::HeardElsewhere { node, voices: Voices::Speaking(users), .. } => {
                self.heard_elsewhere(node, users);
            }
            MediaEvent::HeardElsewhere { voices: Voices::Begins(user), .. } => self.seat_voice(user),
            MediaEvent::LayersWanted { publication, layers, .. } => {
                self.tell_user(publication.user, &ServerFrame::LayersWanted { layers });
            }
            MediaEvent::ScreenRate { publication, bitrate, .. } => {
                self.tell_user(publication.user, &ServerFrame::ScreenRate { bitrate });
            }
            MediaEvent::CodecsDecoded { publication, codecs, .. } => {
                self.tell_user(publication.user, &ServerFrame::CodecsDecoded { codecs });
            }
        }
    }

    fn tell_user(&self, user: UserId, frame: &ServerFrame) {
        if let Some(seat) = self.seats.of(user) {
            seat.outbox.send(frame);
        }
    }

    fn tell_leg(&self, leg: Leg, frame: &ServerFrame) {
        if let Some(seat) = self.seats.of(leg.user).filter(|seat| seat.session == leg.session) {
            seat.outbox.send(frame);
        }
    }

    /// The lesson is over.
    pub(super) fn everybody_out(&mut self) {
        self.seats.close_all(CloseCode::Ended);
        self.cuts.clear();
        self.empty_since = Some(Instant::now());
        self.hub.ports.media.order(MediaOrder::CloseLesson { lesson: self.lesson });
    }
}
