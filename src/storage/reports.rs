//! Removals and reports, kept for the director.

use qism_signaling::protocol::{LessonId, Logged};
use sqlx::Row as _;
use uuid::Uuid;

use super::{Report, StorageError, Store, row};

/// The newest reports; older ones need a search that does not exist yet.
const NEWEST: i64 = 200;

impl Store {
    /// Kept once per event, however often it is told.
    pub async fn add_report(
        &self,
        lesson: LessonId,
        cause: &Logged,
        recent: &[Logged],
    ) -> Result<(), StorageError> {
        sqlx::query(
            "INSERT INTO report (lesson, number, at, cause, recent) VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING",
        )
        .bind(lesson.to_string())
        .bind(cause.number as i64)
        .bind(cause.at as i64)
        .bind(json(cause))
        .bind(json(&recent))
        .execute(&self.school.write)
        .await?;
        Ok(())
    }

    /// Newest first.
    pub async fn reports(&self, school: Uuid) -> Result<Vec<Report>, StorageError> {
        let found = sqlx::query(
            "SELECT r.lesson, r.cause, r.recent FROM report r JOIN lesson l ON l.id = r.lesson \
             WHERE l.school = $1 ORDER BY r.at DESC LIMIT $2",
        )
        .bind(school.to_string())
        .bind(NEWEST)
        .fetch_all(&self.school.read)
        .await?;
        let mut reports = Vec::with_capacity(found.len());
        for found in &found {
            let lesson = LessonId(row::id(&found.try_get::<String, _>(0)?)?);
            let Some(lesson) = self.lesson(lesson).await? else { continue };
            let cause = parsed(found.try_get(1)?)?;
            reports.push(Report { lesson, cause, recent: parsed(found.try_get(2)?)? });
        }
        Ok(reports)
    }
}

pub(super) fn json(value: &impl serde::Serialize) -> String {
    // Invariant: events are plain data with string keys.
    serde_json::to_string(value).expect("events are JSON")
}

pub(super) fn parsed<T: serde::de::DeserializeOwned>(text: String) -> Result<T, StorageError> {
    serde_json::from_str(&text)
        .map_err(|error| StorageError::Corrupt { what: "report", value: error.to_string() })
}
