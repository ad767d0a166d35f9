//! The statements of an append.

use qism_signaling::{
    hub::ports::{AppendError, Batch, Erase},
    protocol::{CommandId, LessonId, Logged, UserId},
};
use sqlx::{AnyConnection, AssertSqlSafe, Row as _};

use super::{erasing::erase_of, packed, row};
use crate::storage::StorageError;

/// Statements of up to this many rows are kept prepared.
const KEPT_PREPARED: usize = 16;
/// Events of others that a late writer is told at once.
const TOLD: usize = 500;

/// The events in one statement, all or nothing, then the erasures. An error of the outcome: nothing was written, since the log
/// does not have the head that they were decided on (it went back to an older state), or has them already.
pub async fn write(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
) -> Result<Result<(), AppendError>, sqlx::Error> {
    if !batch.events.is_empty() {
        let behind = if batch.head.number == 0 { Behind::Origin } else { Behind::Event };
        let mut is_written = insert(connection, batch, day, behind).await?;
        if !is_written && batch.head.number > 0 {
            if let Some(known) = known_packed(connection, batch).await? {
                return Ok(Err(known));
            }
            is_written = insert(connection, batch, day, Behind::Packed).await?
                || insert(connection, batch, day, Behind::Late).await?;
        }
        if !is_written {
            return Ok(Err(AppendError::Conflict));
        }
    }
    for erase in &batch.erase {
        match erase {
            Erase::Line(number) => erase_line(connection, (batch.lesson, day), *number).await,
            Erase::Person(user) => erase_of(connection, batch.lesson, *user).await.map(drop),
        }
        .map_err(as_sql)?;
    }
    Ok(Ok(()))
}

async fn erase_line(
    connection: &mut AnyConnection,
    (lesson, day): (LessonId, i64),
    number: u64,
) -> Result<(), StorageError> {
    let sql = "UPDATE event SET text = NULL WHERE day = $1 AND lesson = $2 AND number = $3";
    let query = sqlx::query(sql).bind(day).bind(lesson.to_string()).bind(number as i64);
    if query.execute(&mut *connection).await?.rows_affected() == 0 {
        packed::erase(connection, lesson, number).await?;
    }
    Ok(())
}

/// What must be there.
#[derive(Clone, Copy)]
enum Behind {
    /// The lesson, of this day, without events.
    Origin,
    /// The head, in a lesson of which nothing is packed.
    Event,
    /// Packed events up to the head.
    Packed,
    /// The head, written since the events before it were packed.
    Late,
}

/// False: it is not there.
async fn insert(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
    behind: Behind,
) -> Result<bool, sqlx::Error> {
    let (lesson, head) = (batch.lesson.to_string(), batch.head);
    let sql = insert_sql(batch.events.len(), behind);
    let mut query = sqlx::query(AssertSqlSafe(sql)).persistent(batch.events.len() <= KEPT_PREPARED);
    for (event, part) in batch.events.iter().zip(parts(&batch.events)) {
        let (body, text) = row::split(&event.event);
        query = query
            .bind(day)
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
    query = query.bind(lesson);
    if !matches!(behind, Behind::Packed) {
        query = query.bind(day);
    }
    if !matches!(behind, Behind::Origin) {
        query = query.bind(head.number as i64).bind(head.chain.0 as i64);
    }
    Ok(query.execute(connection).await?.rows_affected() > 0)
}

const COLUMNS: usize = 11;

/// Inserts so many rows, behind what must be there.
fn insert_sql(rows: usize, behind: Behind) -> String {
    let tuple = |row: usize| {
        let list: Vec<String> = (1..=COLUMNS).map(|column| format!("${}", row * COLUMNS + column)).collect();
        format!("({})", list.join(", "))
    };
    let tuples: Vec<String> = (0..rows).map(tuple).collect();
    let next = |n: usize| format!("${}", rows * COLUMNS + n);
    let event_at = || {
        let [lesson, day, number, chain] = [1, 2, 3, 4].map(&next);
        format!("event WHERE lesson = {lesson} AND day = {day} AND number = {number} AND chain = {chain}")
    };
    let there = match behind {
        Behind::Origin => format!("origin WHERE lesson = {} AND day = {}", next(1), next(2)),
        Behind::Event => {
            format!("{} AND NOT EXISTS (SELECT 1 FROM packed WHERE lesson = {})", event_at(), next(1))
        }
        Behind::Late => event_at(),
        Behind::Packed => {
            format!("packed WHERE lesson = {} AND events = {} AND chain = {}", next(1), next(2), next(3))
        }
    };
    format!(
        "INSERT INTO event (day, lesson, number, chain, at, sender, command, part, kind, body, text) \
         SELECT * FROM (VALUES {}) AS new WHERE EXISTS (SELECT 1 FROM {there})",
        tuples.join(", ")
    )
}

/// The unique key does not see what is packed.
async fn known_packed(
    connection: &mut AnyConnection,
    batch: &Batch,
) -> Result<Option<AppendError>, sqlx::Error> {
    let packed = packed::find(connection, batch.lesson).await.map_err(as_sql)?;
    Ok(packed.and_then(|packed| packed.known(batch)))
}

fn as_sql(error: StorageError) -> sqlx::Error {
    match error {
        StorageError::Sql(error) => error,
        other => sqlx::Error::Decode(other.into()),
    }
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
pub async fn why_taken(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
) -> Result<AppendError, sqlx::Error> {
    let head = batch.head.number;
    let found = row::read_after(&mut *connection, batch.lesson, head.saturating_sub(1), TOLD).await;
    let since = found.map_err(as_sql)?;
    let is_ours =
        |old: &Logged| batch.events.iter().any(|new| (new.sender, new.command) == (old.sender, old.command));
    let known = since.iter().rev().filter(|old| old.number > head).find(|old| is_ours(old));
    if let Some(Logged { number, command, sender: Some(sender), .. }) = known {
        return Ok(AppendError::Known { sender: *sender, command: *command, number: *number });
    }
    if since.last().is_some_and(|last| last.number > head) {
        return Ok(AppendError::Overtaken { since });
    }
    known_before(connection, batch, day).await
}

/// A command that was written up to the very head.
async fn known_before(
    connection: &mut AnyConnection,
    batch: &Batch,
    day: i64,
) -> Result<AppendError, sqlx::Error> {
    let mut asked: Vec<(UserId, CommandId)> = Vec::new();
    for event in &batch.events {
        let Some(sender) = event.sender.filter(|sender| !asked.contains(&(*sender, event.command))) else {
            continue;
        };
        asked.push((sender, event.command));
        if let Some(number) = number_of(connection, (batch.lesson, day), sender, event.command).await? {
            return Ok(AppendError::Known { sender, command: event.command, number });
        }
    }
    Ok(AppendError::Conflict)
}

async fn number_of(
    connection: &mut AnyConnection,
    (lesson, day): (LessonId, i64),
    sender: UserId,
    command: CommandId,
) -> Result<Option<u64>, sqlx::Error> {
    let found = sqlx::query(
        "SELECT number FROM event WHERE day = $1 AND lesson = $2 AND sender = $3 AND command = $4 ORDER BY number DESC LIMIT 1",
    )
    .bind(day)
    .bind(lesson.to_string())
    .bind(sender.to_string())
    .bind(command.to_string())
    .fetch_optional(&mut *connection)
    .await?;
    found.map(|found| Ok(found.try_get::<i64, _>(0)? as u64)).transpose()
}
