//! The chain that tells two histories with equal numbers apart (a database restored or failed over to a lost tail).

use std::hash::Hasher;

use siphasher::sip::SipHasher13;

use crate::protocol::{Chain, CommandId, Event, Logged, Position, UserId};

/// The chain after an event: a hash of (previous chain, sender, command id, kind). Bodies are not covered, so that they
/// can be erased.
pub fn next(previous: Chain, sender: Option<UserId>, command: CommandId, kind: &str) -> Chain {
    let mut hasher = SipHasher13::new_with_keys(previous.0, 0x7169_736d);
    hasher.write(sender.map(|user| user.0).unwrap_or_default().as_bytes());
    hasher.write(command.0.as_bytes());
    hasher.write(kind.as_bytes());
    Chain(hasher.finish())
}

/// Puts an event into its place behind `head`.
pub fn log(head: Position, at: u64, sender: Option<UserId>, command: CommandId, event: Event) -> Logged {
    let chain = next(head.chain, sender, command, event.kind());
    Logged { number: head.number + 1, chain, at, sender, command, event }
}
