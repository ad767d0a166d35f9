//! The SFU: receives every published track once and forwards it to whoever the hub assigned it to. The hub decides
//! who may publish and what goes into which slot; the SFU obeys, and chooses by itself only how large a picture a
//! receiver gets. `forward` is the pure packet logic, `sdp` the session descriptions, `engine` threads and sockets.

mod engine;
pub mod forward;
#[doc(hidden)]
pub mod fuzzing;
mod links;
mod placement;
mod sdp;
mod streams;

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{Arc, Mutex, PoisonError},
    thread::JoinHandle,
};

use qism_signaling::hub::ports::{MediaEvent, MediaOrder, MediaPlane};
use tokio::{net::TcpStream, sync::mpsc};

pub use engine::{
    counters::Totals,
    relay::{Membership, Neighbor},
};
pub use links::{LinkNow, Tally};
use placement::{Placed, Placement};
use sdp::Candidates;

use engine::{
    Worker,
    bridge::Bridge,
    counters::Counters,
    identity::Identity,
    inbox::{Inbox, Order},
    net::socket::Socket,
};

/// Subscribers of one lesson that a thread serves before another takes part: an ordinary class stays on one.
pub const SHARE: usize = 64;

/// Where the SFU listens and what peers are told.
#[derive(Clone, Debug)]
pub struct SfuConfig {
    /// Addresses to listen on; empty means all of the machine.
    pub listen: Vec<IpAddr>,
    /// Port of the first thread; the others follow. 0 takes any free ones (tests).
    pub udp_port: u16,
    /// Engine threads; one serves about a core.
    pub threads: usize,
    /// A lesson gets one more thread for each so many subscribers: [`SHARE`], less in tests.
    pub share: usize,
    /// Where connections of peers come to whose network lets no UDP through: the HTTP listener, which hands them to
    /// [`Sfu::carry`]. `None`: nowhere.
    pub tcp: Option<SocketAddr>,
    /// Addresses told to peers; empty means those listened on, loopback left out.
    pub public_addresses: Vec<IpAddr>,
    /// On one of several nodes: who it is to the others. Their media comes once they are told by [`Sfu::meet`].
    pub cluster: Option<Membership>,
}

/// Why the SFU does not start.
#[derive(Debug, thiserror::Error)]
pub enum SfuError {
    #[error("UDP {address}: {error} (is another program using the port?)")]
    Bind { address: SocketAddr, error: io::Error },
    #[error("media threads: {0}")]
    Thread(io::Error),
    #[error("certificate: {0}")]
    Certificate(String),
    #[error("{threads} media threads from port {udp_port} run over port 65535")]
    Ports { udp_port: u16, threads: usize },
}

/// The running media plane.
pub struct Sfu {
    inboxes: Vec<Arc<Inbox>>,
    /// Locked while an order is handed over, so that all threads get orders in the sequence they were given.
    placement: Mutex<Placement>,
    threads: Mutex<Vec<JoinHandle<()>>>,
    counters: Arc<Counters>,
    fingerprint: String,
    doors: Vec<SocketAddr>,
}

impl Sfu {
    /// Binds the ports and starts the threads. Events go into `events`, which is bounded by its owner.
    pub fn start(config: SfuConfig, events: mpsc::Sender<MediaEvent>) -> Result<Arc<Self>, SfuError> {
        let identity = Identity::generate().map_err(|error| SfuError::Certificate(error.to_string()))?;
        let (identity, counters) = (Arc::new(identity), Arc::new(Counters::default()));
        let mut sfu = Self {
            inboxes: Vec::new(),
            placement: Mutex::new(Placement::new(config.threads, config.share)),
            threads: Mutex::default(),
            counters: counters.clone(),
            fingerprint: identity.fingerprint().to_owned(),
            doors: Vec::new(),
        };
        for index in 0..config.threads.max(1) {
            let sockets = bind(&config, index)?;
            let candidates = candidates(&config, &sockets);
            sfu.doors.extend(candidates.udp.first());
            let number = index as u8;
            let mut worker =
                Worker::new(identity.clone(), number, sockets, candidates, events.clone(), counters.clone());
            worker.join_cluster(config.cluster.clone());
            sfu.spawn(index, worker).map_err(SfuError::Thread)?;
        }
        Ok(Arc::new(sfu))
    }

    fn spawn(&mut self, index: usize, worker: Worker) -> io::Result<()> {
        let inbox = Arc::new(Inbox::new()?);
        let for_thread = inbox.clone();
        let thread = std::thread::Builder::new()
            .name(format!("qism-sfu-{index}"))
            .spawn(move || engine::run(worker, &for_thread))?;
        self.inboxes.push(inbox);
        self.threads.lock().unwrap_or_else(PoisonError::into_inner).push(thread);
        Ok(())
    }

    /// Says goodbye to all peers and ends the threads.
    pub fn stop(&self) {
        self.inboxes.iter().for_each(|inbox| inbox.stop());
        for thread in std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner)) {
            if thread.join().is_err() {
                tracing::error!("a media thread had panicked");
            }
        }
    }

    /// What happened since the start.
    pub fn counters(&self) -> Totals {
        self.counters.totals()
    }

    /// The links to other nodes, as they were a second ago at most.
    pub fn links(&self) -> Vec<LinkNow> {
        self.counters.links.read()
    }

    /// Carries a connection that begins like a check, until it ends.
    pub async fn carry(&self, stream: TcpStream) {
        if let Err(error) = streams::carry(&self.inboxes, stream).await {
            tracing::trace!(%error, "a media connection ended");
        }
    }

    /// SHA-256 of this node's DTLS certificate.
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Where other nodes reach the threads, in their order.
    pub fn doors(&self) -> &[SocketAddr] {
        &self.doors
    }

    /// The other nodes that live, as the last beat saw them.
    pub fn meet(&self, neighbors: Vec<Neighbor>) {
        let neighbors: Arc<[Neighbor]> = neighbors.into();
        self.inboxes.iter().for_each(|inbox| inbox.push(Order::Meet(neighbors.clone())));
    }

    /// Two threads can pass each other packets from now on.
    fn bridge(&self, home: usize, guest: usize) {
        let (here, there) = (&self.inboxes[home], &self.inboxes[guest]);
        let (one, other) = Bridge::pair(here.clone(), there.clone());
        here.push(Order::Bridge { to: guest as u8, bridge: one });
        there.push(Order::Bridge { to: home as u8, bridge: other });
    }
}

impl Drop for Sfu {
    fn drop(&mut self) {
        self.stop();
    }
}

impl MediaPlane for Sfu {
    fn order(&self, order: MediaOrder) {
        let mut placement = self.placement.lock().unwrap_or_else(PoisonError::into_inner);
        for placed in placement.place(order) {
            match placed {
                Placed::Bridge { home, guest } => self.bridge(home, guest),
                Placed::Order { thread, order } => self.inboxes[thread].push(order),
            }
        }
    }
}

/// The sockets of one thread, all on the same port.
fn bind(config: &SfuConfig, index: usize) -> Result<Vec<Socket>, SfuError> {
    let SfuConfig { udp_port, threads, .. } = *config;
    let port = match (udp_port, u16::try_from(index)) {
        (0, _) => 0,
        (first, Ok(index)) => first.checked_add(index).ok_or(SfuError::Ports { udp_port, threads })?,
        (_, Err(_)) => return Err(SfuError::Ports { udp_port, threads }),
    };
    if !config.listen.is_empty() {
        return config.listen.iter().map(|&ip| bind_one(SocketAddr::new(ip, port))).collect();
    }
    let first = bind_one(SocketAddr::new(Ipv4Addr::UNSPECIFIED.into(), port))?;
    // A machine without IPv6 is served by IPv4 alone.
    let second = bind_one(SocketAddr::new(Ipv6Addr::UNSPECIFIED.into(), first.address().port())).ok();
    Ok(std::iter::once(first).chain(second).collect())
}

fn bind_one(address: SocketAddr) -> Result<Socket, SfuError> {
    Socket::bind(address).map_err(|error| SfuError::Bind { address, error })
}

/// What peers are told.
fn candidates(config: &SfuConfig, sockets: &[Socket]) -> Candidates {
    let udp = udp_candidates(config, sockets);
    let served = |listener: &SocketAddr, ip: IpAddr| match listener.ip() {
        // "[::]" serves IPv4 too.
        any if any.is_unspecified() => any.is_ipv6() || ip.is_ipv4(),
        one => one == ip,
    };
    let tcp = config.tcp.iter().flat_map(|listener| {
        let public = !config.public_addresses.is_empty();
        let ips = udp.iter().map(SocketAddr::ip).filter(move |&ip| public || served(listener, ip));
        ips.map(|ip| SocketAddr::new(ip, listener.port()))
    });
    Candidates { tcp: tcp.collect(), udp }
}

/// The public addresses, or those listened on.
fn udp_candidates(config: &SfuConfig, sockets: &[Socket]) -> Vec<SocketAddr> {
    let port = sockets.first().map_or(config.udp_port, |socket| socket.address().port());
    if !config.public_addresses.is_empty() {
        return config.public_addresses.iter().map(|&ip| SocketAddr::new(ip, port)).collect();
    }
    let bound: Vec<SocketAddr> = sockets.iter().map(Socket::address).collect();
    if bound.iter().all(|address| !address.ip().is_unspecified()) {
        return bound;
    }
    interfaces(&bound).into_iter().map(|ip| SocketAddr::new(ip, port)).collect()
}

/// The machine's addresses of the families that are bound; loopback only when there is nothing else.
fn interfaces(bound: &[SocketAddr]) -> Vec<IpAddr> {
    let all: Vec<IpAddr> = if_addrs::get_if_addrs()
        .unwrap_or_default()
        .into_iter()
        .map(|interface| interface.ip())
        .filter(|ip| bound.iter().any(|address| address.is_ipv4() == ip.is_ipv4()))
        .filter(|ip| !matches!(ip, IpAddr::V6(ip) if ip.is_unicast_link_local()))
        .collect();
    let public: Vec<IpAddr> = all.iter().copied().filter(|ip| !ip.is_loopback()).collect();
    if public.is_empty() { all } else { public }
}
