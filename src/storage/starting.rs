//! Two taps on *start now*, on two servers at the same moment, make one lesson.

use qism_signaling::protocol::UserId;
use sqlx::{Any, Transaction};
use uuid::Uuid;

use super::{NewLesson, StorageError, Store};

/// The right to start a lesson of one teacher and group; nobody else has it until this is dropped or used.
pub struct Starting<'s>(Transaction<'s, Any>);

impl Store {
    /// Waits for whoever is starting one just now: what they made can be read afterwards.
    pub async fn starting(
        &self,
        teacher: UserId,
        group: Uuid,
        now: u64,
    ) -> Result<Starting<'_>, StorageError> {
        let mut transaction = self.school.write.begin().await?;
        sqlx::query(
            "INSERT INTO starting (teacher, study_group, at) VALUES ($1, $2, $3) \
             ON CONFLICT (teacher, study_group) DO UPDATE SET at = excluded.at",
        )
        .bind(teacher.to_string())
        .bind(group.to_string())
        .bind(now as i64)
        .execute(&mut *transaction)
        .await?;
        Ok(Starting(transaction))
    }
}

impl Starting<'_> {
    /// There is nothing to start.
    pub async fn release(self) -> Result<(), StorageError> {
        Ok(self.0.rollback().await?)
    }

    /// Starts it.
    pub async fn add(mut self, new: &NewLesson) -> Result<(), StorageError> {
        super::seed::insert_lesson(&mut self.0, new).await?;
        Ok(self.0.commit().await?)
    }
}
