//! The timetable of a school, out of the table of a week.

use std::collections::{BTreeMap, HashMap};

use jiff::{ToSpan as _, civil::Date, tz::TimeZone};
use qism_signaling::protocol::{LessonId, UserId, snapshot::Localized};
use uuid::Uuid;

use super::{
    NewAccountError, OpeningError, School, SchoolRole, ZONE,
    sheet::SheetError,
    subjects::{class_named, subject_named},
    week::{self, Weekly},
};
use crate::storage::{LessonRecord, NewLesson, Span, Subject};

/// A lesson that begins within this time stays: servers have made room for it, and its people may be at the door.
const SETTLED_MS: u64 = 30 * 60_000;
/// Of a table at once.
pub(super) const LONGEST_DAYS: i32 = 400;

/// What changed in the timetable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Planned {
    pub added: usize,
    pub kept: usize,
    pub removed: usize,
}

/// What two lessons at one time differ in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Place {
    group: Uuid,
    teacher: UserId,
    starts_at: u64,
    ends_at: u64,
}

/// One line of the week, with the ids behind its words.
struct Known {
    group: Uuid,
    subject: Uuid,
    name: Localized,
    teacher: UserId,
}

impl School {
    /// Between two days, both included, the school's lessons are those of the table from now on. What has begun, or does so within half an
    /// hour, stays as it is.
    pub async fn plan_week(
        &self,
        school: Option<&str>,
        table: &str,
        from: Date,
        to: Date,
    ) -> Result<Planned, OpeningError> {
        let week = week::read(table)?;
        let school = self.only_school(school).await?.id;
        let zone = TimeZone::get(ZONE).unwrap_or(TimeZone::UTC);
        let known = self.known_lines(school, &week).await?;
        let old = self.store.lessons_of_school(school, span(from, to, &zone)?).await?;
        let wanted = week::lessons(&week, from, to, &zone).into_iter().map(|(at, starts_at, ends_at)| {
            let Known { group, subject, teacher, .. } = known[at];
            let new = NewLesson {
                lesson: LessonId(Uuid::now_v7()),
                school,
                group,
                subject,
                teacher,
                starts_at,
                ends_at,
            };
            (new, &known[at].name)
        });
        let (add, remove, planned) = compare(wanted, &old, self.now());
        self.store.replan(&add, &remove).await?;
        Ok(planned)
    }

    async fn known_lines(&self, school: Uuid, week: &[Weekly]) -> Result<Vec<Known>, OpeningError> {
        let groups = self.store.groups(school).await?;
        let subjects = self.store.subjects(school).await?;
        let accounts = self.store.accounts(Some(school)).await?;
        let teachers: HashMap<&str, UserId> = accounts
            .iter()
            .filter(|account| account.roles.contains(&SchoolRole::Teacher))
            .map(|account| (account.login.as_str(), account.user))
            .collect();
        let known = |weekly: &Weekly| known_line(weekly, &groups, &subjects, &teachers);
        Ok(week.iter().map(known).collect::<Result<_, _>>()?)
    }
}

fn known_line(
    weekly: &Weekly,
    groups: &BTreeMap<String, Uuid>,
    subjects: &[Subject],
    teachers: &HashMap<&str, UserId>,
) -> Result<Known, SheetError> {
    let wrong = |problem: String| SheetError::new(weekly.line, problem);
    let told = |error: NewAccountError| wrong(error.to_string());
    let group = class_named(groups, &weekly.class).map_err(told)?;
    let subject = subject_named(subjects, &weekly.subject).map_err(told)?;
    let teacher = &weekly.teacher;
    let teacher = teachers
        .get(teacher.as_str())
        .copied()
        .ok_or_else(|| wrong(format!("the school has no teacher with the login {teacher}")))?;
    Ok(Known { group, subject: subject.subject, name: subject.name.clone(), teacher })
}

fn span(from: Date, to: Date, zone: &TimeZone) -> Result<Span, OpeningError> {
    let days = from.until(to).map_or(-1, |span| span.get_days());
    if !(0..LONGEST_DAYS).contains(&days) {
        return Err(OpeningError::Days { from, to });
    }
    let midnight = |day: Date| {
        let moment = zone.to_ambiguous_timestamp(day.to_datetime(jiff::civil::Time::midnight())).compatible();
        moment.map_or(0, |moment| moment.as_millisecond().max(0) as u64)
    };
    Ok(Span { from: midnight(from), to: midnight(to.saturating_add(1.day())) })
}

/// What is to be added and taken away so that the old lessons become the wanted ones.
fn compare<'a>(
    wanted: impl Iterator<Item = (NewLesson, &'a Localized)>,
    old: &[LessonRecord],
    now: u64,
) -> (Vec<NewLesson>, Vec<LessonId>, Planned) {
    let place = |old: &LessonRecord| Place {
        group: old.group,
        teacher: old.teacher,
        starts_at: old.starts_at,
        ends_at: old.ends_at,
    };
    let mut left: HashMap<Place, &LessonRecord> = old.iter().map(|old| (place(old), old)).collect();
    let (mut add, mut kept) = (Vec::new(), 0);
    for (new, name) in wanted.filter(|(new, _)| new.ends_at > now) {
        let NewLesson { group, teacher, starts_at, ends_at, .. } = new;
        let place = Place { group, teacher, starts_at, ends_at };
        if left.get(&place).is_some_and(|old| old.subject == *name) {
            left.remove(&place);
            kept += 1;
        } else {
            add.push(new);
        }
    }
    let gone = left.values().filter(|old| old.starts_at > now + SETTLED_MS);
    let remove: Vec<LessonId> = gone.map(|old| old.lesson).collect();
    let planned = Planned { added: add.len(), kept, removed: remove.len() };
    (add, remove, planned)
}
