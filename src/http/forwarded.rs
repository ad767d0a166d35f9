//! Who asks, behind reverse proxies. Pure: the peer's address, the headers and the proxies that we trust.
//!
//! Anybody can write these headers. Only what a trusted proxy appended counts: read from the right, the first address that
//! is none of ours is the client. Everything left of it is hearsay.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, HeaderName, header};

use crate::config::Network;

const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The proxies whose word we take.
#[derive(Clone, Debug, Default)]
pub struct Proxies(Vec<Network>);

impl Proxies {
    pub fn new(trusted: Vec<Network>) -> Self {
        Self(trusted)
    }

    pub fn trust(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }

    /// The address of whoever sent this request: the peer, unless the peer is a trusted proxy that names somebody. A proxy
    /// writes one of the two headers and may pass the other one on unread, so two that differ name nobody.
    pub fn client(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        if !self.trust(peer) {
            return peer;
        }
        let plain = self.nearest(peer, entries(headers, &X_FORWARDED_FOR).map(node));
        let standard = self.nearest(peer, entries(headers, &header::FORWARDED).map(forwarded_for));
        match (plain, standard) {
            (Some(one), Some(other)) if one != other => peer,
            (one, other) => one.or(other).unwrap_or(peer),
        }
    }

    /// From the right, the first that is not trusted; where one is not readable, the proxy that wrote it.
    fn nearest(&self, peer: IpAddr, hops: impl DoubleEndedIterator<Item = Option<IpAddr>>) -> Option<IpAddr> {
        let mut nearest = None;
        for hop in hops.rev() {
            let Some(address) = hop else { return nearest.or(Some(peer)) };
            nearest = Some(address);
            if !self.trust(address) {
                break;
            }
        }
        nearest
    }
}

/// The elements of a list header, over all its lines.
fn entries<'a>(headers: &'a HeaderMap, name: &HeaderName) -> impl DoubleEndedIterator<Item = &'a str> {
    let lines: Vec<_> = headers.get_all(name).iter().collect();
    // A line that is no text is one unreadable element.
    lines.into_iter().flat_map(|line| line.to_str().unwrap_or("?").split(','))
}

/// The `for` of one element of `Forwarded` (RFC 7239).
fn forwarded_for(element: &str) -> Option<IpAddr> {
    let pairs = element.split(';').filter_map(|pair| pair.trim().split_once('='));
    let mut named = pairs.filter(|(key, _)| key.trim().eq_ignore_ascii_case("for"));
    node(named.next()?.1)
}

/// An address, perhaps quoted, bracketed, or with a port.
fn node(text: &str) -> Option<IpAddr> {
    let text = text.trim().trim_matches('"');
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(text);
    let address = bare.parse().ok().or_else(|| text.parse::<SocketAddr>().ok().map(|socket| socket.ip()))?;
    Some(IpAddr::to_canonical(&address))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    const CLIENT: &str = "203.0.113.9";

    fn ip(text: &str) -> IpAddr {
        text.parse().expect("an address")
    }

    /// The client as a server behind 127.0.0.1 and 10.0.0.0/8 sees it.
    fn client(peer: &str, lines: &[(&'static str, &str)]) -> IpAddr {
        let trusted = ["127.0.0.1/32", "10.0.0.0/8"].map(|text| text.parse().expect("a network"));
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, HeaderValue::from_bytes(value.as_bytes()).expect("a value"));
        }
        Proxies::new(trusted.to_vec()).client(ip(peer), &headers)
    }

    #[test]
    fn a_stranger_is_who_connects_whatever_the_headers_say() {
        let lines = [("x-forwarded-for", "127.0.0.1"), ("forwarded", "for=127.0.0.1")];
        assert_eq!(client(CLIENT, &lines), ip(CLIENT));
    }

    #[test]
    fn a_trusted_proxy_names_the_client_in_either_header() {
        assert_eq!(client("127.0.0.1", &[]), ip("127.0.0.1"));
        assert_eq!(client("127.0.0.1", &[("x-forwarded-for", CLIENT)]), ip(CLIENT));
        assert_eq!(client("::ffff:127.0.0.1", &[("x-forwarded-for", CLIENT)]), ip(CLIENT));
        for text in [
            "for=203.0.113.9",
            "For=\"203.0.113.9:4711\";proto=https",
            "by=10.0.0.1; for=203.0.113.9 ;host=a",
            "for=198.51.100.1, for=203.0.113.9, for=10.2.3.4",
        ] {
            assert_eq!(client("127.0.0.1", &[("forwarded", text)]), ip(CLIENT), "{text}");
        }
        assert_eq!(client("10.0.0.1", &[("forwarded", "for=\"[2001:db8::7]:80\"")]), ip("2001:db8::7"));
    }

    #[test]
    fn what_the_client_wrote_itself_stands_left_and_is_not_believed() {
        for text in ["198.51.100.1, 203.0.113.9", "127.0.0.1,203.0.113.9,10.9.9.9", "?,203.0.113.9"] {
            assert_eq!(client("127.0.0.1", &[("x-forwarded-for", text)]), ip(CLIENT), "{text}");
        }
        let two_lines = [("x-forwarded-for", "198.51.100.1"), ("x-forwarded-for", CLIENT)];
        assert_eq!(client("127.0.0.1", &two_lines), ip(CLIENT));
    }

    #[test]
    fn nonsense_is_the_proxy_that_wrote_it() {
        for text in ["", "unknown", "_hidden", "203.0.113.9, 999.1.1.1", "a b", "203.0.113.9,\u{fc}"] {
            assert_eq!(client("127.0.0.1", &[("x-forwarded-for", text)]), ip("127.0.0.1"), "{text}");
        }
        assert_eq!(client("127.0.0.1", &[("x-forwarded-for", "unknown, 10.0.0.7")]), ip("10.0.0.7"));
    }

    #[test]
    fn a_second_header_that_says_something_else_names_nobody() {
        let spoofed = [("x-forwarded-for", "198.51.100.1"), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("127.0.0.1", &spoofed), ip("127.0.0.1"));
        let agreed = [("x-forwarded-for", CLIENT), ("forwarded", "for=203.0.113.9")];
        assert_eq!(client("127.0.0.1", &agreed), ip(CLIENT));
    }
}
