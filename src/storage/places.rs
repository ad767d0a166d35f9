//! On which server each lesson's people are to meet, and what servers there are to choose from.

use std::time::Duration;

use qism_signaling::protocol::{IncarnationId, LessonId};
use sqlx::{
    Any, AssertSqlSafe, Row as _,
    any::{AnyArguments, AnyRow},
    query::Query,
};

use super::{
    Load, StorageError, Store,
    names::{SESSION, SESSION_SINCE},
    nodes::{load, stale_ms},
    row,
};

/// A server that beat of late, as a place for one lesson.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    pub incarnation: IncarnationId,
    pub name: String,
    pub draining: bool,
    pub load: Load,
    /// Connections of the lesson that it holds; `None`: the lesson is not open there.
    pub seats: Option<u32>,
    /// Milliseconds since its last beat.
    pub age_ms: u64,
    pub session: SessionNow,
}

/// What has become of the database session that a server's row tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SessionNow {
    /// It tells of none.
    Untold,
    /// Open for so many milliseconds.
    Open(u64),
    /// Its process has ended, or lost the connection a moment ago.
    Ended,
}

/// What must be known of a lesson to find a server for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlannedLesson {
    pub lesson: LessonId,
    /// Of its school.
    pub code: String,
    /// People on its list, the teacher among them.
    pub expected: u32,
    pub starts_at: u64,
    pub ends_at: u64,
}

/// What a beat begins with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hour {
    /// Milliseconds since the Unix epoch, by the database's clock.
    pub now: u64,
    /// Lessons placed on a server, and how many people each expects.
    pub expected: Vec<(LessonId, u32)>,
}

/// Where a lesson is placed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placing<'a> {
    pub node: &'a str,
    /// That is not a server of its school.
    pub is_away: bool,
}

const PLANNED: &str = "SELECT l.id, s.code, \
     (SELECT COUNT(*) FROM enrollment e WHERE e.study_group = l.study_group), l.starts_at, l.ends_at \
     FROM lesson l JOIN school s ON s.id = l.school ";

impl Store {
    /// The servers that beat of late, as they say at this moment: one that goes takes nobody from its very word on. And the name of
    /// the one that the lesson was placed on.
    pub async fn places(
        &self,
        lesson: LessonId,
        now: u64,
    ) -> Result<(Vec<Place>, Option<String>), StorageError> {
        let sessions = match self.school.sqlite {
            true => "(SELECT '' AS name, 0 AS since) AS s".to_owned(),
            // Of these processes alone: the view of all sessions would cost more than the rest.
            false => format!(
                "LATERAL (SELECT {SESSION} AS name, {SESSION_SINCE} AS since \
                 FROM pg_stat_get_activity(CAST(NULLIF(SPLIT_PART(n.session, '/', 1), '') AS INTEGER))) AS s"
            ),
        };
        let sql = format!(
            "SELECT n.name, n.draining, n.load, n.capacity, n.people, n.promised, n.busy, COALESCE(r.seats, -1), \
             (SELECT p.node FROM lesson_place p WHERE p.lesson = $1), n.incarnation, n.beat, n.session, s.since FROM node n \
             LEFT JOIN node_room r ON r.incarnation = n.incarnation AND r.lesson = $1 \
             LEFT JOIN {sessions} ON s.name = n.session WHERE n.beat > $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string());
        let found = query.bind(now.saturating_sub(stale_ms()) as i64).fetch_all(&self.school.read).await?;
        let placed = found.first().map(|found| found.try_get(8)).transpose()?.flatten();
        Ok((found.iter().map(|found| place(found, now)).collect::<Result<_, _>>()?, placed))
    }

    /// A lesson that is to be placed.
    pub async fn planned_lesson(&self, lesson: LessonId) -> Result<Option<PlannedLesson>, StorageError> {
        let sql = format!("{PLANNED} WHERE l.id = $1");
        let query = sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string());
        Ok(self.planned(query).await?.pop())
    }

    /// The first lessons that begin in a span of time and were not placed yet, of all schools.
    pub async fn unplaced_lessons(
        &self,
        span: super::Span,
        count: u32,
    ) -> Result<Vec<PlannedLesson>, StorageError> {
        let sql = format!(
            "{PLANNED} LEFT JOIN lesson_place p ON p.lesson = l.id \
             WHERE l.starts_at >= $1 AND l.starts_at < $2 AND p.lesson IS NULL ORDER BY l.starts_at, l.id LIMIT $3"
        );
        let query = sqlx::query(AssertSqlSafe(sql));
        let query = query.bind(span.from as i64).bind(span.to as i64).bind(i64::from(count));
        self.planned(query).await
    }

    async fn planned(&self, query: Query<'_, Any, AnyArguments>) -> Result<Vec<PlannedLesson>, StorageError> {
        query.fetch_all(&self.school.read).await?.iter().map(planned).collect()
    }

    /// Places lessons on servers of these names, unless somebody else did meanwhile.
    pub async fn place_lessons(&self, placed: &[(&PlannedLesson, Placing<'_>)]) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        for (planned, Placing { node, is_away }) in placed {
            sqlx::query(
                "INSERT INTO lesson_place (lesson, node, expected, starts_at, ends_at, away) VALUES ($1, $2, $3, $4, $5, $6) \
                 ON CONFLICT (lesson) DO NOTHING",
            )
            .bind(planned.lesson.to_string())
            .bind(*node)
            .bind(i64::from(planned.expected))
            .bind(planned.starts_at as i64)
            .bind(planned.ends_at as i64)
            .bind(i64::from(*is_away))
            .execute(&mut *transaction)
            .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Moves a lesson from a server that is gone. False: somebody else did meanwhile.
    pub async fn move_lesson(
        &self,
        lesson: LessonId,
        from: &str,
        to: Placing<'_>,
    ) -> Result<bool, StorageError> {
        let moved =
            sqlx::query("UPDATE lesson_place SET node = $1, away = $4 WHERE lesson = $2 AND node = $3")
                .bind(to.node)
                .bind(lesson.to_string())
                .bind(from)
                .bind(i64::from(to.is_away))
                .execute(&self.school.write)
                .await?;
        Ok(moved.rows_affected() > 0)
    }

    /// Where a lesson was placed.
    pub async fn placed_on(&self, lesson: LessonId) -> Result<Option<String>, StorageError> {
        let found = sqlx::query("SELECT node FROM lesson_place WHERE lesson = $1")
            .bind(lesson.to_string())
            .fetch_optional(&self.school.read)
            .await?;
        Ok(found.map(|found| found.try_get(0)).transpose()?)
    }

    /// The database's time, and what was placed on a server and may still come: the lessons that began less than `late` ago, or
    /// will begin. One question, since each beat asks it.
    pub async fn hour(&self, node: &str, late: Duration) -> Result<Hour, StorageError> {
        let sql = format!(
            "WITH clock AS MATERIALIZED (SELECT {} AS now) SELECT clock.now, p.lesson, p.expected FROM clock \
             LEFT JOIN lesson_place p ON p.node = $1 AND p.starts_at > clock.now - $2",
            self.school.clock()
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(node).bind(late.as_millis() as i64);
        let found = query.fetch_all(&self.school.read).await?;
        let now = found.first().ok_or(sqlx::Error::RowNotFound)?.try_get::<i64, _>(0)? as u64;
        let expected = found.iter().filter_map(|row| expected(row).transpose());
        Ok(Hour { now, expected: expected.collect::<Result<_, _>>()? })
    }

    /// Clears away the places of lessons that ended before.
    pub async fn forget_places(&self, before: u64) -> Result<(), StorageError> {
        sqlx::query("DELETE FROM lesson_place WHERE ends_at < $1")
            .bind(before as i64)
            .execute(&self.school.write)
            .await?;
        Ok(())
    }
}

/// `None`: nothing was placed.
fn expected(found: &AnyRow) -> Result<Option<(LessonId, u32)>, StorageError> {
    let Some(lesson) = found.try_get::<Option<String>, _>(1)? else { return Ok(None) };
    Ok(Some((LessonId(row::id(&lesson)?), found.try_get::<i64, _>(2)? as u32)))
}

fn place(found: &AnyRow, now: u64) -> Result<Place, StorageError> {
    let session = match found.try_get::<Option<i64>, _>(12)? {
        _ if found.try_get::<String, _>(11)?.is_empty() => SessionNow::Untold,
        Some(since) => SessionNow::Open(now.saturating_sub(since as u64)),
        None => SessionNow::Ended,
    };
    Ok(Place {
        incarnation: IncarnationId(row::id(&found.try_get::<String, _>(9)?)?),
        name: found.try_get(0)?,
        draining: found.try_get::<i64, _>(1)? != 0,
        load: load(found, 2)?,
        seats: u32::try_from(found.try_get::<i64, _>(7)?).ok(),
        age_ms: now.saturating_sub(found.try_get::<i64, _>(10)? as u64),
        session,
    })
}

fn planned(found: &AnyRow) -> Result<PlannedLesson, StorageError> {
    Ok(PlannedLesson {
        lesson: LessonId(row::id(&found.try_get::<String, _>(0)?)?),
        code: found.try_get(1)?,
        expected: found.try_get::<i64, _>(2)? as u32 + 1,
        starts_at: found.try_get::<i64, _>(3)? as u64,
        ends_at: found.try_get::<i64, _>(4)? as u64,
    })
}
