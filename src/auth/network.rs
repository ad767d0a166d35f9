//! Whom an address stands for.

use std::net::IpAddr;

/// What counts as one address: IPv6 by /64, which is one household or one school and gives its owner as many addresses as
/// they like; an IPv4 address, mapped into IPv6 or not, as it is.
pub fn network(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => {
            let mut octets = v6.octets();
            octets[8..].fill(0);
            IpAddr::from(octets)
        }
        v4 => v4,
    }
}
