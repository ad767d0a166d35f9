//! The demonstration's timetable: three classes have a lesson now, whenever somebody looks.

use std::time::Duration;

use qism_signaling::protocol::{LessonId, UserId};
use uuid::Uuid;

use super::{CODE, Size, group_id, id, person_id, subjects, teacher_login, teacher_of};
use crate::{
    school::{Broken, School},
    storage::{NewLesson, Span},
};

const MINUTE: u64 = 60_000;
/// The lesson of now began this long ago and lasts this long.
const BEGAN: u64 = 5 * MINUTE;
const LASTS: u64 = 120 * MINUTE;
const BREAK: u64 = 10 * MINUTE;
/// With less than this left, the next lesson of now is made at a start.
const WORTHWHILE: u64 = 15 * MINUTE;
/// A demonstration that runs for days looks this often whether lessons are planned.
const LOOK: Duration = Duration::from_secs(60);

/// Who teaches what to whom, over and over.
#[derive(Clone, Copy)]
struct Course {
    teacher: UserId,
    group: Uuid,
    subject: Uuid,
}

/// Each class has one; the fourth teacher has none and starts lessons by hand.
fn courses(size: Size) -> impl Iterator<Item = Course> {
    let subjects = subjects();
    size.classes().enumerate().map(move |(index, class)| Course {
        teacher: person_id(&teacher_login(teacher_of(index))),
        group: group_id(&class),
        subject: subjects[teacher_of(index) % subjects.len()].id,
    })
}

impl School {
    /// At a start: also when the lesson of now was ended.
    pub(super) async fn begin_demo_lessons(&self, size: Size) -> Result<(), Broken> {
        for course in courses(size) {
            self.begin(course).await?;
        }
        Ok(())
    }

    /// For ever: plans the next lessons before the last one is over.
    pub async fn prolong_demo(&self, size: Size) {
        loop {
            tokio::time::sleep(LOOK).await;
            if let Err(error) = self.plan_ahead(size).await {
                tracing::warn!(%error, "the demonstration's timetable was not prolonged");
            }
        }
    }

    async fn plan_ahead(&self, size: Size) -> Result<(), Broken> {
        for course in courses(size) {
            self.follow(course).await?;
        }
        Ok(())
    }

    /// A lesson now, and another one after it, unless there is one with time left.
    async fn begin(&self, course: Course) -> Result<(), Broken> {
        let now = self.now();
        let soon = Span { from: now + WORTHWHILE, to: now + WORTHWHILE + 1 };
        let planned = self.store.lessons_of_teacher(course.teacher, soon).await?;
        let ids: Vec<LessonId> = planned.iter().filter(|l| l.starts_at <= now).map(|l| l.lesson).collect();
        if self.store.ended(&ids).await?.len() < ids.len() {
            return Ok(());
        }
        let starts_at = now.saturating_sub(BEGAN) / (5 * MINUTE) * (5 * MINUTE);
        self.plan(course, starts_at).await?;
        self.plan(course, starts_at + LASTS + BREAK).await
    }

    /// One lesson more when the last planned one ends soon.
    async fn follow(&self, course: Course) -> Result<(), Broken> {
        let now = self.now();
        let ahead = Span { from: now, to: now + 2 * LASTS };
        let planned = self.store.lessons_of_teacher(course.teacher, ahead).await?;
        match planned.iter().map(|lesson| lesson.ends_at).max() {
            Some(ends_at) if ends_at > now + LASTS => Ok(()),
            Some(ends_at) => self.plan(course, ends_at + BREAK).await,
            None => self.plan(course, now).await,
        }
    }

    async fn plan(&self, course: Course, starts_at: u64) -> Result<(), Broken> {
        let Course { teacher, group, subject } = course;
        let (lesson, ends_at) = (LessonId(Uuid::now_v7()), starts_at + LASTS);
        let new = NewLesson { lesson, school: id(CODE), group, subject, teacher, starts_at, ends_at };
        Ok(self.store.add_lesson(&new).await?)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    };

    use qism_signaling::hub::ports::Clock;

    use super::*;
    use crate::storage::Store;

    struct HandClock(AtomicU64);

    impl Clock for HandClock {
        fn now_ms(&self) -> u64 {
            self.0.load(Ordering::Relaxed)
        }
    }

    #[tokio::test]
    async fn two_days_long_every_class_has_a_lesson_now_or_a_break() {
        let clock = Arc::new(HandClock(AtomicU64::new(1_800_000_000_000)));
        let store = Store::open("sqlite::memory:").await.expect("opened");
        let school = School::new(store.clone(), clock.clone()).expect("ready");
        school.prepare_demo(Size::SCHOOL).await.expect("prepared");
        school.prepare_demo(Size::SCHOOL).await.expect("twice is the same");
        for _ in 0..(48 * 6) {
            let now = clock.0.fetch_add(10 * MINUTE, Ordering::Relaxed);
            school.plan_ahead(Size::SCHOOL).await.expect("planned");
            for course in courses(Size::SCHOOL) {
                let near = Span { from: now, to: now + BREAK + 1 };
                let lessons = store.lessons_of_teacher(course.teacher, near).await.expect("read");
                assert!((1..=2).contains(&lessons.len()), "{} lessons at {now}", lessons.len());
                let apart = lessons.windows(2).all(|two| two[0].ends_at + BREAK <= two[1].starts_at);
                assert!(apart, "lessons overlap at {now}");
            }
        }
    }
}
