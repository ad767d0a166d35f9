//! The state of a lesson as one participant may see it: what a fresh client starts from.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{
    command::{ChatMode, Recipients},
    ids::{LessonId, Position, UserId},
    media::Source,
};

/// What somebody is in this lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Role {
    Teacher,
    Student,
    /// Visits, announced; may also remove and end.
    Director,
    /// Visits, announced; watches only.
    Supervisor,
    /// Visits, announced; watches only.
    Inspector,
}

impl Role {
    pub const ALL: [Self; 5] =
        [Self::Teacher, Self::Student, Self::Director, Self::Supervisor, Self::Inspector];

    /// Everybody but students: whose presence makes it a class.
    pub fn is_adult(self) -> bool {
        self != Self::Student
    }
}

/// A person's name in both scripts; either may be missing, never both.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Name {
    pub arabic: Option<Spelling>,
    pub latin: Option<Spelling>,
}

/// One script's spelling of a name.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Spelling {
    pub given: String,
    pub family: String,
}

/// Somebody on the lesson's admission list, or visiting.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Person {
    pub user: UserId,
    pub role: Role,
    pub name: Name,
}

/// What does not change during a lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct LessonInfo {
    pub lesson: LessonId,
    /// The subject in the three interface languages: `ar`, `fr`, `en`.
    pub subject: Localized,
    /// The group's name, e.g. "2APIC-1".
    pub group: String,
    pub teacher: UserId,
    /// Milliseconds since the Unix epoch.
    pub starts_at: u64,
    pub ends_at: u64,
}

/// A text in the interface languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Localized {
    pub ar: String,
    pub fr: String,
    pub en: String,
}

/// Where a lesson stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[serde(rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Phase {
    /// No teacher yet: students wait.
    #[default]
    Waiting,
    Open,
    /// No adult: chat and students' media stand still.
    Paused,
    Ended,
}

/// Somebody present, or cut off less than the grace ago.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Participant {
    pub user: UserId,
    pub role: Role,
    pub visit: bool,
    /// False while the connection is cut.
    pub present: bool,
    pub floor: bool,
    /// Set while a student may use the camera.
    pub camera: Option<Recipients>,
    pub published: Vec<PublishedTrack>,
}

/// One track of a participant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct PublishedTrack {
    pub source: Source,
    pub muted: bool,
}

/// The fold of the log up to `position`, cut to what the recipient may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Snapshot {
    pub position: Position,
    pub phase: Phase,
    pub locked: bool,
    pub chat: ChatMode,
    pub slow_mode_s: u16,
    /// Above [`super::limits::FULL_ROSTER_PEOPLE`] people a student gets only staff, self, hands and speakers here.
    /// Of more than fit into one frame the others follow by `people`.
    pub participants: Vec<Participant>,
    /// Raised hands, first come first.
    pub hands: Vec<UserId>,
    /// Kept out by name; staff only, empty for students.
    pub kept_out: Vec<UserId>,
    /// Students connected now.
    pub students_present: u32,
}
