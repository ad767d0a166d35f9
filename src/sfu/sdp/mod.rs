//! Session descriptions: the small dialect of this SFU. `parse` reads what browsers write into types, `answer` accepts
//! a publisher's offer, `offer` writes the fixed slot table of a subscriber. Nothing here touches a socket or a key.

pub mod answer;
mod codec;
pub mod offer;
pub mod parse;
mod section;

pub use answer::{PublisherTerms, Upstream, answer};
pub use codec::Abilities;
pub use offer::{SubscriberTerms, offer};
pub use parse::{Description, Setup};

use std::net::SocketAddr;

/// Why a description was refused; the text names the line or part and goes to the client.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SdpError {
    #[error("{0} bytes, at most {1} are read")]
    TooLong(usize, usize),
    #[error("{0} lines, at most {1} are read")]
    TooManyLines(usize, usize),
    #[error("line {0}: {1}")]
    Line(usize, &'static str),
    #[error("{0} is missing")]
    Missing(&'static str),
    #[error("section {mid}: {reason}")]
    Section { mid: String, reason: &'static str },
}

/// Where peers find us, best first.
#[derive(Clone, Debug, Default)]
pub struct Candidates {
    pub udp: Vec<SocketAddr>,
    /// For networks that let no UDP through; we only wait for connections there (RFC 6544).
    pub tcp: Vec<SocketAddr>,
}

impl Candidates {
    /// RFC 8445 section 5.1.2.1: type preference 126 for UDP hosts; TCP comes after every other way.
    fn write(&self, out: &mut String) {
        let udp = self.udp.iter().map(|address| (address, "udp", 126u32, ""));
        let tcp = self.tcp.iter().map(|address| (address, "tcp", 90, " tcptype passive"));
        for (index, (address, protocol, preference, more)) in udp.chain(tcp).enumerate() {
            let (number, ip, port) = (index + 1, address.ip(), address.port());
            let priority = preference << 24 | (65_535 - index as u32) << 8 | 255;
            out.push_str(&format!(
                "a=candidate:{number} 1 {protocol} {priority} {ip} {port} typ host{more}\r\n"
            ));
        }
        out.push_str("a=end-of-candidates\r\n");
    }
}

/// What our side of a connection looks like to the peer.
#[derive(Clone, Debug)]
pub struct Local {
    pub ufrag: String,
    pub password: String,
    /// SHA-256 of our certificate, `AA:BB:…`.
    pub fingerprint: String,
    /// `a=setup` value.
    pub setup: &'static str,
    pub candidates: Candidates,
}

impl Local {
    /// The lines above the first media section.
    fn write_head(&self, mids: &[&str], out: &mut String) {
        out.push_str("v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE");
        for mid in mids {
            out.push(' ');
            out.push_str(mid);
        }
        out.push_str("\r\na=ice-lite\r\na=msid-semantic: WMS *\r\na=fingerprint:sha-256 ");
        out.push_str(&self.fingerprint);
        out.push_str("\r\n");
    }

    /// The transport lines of one media section. Our addresses are in each: who reads an offer may not have bundled the sections yet (RFC 8829
    /// section 5.2.1).
    fn write_transport(&self, out: &mut String) {
        out.push_str("c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=rtcp-rsize\r\n");
        out.push_str(&format!(
            "a=ice-ufrag:{}\r\na=ice-pwd:{}\r\na=setup:{}\r\n",
            self.ufrag, self.password, self.setup
        ));
        self.candidates.write(out);
    }
}
