//! What participants ask for. Every command is decided by `room::decide` under `room::policy` and ends as events or a
//! refusal; nothing here has any effect by itself.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{ids::UserId, media::Source};

/// A wish of a participant, sent with a [`super::CommandId`].
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case", deny_unknown_fields)]
#[ts(export_to = "generated.ts")]
pub enum Command {
    /// A chat line, at most [`super::limits::CHAT_TEXT_CHARS`] characters.
    Say {
        text: String,
        to: Recipients,
    },
    /// Strike out a chat line (own line, or any line by a teacher). `number` is the event number of its `said`.
    DeleteLine {
        number: u64,
    },
    /// Who may write, and how often.
    SetChat {
        mode: ChatMode,
        slow_mode_s: u16,
    },
    RaiseHand {},
    /// Own hand, or anybody's by a teacher.
    LowerHand {
        user: UserId,
    },
    /// Lower every hand.
    LowerAllHands {},
    /// Let a student publish microphone and screen.
    GiveFloor {
        user: UserId,
    },
    /// Withdraw it; also how a student gives it back.
    TakeFloor {
        user: UserId,
    },
    /// With the floor, let a student publish the camera too; `to` says who receives it.
    GrantCamera {
        user: UserId,
        to: Recipients,
    },
    RevokeCamera {
        user: UserId,
    },
    /// Start sending a track (the SFU lets its packets through once this is decided).
    Publish {
        source: Source,
        muted: bool,
    },
    Unpublish {
        source: Source,
    },
    /// Own microphone on or off; the track stays.
    SetMuted {
        source: Source,
        muted: bool,
    },
    /// A teacher mutes somebody's microphone.
    Mute {
        user: UserId,
    },
    /// A teacher mutes every student.
    MuteAll {},
    /// A teacher ends somebody's track (camera, screen).
    StopSource {
        user: UserId,
        source: Source,
    },
    /// Put somebody out; with `keep_out` they cannot come back to this lesson.
    Remove {
        user: UserId,
        reason: RemovalReason,
        note: String,
        keep_out: bool,
    },
    /// Let a kept-out person in again.
    Readmit {
        user: UserId,
    },
    /// No new people while locked; those who were here may come back.
    SetLocked {
        locked: bool,
    },
    /// Tell the director; the last events go with it.
    Report {
        note: String,
    },
    /// Leave on purpose, as opposed to a cut line.
    Leave {},
    /// End the lesson for everybody.
    End {},
}

/// Who may read a chat line or see a student's camera.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Recipients {
    Everyone,
    /// The staff in the lesson, and the sender.
    Teachers,
}

/// What students may do in the chat.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum ChatMode {
    #[default]
    Open,
    /// Students' lines reach teachers only.
    Questions,
    Closed,
}

/// Why somebody was put out; the director sees it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum RemovalReason {
    Disturbing,
    Insulting,
    WrongClass,
    Impersonation,
    Other,
    /// The school withdrew the right to be here; written by the server only.
    Withdrawn,
}
