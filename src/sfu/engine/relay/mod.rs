//! Media between nodes: for each pair of their threads that share lessons one [`Relay`], a 5-tuple with DTLS and SRTP, over
//! which each publication goes once however many receive it there.
//!
//! Both ends are equal. Each knocks at the address that the other's row in the database tells, several times a second, and
//! sends nowhere else; what comes is taken only from where an authentic knock came from. When each has heard from the other,
//! the smaller one is the DTLS client, and both check the other's certificate against its row. A relay that falls silent keeps
//! its keys: it goes on with the first knock that gets through. Rows of nodes that do not beat are not [`Neighbor`]s.
//!
//! Not here: which publication comes from where (`exports`, `imports`), and Redis.

pub mod congestion;
pub mod gate;
pub mod knock;
pub mod letter;
mod link;
mod neighbors;
pub mod packet;
mod round_trip;

use std::{
    collections::HashMap,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use qism_signaling::protocol::{IncarnationId, LessonId};

pub use knock::Far;
use knock::Knock;
pub use link::{Outgoing, Relay, SSRCS, find};
pub use neighbors::{Membership, Neighbor, home};

use super::{identity::Identity, leg::Path};

/// A relay over which nobody asked for anything for so long is closed.
const IDLE: Duration = Duration::from_secs(30);

/// The relays of one thread.
pub struct Relays {
    /// `None` on a node that is alone: nobody is answered.
    membership: Option<Membership>,
    thread: u8,
    /// Addresses of our sockets, to find the one that reaches a neighbor.
    sockets: Vec<SocketAddr>,
    neighbors: Arc<[Neighbor]>,
    relays: HashMap<Far, Relay>,
    by_address: HashMap<(u8, SocketAddr), Far>,
    /// Attempts and SSRCs made by this thread: never twice the same.
    attempts: u32,
    ssrcs: u32,
}

impl Relays {
    pub fn new(membership: Option<Membership>, thread: u8, sockets: Vec<SocketAddr>) -> Self {
        Self {
            membership,
            thread,
            sockets,
            neighbors: Arc::from([]),
            relays: HashMap::new(),
            by_address: HashMap::new(),
            attempts: 0,
            ssrcs: 0,
        }
    }

    pub fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    /// These nodes live.
    pub fn meet(&mut self, neighbors: Arc<[Neighbor]>) {
        self.neighbors = neighbors;
    }

    /// What knocks are sealed by.
    pub fn key(&self) -> Option<[u8; 32]> {
        Some(self.membership.as_ref()?.key)
    }

    fn own(&self) -> Option<Far> {
        Some(Far { node: self.membership.as_ref()?.incarnation, thread: self.thread })
    }

    /// A new SSRC for layer 0 of a publication, and its next few.
    pub fn next_ssrc(&mut self) -> u32 {
        self.ssrcs += SSRCS;
        self.ssrcs
    }

    pub fn get_mut(&mut self, far: Far) -> Option<&mut Relay> {
        self.relays.get_mut(&far)
    }

    pub fn iter_mut(&mut self) -> impl Iterator<Item = &mut Relay> {
        self.relays.values_mut()
    }

    /// All ends.
    pub fn fars(&self) -> Vec<Far> {
        self.relays.keys().copied().collect()
    }

    /// The relay whose packets come from there.
    pub fn at(&mut self, path: &Path) -> Option<&mut Relay> {
        let far = self.by_address.get(&(path.socket, path.peer))?;
        self.relays.get_mut(far)
    }

    /// The relay towards a lesson's home thread on a node, made at need; `None` while that node is not known to live.
    pub fn toward(&mut self, node: IncarnationId, lesson: LessonId, now: Instant) -> Option<&mut Relay> {
        let threads = self.neighbor(node)?.doors.len();
        let far = Far { node, thread: home(lesson, threads) as u8 };
        self.open(far, now)
    }

    /// The relays to a lesson's home threads on other nodes, as far as there are any.
    pub fn of_lesson(&mut self, lesson: LessonId) -> impl Iterator<Item = &mut Relay> {
        let neighbors = self.neighbors.clone();
        let is_home = move |far: &Far| {
            let doors = neighbors.iter().find(|it| it.incarnation == far.node).map(|it| it.doors.len());
            doors.is_some_and(|doors| usize::from(far.thread) == home(lesson, doors))
        };
        self.relays.values_mut().filter(move |relay| is_home(&relay.far))
    }

    fn neighbor(&self, node: IncarnationId) -> Option<&Neighbor> {
        self.neighbors.iter().find(|neighbor| neighbor.incarnation == node)
    }

    fn open(&mut self, far: Far, now: Instant) -> Option<&mut Relay> {
        if !self.relays.contains_key(&far) {
            let own = self.own()?;
            let neighbor = self.neighbor(far.node)?;
            let peer = *neighbor.doors.get(usize::from(far.thread))?;
            let socket = self.sockets.iter().position(|socket| socket.is_ipv4() == peer.is_ipv4())? as u8;
            let (path, fingerprint) = (Path { socket, peer, local: None }, neighbor.fingerprint.clone());
            self.attempts += 1;
            let relay = Relay::new((own, far), path, fingerprint, self.attempts, now);
            self.relays.insert(far, relay);
        }
        self.relays.get_mut(&far)
    }

    /// Begins a relay anew: the far end learns it from the next knock.
    pub fn restart(&mut self, far: Far, failed: bool, now: Instant) {
        self.attempts += 1;
        if let Some(relay) = self.relays.get_mut(&far) {
            relay.restart(self.attempts, failed, now);
        }
    }

    /// Takes a datagram that may be a knock; whose it is, when it is an authentic one of a node that lives, and whether it
    /// ended what stood.
    pub fn knocked(
        &mut self,
        path: Path,
        datagram: &[u8],
        identity: &Arc<Identity>,
        now: Instant,
    ) -> Option<(Far, bool)> {
        let (own, key) = (self.own()?, self.membership.as_ref()?.key);
        let is_expected = |knock: &Knock| knock.to == own && self.neighbor(knock.from.node).is_some();
        let knock = Knock::read(datagram, &key, is_expected, identity.crypto())?;
        let ended = self.open(knock.from, now)?.take_knock(&knock, identity, now);
        self.bind(path, knock.from);
        Some((knock.from, ended))
    }

    /// Packets from there are of this relay; of the addresses that were it before, the newest stays too.
    fn bind(&mut self, path: Path, far: Far) {
        let Some(relay) = self.relays.get_mut(&far) else { return };
        let address = (path.socket, path.peer);
        if let Some(gone) = relay.bind(address) {
            self.by_address.remove(&gone);
        }
        self.by_address.insert(address, far);
    }

    /// Relays that have no reason to be any more: their nodes are dead, or nobody needs them.
    pub fn useless(&self, now: Instant) -> Vec<Far> {
        let is_useless = |relay: &&Relay| self.neighbor(relay.far.node).is_none() || now >= relay.used + IDLE;
        self.relays.values().filter(is_useless).map(|relay| relay.far).collect()
    }

    pub fn remove(&mut self, far: Far) -> Option<Relay> {
        self.by_address.retain(|_, bound| *bound != far);
        self.relays.remove(&far)
    }
}
