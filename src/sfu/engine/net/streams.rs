//! Peers whose network lets no UDP through: each has one TCP connection, on which datagrams travel as frames (RFC 4571).
//! The thread writes into two bounded queues by connection, tasks of the runtime own the sockets: voices and control messages
//! leave before the pictures that wait. Where a connection takes less than comes, pictures wait with their pacer, who drops
//! whole frames, long before there is no room here.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::{OwnedSemaphorePermit, mpsc::Sender};

use crate::sfu::{
    engine::{leg::Path, room::downlink::Carrier},
    sdp::offer::{OPUS, RED},
};

/// Stands for a socket's index in the paths of these peers.
pub const STREAM: u8 = u8::MAX;
/// Bytes that wait for one peer, at most: more than half a second on a link that bears a small picture, and what waits longer comes too
/// late. Beyond, a datagram is dropped.
const QUEUED: usize = 64 * 1024;
/// Bytes beyond which pictures are dropped: the rest is for voices and control messages.
const PICTURES: usize = 48 * 1024;
/// Bytes beyond which pictures stay with their pacer.
const FULL: usize = 12 * 1024;

/// The thread's end of one connection; dropping it closes the connection.
#[derive(Debug)]
pub struct StreamOut {
    /// Voices and control messages.
    pub urgent: Sender<Bytes>,
    pub pictures: Sender<Bytes>,
    /// Bytes in both.
    pub queued: Arc<AtomicUsize>,
}

/// What happens on connections.
#[derive(Debug)]
pub enum StreamEvent {
    /// A connection with its first frame.
    Opened {
        peer: SocketAddr,
        local: IpAddr,
        out: StreamOut,
        first: Bytes,
    },
    Frame {
        peer: SocketAddr,
        frame: Bytes,
        /// Dropped when the frame was taken: so many of one connection wait, and no more.
        place: OwnedSemaphorePermit,
    },
    Closed {
        peer: SocketAddr,
    },
}

#[derive(Debug)]
struct Open {
    local: IpAddr,
    out: StreamOut,
}

/// The connections of one thread.
#[derive(Debug, Default)]
pub struct Streams {
    open: HashMap<SocketAddr, Open>,
}

impl Streams {
    pub fn insert(&mut self, peer: SocketAddr, local: IpAddr, out: StreamOut) {
        self.open.insert(peer, Open { local, out });
    }

    /// How many are open.
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Closes a connection.
    pub fn remove(&mut self, peer: SocketAddr) {
        self.open.remove(&peer);
    }

    /// Our address on a connection that is open.
    pub fn local(&self, peer: SocketAddr) -> Option<IpAddr> {
        self.open.get(&peer).map(|open| open.local)
    }

    /// What carries this path; while a connection is full, pictures must wait for what is queued already.
    pub fn carrier(&self, path: Path) -> Carrier {
        match self.open.get(&path.peer).filter(|_| path.socket == STREAM) {
            Some(open) => Carrier::Stream { is_full: open.out.queued.load(Ordering::Relaxed) > FULL },
            None => Carrier::Datagrams,
        }
    }

    /// Queues a datagram; false when it was dropped.
    pub fn send(&self, peer: SocketAddr, datagram: &[u8]) -> bool {
        let Some(Open { out, .. }) = self.open.get(&peer) else { return false };
        let (queue, limit) = match is_picture(datagram) {
            true => (&out.pictures, PICTURES),
            false => (&out.urgent, QUEUED),
        };
        if out.queued.load(Ordering::Relaxed) + datagram.len() > limit {
            return false;
        }
        // Counted first: the writer takes it off as soon as it has it.
        out.queued.fetch_add(datagram.len(), Ordering::Relaxed);
        let queued = queue.try_send(Bytes::copy_from_slice(datagram)).is_ok();
        if !queued {
            out.queued.fetch_sub(datagram.len(), Ordering::Relaxed);
        }
        queued
    }
}

/// By the first bytes, which SRTP leaves readable: RTP that is no voice.
fn is_picture(datagram: &[u8]) -> bool {
    match datagram {
        // RFC 5761: 192 to 223 are RTCP.
        [128..=191, second, ..] if !(192..=223).contains(second) => !matches!(second & 0x7f, OPUS | RED),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::channel;

    use super::*;

    fn peer() -> SocketAddr {
        "192.0.2.1:4000".parse().expect("an address")
    }

    #[test]
    fn a_connection_that_takes_nothing_drops_pictures_before_voices_and_never_holds_more_than_told() {
        let (urgent, mut voices) = channel(1_024);
        let (pictures, mut waiting) = channel(1_024);
        let mut streams = Streams::default();
        let queued = Arc::new(AtomicUsize::new(0));
        streams.insert(peer(), peer().ip(), StreamOut { urgent, pictures, queued: queued.clone() });
        let path = Path { socket: STREAM, peer: peer(), local: None };
        let packet = |payload_type: u8| {
            let mut packet = vec![0; 1_000];
            packet[..2].copy_from_slice(&[0x80, payload_type]);
            packet
        };
        let mut until_full = 0;
        while streams.carrier(path) == (Carrier::Stream { is_full: false }) {
            assert!(streams.send(peer(), &packet(96)));
            until_full += 1;
        }
        assert_eq!(until_full, FULL / 1_000 + 1);
        let sent = until_full + (0..200).filter(|_| streams.send(peer(), &packet(96))).count();
        assert_eq!(sent, PICTURES / 1_000);
        assert!(streams.send(peer(), &packet(0x80 | OPUS)) && streams.send(peer(), &[0, 1, 0, 0]));
        let room = QUEUED - queued.load(Ordering::Relaxed);
        let spoken = (0..200).filter(|_| streams.send(peer(), &packet(RED))).count();
        assert_eq!(spoken, room / 1_000);
        assert!(spoken >= 15 && queued.load(Ordering::Relaxed) <= QUEUED, "{spoken}");
        streams.remove(peer());
        assert!(!streams.send(peer(), &packet(OPUS)));
        assert_eq!(streams.carrier(path), Carrier::Datagrams);
        let count = |queue: &mut tokio::sync::mpsc::Receiver<Bytes>| {
            std::iter::from_fn(|| queue.try_recv().ok()).count()
        };
        assert_eq!((count(&mut waiting), count(&mut voices)), (sent, 2 + spoken));
    }
}
