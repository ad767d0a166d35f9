//! Lessons, groups and who is admitted to them.

use qism_signaling::protocol::{LessonId, Name, UserId};
use sqlx::{
    Any, AssertSqlSafe, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};
use uuid::Uuid;

use super::{
    LessonRecord, StorageError, Store, Subject, TaughtGroup,
    accounts::{localized, name},
    logs::Ends,
    row,
};

const LESSON: &str = "SELECT l.id, l.school, l.study_group, g.name, s.name_ar, s.name_fr, s.name_en, l.teacher, \
     t.given_arabic, t.family_arabic, t.given_latin, t.family_latin, l.starts_at, l.ends_at, \
     (SELECT COUNT(*) FROM enrollment e WHERE e.study_group = l.study_group) \
     FROM lesson l JOIN study_group g ON g.id = l.study_group JOIN subject s ON s.id = l.subject \
     JOIN person t ON t.id = l.teacher ";

/// A span of time, in milliseconds since the Unix epoch.
#[derive(Clone, Copy, Debug)]
pub struct Span {
    pub from: u64,
    pub to: u64,
}

impl Store {
    pub async fn lesson(&self, lesson: LessonId) -> Result<Option<LessonRecord>, StorageError> {
        let sql = format!("{LESSON} WHERE l.id = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string());
        Ok(self.lessons(query).await?.pop())
    }

    /// Lessons of a whole school that touch a span of time.
    pub async fn lessons_of_school(
        &self,
        school: Uuid,
        span: Span,
    ) -> Result<Vec<LessonRecord>, StorageError> {
        self.lessons_where("l.school = $1", school.to_string(), span).await
    }

    pub async fn lessons_of_teacher(
        &self,
        teacher: UserId,
        span: Span,
    ) -> Result<Vec<LessonRecord>, StorageError> {
        self.lessons_where("l.teacher = $1", teacher.to_string(), span).await
    }

    pub async fn lessons_of_student(
        &self,
        student: UserId,
        span: Span,
    ) -> Result<Vec<LessonRecord>, StorageError> {
        let own = "l.study_group IN (SELECT study_group FROM enrollment WHERE person = $1)";
        self.lessons_where(own, student.to_string(), span).await
    }

    async fn lessons_where(
        &self,
        whose: &str,
        key: String,
        span: Span,
    ) -> Result<Vec<LessonRecord>, StorageError> {
        let sql = format!(
            "{LESSON} WHERE {whose} AND l.starts_at < $2 AND l.ends_at > $3 ORDER BY l.starts_at, g.name"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(key).bind(span.to as i64).bind(span.from as i64);
        self.lessons(query).await
    }

    async fn lessons(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<LessonRecord>, StorageError> {
        query.fetch_all(&self.school.read).await?.iter().map(lesson).collect()
    }

    pub async fn add_lesson(&self, new: &super::NewLesson) -> Result<(), StorageError> {
        let mut connection = self.school.write.acquire().await?;
        super::seed::insert_lesson(&mut connection, new).await
    }

    /// The students of a group.
    pub async fn students(&self, group: Uuid) -> Result<Vec<(UserId, Name)>, StorageError> {
        let found = sqlx::query(
            "SELECT p.id, p.given_arabic, p.family_arabic, p.given_latin, p.family_latin FROM person p \
             JOIN enrollment e ON e.person = p.id WHERE e.study_group = $1 AND p.disabled = 0",
        )
        .bind(group.to_string())
        .fetch_all(&self.school.read)
        .await?;
        found
            .iter()
            .map(|found| Ok((UserId(row::id(&found.try_get::<String, _>(0)?)?), name(found, 1)?)))
            .collect()
    }

    pub async fn is_enrolled(&self, group: Uuid, person: UserId) -> Result<bool, StorageError> {
        let found = sqlx::query("SELECT 1 FROM enrollment WHERE study_group = $1 AND person = $2")
            .bind(group.to_string())
            .bind(person.to_string())
            .fetch_optional(&self.school.read)
            .await?;
        Ok(found.is_some())
    }

    /// What a teacher teaches to whom.
    pub async fn taught_groups(&self, teacher: UserId) -> Result<Vec<TaughtGroup>, StorageError> {
        let found = sqlx::query(
            "SELECT g.id, g.name, s.id, s.name_ar, s.name_fr, s.name_en FROM teaching t \
             JOIN study_group g ON g.id = t.study_group JOIN subject s ON s.id = t.subject \
             WHERE t.teacher = $1 ORDER BY g.name, s.name_fr",
        )
        .bind(teacher.to_string())
        .fetch_all(&self.school.read)
        .await?;
        let mut groups: Vec<TaughtGroup> = Vec::new();
        for found in &found {
            let group = row::id(&found.try_get::<String, _>(0)?)?;
            let subject =
                Subject { subject: row::id(&found.try_get::<String, _>(2)?)?, name: localized(found, 3)? };
            match groups.last_mut().filter(|last| last.group == group) {
                Some(last) => last.subjects.push(subject),
                None => groups.push(TaughtGroup { group, name: found.try_get(1)?, subjects: vec![subject] }),
            }
        }
        Ok(groups)
    }

    /// Which of these lessons have an `ended` event, as far as it is known: a database of the log may not answer.
    pub async fn ends(&self, lessons: &[LessonId]) -> Result<Ends, StorageError> {
        self.logs.ends(lessons).await
    }

    /// The same where all of it must be known.
    pub async fn ended(&self, lessons: &[LessonId]) -> Result<Vec<LessonId>, StorageError> {
        let ends = self.logs.ends(lessons).await?;
        ends.problem.map_or(Ok(ends.ended), Err)
    }
}

pub(super) fn lesson(found: &AnyRow) -> Result<LessonRecord, StorageError> {
    Ok(LessonRecord {
        lesson: LessonId(row::id(&found.try_get::<String, _>(0)?)?),
        school: row::id(&found.try_get::<String, _>(1)?)?,
        group: row::id(&found.try_get::<String, _>(2)?)?,
        group_name: found.try_get(3)?,
        subject: localized(found, 4)?,
        teacher: UserId(row::id(&found.try_get::<String, _>(7)?)?),
        teacher_name: name(found, 8)?,
        starts_at: found.try_get::<i64, _>(12)? as u64,
        ends_at: found.try_get::<i64, _>(13)? as u64,
        students: found.try_get::<i64, _>(14)? as u32,
    })
}
