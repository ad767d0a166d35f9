//! What the school's tables hold, as types.

use qism_signaling::protocol::{LessonId, Logged, Name, UserId, snapshot::Localized};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

/// A function that somebody has in the school; one person may have several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SchoolRole {
    Administrator,
    Director,
    Supervisor,
    Inspector,
    Teacher,
    Student,
    Guardian,
}

impl SchoolRole {
    const NAMES: [(Self, &'static str); 7] = [
        (Self::Administrator, "administrator"),
        (Self::Director, "director"),
        (Self::Supervisor, "supervisor"),
        (Self::Inspector, "inspector"),
        (Self::Teacher, "teacher"),
        (Self::Student, "student"),
        (Self::Guardian, "guardian"),
    ];

    /// As stored.
    pub fn name(self) -> &'static str {
        // Invariant: the table names every variant.
        Self::NAMES.iter().find(|(role, _)| *role == self).map_or("", |(_, name)| name)
    }

    /// All of them, as stored.
    pub fn names() -> impl Iterator<Item = &'static str> {
        Self::NAMES.iter().map(|(_, name)| *name)
    }

    pub fn of_name(name: &str) -> Option<Self> {
        Self::NAMES.iter().find(|(_, known)| *known == name).map(|(role, _)| *role)
    }
}

/// Somebody who can sign in.
#[derive(Clone, Debug)]
pub struct Account {
    pub user: UserId,
    pub school: Uuid,
    pub login: String,
    /// PHC string of argon2id.
    pub password: String,
    pub disabled: bool,
    pub name: Name,
    pub roles: Vec<SchoolRole>,
}

impl Account {
    pub fn is(&self, role: SchoolRole) -> bool {
        self.roles.contains(&role)
    }
}

/// An account as a list shows it.
#[derive(Clone, Debug)]
pub struct ListedAccount {
    pub user: UserId,
    pub login: String,
    pub roles: Vec<SchoolRole>,
    /// Names of the groups that a student is in, or that a teacher teaches.
    pub groups: Vec<String>,
    pub disabled: bool,
    pub name: Name,
}

#[derive(Clone, Debug)]
pub struct SchoolRecord {
    pub id: Uuid,
    /// Its GRESA.
    pub code: String,
    pub name: Localized,
}

/// A lesson of the timetable, or one started without it.
#[derive(Clone, Debug)]
pub struct LessonRecord {
    pub lesson: LessonId,
    pub school: Uuid,
    pub group: Uuid,
    pub group_name: String,
    pub subject: Localized,
    pub teacher: UserId,
    pub teacher_name: Name,
    pub starts_at: u64,
    pub ends_at: u64,
    /// Students enrolled in the group.
    pub students: u32,
}

#[derive(Clone, Debug)]
pub struct Subject {
    pub subject: Uuid,
    pub name: Localized,
}

/// A group with what one teacher teaches it.
#[derive(Clone, Debug)]
pub struct TaughtGroup {
    pub group: Uuid,
    pub name: String,
    pub subjects: Vec<Subject>,
}

/// A removal or report, with the last events of the lesson.
#[derive(Clone, Debug)]
pub struct Report {
    pub lesson: LessonRecord,
    pub cause: Logged,
    pub recent: Vec<Logged>,
}
