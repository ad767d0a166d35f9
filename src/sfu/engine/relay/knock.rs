//! How one media thread says to one of another node that it is there: a STUN binding request whose user name names both, with
//! a password that only nodes of the same cluster know. It is answered by a knock in return, never by anything larger.

use std::fmt::Write as _;

use hmac::{Hmac, KeyInit as _, Mac as _};
use qism_signaling::protocol::IncarnationId;
use rtc::{
    crypto::RTCCrypto,
    stun::{
        attributes::ATTR_USERNAME,
        fingerprint::FINGERPRINT,
        integrity::MessageIntegrity,
        message::{BINDING_REQUEST, Message, Setter, TransactionId},
        textattrs::TextAttribute,
    },
};
use sha2::Sha256;
use uuid::Uuid;

use crate::sfu::engine::leg::stun::Request;

/// Begins every user name; no user fragment of a leg does.
const BEGIN: &str = "relay.";
/// Longest message read.
const LONGEST: usize = 320;

/// One media thread of one node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Far {
    pub node: IncarnationId,
    pub thread: u8,
}

/// One knock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Knock {
    pub to: Far,
    pub from: Far,
    /// Which attempt of the sender this is: grows, so that an old knock that is sent once more is known.
    pub attempt: u32,
    /// The attempt of the receiver that the sender knows of; 0 before the first knock.
    pub known: u32,
}

impl Knock {
    /// The datagram; `None` when it cannot be built.
    pub fn write(&self, key: &[u8; 32], crypto: &dyn RTCCrypto) -> Option<Vec<u8>> {
        let username =
            format!("{BEGIN}{}:{}.{:08x}.{:08x}", named(self.to), named(self.from), self.attempt, self.known);
        let password = password(key, self.to, self.from);
        let setters: [Box<dyn Setter + '_>; 5] = [
            Box::new(TransactionId::new()),
            Box::new(BINDING_REQUEST),
            Box::new(TextAttribute::new(ATTR_USERNAME, username)),
            Box::new(MessageIntegrity::new_short_term_integrity_with_provider(password, crypto)),
            Box::new(FINGERPRINT),
        ];
        let mut message = Message::new();
        message.build(&setters).ok()?;
        Some(message.raw)
    }

    /// Reads a datagram that may be one; `is_expected` says whether this pair may knock at all, before anything is computed
    /// for it. `None` for everything else, forgeries included.
    pub fn read(
        datagram: &[u8],
        key: &[u8; 32],
        is_expected: impl FnOnce(&Self) -> bool,
        crypto: &dyn RTCCrypto,
    ) -> Option<Self> {
        if datagram.len() > LONGEST {
            return None;
        }
        let mut request = Request::parse(datagram)?;
        let knock = Self::of_username(&request.username).filter(is_expected)?;
        request.is_authentic(&password(key, knock.to, knock.from), crypto).then_some(knock)
    }

    fn of_username(username: &str) -> Option<Self> {
        let (to, rest) = username.strip_prefix(BEGIN)?.split_once(':')?;
        let (from, numbers) = rest.split_once('.')?;
        let (attempt, known) = numbers.split_once('.')?;
        let number = |text| u32::from_str_radix(text, 16).ok();
        Some(Self { to: far(to)?, from: far(from)?, attempt: number(attempt)?, known: number(known)? })
    }
}

/// 32 digits of the incarnation, 2 of the thread.
fn named(far: Far) -> String {
    format!("{}{:02x}", far.node.0.simple(), far.thread)
}

fn far(text: &str) -> Option<Far> {
    let (node, thread) = text.split_at_checked(32)?;
    let node = IncarnationId(Uuid::try_parse(node).ok()?);
    Some(Far { node, thread: u8::from_str_radix(thread, 16).ok()? })
}

/// Another one for each direction of each pair.
fn password(key: &[u8; 32], to: Far, from: Far) -> String {
    // Invariant: HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    for far in [to, from] {
        mac.update(far.node.0.as_bytes());
        mac.update(&[far.thread]);
    }
    let digest = mac.finalize().into_bytes();
    digest.iter().fold(String::with_capacity(64), |mut text, byte| {
        // Writing to a string cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rtc::crypto::{RTCCryptoProvider as _, providers::RingProvider};

    use super::*;

    const KEY: [u8; 32] = [7; 32];

    fn knock() -> Knock {
        let far = |n, thread| Far { node: IncarnationId(Uuid::from_u128(n)), thread };
        Knock { to: far(1, 3), from: far(2, 0), attempt: 5, known: 9 }
    }

    fn read(datagram: &[u8], key: &[u8; 32]) -> Option<Knock> {
        Knock::read(datagram, key, |_| true, RingProvider::new().crypto())
    }

    fn written() -> Vec<u8> {
        knock().write(&KEY, RingProvider::new().crypto()).expect("well formed")
    }

    #[test]
    fn a_knock_is_read_by_whoever_has_the_key_and_by_nobody_else() {
        let datagram = written();
        assert_eq!(read(&datagram, &KEY), Some(knock()));
        assert_eq!(read(&datagram, &[8; 32]), None);
        assert_eq!(Knock::read(&datagram, &KEY, |_| false, RingProvider::new().crypto()), None);
        assert!(datagram.len() <= LONGEST);
    }

    #[test]
    fn no_leg_is_named_by_it() {
        let request = Request::parse(&written()).expect("a binding request");
        assert_eq!(crate::sfu::engine::legs::index_of(request.ufrag()), None);
        assert_eq!(crate::sfu::engine::legs::thread_of(request.ufrag()), None);
    }

    proptest! {
        #[test]
        fn a_changed_knock_is_none(at in any::<prop::sample::Index>(), bit in 0u32..8) {
            let mut datagram = written();
            let at = at.index(datagram.len());
            datagram[at] ^= 1 << bit;
            let read = read(&datagram, &KEY);
            // What comes behind the integrity is only a check sum against other protocols.
            prop_assert!(read.is_none() || at >= datagram.len() - 8, "{at}");
        }

        #[test]
        fn garbage_is_none(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
            prop_assert_eq!(read(&bytes, &KEY), None);
        }
    }
}
