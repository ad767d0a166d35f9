//! What the SFU did since its start, for metrics.

use std::sync::atomic::{AtomicU64, Ordering};

use crate::sfu::links::Links;

macro_rules! counters {
    ($($(#[$doc:meta])* $name:ident),* $(,)?) => {
        /// Written by the engine threads.
        #[derive(Debug, Default)]
        pub struct Counters {
            $(pub(super) $name: AtomicU64,)*
            /// What the links to other nodes carry.
            pub(in crate::sfu) links: Links,
        }

        /// The counters at one moment.
        #[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
        pub struct Totals { $($(#[$doc])* pub $name: u64),* }

        impl Counters {
            /// Reads all.
            pub fn totals(&self) -> Totals {
                Totals { $($name: self.$name.load(Ordering::Relaxed)),* }
            }
        }
    };
}

counters! {
    /// Datagrams received.
    packets_in,
    /// Datagrams sent.
    packets_out,
    /// Bytes sent, without IP and UDP headers.
    bytes_out,
    /// Datagrams the kernel did not take.
    packets_refused,
    /// Datagrams from nobody we know, or that failed authentication.
    strangers,
    /// Media packets dropped because their sender may not publish them.
    packets_unpermitted,
    /// Packets passed to another thread of the lesson.
    packets_crossed,
    /// Packets that another thread was too far behind to take.
    packets_not_crossed,
    /// Packets asked from publishers again.
    nacks_out,
    /// Packets that subscribers asked for again.
    nacks_in,
    /// Packets sent again.
    retransmissions,
    /// Packets of a voice sent once more to peers without redundant audio.
    echoes,
    /// Key frames asked from publishers.
    plis_out,
    /// Key frames that subscribers asked for.
    plis_in,
    /// Media packets sent to other nodes, repeats left out.
    relay_packets_out,
    /// Packets of pictures not sent to other nodes since the link had no room.
    relay_packets_left_out,
    /// Media packets sent to other nodes again.
    relay_packets_repeated,
    /// Bytes sent to other nodes: media and control messages, without IP and UDP headers.
    relay_bytes_out,
    /// Media packets of other nodes.
    relay_packets_in,
    /// Bytes of other nodes.
    relay_bytes_in,
    /// Relays whose handshake ended well.
    relays_opened,
    /// Such relays that ended, for any reason.
    relays_closed,
    /// Handshakes of relays that did not end well.
    relay_failures,
    /// Legs made.
    legs_opened,
    /// Legs ended, for any reason.
    legs_closed,
}

/// Adds to a counter.
pub fn add(counter: &AtomicU64, amount: u64) {
    counter.fetch_add(amount, Ordering::Relaxed);
}
