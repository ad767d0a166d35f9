//! Removals and reports as the director reads them.

use qism_signaling::protocol::{
    Event, LessonId, Logged, Person, RemovalReason, Role, UserId, snapshot::Localized,
};
use serde::Serialize;

use super::{Account, Broken, School, SchoolRole};
use crate::storage::Report;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReportKind {
    Removal,
    Report,
}

/// One removal or report, with the last events of its lesson and the names in them.
#[derive(Clone, Debug, Serialize)]
pub struct ReportView {
    pub at: u64,
    pub lesson: LessonId,
    pub subject: Localized,
    pub group: String,
    pub kind: ReportKind,
    pub by: Person,
    pub about: Option<Person>,
    pub reason: Option<RemovalReason>,
    pub note: Option<String>,
    pub recent: Vec<Logged>,
    pub people: Vec<Person>,
}

impl School {
    /// Newest first; `None` for everybody but directors.
    pub async fn reports(&self, account: &Account) -> Result<Option<Vec<ReportView>>, Broken> {
        if !account.is(SchoolRole::Director) {
            return Ok(None);
        }
        let mut views = Vec::new();
        for report in self.store.reports(account.school).await? {
            let people = self.people_of(&report).await?;
            views.extend(view(report, people));
        }
        Ok(Some(views))
    }

    async fn people_of(&self, report: &Report) -> Result<Vec<Person>, Broken> {
        let teacher = &report.lesson;
        let mut people =
            vec![Person { user: teacher.teacher, role: Role::Teacher, name: teacher.teacher_name.clone() }];
        let students = self.store.students(report.lesson.group).await?;
        people.extend(students.into_iter().map(|(user, name)| Person { user, role: Role::Student, name }));
        // Visitors, and students who have changed class since.
        for user in named(&report.cause.event) {
            if !people.iter().any(|person| person.user == user)
                && let Some(account) = self.store.account_by_id(user).await?
            {
                people.push(Person { user, role: role(&account), name: account.name });
            }
        }
        Ok(people)
    }
}

fn named(event: &Event) -> Vec<UserId> {
    let about = match event {
        Event::Removed { user, .. } => Some(*user),
        _ => None,
    };
    by(event).into_iter().chain(about).collect()
}

/// What an account is to somebody who reads a report.
fn role(account: &Account) -> Role {
    let roles = [
        (SchoolRole::Director, Role::Director),
        (SchoolRole::Supervisor, Role::Supervisor),
        (SchoolRole::Inspector, Role::Inspector),
        (SchoolRole::Teacher, Role::Teacher),
    ];
    roles.into_iter().find(|(held, _)| account.is(*held)).map_or(Role::Student, |(_, role)| role)
}

fn by(event: &Event) -> Option<UserId> {
    match event {
        Event::Removed { by, .. } | Event::Reported { by, .. } => Some(*by),
        _ => None,
    }
}

fn view(report: Report, people: Vec<Person>) -> Option<ReportView> {
    let person = |user: UserId| people.iter().find(|person| person.user == user).cloned();
    let (kind, about, reason, note) = match &report.cause.event {
        Event::Removed { user, reason, note, .. } => {
            (ReportKind::Removal, person(*user), Some(*reason), note.clone())
        }
        Event::Reported { note, .. } => (ReportKind::Report, None, None, note.clone()),
        _ => return None,
    };
    Some(ReportView {
        at: report.cause.at,
        lesson: report.lesson.lesson,
        subject: report.lesson.subject,
        group: report.lesson.group_name,
        kind,
        by: person(by(&report.cause.event)?)?,
        about,
        reason,
        note,
        recent: report.recent,
        people,
    })
}
