//! Peers whose network lets no UDP through: each has one TCP connection, on which datagrams travel as frames (RFC 4571).
//! The thread writes into bounded queues; tasks of the runtime own the sockets.

use std::{
    collections::HashMap,
    net::{IpAddr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::mpsc::Sender;

use crate::sfu::sdp::offer::{OPUS, RED};

/// Stands for a socket's index in the paths of these peers.
pub const STREAM: u8 = u8::MAX;
/// Bytes that wait for one peer; beyond, pictures are dropped: what waits longer comes too late.
const QUEUED: usize = 64 * 1024;
/// Voices and control messages may go over it by so much.
const RESERVED: usize = 32 * 1024;

/// The thread's end of one connection; dropping it closes the connection.
#[derive(Debug)]
pub struct StreamOut {
    pub frames: Sender<Bytes>,
    /// Bytes in `frames`.
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

    /// Queues a datagram; false when it was dropped.
    pub fn send(&self, peer: SocketAddr, datagram: &[u8]) -> bool {
        let Some(Open { out, .. }) = self.open.get(&peer) else { return false };
        let limit = if is_picture(datagram) { QUEUED } else { QUEUED + RESERVED };
        if out.queued.load(Ordering::Relaxed) + datagram.len() > limit {
            return false;
        }
        // Counted first: the writer takes it off as soon as it has it.
        out.queued.fetch_add(datagram.len(), Ordering::Relaxed);
        let queued = out.frames.try_send(Bytes::copy_from_slice(datagram)).is_ok();
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
    fn a_slow_connection_drops_pictures_before_voices() {
        let (frames, mut waiting) = channel(1_024);
        let mut streams = Streams::default();
        let queued = Arc::new(AtomicUsize::new(0));
        streams.insert(peer(), peer().ip(), StreamOut { frames, queued: queued.clone() });
        let packet = |payload_type: u8| {
            let mut packet = vec![0; 1_000];
            packet[..2].copy_from_slice(&[0x80, payload_type]);
            packet
        };
        let sent = (0..200).filter(|_| streams.send(peer(), &packet(96))).count();
        assert_eq!(sent, QUEUED / 1_000);
        assert!(streams.send(peer(), &packet(0x80 | OPUS)) && streams.send(peer(), &[0, 1, 0, 0]));
        let room = QUEUED + RESERVED - queued.load(Ordering::Relaxed);
        let voices = (0..200).filter(|_| streams.send(peer(), &packet(RED))).count();
        assert_eq!(voices, room / 1_000);
        assert!(voices > 30, "{voices}");
        streams.remove(peer());
        assert!(!streams.send(peer(), &packet(OPUS)));
        let waiting = std::iter::from_fn(|| waiting.try_recv().ok()).count();
        assert_eq!(waiting, sent + 2 + voices);
    }
}
