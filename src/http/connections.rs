//! How many connections are open, in all and per address. A permit lives as long as its connection, sockets included.

use std::{
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use dashmap::DashMap;

/// Counts open connections against two limits.
#[derive(Debug)]
pub struct Connections {
    open: AtomicUsize,
    limit: usize,
    by_address: DashMap<IpAddr, usize>,
    limit_by_address: usize,
}

/// One open connection; dropping it makes room.
#[derive(Debug)]
pub struct Permit {
    connections: Arc<Connections>,
    address: IpAddr,
}

impl Connections {
    pub fn new(limit: usize, limit_by_address: usize) -> Arc<Self> {
        Arc::new(Self { open: AtomicUsize::new(0), limit, by_address: DashMap::new(), limit_by_address })
    }

    /// `None` at a limit. IPv6 is counted by /64, which is one household or one school.
    pub fn admit(self: &Arc<Self>, address: IpAddr) -> Option<Permit> {
        let address = network(address);
        let mut count = self.by_address.entry(address).or_insert(0);
        let full = *count >= self.limit_by_address || self.open.load(Ordering::Relaxed) >= self.limit;
        if full {
            let unused = *count == 0;
            drop(count);
            if unused {
                self.by_address.remove_if(&address, |_, count| *count == 0);
            }
            return None;
        }
        *count += 1;
        self.open.fetch_add(1, Ordering::Relaxed);
        Some(Permit { connections: self.clone(), address })
    }

    pub fn open(&self) -> usize {
        self.open.load(Ordering::Relaxed)
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.connections.open.fetch_sub(1, Ordering::Relaxed);
        if let Some(mut count) = self.connections.by_address.get_mut(&self.address) {
            *count -= 1;
        }
        self.connections.by_address.remove_if(&self.address, |_, count| *count == 0);
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        v4 => v4,
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
