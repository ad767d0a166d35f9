//! Rows from one engine to the other. A copy of a PostgreSQL store is the same two SQLite files as that of any store, so
//! whatever was copied can be put back into either, and into one database or several.

use futures_util::TryStreamExt as _;
use sqlx::{AnyConnection, AssertSqlSafe, Row as _, any::AnyRow};

use super::{
    StorageError, Store,
    open::{Part, Pools, Use},
    schema,
    shares::LessonSchools,
};
use crate::config::Databases;

/// Of the moment only: who is up, who guesses passwords. And what each side has of its own.
const NOT_COPIED: [&str; 10] = [
    "schema_step",
    "node",
    "node_room",
    "node_name",
    "node_condition",
    "lesson_place",
    "attempt",
    "log_share",
    "log_mark",
    "copied",
];
/// Rows of one statement.
const TOGETHER: usize = 200;

/// A table, as SQLite describes it.
pub struct Table {
    pub name: String,
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

impl Table {
    pub fn column(&self, name: &str) -> Option<usize> {
        self.columns.iter().position(|column| column.name == name)
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.columns.iter().map(|column| column.name.as_str()).collect();
        names.join(", ")
    }
}

/// Reads the log of each lesson as it was at one moment, and the school as it was right after; writers do not wait.
pub async fn out_of_postgres(databases: &Databases, log: &str, school: &str) -> Result<(), StorageError> {
    let from = Store::open_beside(databases).await?;
    let mut lessons = from.logs.snapshot().await?;
    let mut snapshot = from.school.read.begin().await?;
    sqlx::raw_sql(ONE_MOMENT).execute(&mut *snapshot).await?;
    sqlx::query("SELECT 1 FROM school LIMIT 1").fetch_optional(&mut *snapshot).await?;
    let to = made(log, Part::Log).await?;
    lessons.copy_into(&mut *to.write.acquire().await?).await?;
    to.close().await;
    let to = made(school, Part::School).await?;
    let mut transaction = to.write.begin().await?;
    for table in tables(&mut transaction).await? {
        copy(&mut snapshot, &table, "", &mut [&mut transaction], &|_| Some(0)).await?;
    }
    transaction.commit().await?;
    to.close().await;
    drop((lessons, snapshot));
    from.close().await;
    Ok(())
}

/// The moment is that of the first question.
pub const ONE_MOMENT: &str = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY";

async fn made(file: &str, part: Part) -> Result<Pools, StorageError> {
    let to = Pools::open(file, part, Use::Alone).await?;
    schema::upgrade(&to, part).await?;
    Ok(to)
}

/// Puts a copy into PostgreSQL databases that hold nothing and serve nobody. What is in one is all there or not at all; the school comes last.
pub async fn into_postgres(databases: &Databases, log: &Pools, school: &Pools) -> Result<(), StorageError> {
    let to = Store::open_alone(databases).await?;
    if LessonSchools::new(to.school.clone()).is_served().await? {
        return Err(StorageError::InUse { path: "this database".into() });
    }
    let mut transaction = to.school.write.begin().await?;
    let mut reading = school.read.acquire().await?;
    for table in tables(&mut reading).await? {
        expect_empty(&mut transaction, &table).await?;
        copy(&mut reading, &table, "", &mut [&mut transaction], &|_| Some(0)).await?;
    }
    drop(reading);
    let schools = LessonSchools::new(school.clone());
    to.logs.fill(&mut *log.read.acquire().await?, &schools).await?;
    transaction.commit().await?;
    log.close().await;
    school.close().await;
    to.close().await;
    Ok(())
}

pub async fn expect_empty(connection: &mut AnyConnection, table: &Table) -> Result<(), StorageError> {
    let sql = format!("SELECT 1 FROM {} LIMIT 1", table.name);
    let found = sqlx::query(AssertSqlSafe(sql)).fetch_optional(connection).await?;
    if found.is_some() { Err(StorageError::NotEmpty) } else { Ok(()) }
}

/// In the order in which they were made: no row refers to one that is not there yet.
pub async fn tables(sqlite: &mut AnyConnection) -> Result<Vec<Table>, StorageError> {
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

/// The rows that a condition names (or all), each to the place that its lesson has, if it is of one; without a place it stays.
pub async fn copy(
    from: &mut AnyConnection,
    table: &Table,
    condition: &str,
    to: &mut [&mut AnyConnection],
    place: &(dyn Fn(&str) -> Option<usize> + Sync),
) -> Result<(), StorageError> {
    let sql = format!("SELECT {} FROM {} {condition}", table.names(), table.name);
    let lesson = table.column("lesson");
    let mut rows = sqlx::query(AssertSqlSafe(sql)).fetch(from);
    let mut waiting: Vec<Vec<Vec<Value>>> = to.iter().map(|_| Vec::with_capacity(TOGETHER)).collect();
    while let Some(row) = rows.try_next().await? {
        let at = match lesson {
            Some(column) => place(&row.try_get::<String, _>(column)?),
            None => Some(0),
        };
        let Some(at) = at else { continue };
        waiting[at].push(values(&row, table)?);
        if waiting[at].len() == TOGETHER {
            insert(to[at], table, std::mem::take(&mut waiting[at])).await?;
        }
    }
    for (to, rows) in to.iter_mut().zip(waiting) {
        insert(to, table, rows).await?;
    }
    Ok(())
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

async fn insert(to: &mut AnyConnection, table: &Table, rows: Vec<Vec<Value>>) -> Result<(), StorageError> {
    if rows.is_empty() {
        return Ok(());
    }
    let width = table.columns.len();
    let tuple = |row: usize| {
        let list: Vec<String> = (1..=width).map(|column| format!("${}", row * width + column)).collect();
        format!("({})", list.join(", "))
    };
    let tuples: Vec<String> = (0..rows.len()).map(tuple).collect();
    let sql = format!("INSERT INTO {} ({}) VALUES {}", table.name, table.names(), tuples.join(", "));
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
