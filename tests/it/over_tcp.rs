//! Fixture: a peer all of whose datagrams travel over one TCP connection to the SFU (RFC 4571), as where a network lets no UDP through.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use qism::sfu::Sfu;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{
        TcpListener, TcpSocket, UdpSocket,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::watch,
    task::JoinHandle,
};

const LONGEST: usize = 2_048;
/// What the far end's kernel takes without being read: little, as on a phone that is behind.
const RECEIVE_BUFFER: u32 = 4_096;

/// The link; closed when dropped.
pub struct TcpLink {
    /// Where the peer finds the SFU, by UDP.
    pub port: u16,
    kbps: Arc<AtomicU32>,
    tasks: Vec<JoinHandle<()>>,
}

impl TcpLink {
    /// A link to this SFU, as wide as loopback.
    pub async fn open(sfu: Arc<Sfu>) -> Self {
        let near = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket"));
        let door = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(RECEIVE_BUFFER).expect("set");
        let far = socket.connect(door.local_addr().expect("bound")).await.expect("connected");
        let (stream, _) = door.accept().await.expect("accepted");
        let (port, kbps) = (near.local_addr().expect("bound").port(), Arc::new(AtomicU32::new(0)));
        let (read, write) = far.into_split();
        let (told, peer) = watch::channel(None);
        let tasks = vec![
            tokio::spawn(async move { sfu.carry(stream).await }),
            tokio::spawn(ended(up(near.clone(), write, told))),
            tokio::spawn(ended(down(near, read, peer, kbps.clone()))),
        ];
        Self { port, kbps, tasks }
    }

    /// From now on the far end reads so many kbit/s; 0: all that comes.
    pub fn narrow(&self, kbps: u32) {
        self.kbps.store(kbps, Ordering::Relaxed);
    }
}

impl Drop for TcpLink {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// The other end may close at any time.
async fn ended(way: impl Future<Output = io::Result<()>>) {
    let _ = way.await;
}

async fn up(
    near: Arc<UdpSocket>,
    mut write: OwnedWriteHalf,
    peer: watch::Sender<Option<SocketAddr>>,
) -> io::Result<()> {
    let mut buffer = [0; LONGEST];
    loop {
        let (length, from) = near.recv_from(&mut buffer).await?;
        peer.send_replace(Some(from));
        write.write_all(&[&(length as u16).to_be_bytes(), &buffer[..length]].concat()).await?;
    }
}

async fn down(
    near: Arc<UdpSocket>,
    mut read: OwnedReadHalf,
    peer: watch::Receiver<Option<SocketAddr>>,
    kbps: Arc<AtomicU32>,
) -> io::Result<()> {
    let mut frame = [0; LONGEST];
    loop {
        let length = usize::from(read.read_u16().await?);
        read.read_exact(&mut frame[..length]).await?;
        if let kbps @ 1.. = kbps.load(Ordering::Relaxed) {
            tokio::time::sleep(Duration::from_micros(length as u64 * 8_000 / u64::from(kbps))).await;
        }
        let to = *peer.borrow();
        if let Some(to) = to {
            near.send_to(&frame[..length], to).await?;
        }
    }
}
