//! The log as a copy has it: one SQLite file, whatever number of databases it comes from and goes to.

use std::collections::HashMap;

use sqlx::{Any, AnyConnection, Row as _, Transaction};

use super::{Logs, days};
use crate::storage::{
    StorageError,
    shares::LessonSchools,
    transfer::{ONE_MOMENT, copy, expect_empty, tables},
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
        let place = |lesson: &str| places.get(lesson).copied().unwrap_or(0);
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
                copy(from, &table, "", &mut [&mut to], &|_| 0).await?;
            }
        }
        Ok(to.commit().await?)
    }
}

/// Tables for the days of these events.
async fn make_days_of(from: &mut AnyConnection, to: &mut AnyConnection) -> Result<(), StorageError> {
    for found in sqlx::query("SELECT DISTINCT day FROM event").fetch_all(from).await? {
        days::make_day(to, found.try_get(0)?).await?;
    }
    Ok(())
}
