//! The servers that use this store, as each of them tells by its beat, and the lessons that are open on them.

use std::{net::SocketAddr, time::Duration};

use qism_signaling::{
    hub::{LessonNow, fleet},
    protocol::{IncarnationId, LessonId, Phase},
};
use sqlx::{Any, AssertSqlSafe, Row as _, Transaction, any::AnyRow};

use super::{StorageError, Store, names, row};

/// The lessons of the dead are kept this long: survivors have written off their people long before.
const KEPT: Duration = Duration::from_secs(60);
/// … and that there was such a server, for whoever looks what happened.
pub(super) const REMEMBERED: Duration = Duration::from_secs(3_600);

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeRow {
    pub incarnation: IncarnationId,
    pub name: String,
    pub version: String,
    /// Takes nobody new.
    pub draining: bool,
    pub load: Load,
    pub media: MediaDoors,
    /// What [`Store::open_session`] gave it; empty: it holds none.
    pub session: String,
    /// The newest format of events that it reads (`protocol::EVENT_FORMAT` of its version).
    pub event_format: u32,
}

/// What a server has to do, and what it can take.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Load {
    /// Connections that it may have.
    pub capacity: u32,
    /// Connections that it has.
    pub people: u32,
    /// Connections that it keeps free for lessons placed on it whose people are not there yet.
    pub promised: u32,
    /// Per mille of its processors' time that it has used of late.
    pub busy: u16,
}

/// What is assumed of a server of an older version, which tells only what share of its connections is open.
const ASSUMED_CAPACITY: u32 = 20_000;

impl Load {
    /// Per mille of the connections that it may have.
    pub fn per_mille(&self) -> u16 {
        let share = u64::from(self.people) * 1_000 / u64::from(self.capacity.max(1));
        u16::try_from(share).unwrap_or(u16::MAX)
    }
}

/// How the media of other servers gets in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct MediaDoors {
    /// Of each media thread, in their order; none where the server takes none.
    pub addresses: Vec<SocketAddr>,
    /// SHA-256 of the server's DTLS certificate, `AA:BB:…`.
    pub fingerprint: String,
}

/// A server's row, and how old its beat is by the database's clock.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NodeNow {
    pub node: NodeRow,
    pub age_ms: u64,
}

impl NodeNow {
    pub fn is_alive(&self) -> bool {
        self.age_ms < stale_ms()
    }
}

/// A lesson that is open on a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenRoom {
    pub incarnation: IncarnationId,
    pub name: String,
    pub now: LessonNow,
}

pub(super) fn stale_ms() -> u64 {
    fleet::STALE.as_millis() as u64
}

impl Store {
    /// True when other servers may use this store too: then its clock is the one that counts.
    pub fn is_shared(&self) -> bool {
        !self.school.sqlite
    }

    /// Milliseconds since the Unix epoch, by the database's clock.
    pub async fn database_now(&self) -> Result<u64, StorageError> {
        Ok(self.school.now().await?)
    }

    /// Tells that a server lives, and which of its rooms are other than at its last beat. Refused once its name is another's.
    pub async fn beat(
        &self,
        own: &NodeRow,
        now: u64,
        changed: &[LessonNow],
        closed: &[LessonId],
    ) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        names::expect_own(&mut transaction, &own.name, own.incarnation).await?;
        sqlx::query(
            "INSERT INTO node (incarnation, name, version, beat, draining, load, media_doors, dtls_fingerprint, \
             capacity, people, promised, busy, session, event_format) \
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14) \
             ON CONFLICT (incarnation) DO UPDATE SET beat = excluded.beat, draining = excluded.draining, load = excluded.load, \
             media_doors = excluded.media_doors, dtls_fingerprint = excluded.dtls_fingerprint, capacity = excluded.capacity, \
             people = excluded.people, promised = excluded.promised, busy = excluded.busy, session = excluded.session",
        )
        .bind(own.incarnation.to_string())
        .bind(own.name.clone())
        .bind(own.version.clone())
        .bind(now as i64)
        .bind(i64::from(own.draining))
        .bind(i64::from(own.load.per_mille()))
        .bind(own.media.addresses.iter().map(SocketAddr::to_string).collect::<Vec<_>>().join(" "))
        .bind(own.media.fingerprint.clone())
        .bind(i64::from(own.load.capacity))
        .bind(i64::from(own.load.people))
        .bind(i64::from(own.load.promised))
        .bind(i64::from(own.load.busy))
        .bind(own.session.clone())
        .bind(i64::from(own.event_format))
        .execute(&mut *transaction)
        .await?;
        for room in changed {
            tell_room(&mut transaction, own.incarnation, room).await?;
        }
        for lesson in closed {
            sqlx::query("DELETE FROM node_room WHERE lesson = $1 AND incarnation = $2")
                .bind(lesson.to_string())
                .bind(own.incarnation.to_string())
                .execute(&mut *transaction)
                .await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Whoever beat in a store that is this server's alone now is dead, however late that was.
    pub async fn silence_others(&self, own: IncarnationId, now: u64) -> Result<(), StorageError> {
        let silent = now.saturating_sub(stale_ms()) as i64;
        sqlx::query("UPDATE node SET beat = $1 WHERE incarnation <> $2 AND beat > $1")
            .bind(silent)
            .bind(own.to_string())
            .execute(&self.school.write)
            .await?;
        Ok(())
    }

    /// All servers that have beaten in the last minute.
    pub async fn nodes(&self, now: u64) -> Result<Vec<NodeNow>, StorageError> {
        let sql = "SELECT incarnation, name, version, draining, beat, media_doors, dtls_fingerprint, \
             load, capacity, people, promised, busy, session, event_format FROM node WHERE beat > $1";
        let since = now.saturating_sub(KEPT.as_millis() as u64) as i64;
        let found = sqlx::query(sql).bind(since).fetch_all(&self.school.read).await?;
        found.iter().map(|found| node(found, now)).collect()
    }

    /// The lessons that were open on a server.
    pub async fn rooms_of(&self, incarnation: IncarnationId) -> Result<Vec<LessonId>, StorageError> {
        let found = sqlx::query("SELECT lesson FROM node_room WHERE incarnation = $1 AND phase <> 'ended'")
            .bind(incarnation.to_string())
            .fetch_all(&self.school.read)
            .await?;
        found.iter().map(|found| Ok(LessonId(row::id(&found.try_get::<String, _>(0)?)?))).collect()
    }

    /// Where these lessons are open on servers that live.
    pub async fn open_rooms(&self, lessons: &[LessonId], now: u64) -> Result<Vec<OpenRoom>, StorageError> {
        if lessons.is_empty() {
            return Ok(Vec::new());
        }
        let list: Vec<String> = (2..=lessons.len() + 1).map(|n| format!("${n}")).collect();
        let sql = format!(
            "SELECT n.incarnation, n.name, r.lesson, r.phase, r.students_present, r.teacher_present, r.seats FROM node_room r \
             JOIN node n ON n.incarnation = r.incarnation WHERE n.beat > $1 AND r.lesson IN ({})",
            list.join(", ")
        );
        let mut query =
            sqlx::query(AssertSqlSafe(sql)).persistent(false).bind(now.saturating_sub(stale_ms()) as i64);
        for lesson in lessons {
            query = query.bind(lesson.to_string());
        }
        query.fetch_all(&self.school.read).await?.iter().map(open_room).collect()
    }

    /// A server that has ended in order is gone at once: nobody looks for its people.
    pub async fn forget_node(&self, incarnation: IncarnationId) -> Result<(), StorageError> {
        let mut transaction = self.school.write.begin().await?;
        for sql in ["DELETE FROM node_room WHERE incarnation = $1", "DELETE FROM node WHERE incarnation = $1"]
        {
            sqlx::query(sql).bind(incarnation.to_string()).execute(&mut *transaction).await?;
        }
        Ok(transaction.commit().await?)
    }

    /// Clears away what the dead left.
    pub async fn forget_dead_nodes(&self, now: u64) -> Result<(), StorageError> {
        let before = |span: Duration| now.saturating_sub(span.as_millis() as u64) as i64;
        let mut transaction = self.school.write.begin().await?;
        for (sql, before) in [
            (
                "DELETE FROM node_room WHERE incarnation IN (SELECT incarnation FROM node WHERE beat < $1)",
                before(KEPT),
            ),
            ("DELETE FROM node WHERE beat < $1", before(REMEMBERED)),
        ] {
            sqlx::query(sql).bind(before).execute(&mut *transaction).await?;
        }
        transaction.commit().await?;
        self.forget_conditions().await
    }
}

async fn tell_room(
    transaction: &mut Transaction<'_, Any>,
    own: IncarnationId,
    room: &LessonNow,
) -> Result<(), StorageError> {
    sqlx::query(
        "INSERT INTO node_room (incarnation, lesson, phase, students_present, teacher_present, seats) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (lesson, incarnation) DO UPDATE SET phase = excluded.phase, \
         students_present = excluded.students_present, teacher_present = excluded.teacher_present, seats = excluded.seats",
    )
    .bind(own.to_string())
    .bind(room.lesson.to_string())
    .bind(phase_text(room.phase))
    .bind(i64::from(room.students_present))
    .bind(i64::from(room.teacher_present))
    .bind(i64::from(room.seats))
    .execute(&mut **transaction)
    .await?;
    Ok(())
}

fn node(found: &AnyRow, now: u64) -> Result<NodeNow, StorageError> {
    let node = NodeRow {
        incarnation: IncarnationId(row::id(&found.try_get::<String, _>(0)?)?),
        name: found.try_get(1)?,
        version: found.try_get(2)?,
        draining: found.try_get::<i64, _>(3)? != 0,
        load: load(found, 7)?,
        media: MediaDoors {
            addresses: addresses(&found.try_get::<String, _>(5)?)?,
            fingerprint: found.try_get(6)?,
        },
        session: found.try_get(12)?,
        event_format: u32::try_from(found.try_get::<i64, _>(13)?).unwrap_or(u32::MAX),
    };
    let beat = found.try_get::<i64, _>(4)? as u64;
    Ok(NodeNow { node, age_ms: now.saturating_sub(beat) })
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, StorageError> {
    let address = |one: &str| {
        one.parse().map_err(|_| StorageError::Corrupt { what: "media address", value: one.to_owned() })
    };
    text.split_whitespace().map(address).collect()
}

/// Five columns from `at` on: share of the connections, capacity, people, promised, busy.
pub(super) fn load(found: &AnyRow, at: usize) -> Result<Load, StorageError> {
    let number = |column: usize| found.try_get::<i64, _>(at + column);
    let count = |column| Ok::<_, sqlx::Error>(u32::try_from(number(column)?).unwrap_or(u32::MAX));
    if number(1)? == 0 {
        let people = u64::try_from(number(0)?).unwrap_or(0) * u64::from(ASSUMED_CAPACITY) / 1_000;
        let people = u32::try_from(people).unwrap_or(u32::MAX);
        return Ok(Load { capacity: ASSUMED_CAPACITY, people, ..Load::default() });
    }
    let busy = u16::try_from(number(4)?).unwrap_or(u16::MAX);
    Ok(Load { capacity: count(1)?, people: count(2)?, promised: count(3)?, busy })
}

fn open_room(found: &AnyRow) -> Result<OpenRoom, StorageError> {
    let now = LessonNow {
        lesson: LessonId(row::id(&found.try_get::<String, _>(2)?)?),
        phase: phase(&found.try_get::<String, _>(3)?)?,
        students_present: found.try_get::<i64, _>(4)? as u32,
        teacher_present: found.try_get::<i64, _>(5)? != 0,
        seats: found.try_get::<i64, _>(6)? as u32,
    };
    let incarnation = IncarnationId(row::id(&found.try_get::<String, _>(0)?)?);
    Ok(OpenRoom { incarnation, name: found.try_get(1)?, now })
}

const PHASES: [(Phase, &str); 4] =
    [(Phase::Waiting, "waiting"), (Phase::Open, "open"), (Phase::Paused, "paused"), (Phase::Ended, "ended")];

fn phase_text(phase: Phase) -> &'static str {
    PHASES.iter().find(|(known, _)| *known == phase).map_or("waiting", |(_, text)| text)
}

fn phase(text: &str) -> Result<Phase, StorageError> {
    let found = PHASES.iter().find(|(_, known)| *known == text).map(|(phase, _)| *phase);
    found.ok_or_else(|| StorageError::Corrupt { what: "phase", value: text.to_owned() })
}
