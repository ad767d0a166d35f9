//! Everybody of a school at once, and somebody new in it.

use std::collections::HashMap;

use qism_signaling::protocol::UserId;
use sqlx::{AssertSqlSafe, Row as _};
use uuid::Uuid;

use super::{
    ListedAccount, NewPerson, SchoolRecord, SchoolRole, StorageError, Store, Subject, Teaching,
    accounts::{localized, name},
    row, seed,
};

/// Somebody new, with what they are to a school.
#[derive(Clone, Debug)]
pub struct AddedPerson {
    pub school: Uuid,
    pub person: NewPerson,
    /// The group of a student.
    pub enrolled: Option<Uuid>,
    /// What a teacher teaches to whom.
    pub teachings: Vec<Teaching>,
}

impl Store {
    pub async fn schools(&self) -> Result<Vec<SchoolRecord>, StorageError> {
        let found = sqlx::query("SELECT id, code, name_ar, name_fr, name_en FROM school ORDER BY code")
            .fetch_all(&self.school.read)
            .await?;
        let school = |found: &sqlx::any::AnyRow| {
            let id = row::id(&found.try_get::<String, _>(0)?)?;
            Ok(SchoolRecord { id, code: found.try_get(1)?, name: localized(found, 2)? })
        };
        found.iter().map(school).collect()
    }

    /// Everybody of a school, or of all, who was not erased, by login.
    pub async fn accounts(&self, school: Option<Uuid>) -> Result<Vec<ListedAccount>, StorageError> {
        let school = school.map(|school| school.to_string()).unwrap_or_default();
        let of = if school.is_empty() { "$1 = ''" } else { "p.school = $1" };
        let roles = format!(
            "SELECT r.person, r.role FROM person p JOIN person_role r ON r.person = p.id WHERE {of} ORDER BY r.role"
        );
        let roles = self.words_of_people(roles, &school).await?;
        let groups = format!(
            "SELECT p.id, g.name FROM person p JOIN enrollment e ON e.person = p.id JOIN study_group g ON g.id = e.study_group \
             WHERE {of} \
             UNION SELECT p.id, g.name FROM person p JOIN teaching t ON t.teacher = p.id JOIN study_group g ON g.id = t.study_group \
             WHERE {of} ORDER BY 2"
        );
        let groups = self.words_of_people(groups, &school).await?;
        let people = format!(
            "SELECT p.id, p.login, p.disabled, p.given_arabic, p.family_arabic, p.given_latin, p.family_latin \
             FROM person p WHERE {of} AND p.id NOT IN (SELECT person FROM erasure) ORDER BY p.login"
        );
        let found = sqlx::query(AssertSqlSafe(people)).bind(school).fetch_all(&self.school.read).await?;
        let listed = |found: &sqlx::any::AnyRow| {
            let id: String = found.try_get(0)?;
            let roles = roles.get(&id).into_iter().flatten();
            Ok(ListedAccount {
                user: UserId(row::id(&id)?),
                login: found.try_get(1)?,
                roles: roles.filter_map(|role| SchoolRole::of_name(role)).collect(),
                groups: groups.get(&id).cloned().unwrap_or_default(),
                disabled: found.try_get::<i64, _>(2)? != 0,
                name: name(found, 3)?,
            })
        };
        found.iter().map(listed).collect()
    }

    /// Two columns, a person and a word, gathered by person.
    async fn words_of_people(
        &self,
        sql: String,
        school: &str,
    ) -> Result<HashMap<String, Vec<String>>, StorageError> {
        let mut words: HashMap<String, Vec<String>> = HashMap::new();
        for found in sqlx::query(AssertSqlSafe(sql)).bind(school).fetch_all(&self.school.read).await? {
            words.entry(found.try_get(0)?).or_default().push(found.try_get(1)?);
        }
        Ok(words)
    }

    pub async fn subjects(&self, school: Uuid) -> Result<Vec<Subject>, StorageError> {
        let sql = "SELECT id, name_ar, name_fr, name_en FROM subject WHERE school = $1 ORDER BY name_fr";
        let found =
            sqlx::query(AssertSqlSafe(sql)).bind(school.to_string()).fetch_all(&self.school.read).await?;
        found
            .iter()
            .map(|found| {
                let subject = row::id(&found.try_get::<String, _>(0)?)?;
                Ok(Subject { subject, name: localized(found, 1)? })
            })
            .collect()
    }

    /// False when somebody has that login already; then nothing is changed.
    pub async fn add_person(&self, new: &AddedPerson) -> Result<bool, StorageError> {
        let mut transaction = self.school.write.begin().await?;
        match seed::insert_person(&mut transaction, new.school, &new.person).await {
            Err(StorageError::Sql(sqlx::Error::Database(error))) if error.is_unique_violation() => {
                return Ok(false);
            }
            done => done?,
        }
        if let Some(group) = new.enrolled {
            seed::insert_enrollment(&mut transaction, group, new.person.user).await?;
        }
        for teaching in &new.teachings {
            seed::insert_teaching(&mut transaction, teaching).await?;
        }
        transaction.commit().await?;
        Ok(true)
    }
}
