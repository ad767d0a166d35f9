//! Lessons move into the databases where they are looked for, after the configuration shared them out anew. No server runs meanwhile.
//!
//! Two databases have no transaction in common: a lesson is first written into the one, then taken out of the other. Whatever ends this in
//! between, the next time goes on: a lesson that is in both, and the same, is taken out of the one that it is not to be in.

use std::collections::BTreeMap;

use qism_signaling::protocol::LessonId;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{
    Logs, days,
    log::Log,
    packed,
    row::{self, Stored},
};
use crate::storage::{
    StorageError,
    open::{Part, Pools, Use},
    row::id,
    schema,
    transfer::{Table, copy, tables},
};

/// Lessons looked at, and moved, at once.
const AT_ONCE: i64 = 100;

/// Everything of one lesson.
#[derive(PartialEq, Eq)]
struct Whole {
    chain: i64,
    rows: Vec<Stored>,
    packed: Option<String>,
}

impl Logs {
    /// Moves what is not in its place out of these databases, and out of others, which are left empty. Tells how many lessons were moved.
    pub async fn put_in_place(&self, others: &[String]) -> Result<u64, StorageError> {
        for log in &self.all {
            log.open_one()?;
        }
        let mut sources = self.all.clone();
        for url in others {
            let other = Log::open(url.clone(), Vec::new(), Use::Alone, self.meter.clone()).await?;
            other.prepare().await?;
            if sources.iter().all(|known| known.mark() != other.mark()) {
                sources.push(other);
            }
        }
        self.expect_all_of_before(&sources).await?;
        let shares = self.shares()?;
        self.schools.begin_moving().await?;
        let tables = described().await?;
        let mut moved = 0;
        for (at, source) in sources.iter().enumerate() {
            moved += self.empty_out(at, source, &tables).await?;
        }
        self.schools.set(&shares).await?;
        Ok(moved)
    }

    /// What was shared out before must be at hand.
    async fn expect_all_of_before(&self, sources: &[std::sync::Arc<Log>]) -> Result<(), StorageError> {
        for (beginning, mark) in self.schools.shares().await? {
            if !mark.is_empty() && sources.iter().all(|source| source.mark() != Some(&mark)) {
                return Err(StorageError::LeftBehind { name: beginning });
            }
        }
        Ok(())
    }

    async fn empty_out(&self, at: usize, source: &Log, tables: &[Table]) -> Result<u64, StorageError> {
        let (mut moved, mut last) = (0, String::new());
        loop {
            let sql = "SELECT lesson, day FROM origin WHERE lesson > $1 ORDER BY lesson LIMIT $2";
            let found = sqlx::query(sql).bind(last).bind(AT_ONCE).fetch_all(&source.pools.read).await?;
            let Some(end) = found.last() else { return Ok(moved) };
            last = end.try_get(0)?;
            let mut days = BTreeMap::new();
            for found in &found {
                days.insert(LessonId(id(&found.try_get::<String, _>(0)?)?), found.try_get::<i64, _>(1)?);
            }
            let lessons: Vec<LessonId> = days.keys().copied().collect();
            let mut away: BTreeMap<usize, Vec<(LessonId, i64)>> = BTreeMap::new();
            let places: BTreeMap<LessonId, usize> = self.ask(&lessons).await?.into_iter().collect();
            for (lesson, day) in days {
                let place = places.get(&lesson).copied().unwrap_or(0);
                if place != at {
                    away.entry(place).or_default().push((lesson, day));
                }
            }
            for (place, lessons) in away {
                moved += lessons.len() as u64;
                carry(source, &self.all[place], &lessons, tables).await?;
            }
        }
    }
}

/// The log's tables with their columns.
async fn described() -> Result<Vec<Table>, StorageError> {
    let memory = Pools::open("sqlite::memory:", Part::Log, Use::Alone).await?;
    schema::upgrade(&memory, Part::Log).await?;
    let described = tables(&mut *memory.read.acquire().await?).await;
    memory.close().await;
    described
}

async fn carry(
    source: &Log,
    target: &Log,
    lessons: &[(LessonId, i64)],
    tables: &[Table],
) -> Result<(), StorageError> {
    let mut from = source.pools.write.begin().await?;
    let mut to = target.pools.write.begin().await?;
    let mut new = Vec::new();
    for (lesson, day) in lessons {
        match whole(&mut to, *lesson, *day).await? {
            None => new.push((*lesson, *day)),
            there if whole(&mut from, *lesson, *day).await? == there => {}
            Some(_) => return Err(StorageError::TwoHistories { lesson: lesson.to_string() }),
        }
    }
    if !new.is_empty() {
        let (lessons, days) = lists(&new);
        for (_, day) in &new {
            days::make_day(&mut to, *day).await?;
        }
        for table in tables {
            let condition = format!("WHERE lesson IN ({lessons}){}", of_days(table, &days));
            copy(&mut from, table, &condition, &mut [&mut to], &|_| 0).await?;
        }
        for (lesson, day) in &new {
            if whole(&mut to, *lesson, *day).await? != whole(&mut from, *lesson, *day).await? {
                return Err(StorageError::Corrupt {
                    what: "moved lesson, read back",
                    value: lesson.to_string(),
                });
            }
        }
    }
    to.commit().await?;
    let (lessons, days) = lists(lessons);
    for table in tables.iter().rev() {
        let sql = format!("DELETE FROM {} WHERE lesson IN ({lessons}){}", table.name, of_days(table, &days));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *from).await?;
    }
    Ok(from.commit().await?)
}

/// As SQL. Ids and numbers of our own need no quoting rules.
fn lists(of: &[(LessonId, i64)]) -> (String, String) {
    let lessons: Vec<String> = of.iter().map(|(lesson, _)| format!("'{lesson}'")).collect();
    let days: std::collections::BTreeSet<String> = of.iter().map(|(_, day)| day.to_string()).collect();
    (lessons.join(", "), days.into_iter().collect::<Vec<_>>().join(", "))
}

/// So that only those days' tables are looked into.
fn of_days(table: &Table, days: &str) -> String {
    if table.column("day").is_some() { format!(" AND day IN ({days})") } else { String::new() }
}

/// `None`: the lesson has not begun there.
async fn whole(from: &mut AnyConnection, lesson: LessonId, day: i64) -> Result<Option<Whole>, StorageError> {
    let origin = sqlx::query("SELECT chain FROM origin WHERE lesson = $1 AND day = $2");
    let origin = origin.bind(lesson.to_string()).bind(day).fetch_optional(&mut *from).await?;
    let Some(origin) = origin else { return Ok(None) };
    Ok(Some(Whole {
        chain: origin.try_get(0)?,
        rows: row::all(&mut *from, lesson, day).await?,
        packed: packed::find(&mut *from, lesson).await?.map(|packed| packed.digest),
    }))
}
