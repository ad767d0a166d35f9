//! How many connections are open, in all and per address. A permit lives as long as its connection, sockets included.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;

use crate::auth::network;

/// Counts open connections against two limits.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    limit: usize,
    by_address: DashMap<IpAddr, usize>,
    limit_by_address: usize,
}

/// One open connection, or one client's share in a proxy's; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    connections: Arc<Connections>,
    counts: Counts,
}

#[derive(Debug)]
enum Counts {
    /// A connection of its own.
    Connection(IpAddr),
    /// A proxy's connection, which carries many clients.
    Proxy,
    /// A client on a proxy's connection, which stays open as long.
    Client(IpAddr, #[expect(dead_code, reason = "held, not read")] Arc<Permit>),
}

impl Connections {
    pub fn new(limit: usize, limit_by_address: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), limit, by_address: DashMap::new(), limit_by_address })
    }

    /// `None` at a limit. IPv6 is counted by /64, which is one household or one school.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let address = network(address);
        if self.is_full() || !self.take_place(address) {
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Permit { connections: self.clone(), counts: Counts::Connection(address) })
    }

    /// A trusted proxy's connection counts in the whole only: whoever comes through it is counted by [`Self::admit_client`].
    pub fn admit_proxy(self: &Arc<Self>) -> Option<Permit> {
        if self.is_full() {
            return None;
        }
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Permit { connections: self.clone(), counts: Counts::Proxy })
    }

    /// Somebody behind a proxy: one request, or a socket as long as it is open.
    pub fn admit_client(self: &Arc<Self>, address: IpAddr, proxy: Arc<Permit>) -> Option<Permit> {
        let address = network(address);
        let counts = Counts::Client(address, proxy);
        self.take_place(address).then(|| Permit { connections: self.clone(), counts })
    }

    fn is_full(&self) -> bool {
        self.open.load(Ordering::Relaxed) >= self.limit
    }

    fn take_place(&self, address: IpAddr) -> bool {
        let mut count = self.by_address.entry(address).or_insert(0);
        let free = *count < self.limit_by_address;
        *count += usize::from(free);
        let unused = *count == 0;
        drop(count);
        if unused {
            self.by_address.remove_if(&address, |_, count| *count == 0);
        }
        free
    }

    fn give_place_back(&self, address: IpAddr) {
        if let Some(mut count) = self.by_address.get_mut(&address) {
            *count -= 1;
        }
        self.by_address.remove_if(&address, |_, count| *count == 0);
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        if !matches!(self.counts, Counts::Client(..)) {
            self.connections.open.fetch_sub(1, Ordering::Relaxed);
        }
        if let Counts::Connection(address) | Counts::Client(address, _) = self.counts {
            self.connections.give_place_back(address);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    #[test]
    fn one_address_cannot_take_everything_and_room_comes_back() {
        let connections = Connections::new(3, 2);
        let school = address("192.0.2.1");
        let held: Vec<_> = (0..2).map(|_| connections.admit(school).expect("room")).collect();
        assert!(connections.admit(school).is_none());
        let other = connections.admit(address("192.0.2.2")).expect("another address");
        assert!(connections.admit(address("192.0.2.3")).is_none(), "the whole is full");
        drop((held, other));
        assert_eq!((connections.open(), connections.by_address.len()), (0, 0));
        assert!(connections.admit(school).is_some());
    }

    #[test]
    fn clients_of_a_proxy_are_counted_each_and_keep_its_connection() {
        let connections = Connections::new(2, 1);
        let proxy = Arc::new(connections.admit_proxy().expect("room"));
        let one = connections.admit_client(address("192.0.2.1"), proxy.clone()).expect("room");
        assert!(connections.admit_client(address("192.0.2.1"), proxy.clone()).is_none());
        assert!(connections.admit_client(address("192.0.2.2"), proxy.clone()).is_some());
        let second = connections.admit_proxy().expect("a proxy may have many");
        assert!(connections.admit_proxy().is_none(), "the whole is full");
        drop((second, proxy));
        assert_eq!(connections.open(), 1, "a socket holds the connection it came by");
        drop(one);
        assert_eq!((connections.open(), connections.by_address.len()), (0, 0));
    }

    #[test]
    fn the_addresses_of_one_ipv6_network_count_together() {
        let connections = Connections::new(9, 1);
        let first = connections.admit(address("2001:db8::1"));
        assert!(first.is_some() && connections.admit(address("2001:db8::2")).is_none());
        assert!(connections.admit(address("2001:db8:0:1::1")).is_some());
    }

    #[test]
    fn a_mapped_address_is_its_ipv4_address() {
        let connections = Connections::new(9, 1);
        let first = connections.admit(address("::ffff:192.0.2.1"));
        assert!(first.is_some() && connections.admit(address("192.0.2.1")).is_none());
        assert!(connections.admit(address("::ffff:192.0.2.2")).is_some());
    }
}
