//! What makes a letter ours: an HMAC by the cluster's key in front of it. Pure.

use hmac::{Hmac, KeyInit as _, Mac as _};
use qism_signaling::hub::envelope::Envelope;
use sha2::Sha256;

const MAC_BYTES: usize = 32;

/// Why a letter was dropped.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SealError {
    #[error("not sealed by our key")]
    Forged,
    /// Of another version, most likely.
    #[error("sealed, and not understood")]
    Unreadable,
}

/// Seals and opens. One key per purpose, so that nothing sealed for one can be used for another.
#[derive(Clone)]
pub struct Seal {
    key: [u8; 32],
}

impl Seal {
    /// The key for one purpose, from the key that all nodes share.
    pub fn derive(shared: &str, purpose: &str) -> [u8; 32] {
        mac(shared.as_bytes(), purpose.as_bytes()).finalize().into_bytes().into()
    }

    pub fn new(shared: &str) -> Self {
        Self { key: Self::derive(shared, "qism bus 1") }
    }

    pub fn close(&self, envelope: &Envelope) -> Vec<u8> {
        // Invariant: envelopes are plain data with string keys.
        let body = serde_json::to_vec(envelope).expect("an envelope is JSON");
        let mut sealed = mac(&self.key, &body).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(&body);
        sealed
    }

    pub fn open(&self, sealed: &[u8]) -> Result<Envelope, SealError> {
        let (told, body) = sealed.split_at_checked(MAC_BYTES).ok_or(SealError::Forged)?;
        mac(&self.key, body).verify_slice(told).map_err(|_| SealError::Forged)?;
        serde_json::from_slice(body).map_err(|_| SealError::Unreadable)
    }
}

fn mac(key: &[u8], text: &[u8]) -> Hmac<Sha256> {
    // Invariant: HMAC takes keys of any length.
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("any length");
    mac.update(text);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use qism_signaling::{
        hub::envelope::Content,
        protocol::{IncarnationId, LessonId, UserId},
    };
    use uuid::Uuid;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn envelope() -> Envelope {
        Envelope {
            from: IncarnationId(Uuid::from_u128(1)),
            lesson: LessonId(Uuid::from_u128(2)),
            content: Content::Speaking { users: vec![UserId(Uuid::from_u128(3))] },
        }
    }

    #[test]
    fn what_was_sealed_is_read_by_whoever_has_the_key() {
        let sealed = Seal::new(KEY).close(&envelope());
        assert_eq!(Seal::new(KEY).open(&sealed), Ok(envelope()));
        assert_eq!(Seal::new("another key of thirty-two letters").open(&sealed), Err(SealError::Forged));
    }

    #[test]
    fn keys_of_two_purposes_differ() {
        assert_ne!(Seal::derive(KEY, "a"), Seal::derive(KEY, "b"));
    }

    #[test]
    fn a_letter_of_another_version_is_told_from_a_forged_one() {
        let body = br#"{"from":"later"}"#;
        let mut sealed = mac(&Seal::new(KEY).key, body).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(body);
        assert_eq!(Seal::new(KEY).open(&sealed), Err(SealError::Unreadable));
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_a_forgery(at in 0_usize..100, bit in 0_u8..8) {
            let mut sealed = Seal::new(KEY).close(&envelope());
            let at = at % sealed.len();
            sealed[at] ^= 1 << bit;
            prop_assert_eq!(Seal::new(KEY).open(&sealed), Err(SealError::Forged));
        }

        #[test]
        fn nonsense_is_a_forgery(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            prop_assert_eq!(Seal::new(KEY).open(&bytes), Err(SealError::Forged));
        }
    }
}
