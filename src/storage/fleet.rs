//! All servers and all lessons at a glance, out of what the servers told by their beats.

use sqlx::{Row as _, any::AnyRow};

use super::{StorageError, Store};

/// What one server says of itself, and what is open on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerLoad {
    /// Empty for a server that is alone.
    pub name: String,
    pub version: String,
    /// Takes nobody new.
    pub draining: bool,
    /// Per mille of the connections that it may have.
    pub load: u16,
    /// Milliseconds since its last beat.
    pub age_ms: u64,
    pub lessons: u64,
    /// People whose socket it holds.
    pub people: u64,
}

/// The lessons that are open on any server that lives; one that is open on several counts once.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LessonTotals {
    pub lessons: u64,
    /// Of them, those in which no teacher is.
    pub without_teacher: u64,
    pub students: u64,
}

impl Store {
    /// The servers that have beaten after `since` (milliseconds since the epoch), by name.
    pub async fn server_loads(&self, since: u64, now: u64) -> Result<Vec<ServerLoad>, StorageError> {
        let found = sqlx::query(
            "SELECT n.name, n.version, n.draining, n.load, n.beat, COUNT(r.lesson), COALESCE(CAST(SUM(r.seats) AS BIGINT), 0) \
             FROM node n LEFT JOIN node_room r ON r.incarnation = n.incarnation AND r.phase <> 'ended' \
             WHERE n.beat > $1 GROUP BY n.incarnation, n.name, n.version, n.draining, n.load, n.beat \
             ORDER BY n.name, n.beat DESC",
        )
        .bind(since as i64)
        .fetch_all(&self.school.read)
        .await?;
        found.iter().map(|found| server_load(found, now)).collect()
    }

    /// What goes on, on servers that have beaten after `since`.
    pub async fn lesson_totals(&self, since: u64) -> Result<LessonTotals, StorageError> {
        let found = sqlx::query(
            "SELECT COUNT(*), COALESCE(CAST(SUM(1 - teacher) AS BIGINT), 0), COALESCE(CAST(SUM(students) AS BIGINT), 0) \
             FROM (SELECT MAX(r.teacher_present) AS teacher, MAX(r.students_present) AS students \
             FROM node_room r JOIN node n ON n.incarnation = r.incarnation \
             WHERE n.beat > $1 AND r.phase <> 'ended' GROUP BY r.lesson) AS open_lesson",
        )
        .bind(since as i64)
        .fetch_one(&self.school.read)
        .await?;
        let number = |column| found.try_get::<i64, _>(column).map(|value| value as u64);
        Ok(LessonTotals { lessons: number(0)?, without_teacher: number(1)?, students: number(2)? })
    }
}

fn server_load(found: &AnyRow, now: u64) -> Result<ServerLoad, StorageError> {
    let beat = found.try_get::<i64, _>(4)? as u64;
    Ok(ServerLoad {
        name: found.try_get(0)?,
        version: found.try_get(1)?,
        draining: found.try_get::<i64, _>(2)? != 0,
        load: u16::try_from(found.try_get::<i64, _>(3)?).unwrap_or(u16::MAX),
        age_ms: now.saturating_sub(beat),
        lessons: found.try_get::<i64, _>(5)? as u64,
        people: found.try_get::<i64, _>(6)? as u64,
    })
}
