//! Sign-in attempts that several servers count together. What follows from the counts is `auth`'s.

use std::time::Duration;

use sqlx::Row as _;

use super::{StorageError, Store};

/// Rows that nobody touched for so long say nothing any more.
const KEPT: Duration = Duration::from_secs(15 * 60);

impl Store {
    /// How often, and since or at what time, by the key.
    pub async fn attempts(&self, who: &str) -> Result<Option<(u32, u64)>, StorageError> {
        let found = sqlx::query("SELECT count, latest FROM attempt WHERE who = $1")
            .bind(who.to_owned())
            .fetch_optional(&self.school.read)
            .await?;
        found
            .map(|found| {
                let count = u32::try_from(found.try_get::<i64, _>(0)?).unwrap_or(u32::MAX);
                Ok((count, found.try_get::<i64, _>(1)? as u64))
            })
            .transpose()
    }

    /// One more; `latest` is the time of this one.
    pub async fn count_attempt(&self, who: &str, now: u64) -> Result<(), StorageError> {
        let sql = "INSERT INTO attempt (who, count, latest) VALUES ($1, 1, $2) \
             ON CONFLICT (who) DO UPDATE SET count = attempt.count + 1, latest = excluded.latest";
        sqlx::query(sql).bind(who.to_owned()).bind(now as i64).execute(&self.school.write).await?;
        Ok(())
    }

    /// One more in the span that is counted; `latest` is its start. After `span` another begins.
    pub async fn count_in_span(&self, who: &str, now: u64, span: Duration) -> Result<(), StorageError> {
        let sql = "INSERT INTO attempt (who, count, latest) VALUES ($1, 1, $2) ON CONFLICT (who) DO UPDATE SET \
             count = CASE WHEN attempt.latest <= $3 THEN 1 ELSE attempt.count + 1 END, \
             latest = CASE WHEN attempt.latest <= $3 THEN excluded.latest ELSE attempt.latest END";
        let over = now.saturating_sub(span.as_millis() as u64);
        sqlx::query(sql)
            .bind(who.to_owned())
            .bind(now as i64)
            .bind(over as i64)
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    pub async fn forget_attempts(&self, who: &str) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM attempt WHERE who = $1")
            .bind(who.to_owned())
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    /// Clears away what is too old to matter.
    pub async fn forget_old_attempts(&self, now: u64) -> Result<(), StorageError> {
        let before = now.saturating_sub(KEPT.as_millis() as u64);
        sqlx::query("DELETE FROM attempt WHERE latest < $1")
            .bind(before as i64)
            .execute(&self.school.write)
            .await?;
        Ok(())
    }
}
