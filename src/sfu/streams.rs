//! ICE over TCP (RFC 6544), passive: a connection that came to the HTTP port carries the datagrams of one peer, each
//! behind its length in two bytes (RFC 4571). Whoever does not begin with an authentic check is closed.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use socket2::SockRef;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::{Semaphore, mpsc},
    time::timeout,
};

use super::engine::{
    inbox::Inbox,
    net::streams::{StreamEvent, StreamOut},
    thread_of_check,
};

/// Longest frame: no peer of ours sends larger datagrams.
pub(super) const LONGEST: usize = 1_500;
/// The first frame must be there by then.
const PATIENCE: Duration = Duration::from_secs(5);
/// Frames that wait to be written in each queue; their bytes are bounded elsewhere, where they are put in.
const FRAMES: usize = 1_024;
/// Frames of one connection that wait for the thread. Beyond, its peer has to wait with more: whoever sends as fast as TCP
/// carries takes no place from others.
const WAITING: usize = 64;
/// Frames written by one call: of voices and control messages, of pictures, for which a voice waits.
const URGENT_TOGETHER: usize = 32;
const PICTURES_TOGETHER: usize = 4;
/// What the kernel takes beyond what it can send now. A voice waits behind it, and on a network that lets through but a trickle this
/// counts: at 300 kbit/s it is a tenth of a second.
const UNSENT_BYTES: u32 = 4 * 1024;

/// Carries one connection from its first frame to its end.
pub(super) async fn carry(inboxes: &[Arc<Inbox>], stream: TcpStream) -> io::Result<()> {
    let (peer, local) = (stream.peer_addr()?, stream.local_addr()?.ip().to_canonical());
    // A listener for both families shows IPv4 in the clothes of IPv6; the peer would not know itself by that.
    let peer = SocketAddr::new(peer.ip().to_canonical(), peer.port());
    // A kernel that has no such bound only makes voices later.
    let _ = SockRef::from(&stream).set_tcp_notsent_lowat(UNSENT_BYTES);
    let (mut read, write) = stream.into_split();
    let first = timeout(PATIENCE, read_frame(&mut read)).await??;
    let Some(inbox) = thread_of_check(&first).and_then(|thread| inboxes.get(thread)) else { return Ok(()) };
    let (urgent, voices) = mpsc::channel(FRAMES);
    let (pictures, waiting) = mpsc::channel(FRAMES);
    let queued = Arc::new(AtomicUsize::new(0));
    // Held weakly: the thread closes the connection by dropping its end.
    let open = urgent.downgrade();
    let out = StreamOut { urgent, pictures, queued: queued.clone() };
    inbox.tell(StreamEvent::Opened { peer, local, out, first });
    let places = Arc::new(Semaphore::new(WAITING));
    let reading = async {
        while open.upgrade().is_some() {
            let frame = read_frame(&mut read).await?;
            let place = places.clone().acquire_owned().await.map_err(io::Error::other)?;
            inbox.tell(StreamEvent::Frame { peer, frame, place });
        }
        Ok(())
    };
    let ended = tokio::select! {
        ended = reading => ended,
        ended = write_frames(write, voices, waiting, &queued) => ended,
    };
    inbox.tell(StreamEvent::Closed { peer });
    ended
}

pub(super) async fn read_frame(read: &mut (impl AsyncRead + Unpin)) -> io::Result<Bytes> {
    let length = usize::from(read.read_u16().await?);
    if length > LONGEST {
        return Err(io::ErrorKind::InvalidData.into());
    }
    let mut frame = vec![0; length];
    read.read_exact(&mut frame).await?;
    Ok(frame.into())
}

/// Writes until the thread drops its end; a picture only while no voice waits.
async fn write_frames(
    mut write: OwnedWriteHalf,
    mut urgent: mpsc::Receiver<Bytes>,
    mut pictures: mpsc::Receiver<Bytes>,
    queued: &AtomicUsize,
) -> io::Result<()> {
    let (mut frames, mut buffer) = (Vec::with_capacity(URGENT_TOGETHER), Vec::new());
    let mut some = Vec::with_capacity(PICTURES_TOGETHER);
    loop {
        let taken = tokio::select! {
            biased;
            taken = urgent.recv_many(&mut frames, URGENT_TOGETHER) => taken,
            taken = pictures.recv_many(&mut some, PICTURES_TOGETHER) => taken,
        };
        if taken == 0 {
            return Ok(());
        }
        frames.append(&mut some);
        buffer.clear();
        let bytes: usize = frames.iter().map(Bytes::len).sum();
        for frame in frames.drain(..) {
            buffer.extend_from_slice(&(frame.len() as u16).to_be_bytes());
            buffer.extend_from_slice(&frame);
        }
        write.write_all(&buffer).await?;
        queued.fetch_sub(bytes, Ordering::Relaxed);
    }
}
