//! STUN binding requests (RFC 8489) as ICE uses them.

use std::net::SocketAddr;

use rtc::{
    crypto::RTCCrypto,
    stun::{
        attributes::{ATTR_USE_CANDIDATE, ATTR_USERNAME},
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, BINDING_SUCCESS, Message, is_stun_message},
        textattrs::TextAttribute,
        xoraddr::XorMappedAddress,
    },
};

/// Longest message read; browsers send about 110 bytes.
const LONGEST: usize = 576;

/// A binding request; not authenticated yet.
#[derive(Debug)]
pub struct Request {
    message: Message,
    /// What is asked, a colon, who asks: between a browser and us their user fragments.
    pub username: String,
    /// Carries USE-CANDIDATE.
    pub nominates: bool,
}

impl Request {
    /// Reads a datagram; `None` when it is anything else.
    pub fn parse(datagram: &[u8]) -> Option<Self> {
        if datagram.len() > LONGEST || !is_stun_message(datagram) {
            return None;
        }
        let mut message = Message::new();
        message.unmarshal_binary(datagram).ok()?;
        if message.typ != BINDING_REQUEST {
            return None;
        }
        let username = TextAttribute::get_from_as(&message, ATTR_USERNAME).ok()?;
        let nominates = message.contains(ATTR_USE_CANDIDATE);
        Some(Self { message, username: username.text, nominates })
    }

    /// Of the user fragments, ours.
    pub fn ufrag(&self) -> &str {
        self.username.split_once(':').map_or("", |(ufrag, _)| ufrag)
    }

    /// Verifies MESSAGE-INTEGRITY.
    pub fn is_authentic(&mut self, password: &str, crypto: &dyn RTCCrypto) -> bool {
        MessageIntegrity::check(&mut self.message, password.as_bytes(), crypto).is_ok()
    }

    /// The success response for a peer seen at `peer`.
    pub fn response(&self, peer: SocketAddr, password: &str, crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
        let id = self.message.transaction_id;
        let integrity = MessageIntegrity::new_short_term_integrity_with_provider(password.to_owned(), crypto);
        let mut response = Message::new();
        response.transaction_id = id;
        let mapped = XorMappedAddress { ip: peer.ip(), port: peer.port() };
        response
            .build(&[
                Box::new(id),
                Box::new(BINDING_SUCCESS),
                Box::new(mapped),
                Box::new(integrity),
                Box::new(FINGERPRINT),
            ])
            .ok()?;
        Some(response.raw)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn garbage_never_panics(mut bytes in proptest::collection::vec(any::<u8>(), 20..200)) {
            bytes[..8].copy_from_slice(&[0, 1, 0, 0, 0x21, 0x12, 0xa4, 0x42]);
            let length = (bytes.len() - 20) as u16;
            bytes[2..4].copy_from_slice(&length.to_be_bytes());
            let _ = Request::parse(&bytes);
        }
    }
}
