//! Which database keeps the lessons of which schools: what the school's part knows of the log's. Nothing else of the one is
//! asked by the other, and no statement names both.

use std::collections::BTreeMap;

use qism_signaling::protocol::LessonId;
use sqlx::{AssertSqlSafe, Row as _};

use super::{
    StorageError,
    nodes::stale_ms,
    open::{Pools, Use},
    row,
};

/// Marks of databases by the beginning of schools' codes.
pub type Shares = BTreeMap<String, String>;

/// Stands at this beginning, which fits no school, while lessons are being moved; and before the mark of each database that takes part.
const MOVING: &str = "*";
/// Parameters of one statement; both engines allow more.
const AT_ONCE: usize = 512;

/// What the school's part is asked for the log's sake.
#[derive(Clone)]
pub struct LessonSchools(Pools);

impl LessonSchools {
    pub fn new(school: Pools) -> Self {
        Self(school)
    }

    /// The codes of these lessons' schools; lessons that are in no timetable are absent.
    pub async fn codes(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, String)>, StorageError> {
        let mut codes = Vec::with_capacity(lessons.len());
        for some in lessons.chunks(AT_ONCE) {
            // Few sizes, so that each is prepared once.
            let size = some.len().next_power_of_two();
            let list: Vec<String> = (1..=size).map(|n| format!("${n}")).collect();
            let sql = format!(
                "SELECT l.id, s.code FROM lesson l JOIN school s ON s.id = l.school WHERE l.id IN ({})",
                list.join(", ")
            );
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for lesson in some.iter().cycle().take(size) {
                query = query.bind(lesson.to_string());
            }
            for found in query.fetch_all(&self.0.read).await? {
                codes.push((LessonId(row::id(&found.try_get::<String, _>(0)?)?), found.try_get(1)?));
            }
        }
        Ok(codes)
    }

    /// Of every lesson that anybody planned, with its school's code.
    pub async fn all(&self) -> Result<Vec<(String, String)>, StorageError> {
        let sql = "SELECT l.id, s.code FROM lesson l JOIN school s ON s.id = l.school";
        let found = sqlx::query(sql).fetch_all(&self.0.read).await?;
        found.iter().map(|found| Ok((found.try_get(0)?, found.try_get(1)?))).collect()
    }

    /// What schools there are.
    pub async fn school_codes(&self) -> Result<Vec<(String, String)>, StorageError> {
        let found = sqlx::query("SELECT id, code FROM school").fetch_all(&self.0.read).await?;
        found.iter().map(|found| Ok((found.try_get(0)?, found.try_get(1)?))).collect()
    }

    /// Has the erasures in these schools carried out once more: their log may have gone back to before them.
    pub async fn erase_again(&self, schools: &[String]) -> Result<(), StorageError> {
        for school in schools {
            let sql = "UPDATE erasure SET done_at = 0, claimed_until = 0 WHERE school = $1";
            sqlx::query(sql).bind(school.clone()).execute(&self.0.write).await?;
        }
        Ok(())
    }

    /// Milliseconds since the Unix epoch.
    pub async fn now(&self) -> Result<u64, StorageError> {
        Ok(self.0.now().await?)
    }

    /// When words of an erased person were last taken out of lessons; `i64::MAX` while they are. -1: never.
    pub async fn last_erasure(&self) -> Result<i64, StorageError> {
        let sql = format!(
            "SELECT CAST(COALESCE(MAX(CASE WHEN done_at = 0 THEN {} ELSE done_at END), -1) AS BIGINT) FROM erasure",
            i64::MAX
        );
        let found = sqlx::query(AssertSqlSafe(sql)).fetch_one(&self.0.read).await?;
        Ok(found.try_get(0)?)
    }

    /// As they were when lessons were last moved.
    pub async fn shares(&self) -> Result<Shares, StorageError> {
        let found = sqlx::query("SELECT beginning, mark FROM log_share").fetch_all(&self.0.read).await?;
        let share = |found: &sqlx::any::AnyRow| Ok((found.try_get(0)?, found.try_get(1)?));
        found.iter().map(share).collect()
    }

    /// Makes sure that lessons are where they are looked for: shared out as told here. A store without lessons may be told anew.
    pub async fn expect(&self, told: &Shares, purpose: Use) -> Result<(), StorageError> {
        let known = self.shares().await?;
        if known == *told {
            return Ok(());
        }
        if self.is_used().await? {
            // Perhaps by one that has just told the same.
            let known = self.shares().await?;
            let differ = || StorageError::SharedOutOtherwise { known: named(&known), told: named(told) };
            return if known == *told { Ok(()) } else { Err(differ()) };
        }
        match purpose {
            Use::Server | Use::Alone => self.set(told).await,
            Use::Command => Ok(()),
        }
    }

    /// Whether there may be lessons, or somebody who makes some.
    async fn is_used(&self) -> Result<bool, StorageError> {
        let a_lesson = sqlx::query("SELECT 1 FROM lesson LIMIT 1").fetch_optional(&self.0.read).await?;
        Ok(a_lesson.is_some() || self.is_served().await?)
    }

    /// Whether a server beats.
    pub async fn is_served(&self) -> Result<bool, StorageError> {
        let since = self.0.now().await?.saturating_sub(stale_ms()) as i64;
        let a_node = sqlx::query("SELECT 1 FROM node WHERE beat > $1 LIMIT 1").bind(since);
        Ok(a_node.fetch_optional(&self.0.read).await?.is_some())
    }

    /// No server starts until [`set`](Self::set), which needs all databases that may have got lessons meanwhile.
    pub async fn begin_moving(&self, marks: impl Iterator<Item = &str>) -> Result<(), StorageError> {
        let mut transaction = self.0.write.begin().await?;
        for mark in std::iter::once("").chain(marks) {
            let sql = "INSERT INTO log_share (beginning, mark) VALUES ($1, $2) ON CONFLICT DO NOTHING";
            let query = sqlx::query(sql).bind(format!("{MOVING}{mark}")).bind(mark.to_owned());
            query.execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    pub async fn set(&self, told: &Shares) -> Result<(), StorageError> {
        let mut transaction = self.0.write.begin().await?;
        sqlx::query("DELETE FROM log_share").execute(&mut *transaction).await?;
        for (beginning, mark) in told {
            // Of servers that start together one is first.
            sqlx::query("INSERT INTO log_share (beginning, mark) VALUES ($1, $2) ON CONFLICT DO NOTHING")
                .bind(beginning.clone())
                .bind(mark.clone())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }
}

/// For the operator.
fn named(shares: &Shares) -> String {
    let names: Vec<&str> =
        shares.keys().map(String::as_str).filter(|name| !name.starts_with(MOVING)).collect();
    match (shares.contains_key(MOVING), names.is_empty()) {
        (true, _) => "being moved".into(),
        (false, true) => "all in one database".into(),
        (false, false) => format!("{} apart", names.join(", ")),
    }
}
