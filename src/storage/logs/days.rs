//! PostgreSQL keeps the events of each day in a table of its own, made before the day and dropped when all in it is packed: that
//! costs nothing, and leaves no holes. SQLite, whose store is a school's, has one table.

use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::log::Log;
use crate::storage::{StorageError, schema::ALONE};

const DAY_MS: u64 = 24 * 60 * 60 * 1_000;

/// Who wants the table of all days to itself waits so long for whoever is in it (a copy is made), and then comes another time:
/// those who write wait behind.
const WAIT: &str = "SET LOCAL lock_timeout = '200ms'";

/// PostgreSQL's `check_violation`: the rest has events of that day, which stay there until they are packed. And
/// `lock_not_available`.
const ANOTHER_TIME: [&str; 2] = ["23514", "55P03"];

/// Days since the Unix epoch.
pub fn day_of(at_ms: u64) -> i64 {
    (at_ms / DAY_MS) as i64
}

impl Log {
    /// Makes the tables of today and tomorrow.
    pub(super) async fn make_days(&self, now: u64) -> Result<(), StorageError> {
        if self.pools.sqlite {
            return Ok(());
        }
        for day in [day_of(now), day_of(now) + 1] {
            let mut transaction = self.pools.write.begin().await?;
            match make_day(&mut transaction, day).await {
                Ok(()) => transaction.commit().await?,
                Err(error) if is_for_another_time(&error) => transaction.rollback().await?,
                Err(error) => return Err(error.into()),
            }
        }
        Ok(())
    }

    /// Drops the tables of days before this one in which nothing is left.
    pub(super) async fn drop_days(&self, before: i64) -> Result<(), StorageError> {
        if self.pools.sqlite {
            return Ok(());
        }
        let all = "SELECT CAST(c.relname AS TEXT) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid \
                   WHERE i.inhparent = to_regclass('event')";
        for found in sqlx::query(all).fetch_all(&self.pools.read).await? {
            let table: String = found.try_get(0)?;
            let day = table.strip_prefix("event_").and_then(|day| day.parse::<i64>().ok());
            if day.is_none_or(|day| day >= before) {
                continue;
            }
            match self.drop_if_empty(&table).await {
                Err(StorageError::Sql(error)) if is_for_another_time(&error) => {}
                done => done?,
            }
        }
        Ok(())
    }

    async fn drop_if_empty(&self, table: &str) -> Result<(), StorageError> {
        if !is_empty(&mut *self.pools.read.acquire().await?, table).await? {
            return Ok(());
        }
        let mut transaction = self.pools.write.begin().await?;
        // The parent first, as whoever writes does.
        for sql in [WAIT, "LOCK TABLE ONLY event IN ACCESS EXCLUSIVE MODE"] {
            sqlx::raw_sql(sql).execute(&mut *transaction).await?;
        }
        if is_empty(&mut transaction, table).await? {
            sqlx::raw_sql(AssertSqlSafe(format!("DROP TABLE {table}"))).execute(&mut *transaction).await?;
            tracing::info!(table, "dropped: all of that day is packed");
        }
        Ok(transaction.commit().await?)
    }
}

/// In a transaction of PostgreSQL. Whoever writes waits for the moment that it takes.
pub async fn make_day(connection: &mut AnyConnection, day: i64) -> Result<(), sqlx::Error> {
    let exists = "SELECT CAST(to_regclass($1) AS TEXT)";
    let table = format!("event_{day}");
    let found = sqlx::query(exists).bind(table.clone()).fetch_one(&mut *connection).await?;
    if found.try_get::<Option<String>, _>(0)?.is_some() {
        return Ok(());
    }
    let make = format!(
        "CREATE TABLE IF NOT EXISTS {table} PARTITION OF event FOR VALUES FROM ({day}) TO ({})",
        day + 1
    );
    for sql in [WAIT.to_owned(), ALONE.to_owned(), make] {
        sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut *connection).await?;
    }
    Ok(())
}

async fn is_empty(connection: &mut AnyConnection, table: &str) -> Result<bool, sqlx::Error> {
    let sql = format!("SELECT 1 FROM {table} LIMIT 1");
    Ok(sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await?.is_none())
}

fn is_for_another_time(error: &sqlx::Error) -> bool {
    ANOTHER_TIME.iter().any(|code| has_code(error, code))
}

pub fn has_code(error: &sqlx::Error, code: &str) -> bool {
    error.as_database_error().and_then(|error| error.code()).as_deref() == Some(code)
}
