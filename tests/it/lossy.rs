//! Fixture: a link between one peer and the SFU that loses datagrams, both ways, by a seeded generator.

use std::{
    net::{Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
};

use rand::{RngExt, SeedableRng, rngs::StdRng};
use tokio::{net::UdpSocket, task::JoinHandle};

const LONGEST: usize = 2_048;

/// The link; closed when dropped.
pub struct LossyLink {
    /// Where the peer finds the SFU.
    pub port: u16,
    percent: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl LossyLink {
    /// A link to the SFU on this port of loopback, without loss.
    pub async fn open(sfu: u16, seed: u64) -> Self {
        let near = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        let far = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a socket");
        far.connect((Ipv4Addr::LOCALHOST, sfu)).await.expect("connected");
        let (port, percent) = (near.local_addr().expect("bound").port(), Arc::new(AtomicU32::new(0)));
        let task = tokio::spawn(carry(near, far, percent.clone(), StdRng::seed_from_u64(seed)));
        Self { port, percent, task }
    }

    /// From now on so many of a hundred datagrams are lost.
    pub fn lose(&self, percent: u32) {
        self.percent.store(percent, Ordering::Relaxed);
    }
}

impl Drop for LossyLink {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(near: UdpSocket, far: UdpSocket, percent: Arc<AtomicU32>, mut random: StdRng) {
    let (mut up, mut down) = ([0; LONGEST], [0; LONGEST]);
    let mut peer: Option<SocketAddr> = None;
    loop {
        let mut passes = || random.random_range(0..100) >= percent.load(Ordering::Relaxed);
        tokio::select! {
            Ok((length, from)) = near.recv_from(&mut up) => {
                peer = Some(from);
                if passes() {
                    let _ = far.send(&up[..length]).await;
                }
            }
            Ok(length) = far.recv(&mut down) => {
                if let (Some(peer), true) = (peer, passes()) {
                    let _ = near.send_to(&down[..length], peer).await;
                }
            }
        }
    }
}
