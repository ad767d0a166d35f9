//! Erasing a person: the account at once, what they wrote, and notes about them, lesson by lesson. Events keep their place
//! in the order and hold an id that leads to no name any more.

use qism_signaling::protocol::{LessonId, Logged, UserId};
use sqlx::Row as _;
use uuid::Uuid;

use super::{StorageError, Store, logs::forget_erased, nodes, reports, row, withdrawals::withdraw};

/// Lessons looked at with one question.
const AT_ONCE: i64 = 500;

/// Somebody whose words are to be taken out of lessons.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Erasure {
    pub person: UserId,
    pub school: Uuid,
    /// When it was asked for, milliseconds since the epoch.
    pub at: u64,
}

impl Store {
    /// Empties the account: nobody can sign in with it, it is on no list, and open lessons put the person out. `password` is a hash
    /// of something that nobody knows. `director`: who did it; `None`: an operator.
    pub async fn erase_account(
        &self,
        Erasure { person, school, at }: Erasure,
        director: Option<UserId>,
        password: &str,
    ) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query(
            "UPDATE person SET login = $2, password = $3, given_arabic = NULL, family_arabic = NULL, \
             given_latin = NULL, family_latin = NULL, disabled = 1 WHERE id = $1",
        )
        .bind(person.to_string())
        .bind(format!("erased-{}", Uuid::new_v4()))
        .bind(password.to_owned())
        .execute(&mut *transaction)
        .await?;
        for sql in [
            "DELETE FROM enrollment WHERE person = $1",
            "DELETE FROM teaching WHERE teacher = $1",
            "DELETE FROM starting WHERE teacher = $1",
        ] {
            sqlx::query(sql).bind(person.to_string()).execute(&mut *transaction).await?;
        }
        withdraw(&mut transaction, person, at).await?;
        sqlx::query(
            "INSERT INTO erasure (person, school, director, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        )
        .bind(person.to_string())
        .bind(school.to_string())
        .bind(director.map_or(Uuid::nil(), |director| director.0).to_string())
        .bind(at as i64)
        .execute(&mut *transaction)
        .await?;
        Ok(transaction.commit().await?)
    }

    /// How many people of a school were erased whose words are not out of all lessons yet.
    pub async fn erasures_under_way(&self, school: Uuid) -> Result<u64, StorageError> {
        let sql = "SELECT COUNT(*) FROM erasure WHERE school = $1 AND done_at = 0";
        let found = sqlx::query(sql).bind(school.to_string()).fetch_one(&self.school.read).await?;
        Ok(found.try_get::<i64, _>(0)? as u64)
    }

    /// Takes on an erasure that nobody is at, until a moment; another server that asks meanwhile gets another one, or none.
    pub async fn claim_erasure(&self, now: u64, until: u64) -> Result<Option<Erasure>, StorageError> {
        let due = "SELECT person, school, at FROM erasure WHERE done_at = 0 AND claimed_until <= $1 ORDER BY at LIMIT 1";
        let Some(found) = sqlx::query(due).bind(now as i64).fetch_optional(&self.school.read).await? else {
            return Ok(None);
        };
        let erasure = Erasure {
            person: UserId(row::id(&found.try_get::<String, _>(0)?)?),
            school: row::id(&found.try_get::<String, _>(1)?)?,
            at: found.try_get::<i64, _>(2)? as u64,
        };
        let claim =
            "UPDATE erasure SET claimed_until = $2 WHERE person = $3 AND done_at = 0 AND claimed_until <= $1";
        let query = sqlx::query(claim).bind(now as i64).bind(until as i64).bind(erasure.person.to_string());
        let claimed = query.execute(&self.school.write).await?;
        Ok((claimed.rows_affected() == 1).then_some(erasure))
    }

    /// Another round is due then, not before.
    pub async fn postpone_erasure(&self, person: UserId, until: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE erasure SET claimed_until = $1 WHERE person = $2")
            .bind(until as i64)
            .bind(person.to_string())
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    /// Nothing more is to be done.
    pub async fn finish_erasure(&self, person: UserId, now: u64) -> Result<(), StorageError> {
        sqlx::query("UPDATE erasure SET done_at = $1 WHERE person = $2")
            .bind(now as i64)
            .bind(person.to_string())
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    /// Whether a lesson of a school is open on any server that lives: its room has the latest events in memory.
    pub async fn is_teaching(&self, school: Uuid, now: u64) -> Result<bool, StorageError> {
        let found = sqlx::query(
            "SELECT 1 FROM node_room r JOIN node n ON n.incarnation = r.incarnation \
             JOIN lesson l ON l.id = r.lesson WHERE l.school = $1 AND n.beat > $2 LIMIT 1",
        )
        .bind(school.to_string())
        .bind(now.saturating_sub(nodes::stale_ms()) as i64)
        .fetch_optional(&self.school.read)
        .await?;
        Ok(found.is_some())
    }

    /// Takes what somebody wrote, and notes about them, out of all lessons and reports of a school. Tells how
    /// many texts that were. May be done again.
    pub async fn erase_words(&self, Erasure { person, school, .. }: Erasure) -> Result<u64, StorageError> {
        let mut texts = self.erase_in_reports(person, school).await?;
        let mut after = String::new();
        loop {
            let sql = "SELECT id FROM lesson WHERE school = $1 AND id > $2 ORDER BY id LIMIT $3";
            let query = sqlx::query(sql).bind(school.to_string()).bind(after).bind(AT_ONCE);
            let found = query.fetch_all(&self.school.read).await?;
            let Some(last) = found.last() else { break };
            after = last.try_get(0)?;
            let lessons = found.iter().map(|found| Ok(LessonId(row::id(&found.try_get::<String, _>(0)?)?)));
            let lessons = lessons.collect::<Result<Vec<LessonId>, StorageError>>()?;
            texts += self.logs.erase_of(person, &lessons).await?;
        }
        self.logs.forget_erased().await;
        forget_erased(&self.school).await;
        Ok(texts)
    }

    async fn erase_in_reports(&self, person: UserId, school: Uuid) -> Result<u64, StorageError> {
        let found = sqlx::query(
            "SELECT r.lesson, r.number, r.cause, r.recent FROM report r JOIN lesson l ON l.id = r.lesson \
             WHERE l.school = $1 AND (r.cause LIKE $2 OR r.recent LIKE $2)",
        )
        .bind(school.to_string())
        .bind(format!("%{person}%"))
        .fetch_all(&self.school.read)
        .await?;
        let mut texts = 0;
        for found in &found {
            let mut cause: Logged = reports::parsed(found.try_get(2)?)?;
            let mut recent: Vec<Logged> = reports::parsed(found.try_get(3)?)?;
            let of_person = std::iter::once(&mut cause).chain(&mut recent);
            let erased = of_person.filter_map(|logged| logged.erase_of(person)).count();
            if erased == 0 {
                continue;
            }
            texts += erased as u64;
            sqlx::query("UPDATE report SET cause = $1, recent = $2 WHERE lesson = $3 AND number = $4")
                .bind(reports::json(&cause))
                .bind(reports::json(&recent))
                .bind(found.try_get::<String, _>(0)?)
                .bind(found.try_get::<i64, _>(1)?)
                .execute(&self.school.write)
                .await?;
        }
        Ok(texts)
    }
}
