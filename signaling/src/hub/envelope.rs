//! What nodes tell each other about a lesson, and how it reaches the hub.

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::protocol::{CommandId, IncarnationId, LessonId, Logged, Source, UserId};

/// One letter from one node to all others that have the lesson open.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Envelope {
    pub from: IncarnationId,
    pub lesson: LessonId,
    pub content: Content,
}

/// Everything in here may be lost: events are in the log, the rest is renewed or past its use.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum Content {
    /// Committed events, in order.
    Events { events: Vec<Logged> },
    /// Somebody went to another node after their connections here carried so many bytes: their account goes on there.
    Account { user: UserId, bytes: u64 },
    /// Who is heard on that node, loudest first; renewed while it is not empty.
    Speaking { users: Vec<UserId> },
    /// Somebody there begins to speak: past its use in a moment.
    VoiceBegins { user: UserId },
    /// A right was taken back by this command: shut the gate (of one source, or all) now; the log confirms it, or the
    /// order is no longer renewed. A command that is about several people leads to one letter for each.
    Shut { command: CommandId, user: UserId, source: Option<Source> },
    /// That node lives; whether the database has just taken its beat. Under [`EVERY_NODE`].
    Beats { database: bool },
}

/// Letters about no lesson go under this: to every node.
pub const EVERY_NODE: LessonId = LessonId(Uuid::nil());

/// What a bus tells the hub, over one bounded queue. Full: the bus drops the newest; the next comparison of heads mends it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum BusEvent {
    Received(Envelope),
    /// It carries again after it was away: what came meanwhile was missed.
    Restored,
}
