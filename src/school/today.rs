//! Today's lessons of a person, and starting one now.

use jiff::{Timestamp, ToSpan as _, tz::TimeZone};
use qism_signaling::protocol::{LessonId, Person, Role, limits, snapshot::Localized};
use serde::Serialize;
use uuid::Uuid;

use super::{Account, Broken, School, SchoolRole, ZONE};
use crate::storage::{LessonRecord, NewLesson, Span};

/// A lesson started without a timetable is planned for this long.
const UNPLANNED_MS: u64 = 60 * 60 * 1_000;

/// What the home screen shows, but for what only the hub knows.
#[derive(Clone, Debug)]
pub struct Today {
    pub now: u64,
    pub lessons: Vec<LessonRow>,
    pub groups: Vec<Roster>,
}

/// One lesson of today.
#[derive(Clone, Debug)]
pub struct LessonRow {
    pub lesson: LessonId,
    pub subject: Localized,
    pub group: String,
    pub teacher: Person,
    pub starts_at: u64,
    pub ends_at: u64,
    /// It was ended, or its time is over.
    pub ended: bool,
    /// Its log does not answer: whether it was ended is not known, and nobody can enter.
    pub unavailable: bool,
    pub students_expected: u32,
}

/// A group that a teacher may start a lesson with at once.
#[derive(Clone, Debug, Serialize)]
pub struct Roster {
    pub group: Uuid,
    pub name: String,
    pub subjects: Vec<TaughtSubject>,
}

#[derive(Clone, Debug, Serialize)]
pub struct TaughtSubject {
    pub subject: Uuid,
    pub name: Localized,
}

#[derive(Debug, thiserror::Error)]
pub enum StartRefusal {
    #[error("this person does not teach that to that group")]
    NotTaught,
    #[error(transparent)]
    Broken(#[from] Broken),
}

impl School {
    pub async fn today(&self, account: &Account) -> Result<Today, Broken> {
        let now = self.now();
        let records = self.lessons_of(account, day_of(now)).await?;
        let ids: Vec<LessonId> = records.iter().map(|record| record.lesson).collect();
        let ends = self.store.ends(&ids).await?;
        if let Some(error) = &ends.problem {
            tracing::warn!(%error, "which lessons were ended is not known");
        }
        let lessons = records.into_iter().map(|record| {
            let ended = ends.ended.contains(&record.lesson) || is_over(&record, now);
            let unavailable = !ended && ends.unknown.contains(&record.lesson);
            row(record, ended, unavailable)
        });
        Ok(Today { now, lessons: lessons.collect(), groups: self.own_groups(account).await? })
    }

    async fn lessons_of(&self, account: &Account, day: Span) -> Result<Vec<LessonRecord>, Broken> {
        let sees_all = [SchoolRole::Director, SchoolRole::Supervisor, SchoolRole::Inspector];
        let lessons = if sees_all.iter().any(|role| account.is(*role)) {
            self.store.lessons_of_school(account.school, day).await?
        } else if account.is(SchoolRole::Teacher) {
            self.store.lessons_of_teacher(account.user, day).await?
        } else {
            self.store.lessons_of_student(account.user, day).await?
        };
        Ok(lessons)
    }

    async fn own_groups(&self, account: &Account) -> Result<Vec<Roster>, Broken> {
        if !account.is(SchoolRole::Teacher) {
            return Ok(Vec::new());
        }
        let taught = self.store.taught_groups(account.user).await?;
        let roster = |group: crate::storage::TaughtGroup| Roster {
            group: group.group,
            name: group.name,
            subjects: group
                .subjects
                .into_iter()
                .map(|subject| TaughtSubject { subject: subject.subject, name: subject.name })
                .collect(),
        };
        Ok(taught.into_iter().map(roster).collect())
    }

    /// A lesson with an own group at once; the one that is on already, if there is one.
    pub async fn start_now(
        &self,
        account: &Account,
        group: Uuid,
        subject: Option<Uuid>,
    ) -> Result<LessonId, StartRefusal> {
        let taught = self.store.taught_groups(account.user).await.map_err(Broken::from)?;
        let taught =
            taught.into_iter().find(|taught| taught.group == group).ok_or(StartRefusal::NotTaught)?;
        let subject = taught
            .subjects
            .iter()
            .find(|known| subject.is_none_or(|subject| known.subject == subject))
            .ok_or(StartRefusal::NotTaught)?;
        let now = self.now();
        let starting = self.store.starting(account.user, group, now).await.map_err(Broken::from)?;
        if let Some(lesson) = self.on_now(account, group, &subject.name).await? {
            starting.release().await.map_err(Broken::from)?;
            return Ok(lesson);
        }
        let new = NewLesson {
            lesson: LessonId(Uuid::now_v7()),
            school: account.school,
            group,
            subject: subject.subject,
            teacher: account.user,
            starts_at: now,
            ends_at: now + UNPLANNED_MS,
        };
        starting.add(&new).await.map_err(Broken::from)?;
        Ok(new.lesson)
    }

    async fn on_now(
        &self,
        account: &Account,
        group: Uuid,
        subject: &Localized,
    ) -> Result<Option<LessonId>, Broken> {
        let now = self.now();
        let mut lessons =
            self.store.lessons_of_teacher(account.user, Span { from: now, to: now + 1 }).await?;
        lessons.retain(|lesson| lesson.group == group && lesson.subject == *subject);
        let ids: Vec<LessonId> = lessons.iter().map(|lesson| lesson.lesson).collect();
        let ended = self.store.ended(&ids).await?;
        Ok(ids.into_iter().find(|lesson| !ended.contains(lesson)))
    }
}

fn row(record: LessonRecord, ended: bool, unavailable: bool) -> LessonRow {
    LessonRow {
        lesson: record.lesson,
        subject: record.subject,
        group: record.group_name,
        teacher: Person { user: record.teacher, role: Role::Teacher, name: record.teacher_name },
        starts_at: record.starts_at,
        ends_at: record.ends_at,
        ended,
        unavailable,
        students_expected: record.students,
    }
}

/// Past its end and the time it may run over.
pub(super) fn is_over(lesson: &LessonRecord, now: u64) -> bool {
    now > lesson.ends_at + limits::OVERRUN.as_millis() as u64
}

/// The school's day that `now` is in.
fn day_of(now: u64) -> Span {
    let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
    let moment = Timestamp::from_millisecond(now as i64).unwrap_or(Timestamp::UNIX_EPOCH);
    let date = moment.to_zoned_datetime(zone.clone()).date();
    let start = |date: jiff::civil::Date| {
        let midnight =
            zone.to_ambiguous_timestamp(date.to_datetime(jiff::civil::Time::midnight())).compatible();
        midnight.map_or(0, |midnight| midnight.as_millisecond().max(0) as u64)
    };
    Span { from: start(date), to: start(date.saturating_add(1.days())) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_day_is_the_one_of_moroccan_clocks() {
        // 23:30 UTC on 10 July 2024 is 00:30 on the 11th at UTC+1.
        let now = 1_720_654_200_000;
        let day = day_of(now);
        assert!(day.from <= now && now < day.to);
        assert_eq!(day.to - day.from, 24 * 3_600 * 1_000);
        assert_eq!((now - day.from) / 60_000, 30);
    }
}
