//! A school beside the demonstration's.

use qism::storage::{NewGroup, NewLesson, NewPerson, NewSchool, NewSubject, SchoolRole, Store, Teaching};
use qism_signaling::protocol::{
    LessonId, Name, UserId,
    snapshot::{Localized, Spelling},
};
use uuid::Uuid;

/// How long its lessons are.
const LESSON_MS: u64 = 3_600_000;

/// A school with one teacher and one class, which has as many lessons as are wanted.
pub struct SmallSchool {
    id: Uuid,
    group: Uuid,
    subject: Uuid,
    teacher: UserId,
    /// The teacher's; the password is that of the demonstration, where there is one.
    pub login: String,
}

impl SmallSchool {
    /// Adds one with that code.
    pub async fn add(store: &Store, code: &str) -> anyhow::Result<Self> {
        let [id, group, subject] = [(); 3].map(|()| Uuid::now_v7());
        let (teacher, login) = (UserId(Uuid::now_v7()), format!("teacher-{}", code.to_lowercase()));
        let text = || Localized { ar: "مدرسة".into(), fr: "École".into(), en: "School".into() };
        let spelling = Spelling { given: "Ali".into(), family: "Alami".into() };
        let demo = store.account_by_login("teacher1").await?;
        let person = NewPerson {
            user: teacher,
            login: login.clone(),
            password: demo.map(|account| account.password).unwrap_or_default(),
            name: Name { arabic: None, latin: Some(spelling) },
            role: SchoolRole::Teacher,
        };
        let school = NewSchool {
            id,
            code: code.into(),
            name: text(),
            subjects: vec![NewSubject { id: subject, name: text() }],
            people: vec![person],
            groups: vec![NewGroup { id: group, name: "1A".into(), students: Vec::new() }],
            teachings: vec![Teaching { teacher, group, subject }],
        };
        store.add_school(&school).await?;
        Ok(Self { id, group, subject, teacher, login })
    }

    /// Plans a lesson that is now.
    pub async fn lesson(&self, store: &Store) -> anyhow::Result<LessonId> {
        let starts_at = store.database_now().await? - 60_000;
        let lesson = LessonId(Uuid::now_v7());
        let Self { id: school, group, subject, teacher, .. } = *self;
        let new =
            NewLesson { lesson, school, group, subject, teacher, starts_at, ends_at: starts_at + LESSON_MS };
        store.add_lesson(&new).await?;
        Ok(lesson)
    }
}
