//! The log as a copy has it: one SQLite file, whatever number of databases it comes from and goes to.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
};

use sqlx::{Any, AnyConnection, Row as _, Transaction};

use super::{Layout, Logs, days, log::Log};
use crate::{
    config::Databases,
    storage::{
        StorageError,
        open::Use,
        shares::LessonSchools,
        transfer::{ONE_MOMENT, copy, expect_empty, tables},
    },
};

/// Each database as it was at one moment; all of them moments apart.
pub struct Snapshot(Vec<Transaction<'static, Any>>);

impl Logs {
    /// Of PostgreSQL: writers do not wait.
    pub async fn snapshot(&self) -> Result<Snapshot, StorageError> {
        let mut all = Vec::new();
        for log in &self.all {
            let mut snapshot = log.open_one()?.pools.read.begin().await?;
            sqlx::raw_sql(ONE_MOMENT).execute(&mut *snapshot).await?;
            sqlx::query("SELECT 1 FROM origin LIMIT 1").fetch_optional(&mut *snapshot).await?;
            all.push(snapshot);
        }
        Ok(Snapshot(all))
    }

    /// Puts a copy into databases that hold nothing, each lesson into that of its school; all of them, or none, but for what happens between
    /// their commits.
    pub async fn fill(&self, from: &mut AnyConnection, schools: &LessonSchools) -> Result<(), StorageError> {
        let places = self.places(schools).await?;
        let place = |lesson: &str| Some(places.get(lesson).copied().unwrap_or(0));
        let mut all = Vec::new();
        for log in &self.all {
            all.push(log.open_one()?.pools.write.begin().await?);
        }
        for table in tables(from).await? {
            let mut to: Vec<&mut AnyConnection> = Vec::new();
            for transaction in &mut all {
                expect_empty(transaction, &table).await?;
                if table.name == "event" {
                    make_days_of(from, transaction).await?;
                }
                to.push(transaction);
            }
            copy(from, &table, "", &mut to, &place).await?;
        }
        // The first one, which is beside the school, comes last.
        for transaction in all.into_iter().rev() {
            transaction.commit().await?;
        }
        Ok(())
    }

    /// Of the lessons that are not in the first one.
    async fn places(&self, schools: &LessonSchools) -> Result<HashMap<String, usize>, StorageError> {
        if self.is_one() {
            return Ok(HashMap::new());
        }
        let all = schools.all().await?.into_iter();
        let place = |(lesson, code): (String, String)| (lesson, self.of_school(&code));
        Ok(all.map(place).filter(|(_, at)| *at > 0).collect())
    }
}

impl Snapshot {
    /// Into the empty log of a SQLite file.
    pub async fn copy_into(&mut self, to: &mut AnyConnection) -> Result<(), StorageError> {
        use sqlx::Connection as _;
        let mut to = to.begin().await?;
        for table in tables(&mut to).await? {
            for from in &mut self.0 {
                copy(from, &table, NO_COPIES, &mut [&mut to], &|_| Some(0)).await?;
            }
        }
        Ok(to.commit().await?)
    }
}

impl Logs {
    /// Puts the lessons of one of several databases back from a copy; it must hold none, and becomes the one that servers look for.
    /// They may run: until it is done they take it for away. Tells how many lessons these are.
    pub async fn refill(
        databases: &Databases,
        beginning: &str,
        from: &mut AnyConnection,
        schools: &LessonSchools,
    ) -> Result<u64, StorageError> {
        let Layout { urls, by_code } = Layout::of(databases);
        let apart = || StorageError::NotApart { name: beginning.to_owned() };
        let at = by_code.iter().find(|(name, _)| *name == beginning).map(|(_, at)| *at).filter(|at| *at > 0);
        let at = at.ok_or_else(apart)?;
        let mark = schools.shares().await?.remove(beginning).ok_or_else(apart)?;
        let is_here = |code: &str| by_code.of(code) == Some(&at);
        let codes = schools.school_codes().await?.into_iter();
        let own: Vec<String> = codes.filter(|(_, code)| is_here(code)).map(|(school, _)| school).collect();
        let all = schools.all().await?.into_iter();
        let lessons: HashSet<String> =
            all.filter(|(_, code)| is_here(code)).map(|(lesson, _)| lesson).collect();
        let (url, beginnings) = urls.into_iter().nth(at).ok_or_else(apart)?;
        let log = Log::open(url, beginnings, Use::Alone, Arc::default()).await?;
        log.prepare().await?;
        // Before and after: whatever ends this in between, no text comes back for good.
        schools.erase_again(&own).await?;
        let count = log.refill(from, &mark, &|lesson| lessons.contains(lesson).then_some(0)).await?;
        schools.erase_again(&own).await?;
        log.close().await;
        Ok(count)
    }
}

impl Log {
    /// All, or nothing. The mark comes with it: no connection of a server is taken before.
    async fn refill(
        &self,
        from: &mut AnyConnection,
        mark: &str,
        place: &(dyn Fn(&str) -> Option<usize> + Sync),
    ) -> Result<u64, StorageError> {
        let mut to = self.pools.write.begin().await?;
        for table in tables(from).await? {
            expect_empty(&mut to, &table).await?;
            if table.name == "event" {
                make_days_of(from, &mut to).await?;
            }
            copy(from, &table, "", &mut [&mut to], place).await?;
        }
        sqlx::query("UPDATE log_mark SET mark = $1").bind(mark.to_owned()).execute(&mut *to).await?;
        let count = sqlx::query("SELECT COUNT(*) FROM origin").fetch_one(&mut *to).await?;
        let count = count.try_get::<i64, _>(0)? as u64;
        to.commit().await?;
        Ok(count)
    }
}

/// What is a copy in one database counts in another.
const NO_COPIES: &str = "WHERE lesson NOT IN (SELECT lesson FROM copied)";

/// Tables for the days of these events.
async fn make_days_of(from: &mut AnyConnection, to: &mut AnyConnection) -> Result<(), StorageError> {
    for found in sqlx::query("SELECT DISTINCT day FROM event").fetch_all(from).await? {
        days::make_day(to, found.try_get(0)?).await?;
    }
    Ok(())
}
