//! Writing a school: the whole demonstration at once, or a new one and then its people by the table.

use qism_signaling::protocol::{LessonId, Name, UserId, snapshot::Localized};
use sqlx::AnyConnection;
use uuid::Uuid;

use super::{SchoolRole, StorageError, Store};

/// A school with everybody in it.
#[derive(Clone, Debug)]
pub struct NewSchool {
    pub id: Uuid,
    pub code: String,
    pub name: Localized,
    pub subjects: Vec<NewSubject>,
    pub people: Vec<NewPerson>,
    pub groups: Vec<NewGroup>,
    pub teachings: Vec<Teaching>,
}

#[derive(Clone, Debug)]
pub struct NewSubject {
    pub id: Uuid,
    pub name: Localized,
}

#[derive(Clone, Debug)]
pub struct NewPerson {
    pub user: UserId,
    pub login: String,
    /// PHC string.
    pub password: String,
    pub name: Name,
    pub role: SchoolRole,
}

#[derive(Clone, Debug)]
pub struct NewGroup {
    pub id: Uuid,
    pub name: String,
    pub students: Vec<UserId>,
}

/// Who teaches what to whom.
#[derive(Clone, Copy, Debug)]
pub struct Teaching {
    pub teacher: UserId,
    pub group: Uuid,
    pub subject: Uuid,
}

#[derive(Clone, Copy, Debug)]
pub struct NewLesson {
    pub lesson: LessonId,
    pub school: Uuid,
    pub group: Uuid,
    pub subject: Uuid,
    pub teacher: UserId,
    pub starts_at: u64,
    pub ends_at: u64,
}

/// People for a school that is there, and the classes that they need.
#[derive(Clone, Debug)]
pub struct NewPeople {
    pub school: Uuid,
    pub groups: Vec<NewGroup>,
    pub people: Vec<NewPerson>,
    /// Students in classes, old or new.
    pub enrolled: Vec<(Uuid, UserId)>,
    /// Those that are there already stay.
    pub teachings: Vec<Teaching>,
}

/// So many lessons are written by one transaction: nobody who signs in meanwhile waits for a whole year of them.
const LESSONS_AT_ONCE: usize = 500;

impl Store {
    /// All of them or nobody.
    pub async fn add_people(&self, new: &NewPeople) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        for group in &new.groups {
            insert_group(&mut transaction, new.school, group).await?;
        }
        for person in &new.people {
            insert_person(&mut transaction, new.school, person).await?;
        }
        for (group, student) in &new.enrolled {
            insert_enrollment(&mut transaction, *group, *student).await?;
        }
        for teaching in &new.teachings {
            insert_teaching(&mut transaction, teaching).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub async fn add_subject(&self, school: Uuid, new: &NewSubject) -> Result<(), StorageError> {
        let mut connection = self.school.write.acquire().await?;
        insert_subject(&mut connection, school, new).await
    }

    /// Takes lessons away and adds others, some hundreds at a time: what broke off is done by the same call once more.
    pub async fn replan(&self, add: &[NewLesson], remove: &[LessonId]) -> Result<(), StorageError> {
        for some in remove.chunks(LESSONS_AT_ONCE) {
            let mut transaction = self.school.write.begin().await?;
            for lesson in some {
                sqlx::query("DELETE FROM lesson WHERE id = $1")
                    .bind(lesson.to_string())
                    .execute(&mut *transaction)
                    .await?;
            }
            transaction.commit().await?;
        }
        for some in add.chunks(LESSONS_AT_ONCE) {
            let mut transaction = self.school.write.begin().await?;
            for lesson in some {
                insert_lesson(&mut transaction, lesson).await?;
            }
            transaction.commit().await?;
        }
        Ok(())
    }

    /// All of it or nothing.
    pub async fn add_school(&self, new: &NewSchool) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query("INSERT INTO school (id, code, name_ar, name_fr, name_en) VALUES ($1, $2, $3, $4, $5)")
            .bind(new.id.to_string())
            .bind(new.code.clone())
            .bind(new.name.ar.clone())
            .bind(new.name.fr.clone())
            .bind(new.name.en.clone())
            .execute(&mut *transaction)
            .await?;
        for subject in &new.subjects {
            insert_subject(&mut transaction, new.id, subject).await?;
        }
        for person in &new.people {
            insert_person(&mut transaction, new.id, person).await?;
        }
        for group in &new.groups {
            insert_group(&mut transaction, new.id, group).await?;
        }
        for teaching in &new.teachings {
            insert_teaching(&mut transaction, teaching).await?;
        }
        Ok(transaction.commit().await?)
    }
}

async fn insert_subject(
    into: &mut AnyConnection,
    school: Uuid,
    new: &NewSubject,
) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO subject (id, school, name_ar, name_fr, name_en) VALUES ($1, $2, $3, $4, $5)")
        .bind(new.id.to_string())
        .bind(school.to_string())
        .bind(new.name.ar.clone())
        .bind(new.name.fr.clone())
        .bind(new.name.en.clone())
        .execute(into)
        .await?;
    Ok(())
}

pub(super) async fn insert_person(
    into: &mut AnyConnection,
    school: Uuid,
    new: &NewPerson,
) -> Result<(), StorageError> {
    let (arabic, latin) = (new.name.arabic.as_ref(), new.name.latin.as_ref());
    sqlx::query(
        "INSERT INTO person (id, school, login, password, given_arabic, family_arabic, given_latin, family_latin) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(new.user.to_string())
    .bind(school.to_string())
    .bind(new.login.clone())
    .bind(new.password.clone())
    .bind(arabic.map(|spelling| spelling.given.clone()))
    .bind(arabic.map(|spelling| spelling.family.clone()))
    .bind(latin.map(|spelling| spelling.given.clone()))
    .bind(latin.map(|spelling| spelling.family.clone()))
    .execute(&mut *into)
    .await?;
    sqlx::query("INSERT INTO person_role (person, role) VALUES ($1, $2)")
        .bind(new.user.to_string())
        .bind(new.role.name())
        .execute(&mut *into)
        .await?;
    Ok(())
}

async fn insert_group(into: &mut AnyConnection, school: Uuid, new: &NewGroup) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO study_group (id, school, name) VALUES ($1, $2, $3)")
        .bind(new.id.to_string())
        .bind(school.to_string())
        .bind(new.name.clone())
        .execute(&mut *into)
        .await?;
    for student in &new.students {
        insert_enrollment(into, new.id, *student).await?;
    }
    Ok(())
}

pub(super) async fn insert_enrollment(
    into: &mut AnyConnection,
    group: Uuid,
    student: UserId,
) -> Result<(), StorageError> {
    sqlx::query("INSERT INTO enrollment (study_group, person) VALUES ($1, $2)")
        .bind(group.to_string())
        .bind(student.to_string())
        .execute(into)
        .await?;
    Ok(())
}

pub(super) async fn insert_teaching(into: &mut AnyConnection, new: &Teaching) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO teaching (teacher, study_group, subject) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(new.teacher.to_string())
    .bind(new.group.to_string())
    .bind(new.subject.to_string())
    .execute(into)
    .await?;
    Ok(())
}

pub(super) async fn insert_lesson(into: &mut AnyConnection, new: &NewLesson) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO lesson (id, school, study_group, subject, teacher, starts_at, ends_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(new.lesson.to_string())
    .bind(new.school.to_string())
    .bind(new.group.to_string())
    .bind(new.subject.to_string())
    .bind(new.teacher.to_string())
    .bind(new.starts_at as i64)
    .bind(new.ends_at as i64)
    .execute(into)
    .await?;
    Ok(())
}
