//! Lessons that tests plan.

use qism::storage::{LessonRecord, NewLesson, Store};
use qism_signaling::protocol::LessonId;

/// A lesson of the same class, subject and teacher at another time, for an hour.
pub async fn plan_like(store: &Store, like: &LessonRecord, lesson: LessonId, starts_at: u64) {
    let taught = store.taught_groups(like.teacher).await.expect("read");
    let new = NewLesson {
        lesson,
        school: like.school,
        group: like.group,
        subject: taught[0].subjects[0].subject,
        teacher: like.teacher,
        starts_at,
        ends_at: starts_at + 3_600_000,
    };
    store.add_lesson(&new).await.expect("added");
}
