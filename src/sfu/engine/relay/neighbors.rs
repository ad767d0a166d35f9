//! Who we are to other nodes, who they are to us, and which of a node's threads a lesson is at home on.

use std::{hash::Hasher as _, net::SocketAddr};

use qism_signaling::protocol::{IncarnationId, LessonId};
use siphasher::sip::SipHasher24;

/// This node in its cluster.
#[derive(Clone)]
pub struct Membership {
    pub incarnation: IncarnationId,
    /// Shared by all nodes, used for nothing but knocks.
    pub key: [u8; 32],
}

impl std::fmt::Debug for Membership {
    /// Without the key.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Membership").field("incarnation", &self.incarnation).finish_non_exhaustive()
    }
}

/// Another node that beats.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    pub incarnation: IncarnationId,
    /// Where its media threads are reached, in their order.
    pub doors: Vec<SocketAddr>,
    /// SHA-256 of its DTLS certificate, `AA:BB:…`.
    pub fingerprint: String,
}

/// The home thread of a lesson among so many: the same answer on every node, of every version.
pub fn home(lesson: LessonId, threads: usize) -> usize {
    let mut hasher = SipHasher24::new();
    hasher.write(lesson.0.as_bytes());
    (hasher.finish() % threads.max(1) as u64) as usize
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_lesson_is_at_home_where_it_was_in_the_version_before() {
        let homes: Vec<usize> = (1..=8).map(|n| home(LessonId(Uuid::from_u128(n)), 4)).collect();
        assert_eq!(homes, [1, 2, 0, 2, 3, 2, 2, 1]);
        assert_eq!(home(LessonId(Uuid::from_u128(1)), 0), 0);
    }
}
