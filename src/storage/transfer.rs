//! Rows from one engine to the other. A copy of a PostgreSQL store is the same two SQLite files as that of any store, so
//! whatever was copied can be put back into either.

use std::path::Path;

use futures_util::TryStreamExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    StorageError, days,
    open::{Part, Pools, Use},
    schema,
};

/// Of the moment only: who is up, who guesses passwords. And the schema, which each side has of its own.
const NOT_COPIED: [&str; 6] = ["schema_step", "node", "node_room", "node_name", "lesson_place", "attempt"];
/// Rows of one statement.
const TOGETHER: usize = 200;
/// A server that has beaten within this is running.
const RUNNING_MS: u64 = 3_000;

/// A table, as SQLite describes it.
struct Table {
    name: String,
    columns: Vec<Column>,
}

struct Column {
    name: String,
    kind: Kind,
}

#[derive(Clone, Copy)]
enum Kind {
    Text,
    Number,
    Bytes,
}

enum Value {
    Text(Option<String>),
    Number(Option<i64>),
    Bytes(Option<Vec<u8>>),
}

/// Reads both parts as they were at one moment; writers do not wait.
pub async fn out_of_postgres(url: &str, files: &[(Part, String)]) -> Result<(), StorageError> {
    let from = Pools::open(url, Part::Log, Use::Command).await?;
    for (part, _) in files {
        schema::expect_current(&from, *part).await?;
    }
    let mut snapshot = from.read.begin().await?;
    let one_moment = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";
    sqlx::raw_sql(one_moment).execute(&mut *snapshot).await?;
    for (part, file) in files {
        let to = Pools::open(file, *part, Use::Server).await?;
        schema::upgrade(&to, *part).await?;
        let mut transaction = to.write.begin().await?;
        for table in tables(&mut transaction).await? {
            copy(&mut snapshot, &mut transaction, &table).await?;
        }
        transaction.commit().await?;
        to.close().await;
    }
    drop(snapshot);
    from.close().await;
    Ok(())
}

/// Puts a copy into a PostgreSQL that holds nothing and serves nobody: all of it or nothing.
pub async fn into_postgres(url: &str, files: &[(Part, &Path)]) -> Result<(), StorageError> {
    let to = Pools::open(url, Part::Log, Use::Command).await?;
    for (part, _) in files {
        schema::upgrade(&to, *part).await?;
    }
    let mut transaction = to.write.begin().await?;
    expect_idle(&mut transaction).await?;
    for (part, file) in files {
        let from = Pools::open_copy(file).await?;
        schema::expect_current(&from, *part).await?;
        let mut reading = from.read.acquire().await?;
        for table in tables(&mut reading).await? {
            expect_empty(&mut transaction, &table).await?;
            if table.name == "event" {
                make_days_of(&mut reading, &mut transaction).await?;
            }
            copy(&mut reading, &mut transaction, &table).await?;
        }
        drop(reading);
        from.close().await;
    }
    transaction.commit().await?;
    to.close().await;
    Ok(())
}

/// Tables for the days of these events.
async fn make_days_of(from: &mut AnyConnection, to: &mut AnyConnection) -> Result<(), StorageError> {
    for found in sqlx::query("SELECT DISTINCT day FROM event").fetch_all(from).await? {
        days::make_day(to, found.try_get(0)?).await?;
    }
    Ok(())
}

async fn expect_idle(connection: &mut AnyConnection) -> Result<(), StorageError> {
    let sql = format!(
        "SELECT COUNT(*) FROM node WHERE beat > CAST(EXTRACT(EPOCH FROM clock_timestamp()) * 1000 AS BIGINT) - {RUNNING_MS}"
    );
    let running: i64 = sqlx::query(AssertSqlSafe(sql)).fetch_one(connection).await?.try_get(0)?;
    if running > 0 { Err(StorageError::InUse { path: "this database".into() }) } else { Ok(()) }
}

async fn expect_empty(connection: &mut AnyConnection, table: &Table) -> Result<(), StorageError> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
    let found = sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await?;
    if found.is_some() { Err(StorageError::NotEmpty) } else { Ok(()) }
}

/// In the order in which they were made: no row refers to one that is not there yet.
async fn tables(sqlite: &mut AnyConnection) -> Result<Vec<Table>, StorageError> {
    let sql =
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY rowid";
    let mut tables = Vec::new();
    for found in sqlx::query(sql).fetch_all(&mut *sqlite).await? {
        let name: String = found.try_get(0)?;
        if !NOT_COPIED.contains(&name.as_str()) {
            let columns = columns(sqlite, &name).await?;
            tables.push(Table { name, columns });
        }
    }
    Ok(tables)
}

async fn columns(sqlite: &mut AnyConnection, table: &str) -> Result<Vec<Column>, StorageError> {
    let sql = format!("SELECT name, type FROM pragma_table_info('{table}') ORDER BY cid");
    let found = sqlx::query(AssertSqlSafe(sql)).fetch_all(sqlite).await?;
    let column = |row: &AnyRow| {
        let kind = match row.try_get::<String, _>(1)?.as_str() {
            "BIGINT" => Kind::Number,
            "BYTEA" => Kind::Bytes,
            _ => Kind::Text,
        };
        Ok(Column { name: row.try_get(0)?, kind })
    };
    found.iter().map(column).collect()
}

async fn copy(from: &mut AnyConnection, to: &mut AnyConnection, table: &Table) -> Result<(), StorageError> {
    let names: Vec<&str> = table.columns.iter().map(|column| column.name.as_str()).collect();
    let names = names.join(", ");
    let sql = format!("SELECT {names} FROM {}", table.name);
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(from);
    let mut some = Vec::with_capacity(TOGETHER);
    while let Some(row) = rows.try_next().await? {
        some.push(values(&row, table)?);
        if some.len() == TOGETHER {
            insert(to, table, &names, std::mem::take(&mut some)).await?;
        }
    }
    insert(to, table, &names, some).await
}

fn values(row: &AnyRow, table: &Table) -> Result<Vec<Value>, StorageError> {
    let value = |(at, column): (usize, &Column)| {
        Ok(match column.kind {
            Kind::Number => Value::Number(row.try_get(at)?),
            Kind::Text => Value::Text(row.try_get(at)?),
            Kind::Bytes => Value::Bytes(row.try_get(at)?),
        })
    };
    table.columns.iter().enumerate().map(value).collect()
}

async fn insert(
    to: &mut AnyConnection,
    table: &Table,
    names: &str,
    rows: Vec<Vec<Value>>,
) -> Result<(), StorageError> {
    if rows.is_empty() {
        return Ok(());
    }
    let width = table.columns.len();
    let tuple = |row: usize| {
        let list: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", list.join(", "))
    };
    let tuples: Vec<String> = (0..rows.len()).map(tuple).collect();
    let sql = format!("INSERT INTO {} ({names}) VALUES {}", table.name, tuples.join(", "));
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(rows.len() == TOGETHER);
    for value in rows.into_iter().flatten() {
        query = match value {
            Value::Text(text) => query.bind(text),
            Value::Number(number) => query.bind(number),
            Value::Bytes(bytes) => query.bind(bytes),
        };
    }
    query.execute(to).await?;
    Ok(())
}
