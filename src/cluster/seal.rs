//! What makes a letter ours: an HMAC by the cluster's key in front of it. And what makes it a letter and not a copy that
//! somebody kept: its stamp. Pure.

use std::collections::HashMap;

use hmac::{Hmac, KeyInit as _, Mac as _};
use qism_signaling::{
    hub::envelope::{Content, Envelope},
    protocol::{IncarnationId, LessonId},
};
use serde::{Deserialize, Serialize};
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

/// Where a letter stands among those of its sender.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stamp {
    /// Counts from 1.
    pub number: u64,
    /// Milliseconds since the epoch, by the database's clock.
    pub at: u64,
}

/// What is sealed.
#[derive(Serialize)]
struct Letter<'a> {
    from: IncarnationId,
    lesson: LessonId,
    content: &'a Content,
    stamp: Stamp,
}

#[derive(Deserialize)]
struct OpenedLetter {
    from: IncarnationId,
    lesson: LessonId,
    content: Content,
    /// Servers of the version before write none.
    #[serde(default)]
    stamp: Option<Stamp>,
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

    pub fn close(&self, envelope: &Envelope, stamp: Stamp) -> Vec<u8> {
        let Envelope { from, lesson, content } = envelope;
        // Invariant: letters are plain data with string keys.
        let body = serde_json::to_vec(&Letter { from: *from, lesson: *lesson, content, stamp });
        let body = body.expect("a letter is JSON");
        let mut sealed = mac(&self.key, &body).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(&body);
        sealed
    }

    pub fn open(&self, sealed: &[u8]) -> Result<(Envelope, Option<Stamp>), SealError> {
        let (told, body) = sealed.split_at_checked(MAC_BYTES).ok_or(SealError::Forged)?;
        mac(&self.key, body).verify_slice(told).map_err(|_| SealError::Forged)?;
        let letter: OpenedLetter = serde_json::from_slice(body).map_err(|_| SealError::Unreadable)?;
        let OpenedLetter { from, lesson, content, stamp } = letter;
        Ok((Envelope { from, lesson, content }, stamp))
    }
}

/// An older letter is a copy: nothing needs so long.
const GOOD_FOR_MS: u64 = 60_000;
/// Senders remembered: far more than a cluster has, with all that ended a minute ago.
const SENDERS: usize = 4_096;

/// Tells letters from copies of them: a mute that somebody sends again, a minute or a day later, mutes nobody.
#[derive(Debug, Default)]
pub struct Copies {
    /// The newest letter of each sender. Letters of one sender come in their order.
    newest: HashMap<IncarnationId, Stamp>,
}

impl Copies {
    /// Notes an authentic letter; true when it was there before, or is too old to know.
    pub fn note(&mut self, from: IncarnationId, stamp: Option<Stamp>, now_ms: u64) -> bool {
        let Some(stamp) = stamp else {
            // Who stamps one stamps all.
            return self.newest.contains_key(&from);
        };
        if now_ms.abs_diff(stamp.at) > GOOD_FOR_MS
            || self.newest.get(&from).is_some_and(|newest| stamp.number <= newest.number)
        {
            return true;
        }
        if self.newest.len() >= SENDERS {
            self.newest.retain(|_, newest| now_ms.abs_diff(newest.at) <= GOOD_FOR_MS);
        }
        self.newest.insert(from, stamp);
        false
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
    use qism_signaling::protocol::UserId;
    use uuid::Uuid;

    const KEY: &str = "0123456789abcdef0123456789abcdef";

    fn envelope() -> Envelope {
        Envelope {
            from: IncarnationId(Uuid::from_u128(1)),
            lesson: LessonId(Uuid::from_u128(2)),
            content: Content::Speaking { users: vec![UserId(Uuid::from_u128(3))] },
        }
    }

    const STAMP: Stamp = Stamp { number: 7, at: 1_000 };

    #[test]
    fn what_was_sealed_is_read_by_whoever_has_the_key() {
        let sealed = Seal::new(KEY).close(&envelope(), STAMP);
        assert_eq!(Seal::new(KEY).open(&sealed), Ok((envelope(), Some(STAMP))));
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

    #[test]
    fn a_letter_without_a_stamp_is_one_of_the_version_before_which_reads_stamped_ones() {
        let body = serde_json::to_vec(&envelope()).expect("JSON");
        let seal = Seal::new(KEY);
        let mut sealed = mac(&seal.key, &body).finalize().into_bytes().to_vec();
        sealed.extend_from_slice(&body);
        assert_eq!(seal.open(&sealed), Ok((envelope(), None)));
        let stamped = seal.close(&envelope(), STAMP);
        assert_eq!(serde_json::from_slice::<Envelope>(&stamped[MAC_BYTES..]).ok(), Some(envelope()));
    }

    #[test]
    fn a_letter_that_is_sent_again_is_a_copy_however_late() {
        let (mut copies, node) = (Copies::default(), |n| IncarnationId(Uuid::from_u128(n)));
        let letter = |number, at| Some(Stamp { number, at });
        assert!(!copies.note(node(1), letter(1, 500_000), 500_001));
        assert!(copies.note(node(1), letter(1, 500_000), 500_002));
        assert!(!copies.note(node(1), letter(3, 500_010), 500_020), "what lies between was lost");
        assert!(copies.note(node(1), letter(2, 500_005), 500_021));
        assert!(!copies.note(node(2), letter(1, 500_000), 500_021), "another sender");
        assert!(copies.note(node(3), letter(9, 100_000), 500_021), "one that ended long ago");
        assert!(copies.note(node(1), None, 500_021), "its stamp was taken off");
        assert!(!copies.note(node(4), None, 500_021), "of the version before");
    }

    proptest! {
        #[test]
        fn one_changed_bit_is_a_forgery(at in 0_usize..100, bit in 0_u8..8) {
            let mut sealed = Seal::new(KEY).close(&envelope(), STAMP);
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
