//! Stable codes of refusals. The browser translates them; the detail stays in the server's log.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// Why a command was refused. Sent to its sender alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum ErrorCode {
    /// The frame is not valid JSON of a known shape.
    Malformed,
    /// A field is out of its limits.
    Invalid,
    /// The role may not do this.
    NotAllowed,
    /// Needs the floor.
    NeedsFloor,
    /// Needs a camera grant.
    NeedsCameraGrant,
    /// Nobody of that id takes part.
    NoSuchParticipant,
    /// No such chat line.
    NoSuchLine,
    ChatClosed,
    /// Wait before the next line.
    SlowMode,
    /// Nobody grown-up is here.
    Paused,
    /// The teacher has not come yet.
    NotOpen,
    Ended,
    /// Too many frames; wait.
    TooFast,
    /// The server has too much to do: keep the command and send it again after `retry_after_ms`.
    Busy,
    /// The store does not answer: keep the command.
    Unavailable,
    /// The media plane refused: bad SDP or no such leg.
    BadMedia,
    /// This connection is no longer the person's current one.
    Superseded,
    /// It would lead to an event that a server which still runs does not understand: once all are of one version.
    NotYet,
}
