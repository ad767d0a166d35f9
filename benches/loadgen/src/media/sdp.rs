//! The little of session descriptions that a load client needs.

use std::net::SocketAddrV4;

use anyhow::Context as _;

/// What the other side tells: where it is and how to prove ourselves.
#[derive(Clone, Debug)]
pub struct Remote {
    pub ufrag: String,
    pub password: String,
    /// The candidate on loopback, else the first.
    pub address: SocketAddrV4,
    /// Id of the transport-wide number's extension.
    pub transport_extension: Option<u8>,
    /// Payload types of what is sent again, and of padding.
    pub repairs: Vec<u8>,
}

impl Remote {
    pub fn of(sdp: &str) -> anyhow::Result<Self> {
        let attribute = |name: &str| sdp.lines().find_map(|line| line.strip_prefix(name)).map(str::trim);
        let candidates = sdp.lines().filter_map(|line| line.strip_prefix("a=candidate:"));
        let addresses = candidates.filter_map(|line| {
            let mut words = line.split(' ').skip(4);
            Some(SocketAddrV4::new(words.next()?.parse().ok()?, words.next()?.trim().parse().ok()?))
        });
        let addresses: Vec<SocketAddrV4> = addresses.collect();
        let loopback = addresses.iter().find(|address| address.ip().is_loopback());
        let extensions = sdp.lines().filter_map(|line| line.strip_prefix("a=extmap:"));
        let transport = extensions.filter(|line| line.contains("transport-wide-cc")).find_map(|line| {
            let id = line.split([' ', '/']).next()?;
            id.parse().ok()
        });
        let types = sdp.lines().filter_map(|line| line.strip_prefix("a=rtpmap:"));
        let repairs = types.filter(|line| line.contains(" rtx/")).filter_map(|line| line.split(' ').next());
        Ok(Self {
            repairs: repairs.filter_map(|number| number.parse().ok()).collect(),
            transport_extension: transport,
            ufrag: attribute("a=ice-ufrag:").context("no ufrag")?.to_owned(),
            password: attribute("a=ice-pwd:").context("no password")?.to_owned(),
            address: *loopback.or(addresses.first()).context("no candidate")?,
        })
    }
}

/// Our side.
#[derive(Clone, Debug)]
pub struct Local {
    pub ufrag: String,
    pub password: String,
    /// `AA:BB:…`
    pub fingerprint: String,
}

/// The answer that takes every section of a subscriber's offer.
pub fn answer(offer: &str, local: &Local) -> String {
    let mut answer = String::new();
    for line in offer.lines() {
        let name = line.split([':', ' ']).next().unwrap_or_default();
        match name {
            "a=ice-ufrag" => answer.push_str(&format!("a=ice-ufrag:{}\r\n", local.ufrag)),
            "a=ice-pwd" => answer.push_str(&format!("a=ice-pwd:{}\r\n", local.password)),
            "a=fingerprint" => answer.push_str(&format!("a=fingerprint:sha-256 {}\r\n", local.fingerprint)),
            "a=setup" => answer.push_str("a=setup:active\r\n"),
            "a=sendonly" => answer.push_str("a=recvonly\r\n"),
            "a=ice-lite" | "a=candidate" | "a=end-of-candidates" | "a=ssrc" | "a=ssrc-group" | "a=msid" => {}
            _ => answer.push_str(&format!("{line}\r\n")),
        }
    }
    answer
}

/// The line that tells an address of ours.
pub fn candidate(address: SocketAddrV4) -> String {
    format!("a=candidate:1 1 udp 2130706431 {} {} typ host\r\n", address.ip(), address.port())
}

/// SSRCs of the publisher's tracks.
pub const VOICE: u32 = 0x1001;
pub const CAMERA: u32 = 0x1002;
/// Extension ids of the publisher's leg.
pub const MID: u8 = 1;
pub const LEVEL: u8 = 2;

/// The offer of a microphone (mid 0) and a camera of one encoding (mid 1).
pub fn publisher_offer(local: &Local) -> String {
    let Local { ufrag, password, fingerprint } = local;
    let transport = format!(
        "c=IN IP4 0.0.0.0\r\na=rtcp-mux\r\na=ice-ufrag:{ufrag}\r\na=ice-pwd:{password}\r\n\
         a=fingerprint:sha-256 {fingerprint}\r\na=setup:active\r\na=sendonly\r\n\
         a=extmap:{MID} urn:ietf:params:rtp-hdrext:sdes:mid\r\n"
    );
    format!(
        "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1\r\n\
         m=audio 9 UDP/TLS/RTP/SAVPF 111\r\n{transport}a=mid:0\r\n\
         a=extmap:{LEVEL} urn:ietf:params:rtp-hdrext:ssrc-audio-level\r\n\
         a=rtpmap:111 opus/48000/2\r\na=ssrc:{VOICE} cname:load\r\n\
         m=video 9 UDP/TLS/RTP/SAVPF 96\r\n{transport}a=mid:1\r\n\
         a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 nack pli\r\na=ssrc:{CAMERA} cname:load\r\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OFFER: &str = "v=0\r\na=ice-lite\r\na=fingerprint:sha-256 AA\r\nm=audio 9 X 111\r\na=ice-ufrag:them\r\n\
        a=ice-pwd:secret\r\na=setup:actpass\r\na=candidate:1 1 udp 1 10.0.0.1 70 typ host\r\n\
        a=candidate:2 1 udp 1 127.0.0.1 71 typ host\r\na=mid:0\r\na=rtpmap:96 VP8/90000\r\na=rtpmap:97 rtx/90000\r\n\
        a=sendonly\r\na=ssrc:1 cname:x\r\n";

    #[test]
    fn the_loopback_candidate_is_taken() {
        let remote = Remote::of(OFFER).expect("complete");
        assert_eq!((remote.ufrag.as_str(), remote.address.port()), ("them", 71));
        assert_eq!(remote.repairs, [97]);
    }

    #[test]
    fn the_answer_mirrors_the_offer() {
        let local = Local { ufrag: "us".into(), password: "p".into(), fingerprint: "BB".into() };
        let answer = answer(OFFER, &local);
        for line in ["a=ice-ufrag:us", "a=setup:active", "a=recvonly", "a=mid:0", "a=fingerprint:sha-256 BB"]
        {
            assert!(answer.contains(line), "{line}");
        }
        assert!(!answer.contains("candidate") && !answer.contains("ssrc"));
    }
}
