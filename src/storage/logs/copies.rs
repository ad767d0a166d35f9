//! Lessons of which a database has a copy only: made ahead of a transfer, or left by one. The lesson that counts is in another database.
//! Also by what two copies are known to be the same.

use std::collections::{BTreeSet, HashMap, HashSet};

use qism_signaling::protocol::LessonId;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    log::Log,
    packed,
    row::{self, Stored},
};
use crate::storage::{StorageError, row::id, transfer::Table};

/// A lesson, and the day on which it began.
pub type Begun = (LessonId, i64);

/// Lessons moved at once.
pub const AT_ONCE: usize = 100;
/// Lessons looked at, at once.
pub const PAGE: usize = 1_000;
/// Clocks differ by less, in milliseconds.
const CLOCKS: i64 = 60_000;
/// 1: the lesson o changes no more, but for what is erased in it.
const OVER: &str = "CASE WHEN EXISTS (SELECT 1 FROM packed p WHERE p.lesson = o.lesson) \
     OR EXISTS (SELECT 1 FROM event e WHERE e.day = o.day AND e.lesson = o.lesson AND e.kind = 'ended') \
     THEN 1 ELSE 0 END";

/// How closely a lesson is looked at.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Look {
    /// At its ends: a few rows.
    Ends,
    /// At all of its rows: texts may have been erased.
    Rows,
}

/// What changes whenever a lesson does: events only come behind the others, texts only go, and what is packed has a digest.
#[derive(PartialEq, Eq)]
pub struct Print {
    began: (i64, i64),
    last: Option<(i64, i64)>,
    rows: Option<i64>,
    texts: Option<i64>,
    packed: Option<String>,
}

/// Everything of one lesson.
#[derive(PartialEq, Eq)]
pub struct Whole {
    chain: i64,
    rows: Vec<Stored>,
    packed: Option<String>,
}

impl Log {
    /// Some lessons that count here, behind that one; if it is asked for, each with whether it is over: it was ended or packed.
    pub(super) async fn counting(
        &self,
        after: &str,
        asked: bool,
    ) -> Result<Vec<(Begun, bool)>, StorageError> {
        let over = if asked { OVER } else { "0" };
        let sql = format!(
            "SELECT o.lesson, o.day, CAST({over} AS BIGINT) FROM origin o WHERE o.lesson > $1 \
             AND NOT EXISTS (SELECT 1 FROM copied c WHERE c.lesson = o.lesson) ORDER BY o.lesson LIMIT $2"
        );
        let query = sqlx::query(AssertSqlSafe(sql)).bind(after.to_owned()).bind(PAGE as i64);
        let found = query.fetch_all(&self.pools.read).await?;
        found.iter().map(|found| Ok((begun(found)?, found.try_get::<i64, _>(2)? == 1))).collect()
    }

    /// Some copies, behind that of a lesson.
    pub(super) async fn copies(&self, after: &str, count: usize) -> Result<Vec<Begun>, StorageError> {
        let sql = "SELECT c.lesson, COALESCE(o.day, 0) FROM copied c LEFT JOIN origin o ON o.lesson = c.lesson \
             WHERE c.lesson > $1 ORDER BY c.lesson LIMIT $2";
        let query = sqlx::query(sql).bind(after.to_owned()).bind(count as i64);
        let found = query.fetch_all(&self.pools.read).await?;
        found.iter().map(begun).collect()
    }

    /// Deletes lessons, and that they are copies.
    pub(super) async fn delete_copies(
        &self,
        lessons: &[Begun],
        tables: &[Table],
    ) -> Result<(), StorageError> {
        let mut transaction = self.pools.write.begin().await?;
        delete(&mut transaction, self.pools.sqlite, lessons, tables).await?;
        unmark(&mut transaction, lessons).await?;
        Ok(transaction.commit().await?)
    }
}

fn begun(found: &AnyRow) -> Result<Begun, StorageError> {
    Ok((LessonId(id(&found.try_get::<String, _>(0)?)?), found.try_get(1)?))
}

/// From now on these are copies, of how the lessons were `at` that time.
pub async fn mark(within: &mut AnyConnection, lessons: &[Begun], at: u64) -> Result<(), StorageError> {
    if lessons.is_empty() {
        return Ok(());
    }
    let rows: Vec<String> = lessons.iter().map(|(lesson, _)| format!("('{lesson}', {at})")).collect();
    let sql = format!(
        "INSERT INTO copied (lesson, at) VALUES {} ON CONFLICT (lesson) DO UPDATE SET at = excluded.at",
        rows.join(", ")
    );
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(within).await?;
    Ok(())
}

/// From now on these count.
pub async fn unmark(within: &mut AnyConnection, lessons: &[Begun]) -> Result<(), StorageError> {
    let sql = format!("DELETE FROM copied WHERE lesson IN ({})", ids(lessons));
    sqlx::raw_sql(AssertSqlSafe(sql)).execute(within).await?;
    Ok(())
}

/// Those of these lessons that are copies, made later than that (-1: whenever).
pub async fn marked(
    within: &mut AnyConnection,
    lessons: &[Begun],
    after: i64,
) -> Result<HashSet<LessonId>, StorageError> {
    let after = if after < 0 { after } else { after.saturating_add(CLOCKS) };
    let sql = format!("SELECT lesson FROM copied WHERE at > {after} AND lesson IN ({})", ids(lessons));
    let found = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(within).await?;
    found.iter().map(|found| Ok(LessonId(id(&found.try_get::<String, _>(0)?)?))).collect()
}

/// Deletes lessons with all that they have.
pub async fn delete(
    within: &mut AnyConnection,
    sqlite: bool,
    lessons: &[Begun],
    tables: &[Table],
) -> Result<(), StorageError> {
    if lessons.is_empty() {
        return Ok(());
    }
    if !sqlite {
        // Whoever packs one of them is through, or finds it taken.
        let sql = format!("SELECT 1 FROM origin WHERE lesson IN ({}) FOR UPDATE", ids(lessons));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *within).await?;
    }
    for table in tables.iter().rev() {
        let sql = format!("DELETE FROM {} {}", table.name, condition(table, lessons));
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *within).await?;
    }
    Ok(())
}

/// The rows of these lessons; of a table of days, only those days' tables are looked into. Ids and numbers of our own need no quoting rules.
pub fn condition(table: &Table, lessons: &[Begun]) -> String {
    let of_days = if table.column("day").is_some() {
        format!(" AND day IN ({})", days(lessons))
    } else {
        String::new()
    };
    format!("WHERE lesson IN ({}){of_days}", ids(lessons))
}

fn ids(lessons: &[Begun]) -> String {
    let ids: Vec<String> = lessons.iter().map(|(lesson, _)| format!("'{lesson}'")).collect();
    ids.join(", ")
}

fn days(lessons: &[Begun]) -> String {
    let days: BTreeSet<i64> = lessons.iter().map(|(_, day)| *day).collect();
    let days: Vec<String> = days.into_iter().map(|day| day.to_string()).collect();
    days.join(", ")
}

/// Of those of these lessons that have begun there.
pub async fn prints(
    from: &mut AnyConnection,
    lessons: &[Begun],
    look: Look,
) -> Result<HashMap<LessonId, Print>, StorageError> {
    if lessons.is_empty() {
        return Ok(HashMap::new());
    }
    let (ids, days) = (ids(lessons), days(lessons));
    let of_event = |what: &str, order: &str| {
        format!(
            "(SELECT {what} FROM event e WHERE e.day = o.day AND e.lesson = o.lesson AND e.day IN ({days}) {order})"
        )
    };
    let last = |what| of_event(what, "ORDER BY e.number DESC LIMIT 1");
    let count = |what| match look {
        Look::Ends => "CAST(NULL AS BIGINT)".to_owned(),
        Look::Rows => of_event(what, ""),
    };
    let sql = format!(
        "SELECT o.lesson, o.day, o.chain, {}, {}, {}, {}, (SELECT p.digest FROM packed p WHERE p.lesson = o.lesson) \
         FROM origin o WHERE o.lesson IN ({ids})",
        count("COUNT(*)"),
        count("COUNT(e.text)"),
        last("e.number"),
        last("e.chain"),
    );
    let found = sqlx::query(AssertSqlSafe(sql)).persistent(false).fetch_all(from).await?;
    let print = |found: &AnyRow| {
        let ((lesson, day), last) = (begun(found)?, found.try_get::<Option<i64>, _>(5)?);
        let print = Print {
            began: (day, found.try_get(2)?),
            rows: found.try_get(3)?,
            texts: found.try_get(4)?,
            last: last.zip(found.try_get::<Option<i64>, _>(6)?),
            packed: found.try_get(7)?,
        };
        Ok((lesson, print))
    };
    found.iter().map(print).collect()
}

/// `None`: the lesson has not begun there.
pub async fn whole(from: &mut AnyConnection, (lesson, day): Begun) -> Result<Option<Whole>, StorageError> {
    let origin = sqlx::query("SELECT chain FROM origin WHERE lesson = $1 AND day = $2");
    let origin = origin.bind(lesson.to_string()).bind(day).fetch_optional(&mut *from).await?;
    let Some(origin) = origin else { return Ok(None) };
    Ok(Some(Whole {
        chain: origin.try_get(0)?,
        rows: row::all(&mut *from, lesson, day).await?,
        packed: packed::find(&mut *from, lesson).await?.map(|packed| packed.digest),
    }))
}
