//! WebSocket close codes. The code alone tells a client what to do next.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

/// 44xx: do not come back by yourself; 45xx: come back, as told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum CloseCode {
    /// 4400: the first frame was not a `hello`, or a frame made no sense at all.
    Malformed,
    /// 4401: ticket unknown, used or older than 30 s. Fetch another one.
    Ticket,
    /// 4403: not on the admission list.
    NotAdmitted,
    /// 4404: put out by a teacher.
    Removed,
    /// 4405: put out and kept out.
    KeptOut,
    /// 4406: the lesson is locked.
    Locked,
    /// 4407: the school took the right to be here back (account, class or password). Show the home page again.
    Withdrawn,
    /// 4409: the same person entered from another place.
    Replaced,
    /// 4410: the lesson is over.
    Ended,
    /// 4411: you pressed *leave*.
    Left,
    /// 4426: another protocol version; reload the app.
    Version,
    /// 4500: too many bytes waiting for this reader; resume by position.
    SlowReader,
    /// 4501: too many frames for too long; come back after 5 s.
    Flood,
    /// 4502: this server goes down, or the one that was asked for did; come back at once, with another ticket.
    Draining,
    /// 4503: the store does not answer; come back with back-off.
    Unavailable,
    /// 4504: nothing heard for too long.
    Idle,
}

impl CloseCode {
    pub const ALL: [Self; 16] = [
        Self::Malformed,
        Self::Ticket,
        Self::NotAdmitted,
        Self::Removed,
        Self::KeptOut,
        Self::Locked,
        Self::Withdrawn,
        Self::Replaced,
        Self::Ended,
        Self::Left,
        Self::Version,
        Self::SlowReader,
        Self::Flood,
        Self::Draining,
        Self::Unavailable,
        Self::Idle,
    ];

    /// The number in the WebSocket close frame (RFC 6455 section 7.4.2: 4000–4999 are private).
    pub fn number(self) -> u16 {
        match self {
            Self::Malformed => 4400,
            Self::Ticket => 4401,
            Self::NotAdmitted => 4403,
            Self::Removed => 4404,
            Self::KeptOut => 4405,
            Self::Locked => 4406,
            Self::Withdrawn => 4407,
            Self::Replaced => 4409,
            Self::Ended => 4410,
            Self::Left => 4411,
            Self::Version => 4426,
            Self::SlowReader => 4500,
            Self::Flood => 4501,
            Self::Draining => 4502,
            Self::Unavailable => 4503,
            Self::Idle => 4504,
        }
    }
}
