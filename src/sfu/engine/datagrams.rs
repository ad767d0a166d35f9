//! What comes from the network. A datagram belongs to a leg by its authenticated address, except for STUN, which
//! says by its user fragment whom it is for.
//!
//! There is no rate limit per address, since a whole school shares one. What a stranger can make us do is a parse and
//! a look-up: a check is verified only for whoever knows the 64 random bits of a user fragment, a handshake only for
//! an address that passed a check.

use std::time::Instant;

use bytes::Bytes;
use qism_signaling::{hub::ports::MediaEvent, protocol::LessonId};

use super::{
    counters::add,
    leg::{Path, stun::Request},
    legs::{Role, index_of},
    net::socket::Datagram,
    room::LegIndex,
    worker::Worker,
};
use crate::sfu::forward::rtp::{FIXED_HEADER, Header};

impl Worker {
    /// Takes what one call brought of reports: each from another leg, whose state is fetched meanwhile.
    pub fn receive_reports<'d>(
        &mut self,
        socket: u8,
        datagrams: impl Iterator<Item = Datagram<'d>> + Clone,
        now: Instant,
    ) {
        let mut reporters = std::mem::take(&mut self.reporters);
        let path = |datagram: Datagram<'_>| Path { socket, peer: datagram.peer, local: datagram.local };
        reporters.extend(datagrams.clone().map(|datagram| self.legs.at(&path(datagram))));
        for (place, datagram) in datagrams.enumerate() {
            self.legs.fetch_reporters(&reporters[place + 1..]);
            match datagram.bytes {
                [128..=191, 192..=223, ..] => {
                    let taken = self.receive_rtcp(reporters[place], path(datagram), datagram.bytes, now);
                    self.count_in(taken.is_some());
                }
                _ => self.receive(socket, datagram, now),
            }
        }
        reporters.clear();
        self.reporters = reporters;
    }

    /// Takes one datagram that came to a socket.
    pub fn receive(&mut self, socket: u8, datagram: Datagram<'_>, now: Instant) {
        let path = Path { socket, peer: datagram.peer, local: datagram.local };
        let taken = match datagram.bytes {
            // RFC 7983: the first byte tells the protocols apart.
            [0..=3, ..] => self
                .receive_check(path, datagram.bytes, now)
                .or_else(|| self.receive_knock(path, datagram.bytes, now)),
            [20..=63, ..] => self
                .receive_dtls(path, datagram.bytes, now)
                .or_else(|| self.receive_relay_dtls(path, datagram.bytes, now)),
            [128..=191, 192..=223, ..] => self.receive_rtcp(self.legs.at(&path), path, datagram.bytes, now),
            [128..=191, _, ..] if datagram.bytes.len() > FIXED_HEADER => self
                .receive_rtp(path, datagram.bytes, now)
                .or_else(|| self.receive_relayed(path, datagram.bytes, now)),
            _ => None,
        };
        self.count_in(taken.is_some());
    }

    fn count_in(&self, is_taken: bool) {
        add(&self.counters.packets_in, 1);
        if !is_taken {
            add(&self.counters.strangers, 1);
        }
    }

    fn receive_check(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let mut request = Request::parse(bytes)?;
        let index = index_of(request.ufrag())?;
        if self.legs.is_in_use(&path, index, now) {
            return None;
        }
        let state = self.legs.get_mut(index)?;
        let checked = state.transport.ice.check(&mut request, path, now, self.identity.crypto())?;
        state.transport.account.count(bytes.len());
        state.transport.account.count(checked.response.len());
        self.legs.bind(path, index);
        if let Some(evicted) = checked.evicted {
            self.legs.unbind(evicted, index);
            self.close_stream(evicted);
        }
        self.batch.push(path, &checked.response);
        self.drive_handshake(index, now);
        Some(())
    }

    /// Lets a DTLS client begin, and sends what waits.
    pub(super) fn drive_handshake(&mut self, index: LegIndex, now: Instant) {
        let Some(state) = self.legs.get_mut(index) else { return };
        let result = state.transport.handle_timeout(now);
        self.send_handshake(index);
        if result.is_err() {
            self.lose_leg(index, now);
        }
    }

    fn receive_dtls(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let index = self.legs.at(&path)?;
        let state = self.legs.get_mut(index)?;
        let (lesson, result) = (state.name.lesson, state.transport.handle_dtls(bytes, now));
        self.send_handshake(index);
        match result {
            Ok(true) => self.leg_is_up(index, now),
            Ok(false) => {}
            Err(error) => {
                tracing::debug!(%lesson, %error, "a leg's handshake or session ended");
                self.lose_leg(index, now);
            }
        }
        Some(())
    }

    fn leg_is_up(&mut self, index: LegIndex, now: Instant) {
        let Some(state) = self.legs.get_mut(index) else { return };
        if !state.is_up {
            state.is_up = true;
            let leg = state.name;
            self.tell(MediaEvent::LegUp { leg });
            self.share_link(index, now);
        }
    }

    /// Ends a leg and tells the hub.
    pub(super) fn lose_leg(&mut self, index: LegIndex, now: Instant) {
        let Some(leg) = self.legs.get_mut(index).map(|state| state.name) else { return };
        self.close_leg(index, now);
        self.tell(MediaEvent::LegLost { leg });
    }

    fn receive_rtp(&mut self, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let index = self.legs.at(&path)?;
        let state = self.legs.get_mut(index)?;
        let packet = state.transport.srtp.as_mut()?.open_rtp(bytes)?.freeze();
        state.transport.ice.hear(now);
        self.take_rtp(index, &packet, now)
    }

    /// Takes an opened packet of a leg.
    pub(super) fn take_rtp(&mut self, index: LegIndex, packet: &Bytes, now: Instant) -> Option<()> {
        let state = self.legs.get_mut(index)?;
        let Role::Publisher(uplink) = &mut state.role else { return None };
        let header = Header::parse(packet, &uplink.terms.extensions)?;
        if let Some(sequence) = header.extensions.transport_sequence {
            uplink.arrivals.received(sequence, header.ssrc, now);
        }
        let (stream, codec) = uplink.route(&header)?;
        let track = *uplink.tracks.get(stream.upstream)?;
        let room = self.rooms.get_mut(&state.name.lesson)?;
        let payload = packet.slice(header.payload_start..header.payload_end);
        if room.tracks[track].publisher.is_none() {
            // It comes from another node by now.
            return Some(());
        }
        if !room.tracks[track].is_permitted() {
            add(&self.counters.packets_unpermitted, 1);
            return Some(());
        }
        let (lesson, publication) = (room.lesson, room.tracks[track].publication);
        let begins = room.heard(publication, header.extensions.audio_level, payload.len(), now);
        room.tracks[track].receive(stream, codec, &header, payload, now);
        self.touch(lesson);
        if begins {
            self.tell(MediaEvent::VoiceBegins { lesson, user: publication.user });
        }
        Some(())
    }

    /// The room has fresh packets.
    pub(super) fn touch(&mut self, lesson: LessonId) {
        if self.touched.last() != Some(&lesson) && !self.touched.contains(&lesson) {
            self.touched.push(lesson);
        }
    }

    /// Takes a sealed control packet of a leg, or of another node.
    fn receive_rtcp(&mut self, leg: Option<LegIndex>, path: Path, bytes: &[u8], now: Instant) -> Option<()> {
        let taken = leg.and_then(|index| self.receive_control(index, bytes, now));
        taken.or_else(|| self.receive_relay_rtcp(path, bytes, now))
    }

    fn receive_control(&mut self, index: LegIndex, bytes: &[u8], now: Instant) -> Option<()> {
        let state = self.legs.get_mut(index)?;
        state.transport.control.admit(now)?;
        state.transport.srtp.as_mut()?.open_rtcp(bytes, &mut self.opened)?;
        state.transport.ice.hear(now);
        let opened = std::mem::take(&mut self.opened);
        self.handle_feedback(index, &opened, now);
        self.opened = opened;
        Some(())
    }
}
