//! The statements of an append.

use qism_signaling::{
    hub::ports::{AppendError, Batch},
    protocol::{CommandId, LessonId, Logged, UserId},
};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{StorageError, row};

/// Statements of up to this many rows are kept prepared.
const KEPT_PREPARED: usize = 16;
/// Events of others that a late writer is told at once.
const TOLD: usize = 500;

/// The events in one statement, all or nothing, then the erasures. False: nothing was written, since the log does not have
/// the head that they were decided on (it went back to an older state).
pub async fn write(connection: &mut AnyConnection, batch: &Batch) -> Result<bool, sqlx::Error> {
    let lesson = batch.lesson.to_string();
    if !batch.events.is_empty() {
        let sql = insert_sql(batch.events.len(), batch.head.number > 0);
        let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(batch.events.len() <= KEPT_PREPARED);
        for (event, part) in batch.events.iter().zip(parts(&batch.events)) {
            let (body, text) = row::split(&event.event);
            query = query
                .bind(lesson.clone())
                .bind(event.number as i64)
                .bind(event.chain.0 as i64)
                .bind(event.at as i64)
                .bind(event.sender.map(|sender| sender.to_string()))
                .bind(event.command.to_string())
                .bind(part)
                .bind(event.event.kind())
                .bind(body)
                .bind(text);
        }
        if batch.head.number > 0 {
            query = query.bind(lesson.clone()).bind(batch.head.number as i64).bind(batch.head.chain.0 as i64);
        }
        if query.execute(&mut *connection).await?.rows_affected() == 0 {
            return Ok(false);
        }
    }
    for number in &batch.erase {
        sqlx::query("UPDATE event SET text = NULL WHERE lesson = $1 AND number = $2")
            .bind(lesson.clone())
            .bind(*number as i64)
            .execute(&mut *connection)
            .await?;
    }
    Ok(true)
}

const COLUMNS: usize = 10;

/// Inserts so many rows; behind a head only if that is there.
fn insert_sql(rows: usize, has_head: bool) -> String {
    let tuple = |row: usize| {
        let list: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", list.join(", "))
    };
    let tuples: Vec<String> = (0..rows).map(tuple).collect();
    let values = format!("VALUES {}", tuples.join(", "));
    let source = match (has_head, rows * COLUMNS) {
        (false, _) => values,
        (true, bound) => format!(
            "SELECT * FROM ({values}) AS new WHERE EXISTS \
             (SELECT 1 FROM event WHERE lesson = ${} AND number = ${} AND chain = ${})",
            bound + 1,
            bound + 2,
            bound + 3
        ),
    };
    format!("INSERT INTO event (lesson, number, chain, at, sender, command, part, kind, body, text) {source}")
}

/// The place of each event among those of its command.
fn parts(events: &[Logged]) -> Vec<i64> {
    let mut counts = std::collections::HashMap::new();
    let mut next = |event: &Logged| {
        let count = counts.entry((event.sender, event.command)).or_insert(-1);
        *count += 1;
        *count
    };
    events.iter().map(&mut next).collect()
}

pub fn is_taken(error: &sqlx::Error) -> bool {
    error.as_database_error().is_some_and(|error| error.is_unique_violation())
}

/// A command of the batch that the log knows already, else what somebody else wrote there first. Mostly one statement.
pub async fn why_taken(connection: &mut AnyConnection, batch: &Batch) -> Result<AppendError, sqlx::Error> {
    let head = batch.head.number;
    let found = row::read_after(&mut *connection, batch.lesson, head.saturating_sub(1), TOLD).await;
    let since = found.map_err(|error| match error {
        StorageError::Sql(error) => error,
        other => sqlx::Error::Decode(other.into()),
    })?;
    let is_ours =
        |old: &Logged| batch.events.iter().any(|new| (new.sender, new.command) == (old.sender, old.command));
    let known = since.iter().rev().filter(|old| old.number > head).find(|old| is_ours(old));
    if let Some(Logged { number, command, sender: Some(sender), .. }) = known {
        return Ok(AppendError::Known { sender: *sender, command: *command, number: *number });
    }
    if since.last().is_some_and(|last| last.number > head) {
        return Ok(AppendError::Overtaken { since });
    }
    known_before(connection, batch).await
}

/// A command that was written up to the very head.
async fn known_before(connection: &mut AnyConnection, batch: &Batch) -> Result<AppendError, sqlx::Error> {
    let mut asked: Vec<(UserId, CommandId)> = Vec::new();
    for event in &batch.events {
        let Some(sender) = event.sender.filter(|sender| !asked.contains(&(*sender, event.command))) else {
            continue;
        };
        asked.push((sender, event.command));
        if let Some(number) = number_of(connection, batch.lesson, sender, event.command).await? {
            return Ok(AppendError::Known { sender, command: event.command, number });
        }
    }
    Ok(AppendError::Conflict)
}

async fn number_of(
    connection: &mut AnyConnection,
    lesson: LessonId,
    sender: UserId,
    command: CommandId,
) -> Result<Option<u64>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT number FROM event WHERE lesson = $1 AND sender = $2 AND command = $3 ORDER BY number DESC LIMIT 1",
    )
    .bind(lesson.to_string())
    .bind(sender.to_string())
    .bind(command.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    found.map(|found| Ok(found.try_get::<i64, _>(0)? as u64)).transpose()
}
