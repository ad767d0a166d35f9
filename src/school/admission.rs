//! The right to enter one lesson in one role. The group's list is the admission list; there are no links and no codes.

use std::time::Duration;

use async_trait::async_trait;
use qism_signaling::{
    hub::{
        Entry,
        ports::{Admissions, Roll, Unavailable},
    },
    protocol::{CommandId, LessonId, LessonInfo, Logged, Person, Role, SessionId, UserId},
};
use uuid::Uuid;

use super::{Account, Broken, School, SchoolRole, today::is_over};
use crate::{auth::TicketError, storage::LessonRecord};

/// Students may come in this long before the lesson; teachers at any time.
const EARLY_MS: u64 = 15 * 60 * 1_000;

#[derive(Debug, thiserror::Error)]
pub enum EntryRefusal {
    #[error("no such lesson")]
    NoSuchLesson,
    #[error("not on the list")]
    NotAdmitted,
    #[error("too early")]
    TooEarly { starts_at: u64, now: u64 },
    #[error("the lesson is over")]
    Ended,
    #[error("too many entries")]
    TooOften { wait: Duration },
    #[error(transparent)]
    Broken(#[from] Broken),
}

#[derive(Debug, thiserror::Error)]
pub enum TicketRefusal {
    #[error(transparent)]
    Ticket(#[from] TicketError),
    #[error("a right was taken back since the ticket was issued")]
    Withdrawn,
    /// It is one of ours, and whether it still holds cannot be read.
    #[error("{error}")]
    Broken { lesson: LessonId, error: Broken },
}

/// What somebody is in a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Admission {
    role: Role,
    visit: bool,
}

impl School {
    /// A ticket into a lesson, for this browser's session.
    pub async fn ticket(
        &self,
        account: &Account,
        lesson: LessonId,
        session: SessionId,
    ) -> Result<String, EntryRefusal> {
        let record =
            self.store.lesson(lesson).await.map_err(Broken::from)?.ok_or(EntryRefusal::NoSuchLesson)?;
        let admission = self.admission(account, &record).await?.ok_or(EntryRefusal::NotAdmitted)?;
        let now = self.now();
        if admission.role == Role::Student && now + EARLY_MS < record.starts_at {
            return Err(EntryRefusal::TooEarly { starts_at: record.starts_at, now });
        }
        if is_over(&record, now) || !self.store.ended(&[lesson]).await.map_err(Broken::from)?.is_empty() {
            return Err(EntryRefusal::Ended);
        }
        self.entries.take(account.user, now).map_err(|wait| EntryRefusal::TooOften { wait })?;
        let entry = Entry {
            user: account.user,
            role: admission.role,
            visit: admission.visit,
            lesson,
            session,
            ticket: CommandId(Uuid::nil()),
        };
        Ok(self.tickets.issue(entry, now))
    }

    /// The entry behind a ticket, unless a right of its holder was taken back since it was issued.
    pub async fn verify_ticket(&self, ticket: &str) -> Result<Entry, TicketRefusal> {
        let verified = self.tickets.verify(ticket, self.now())?;
        let entry = verified.entry;
        match self.is_void(entry.user, verified.expires_at).await {
            Ok(false) => Ok(entry),
            Ok(true) => Err(TicketRefusal::Withdrawn),
            Err(error) => Err(TicketRefusal::Broken { lesson: entry.lesson, error }),
        }
    }

    async fn admission(&self, account: &Account, lesson: &LessonRecord) -> Result<Option<Admission>, Broken> {
        if account.school != lesson.school {
            return Ok(None);
        }
        if account.user == lesson.teacher {
            return Ok(Some(Admission { role: Role::Teacher, visit: false }));
        }
        if account.is(SchoolRole::Student) && self.store.is_enrolled(lesson.group, account.user).await? {
            return Ok(Some(Admission { role: Role::Student, visit: false }));
        }
        Ok(visitor(account))
    }

    async fn try_roll(&self, lesson: LessonId) -> Result<Option<Roll>, Broken> {
        let Some(record) = self.store.lesson(lesson).await? else { return Ok(None) };
        let students = self.store.students(record.group).await?;
        let teacher = Person { user: record.teacher, role: Role::Teacher, name: record.teacher_name.clone() };
        let students = students.into_iter().map(|(user, name)| Person { user, role: Role::Student, name });
        Ok(Some(Roll { info: info(&record), people: std::iter::once(teacher).chain(students).collect() }))
    }

    async fn try_person(&self, lesson: LessonId, user: UserId) -> Result<Option<Person>, Broken> {
        let (Some(record), Some(account)) =
            (self.store.lesson(lesson).await?, self.store.account_by_id(user).await?)
        else {
            return Ok(None);
        };
        let admission = self.admission(&account, &record).await?;
        Ok(admission.map(|admission| Person { user, role: admission.role, name: account.name }))
    }
}

/// Who may look in, announced to all.
fn visitor(account: &Account) -> Option<Admission> {
    let roles = [
        (SchoolRole::Director, Role::Director),
        (SchoolRole::Supervisor, Role::Supervisor),
        (SchoolRole::Inspector, Role::Inspector),
    ];
    let held = roles.into_iter().find(|(held, _)| account.is(*held));
    held.map(|(_, role)| Admission { role, visit: true })
}

fn info(record: &LessonRecord) -> LessonInfo {
    LessonInfo {
        lesson: record.lesson,
        subject: record.subject.clone(),
        group: record.group_name.clone(),
        teacher: record.teacher,
        starts_at: record.starts_at,
        ends_at: record.ends_at,
    }
}

#[async_trait]
impl Admissions for School {
    async fn roll(&self, lesson: LessonId) -> Result<Option<Roll>, Unavailable> {
        self.try_roll(lesson).await.map_err(|error| unavailable(&error))
    }

    async fn person(&self, lesson: LessonId, user: UserId) -> Result<Option<Person>, Unavailable> {
        self.try_person(lesson, user).await.map_err(|error| unavailable(&error))
    }

    async fn notify_director(&self, lesson: LessonId, cause: Logged, recent: Vec<Logged>) {
        if let Err(error) = self.store.add_report(lesson, &cause, &recent).await {
            tracing::error!(%error, %lesson, number = cause.number, "a report for the director was not kept");
        }
    }
}

fn unavailable(error: &Broken) -> Unavailable {
    tracing::warn!(%error, "the school's data cannot be read");
    Unavailable(error.to_string())
}
