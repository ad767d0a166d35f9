//! A log that is ten days old and not packed: the nine days before today as they would lie there, each in a table of its own on
//! PostgreSQL, with the indices of all of them.

use anyhow::Context as _;
use sqlx::{AnyConnection, AssertSqlSafe, Connection as _, Row as _};

/// Before today.
const DAYS: i64 = 9;
/// Events of each lesson that are taken as a day's: about a hundred thousand with 250 lessons.
const EVENTS: i64 = 400;

/// Lays today's lessons down once more for each day before, under other ids. Nobody else may have the store open.
pub async fn fill(url: &str) -> anyhow::Result<()> {
    sqlx::any::install_default_drivers();
    let is_postgres = url.starts_with("postgres");
    // SQLite's log is a file of its own.
    let log = if is_postgres { url.to_owned() } else { url.replace(".db", "-log.db") };
    let mut connection = AnyConnection::connect(&log).await.context("the log")?;
    let newest = "SELECT CAST(MAX(day) AS BIGINT) FROM event";
    let today: i64 = sqlx::query(newest).fetch_one(&mut connection).await?.try_get(0)?;
    for ago in 1..=DAYS {
        let day = today - ago;
        let mut steps = Vec::new();
        if is_postgres {
            steps.push(format!(
                "CREATE TABLE event_{day} PARTITION OF event FOR VALUES FROM ({day}) TO ({})",
                day + 1
            ));
        }
        // The first digit of an id says of which day it is: today's all begin with 0.
        steps.push(format!(
            "INSERT INTO origin (lesson, chain, day) SELECT '{ago}' || substr(lesson, 2), chain, {day} FROM origin WHERE day = {today}"
        ));
        steps.push(format!(
            "INSERT INTO event (day, lesson, number, chain, at, sender, command, part, kind, body, text) \
             SELECT {day}, '{ago}' || substr(lesson, 2), number, chain, at, sender, command, part, kind, body, text \
             FROM event WHERE day = {today} AND number <= {EVENTS}"
        ));
        for sql in steps {
            sqlx::raw_sql(AssertSqlSafe(sql)).execute(&mut connection).await?;
        }
    }
    if is_postgres {
        // As autovacuum would have left it by then.
        sqlx::raw_sql("VACUUM ANALYZE event").execute(&mut connection).await?;
    }
    Ok(connection.close().await?)
}
