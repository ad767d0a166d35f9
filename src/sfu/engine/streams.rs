//! What comes over TCP: connections that open, frames that are datagrams, connections that end.

use std::{net::SocketAddr, time::Instant};

use super::{
    leg::{Path, stun::Request},
    legs::thread_of,
    net::{
        socket::Datagram,
        streams::{STREAM, StreamEvent},
    },
    worker::Worker,
};

/// The thread of the leg that a check names; `None` when it is none.
pub fn thread_of_check(frame: &[u8]) -> Option<usize> {
    thread_of(Request::parse(frame)?.ufrag())
}

impl Worker {
    /// Takes one event. A connection whose first frame is not an authentic check is closed at once.
    pub fn receive_stream(&mut self, event: StreamEvent, now: Instant) {
        match event {
            StreamEvent::Opened { peer, local, out, first } => {
                self.streams.insert(peer, local, out);
                self.receive_frame(peer, &first, now);
                if self.legs.at(&self.path_of(peer)).is_none() {
                    self.streams.remove(peer);
                }
            }
            StreamEvent::Frame { peer, frame, place } => {
                self.receive_frame(peer, &frame, now);
                drop(place);
            }
            StreamEvent::Closed { peer } => self.forget_stream(peer),
        }
    }

    /// Closes the connection of a path that nobody uses any more.
    pub(super) fn close_stream(&mut self, path: Path) {
        if path.socket == STREAM {
            self.streams.remove(path.peer);
        }
    }

    fn path_of(&self, peer: SocketAddr) -> Path {
        Path { socket: STREAM, peer, local: self.streams.local(peer) }
    }

    fn receive_frame(&mut self, peer: SocketAddr, frame: &[u8], now: Instant) {
        if let Some(local) = self.streams.local(peer) {
            self.receive(STREAM, Datagram { bytes: frame, peer, local: Some(local) }, now);
        }
    }

    /// The leg looks for another way: its peer's next check says which.
    fn forget_stream(&mut self, peer: SocketAddr) {
        let path = self.path_of(peer);
        self.streams.remove(peer);
        let Some(index) = self.legs.at(&path) else { return };
        self.legs.unbind(path, index);
        if let Some(state) = self.legs.get_mut(index) {
            state.transport.ice.forget(path);
        }
    }
}
