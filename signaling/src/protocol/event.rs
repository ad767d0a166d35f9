//! What happened: the lines of a lesson's log.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use ts_rs::TS;

use super::{
    command::{ChatMode, Recipients, RemovalReason},
    ids::{Attach, Chain, CommandId, IncarnationId, SessionId, UserId},
    media::Source,
    snapshot::Role,
};

/// A fact of a lesson. Bodies hold user ids, never names; erasable text is an `Option` that `apply` never reads.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Event {
    /// Somebody's connection is in the room. `visit` marks a director or inspector: announced to all.
    Attached {
        user: UserId,
        role: Role,
        visit: bool,
        session: SessionId,
        attach: Attach,
        incarnation: IncarnationId,
    },
    /// That very attachment is over; void if a later one exists.
    Left {
        user: UserId,
        session: SessionId,
        attach: Attach,
        reason: LeftReason,
    },
    /// The first teacher came: the lesson is on.
    Opened {
        by: UserId,
    },
    /// No adult connected: students' publishing stops and chat pauses.
    Paused {
        reason: PauseReason,
    },
    /// An adult is back.
    Resumed {},
    Ended {
        by: Option<UserId>,
        reason: EndReason,
    },
    /// `text` is nulled when the line is deleted or the person erased.
    Said {
        user: UserId,
        to: Recipients,
        text: Option<String>,
    },
    LineDeleted {
        number: u64,
        by: UserId,
    },
    ChatSet {
        mode: ChatMode,
        slow_mode_s: u16,
        by: UserId,
    },
    HandRaised {
        user: UserId,
    },
    HandLowered {
        user: UserId,
        by: UserId,
    },
    AllHandsLowered {
        by: UserId,
    },
    FloorGiven {
        user: UserId,
        by: UserId,
    },
    /// Also ends the camera grant and every publication of that user.
    FloorTaken {
        user: UserId,
        by: UserId,
    },
    CameraGranted {
        user: UserId,
        to: Recipients,
        by: UserId,
    },
    /// Also ends the camera publication.
    CameraRevoked {
        user: UserId,
        by: UserId,
    },
    Published {
        user: UserId,
        source: Source,
        muted: bool,
    },
    Unpublished {
        user: UserId,
        source: Source,
        by: UserId,
    },
    MutedSet {
        user: UserId,
        source: Source,
        muted: bool,
        by: UserId,
    },
    AllMuted {
        by: UserId,
    },
    /// Also ends presence, hand, floor and publications of that user.
    Removed {
        user: UserId,
        by: UserId,
        reason: RemovalReason,
        note: Option<String>,
        keep_out: bool,
    },
    Readmitted {
        user: UserId,
        by: UserId,
    },
    LockedSet {
        locked: bool,
        by: UserId,
    },
    Reported {
        by: UserId,
        note: Option<String>,
    },
    /// The school erased this person: what they wrote here, and notes about them, have no text any more.
    Erased {
        user: UserId,
    },
    /// Stands on the wire in the place of an event this recipient may not see, so that numbers stay without gaps.
    /// Never stored.
    Withheld {},
    /// Written by a newer server: of a kind that this version does not know, or with a value that it does not. It keeps its
    /// place in the order; no fold reads it, and nobody is shown it, since nobody here knows whom it is for.
    #[serde(untagged)]
    #[ts(skip)]
    Unknown(Unknown),
}

/// An event as it stands in the log, word for word.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Unknown {
    #[serde(rename = "type")]
    pub kind: String,
    #[serde(flatten)]
    pub fields: Map<String, Value>,
}

/// The newest format of events that this version reads: what it tells the other servers of itself.
pub const EVENT_FORMAT: u32 = 2;

impl Event {
    /// The format with which servers began to understand this event as it is, a new kind, or one with a new field or value that a
    /// fold must not miss. It is written only while every server that lives reads that format.
    pub fn format(&self) -> u32 {
        match self {
            Self::Attached { .. }
            | Self::Left { .. }
            | Self::Opened { .. }
            | Self::Paused { .. }
            | Self::Resumed {}
            | Self::Ended { .. }
            | Self::Said { .. }
            | Self::LineDeleted { .. }
            | Self::ChatSet { .. }
            | Self::HandRaised { .. }
            | Self::HandLowered { .. }
            | Self::AllHandsLowered { .. }
            | Self::FloorGiven { .. }
            | Self::FloorTaken { .. }
            | Self::CameraGranted { .. }
            | Self::CameraRevoked { .. }
            | Self::Published { .. }
            | Self::Unpublished { .. }
            | Self::MutedSet { .. }
            | Self::AllMuted { .. }
            | Self::Removed { .. }
            | Self::Readmitted { .. }
            | Self::LockedSet { .. }
            | Self::Reported { .. } => 1,
            Self::Erased { .. } => 2,
            // Never written.
            Self::Withheld {} | Self::Unknown(_) => u32::MAX,
        }
    }

    /// The stable name of the kind: the wire's `type`, a column of the log and part of the chain.
    pub fn kind(&self) -> &str {
        match self {
            Self::Attached { .. } => "attached",
            Self::Left { .. } => "left",
            Self::Opened { .. } => "opened",
            Self::Paused { .. } => "paused",
            Self::Resumed {} => "resumed",
            Self::Ended { .. } => "ended",
            Self::Said { .. } => "said",
            Self::LineDeleted { .. } => "line_deleted",
            Self::ChatSet { .. } => "chat_set",
            Self::HandRaised { .. } => "hand_raised",
            Self::HandLowered { .. } => "hand_lowered",
            Self::AllHandsLowered { .. } => "all_hands_lowered",
            Self::FloorGiven { .. } => "floor_given",
            Self::FloorTaken { .. } => "floor_taken",
            Self::CameraGranted { .. } => "camera_granted",
            Self::CameraRevoked { .. } => "camera_revoked",
            Self::Published { .. } => "published",
            Self::Unpublished { .. } => "unpublished",
            Self::MutedSet { .. } => "muted_set",
            Self::AllMuted { .. } => "all_muted",
            Self::Removed { .. } => "removed",
            Self::Readmitted { .. } => "readmitted",
            Self::LockedSet { .. } => "locked_set",
            Self::Reported { .. } => "reported",
            Self::Erased { .. } => "erased",
            Self::Withheld {} => "withheld",
            Self::Unknown(event) => &event.kind,
        }
    }

    /// The text that may be erased later.
    pub fn text_mut(&mut self) -> Option<&mut Option<String>> {
        match self {
            Self::Said { text, .. } => Some(text),
            Self::Removed { note, .. } | Self::Reported { note, .. } => Some(note),
            _ => None,
        }
    }

    /// Whether an event that has a text was caused by a person, or is about them.
    fn names(&self, person: UserId) -> bool {
        match self {
            Self::Said { user, .. } | Self::Reported { by: user, .. } => *user == person,
            Self::Removed { user, by, .. } => *user == person || *by == person,
            _ => false,
        }
    }
}

/// An event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Logged {
    /// 1, 2, 3… per lesson, without gaps.
    pub number: u64,
    pub chain: Chain,
    /// Milliseconds since the Unix epoch by the database's clock; never goes back within a lesson.
    pub at: u64,
    /// Who asked for it; absent for the server's own (times up, cut line).
    pub sender: Option<UserId>,
    /// The command it answers; several events of one command share it. The sender pairs pending lines by it.
    pub command: CommandId,
    pub event: Event,
}

impl Logged {
    /// Takes its text, if this person sent it or it is about them.
    pub fn erase_of(&mut self, person: UserId) -> Option<String> {
        let is_meant = self.sender == Some(person) || self.event.names(person);
        if is_meant { self.event.text_mut()?.take() } else { None }
    }
}

/// Why an attachment ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum LeftReason {
    /// Pressed *leave*.
    Chosen,
    /// The connection was cut and did not come back within the grace.
    Cut,
    /// The same person entered with another session.
    Replaced,
    /// The lesson ended.
    Ended,
}

/// Why a lesson is paused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum PauseReason {
    NoAdult,
}

/// Why a lesson ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum EndReason {
    /// A teacher or director pressed *end*.
    Chosen,
    /// Nobody grown-up for [`super::limits::NO_ADULT_CLOSE`].
    NoAdult,
    /// Its scheduled end, plus the grace, is past.
    TimeOver,
}
