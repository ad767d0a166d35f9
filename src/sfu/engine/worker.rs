//! All that one engine thread owns: sockets, legs, rooms. Orders and datagrams go in, datagrams and events come out.
//! The other files of this folder each add one side of it: `orders`, `datagrams`, `fanout`, `feedback`, `timers`.

use std::{
    collections::{HashMap, VecDeque},
    sync::Arc,
    time::Instant,
};

use qism_signaling::{hub::ports::MediaEvent, protocol::LessonId};
use tokio::sync::mpsc::{Sender, error::TrySendError};

use super::{
    counters::{Counters, add},
    echoes::Echoes,
    identity::Identity,
    legs::{Legs, Role},
    net::{batch::Batch, socket::Socket, streams::Streams},
    relay::Relays,
    room::{LegIndex, Room},
    timers::Timers,
    ways::Ways,
};
use crate::sfu::{forward::estimator::Told, sdp::Candidates};

/// Events kept while the hub's channel is full; beyond, the oldest are dropped: the hub is far behind by then.
const EVENTS: usize = 4_096;

/// State of one engine thread.
pub struct Worker {
    pub(super) identity: Arc<Identity>,
    pub(super) sockets: Vec<Socket>,
    /// Which of the threads this is.
    pub(super) number: u8,
    /// What peers are told to connect to.
    pub(super) candidates: Candidates,
    pub(super) legs: Legs,
    pub(super) rooms: HashMap<LessonId, Room>,
    /// Rooms with fresh packets.
    pub(super) touched: Vec<LessonId>,
    /// When some of those go on at the latest: they wait for the rest of a picture.
    pub(super) gathering: Option<Instant>,
    pub(super) batch: Batch,
    /// Of the reports that are read, who sent them; kept for its memory only, as are the control packet that was opened last and what
    /// it told.
    pub(super) reporters: Vec<Option<LegIndex>>,
    pub(super) opened: Vec<u8>,
    pub(super) told: Vec<Told>,
    /// Legs with pictures that wait, or with a probe; each once.
    pub(super) paced: Vec<LegIndex>,
    pub(super) timers: Timers,
    pub(super) echoes: Echoes,
    pub(super) streams: Streams,
    /// To other threads, and to other nodes.
    pub(super) ways: Ways,
    pub(super) counters: Arc<Counters>,
    events: Sender<MediaEvent>,
    waiting_events: VecDeque<MediaEvent>,
}

impl Worker {
    pub fn new(
        identity: Arc<Identity>,
        number: u8,
        sockets: Vec<Socket>,
        candidates: Candidates,
        events: Sender<MediaEvent>,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            identity,
            number,
            sockets,
            candidates,
            legs: Legs::default(),
            rooms: HashMap::new(),
            touched: Vec::new(),
            gathering: None,
            batch: Batch::default(),
            reporters: Vec::new(),
            opened: Vec::new(),
            told: Vec::new(),
            paced: Vec::new(),
            timers: Timers::default(),
            echoes: Echoes::default(),
            streams: Streams::default(),
            ways: Ways { bridges: Vec::new(), relays: Relays::new(None, number, Vec::new()) },
            counters,
            events,
            waiting_events: VecDeque::new(),
        }
    }

    pub fn sockets(&self) -> &[Socket] {
        &self.sockets
    }

    /// Sends everything that was written.
    pub fn flush(&mut self) {
        flush(&mut self.batch, &self.sockets, &self.streams, &self.counters);
    }

    /// Tells the hub.
    pub(super) fn tell(&mut self, event: MediaEvent) {
        if self.waiting_events.len() == EVENTS {
            self.waiting_events.pop_front();
        }
        self.waiting_events.push_back(event);
        self.tell_waiting();
    }

    /// Hands over events that found the channel full.
    pub(super) fn tell_waiting(&mut self) {
        while let Some(event) = self.waiting_events.pop_front() {
            if let Err(TrySendError::Full(event)) = self.events.try_send(event) {
                self.waiting_events.push_front(event);
                return;
            }
        }
    }

    /// The room of a lesson, made at first need.
    pub(super) fn room(&mut self, lesson: LessonId) -> &mut Room {
        self.rooms.entry(lesson).or_insert_with(|| Room::new(lesson))
    }

    /// Ends a leg without a word to the hub.
    pub(super) fn close_leg(&mut self, index: LegIndex, now: Instant) {
        self.say_goodbye(index, now);
        let Some(mut state) = self.legs.remove(index) else { return };
        self.tell_last_carried(&mut state);
        add(&self.counters.legs_closed, 1);
        state.transport.ice.bound().iter().for_each(|path| self.close_stream(*path));
        let Some(room) = self.rooms.get_mut(&state.name.lesson) else { return };
        match state.role {
            Role::Publisher(_) => room.unpublish(index),
            Role::Subscriber(downlink) => {
                room.unsubscribe(index);
                let counted = downlink.abilities.is_some_and(|abilities| !abilities.h264);
                room.without_h264 -= usize::from(counted);
            }
        }
    }

    /// Ends everything, at the end of the thread.
    pub fn close_all(&mut self, now: Instant) {
        for index in self.legs.indices() {
            self.close_leg(index, now);
        }
        for far in self.ways.relays.fars() {
            self.close_relay(far, now);
        }
        self.flush();
    }

    fn say_goodbye(&mut self, index: LegIndex, now: Instant) {
        let Some(state) = self.legs.get_mut(index) else { return };
        state.transport.close(now);
        self.send_handshake(index);
    }

    /// Sends the DTLS datagrams that wait in a leg.
    pub(super) fn send_handshake(&mut self, index: LegIndex) {
        let Some(state) = self.legs.get_mut(index) else { return };
        let Some(path) = state.transport.ice.path() else { return };
        while let Some(datagram) = state.transport.poll_transmit() {
            self.batch.push(path, &datagram);
        }
    }

    /// Sends RTCP to a leg.
    pub(super) fn send_rtcp(&mut self, index: LegIndex, packet: &[u8], now: Instant) -> bool {
        let Some(state) = self.legs.get_mut(index) else { return false };
        let Some(path) = state.transport.ice.live_path(now) else { return false };
        let sealed = state.transport.srtp.as_mut().and_then(|srtp| srtp.seal_rtcp(packet));
        if let Some(sealed) = &sealed {
            self.batch.push(path, sealed);
        }
        sealed.is_some()
    }
}

/// Sends and counts; of the parts of a worker, since rooms and legs are borrowed in the middle of a burst.
pub(super) fn flush(batch: &mut Batch, sockets: &[Socket], streams: &Streams, counters: &Counters) {
    let flushed = batch.flush(sockets, streams);
    add(&counters.packets_out, flushed.packets);
    add(&counters.bytes_out, flushed.bytes);
    add(&counters.packets_refused, flushed.refused);
}
