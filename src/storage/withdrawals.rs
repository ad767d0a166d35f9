//! Changes of an account that take rights back. Each writes its withdrawal in the transaction of the change itself, so
//! that no server can see the one without the other.

use std::collections::BTreeMap;

use qism_signaling::protocol::UserId;
use sqlx::{Any, Row as _, Transaction};
use uuid::Uuid;

use super::{StorageError, Store, row};

/// Servers read new withdrawals at once; a day is for those who look into the file.
const KEPT_MS: u64 = 24 * 60 * 60 * 1_000;

/// A right that the school took back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub id: Uuid,
    pub user: UserId,
    /// The person was erased.
    pub erased: bool,
}

impl Store {
    /// Signed out everywhere, and no longer admitted to anything.
    pub async fn disable_account(&self, user: UserId, now: u64) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query("UPDATE person SET disabled = 1 WHERE id = $1")
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        withdraw(&mut transaction, user, now).await?;
        Ok(transaction.commit().await?)
    }

    pub async fn enable_account(&self, user: UserId) -> Result<(), StorageError> {
        sqlx::query("UPDATE person SET disabled = 0 WHERE id = $1")
            .bind(user.to_string())
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    /// Who signed in with the old password is signed out.
    pub async fn replace_password(&self, user: UserId, hash: &str, now: u64) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query("UPDATE person SET password = $1 WHERE id = $2")
            .bind(hash.to_owned())
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        withdraw(&mut transaction, user, now).await?;
        Ok(transaction.commit().await?)
    }

    /// Takes a student out of all groups and into this one.
    pub async fn move_to_group(&self, user: UserId, to: Uuid, now: u64) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query("DELETE FROM enrollment WHERE person = $1")
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        sqlx::query("INSERT INTO enrollment (study_group, person) VALUES ($1, $2) ON CONFLICT DO NOTHING")
            .bind(to.to_string())
            .bind(user.to_string())
            .execute(&mut *transaction)
            .await?;
        record(&mut transaction, user, now).await?;
        Ok(transaction.commit().await?)
    }

    /// The group of a school with that name.
    pub async fn group_by_name(&self, school: Uuid, name: &str) -> Result<Option<Uuid>, StorageError> {
        let found = sqlx::query("SELECT id FROM study_group WHERE school = $1 AND name = $2")
            .bind(school.to_string())
            .bind(name.to_owned())
            .fetch_optional(&self.school.read)
            .await?;
        found.map(|found| row::id(&found.try_get::<String, _>(0)?)).transpose()
    }

    /// All of a school, by name.
    pub async fn groups(&self, school: Uuid) -> Result<BTreeMap<String, Uuid>, StorageError> {
        let found = sqlx::query("SELECT name, id FROM study_group WHERE school = $1")
            .bind(school.to_string())
            .fetch_all(&self.school.read)
            .await?;
        found.iter().map(|found| Ok((found.try_get(0)?, row::id(&found.try_get::<String, _>(1)?)?))).collect()
    }

    /// Those since a moment, oldest first.
    pub async fn withdrawals_since(&self, since: u64) -> Result<Vec<Withdrawal>, StorageError> {
        let sql = "SELECT w.id, w.person, (SELECT COUNT(*) FROM erasure e WHERE e.person = w.person) \
             FROM withdrawal w WHERE w.at >= $1 ORDER BY w.at";
        let found = sqlx::query(sql).bind(since as i64).fetch_all(&self.school.read).await?;
        found
            .iter()
            .map(|found| {
                let id = |column: usize| row::id(&found.try_get::<String, _>(column)?);
                let erased = found.try_get::<i64, _>(2)? > 0;
                Ok(Withdrawal { id: id(0)?, user: UserId(id(1)?), erased })
            })
            .collect()
    }

    /// Whether a right of this person was taken back at or after a moment.
    pub async fn withdrawn_since(&self, user: UserId, since: u64) -> Result<bool, StorageError> {
        let found = sqlx::query("SELECT 1 FROM withdrawal WHERE person = $1 AND at >= $2 LIMIT 1")
            .bind(user.to_string())
            .bind(since as i64)
            .fetch_optional(&self.school.read)
            .await?;
        Ok(found.is_some())
    }
}

/// All browsers signed out, and the withdrawal.
pub(super) async fn withdraw(
    transaction: &mut Transaction<'_, Any>,
    user: UserId,
    now: u64,
) -> Result<(), StorageError> {
    sqlx::query("DELETE FROM sign_in WHERE person = $1")
        .bind(user.to_string())
        .execute(&mut **transaction)
        .await?;
    record(transaction, user, now).await
}

async fn record(transaction: &mut Transaction<'_, Any>, user: UserId, now: u64) -> Result<(), StorageError> {
    sqlx::query("DELETE FROM withdrawal WHERE at < $1")
        .bind(now.saturating_sub(KEPT_MS) as i64)
        .execute(&mut **transaction)
        .await?;
    sqlx::query("INSERT INTO withdrawal (id, person, at) VALUES ($1, $2, $3)")
        .bind(Uuid::now_v7().to_string())
        .bind(user.to_string())
        .bind(now as i64)
        .execute(&mut **transaction)
        .await?;
    Ok(())
}
