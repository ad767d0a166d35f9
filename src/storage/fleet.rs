//! All servers and all lessons at a glance, out of what the servers told by their beats.

use std::collections::HashMap;

use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    Condition, Load, StorageError, Store,
    condition::condition,
    names::SESSION,
    nodes::{REMEMBERED, load, stale_ms},
};

/// What one server says of itself, and what is open on it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerNow {
    /// Empty for a server that is alone.
    pub name: String,
    pub version: String,
    /// Takes nobody new.
    pub draining: bool,
    pub load: Load,
    /// Milliseconds since its last beat.
    pub age_ms: u64,
    /// Its database session stands: its process may live.
    pub has_session: bool,
    pub lessons: u64,
    /// People whose socket it holds.
    pub people: u64,
    pub condition: Condition,
    pub placed: PlacedHere,
}

/// What was placed on a server, and who is there all the same.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PlacedHere {
    /// Lessons that are not over.
    pub lessons: u64,
    /// Of them, those that it is not at home for.
    pub away: u64,
    /// People whose socket it holds while their lesson was placed on another server.
    pub strays: u64,
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
    /// The servers that live, and those that fell silent in the last hour and whose name nobody bears since; by name.
    pub async fn servers_now(&self, now: u64) -> Result<Vec<ServerNow>, StorageError> {
        let session = match self.school.sqlite {
            true => "FALSE".to_owned(),
            false => format!("n.session IN (SELECT {SESSION} FROM pg_stat_activity)"),
        };
        let sql = format!(
            "SELECT n.name, n.version, n.draining, n.beat, n.load, n.capacity, n.people, n.promised, n.busy, \
             CASE WHEN {session} THEN 1 ELSE 0 END, c.told, COALESCE(r.lessons, 0), COALESCE(r.seats, 0) \
             FROM node n LEFT JOIN node_condition c ON c.incarnation = n.incarnation \
             LEFT JOIN (SELECT incarnation, COUNT(*) AS lessons, CAST(SUM(seats) AS BIGINT) AS seats \
             FROM node_room WHERE phase <> 'ended' GROUP BY incarnation) AS r ON r.incarnation = n.incarnation \
             WHERE n.beat > $1 ORDER BY n.name, n.beat DESC"
        );
        let since = now.saturating_sub(REMEMBERED.as_millis() as u64);
        let query = sqlx::query(AssertSqlSafe(sql)).bind(since as i64);
        let found = query.fetch_all(&self.school.read).await?;
        let mut servers =
            found.iter().map(|found| server(found, now)).collect::<Result<Vec<_>, StorageError>>()?;
        // The newest of each name is first.
        servers.dedup_by(|later, first| later.name == first.name && later.age_ms >= stale_ms());
        let placed = self.placed_by_name(now).await?;
        for server in &mut servers {
            server.placed = placed.get(&server.name).copied().unwrap_or_default();
        }
        Ok(servers)
    }

    async fn placed_by_name(&self, now: u64) -> Result<HashMap<String, PlacedHere>, StorageError> {
        let placed = "SELECT node, COUNT(*), CAST(SUM(away) AS BIGINT) FROM lesson_place WHERE ends_at > $1 GROUP BY node";
        let strays = "SELECT n.name, CAST(SUM(r.seats) AS BIGINT) FROM node_room r JOIN node n ON n.incarnation = r.incarnation \
             JOIN lesson_place p ON p.lesson = r.lesson WHERE n.beat > $1 AND r.phase <> 'ended' AND p.node <> n.name GROUP BY n.name";
        let mut by_name: HashMap<String, PlacedHere> = HashMap::new();
        for found in sqlx::query(placed).bind(now as i64).fetch_all(&self.school.read).await? {
            let here = by_name.entry(found.try_get(0)?).or_default();
            (here.lessons, here.away) = (count(&found, 1)?, count(&found, 2)?);
        }
        let alive = now.saturating_sub(stale_ms()) as i64;
        for found in sqlx::query(strays).bind(alive).fetch_all(&self.school.read).await? {
            by_name.entry(found.try_get(0)?).or_default().strays = count(&found, 1)?;
        }
        Ok(by_name)
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
        Ok(LessonTotals {
            lessons: count(&found, 0)?,
            without_teacher: count(&found, 1)?,
            students: count(&found, 2)?,
        })
    }
}

fn count(found: &AnyRow, column: usize) -> Result<u64, StorageError> {
    Ok(found.try_get::<i64, _>(column)? as u64)
}

fn server(found: &AnyRow, now: u64) -> Result<ServerNow, StorageError> {
    Ok(ServerNow {
        name: found.try_get(0)?,
        version: found.try_get(1)?,
        draining: count(found, 2)? != 0,
        age_ms: now.saturating_sub(count(found, 3)?),
        load: load(found, 4)?,
        has_session: count(found, 9)? != 0,
        condition: condition(found, 10)?,
        lessons: count(found, 11)?,
        people: count(found, 12)?,
        placed: PlacedHere::default(),
    })
}
