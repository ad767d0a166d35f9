//! An event as a row. The erasable text stands in a column of its own, so that erasing it is one update.

use qism_signaling::protocol::{Chain, CommandId, Event, LessonId, Logged, UserId};
use sqlx::{Any, AssertSqlSafe, Executor, Row as _, any::AnyRow};
use uuid::Uuid;

use crate::storage::{StorageError, row::id};

/// Columns that [`logged`] reads, in this order.
pub const COLUMNS: &str = "number, chain, at, sender, command, part, kind, body, text";

/// The rows of the lesson $1: all are of the day on which it began.
pub const OF_LESSON: &str = "day = (SELECT day FROM origin WHERE lesson = $1) AND lesson = $1";

/// Body without text, and the text.
pub fn split(event: &Event) -> (String, Option<String>) {
    let mut event = event.clone();
    let text = event.text_mut().and_then(Option::take);
    // Invariant: events are plain data with string keys.
    (serde_json::to_string(&event).expect("an event is JSON"), text)
}

/// An event as its row has it, also one that this version does not understand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub number: u64,
    pub chain: Chain,
    pub at: u64,
    pub sender: Option<Uuid>,
    pub command: Uuid,
    /// The place among the events of its command.
    pub part: i64,
    pub kind: String,
    pub body: String,
    pub text: Option<String>,
}

impl Stored {
    /// Of a row of [`COLUMNS`].
    fn of(row: &AnyRow) -> Result<Self, StorageError> {
        let sender: Option<String> = row.try_get(3)?;
        Ok(Self {
            number: row.try_get::<i64, _>(0)? as u64,
            chain: chain(row.try_get(1)?),
            at: row.try_get::<i64, _>(2)? as u64,
            sender: sender.map(|text| id(&text)).transpose()?,
            command: id(&row.try_get::<String, _>(4)?)?,
            part: row.try_get(5)?,
            kind: row.try_get(6)?,
            body: row.try_get(7)?,
            text: row.try_get(8)?,
        })
    }

    pub fn logged(&self) -> Result<Logged, StorageError> {
        let mut event: Event = serde_json::from_str(&self.body)
            .map_err(|error| StorageError::Corrupt { what: "event", value: error.to_string() })?;
        if let Some(text) = event.text_mut() {
            *text = self.text.clone();
        }
        Ok(Logged {
            number: self.number,
            chain: self.chain,
            at: self.at,
            sender: self.sender.map(UserId),
            command: CommandId(self.command),
            event,
        })
    }
}

/// The event of a row of [`COLUMNS`].
pub fn logged(row: &AnyRow) -> Result<Logged, StorageError> {
    Stored::of(row)?.logged()
}

/// Events with number > `after` that are rows, in order, at most `limit`.
pub async fn read_after<'e>(
    from: impl Executor<'e, Database = Any>,
    lesson: LessonId,
    after: u64,
    limit: usize,
) -> Result<Vec<Logged>, StorageError> {
    let sql =
        format!("SELECT {COLUMNS} FROM event WHERE {OF_LESSON} AND number > $2 ORDER BY number LIMIT $3");
    let query =
        sqlx::query(AssertSqlSafe(sql)).bind(lesson.to_string()).bind(after as i64).bind(limit as i64);
    query.fetch_all(from).await?.iter().map(logged).collect()
}

/// All events of a lesson that are rows.
pub async fn all<'e>(
    from: impl Executor<'e, Database = Any>,
    lesson: LessonId,
    day: i64,
) -> Result<Vec<Stored>, StorageError> {
    let sql = format!("SELECT {COLUMNS} FROM event WHERE day = $1 AND lesson = $2 ORDER BY number");
    let query = sqlx::query(AssertSqlSafe(sql)).bind(day).bind(lesson.to_string());
    query.fetch_all(from).await?.iter().map(Stored::of).collect()
}

/// 64 bits fit into the signed column bit by bit.
pub fn chain(column: i64) -> Chain {
    Chain(column as u64)
}

#[cfg(test)]
mod tests {
    use super::*;
    use qism_signaling::protocol::Recipients;

    #[test]
    fn the_body_holds_no_erasable_text() {
        let user = UserId(Uuid::nil());
        let said = Event::Said { user, to: Recipients::Everyone, text: Some("sin² x".into()) };
        let (body, text) = split(&said);
        assert!(!body.contains("sin") && text.as_deref() == Some("sin² x"));
        let hand = Event::HandRaised { user };
        assert_eq!(split(&hand).1, None);
    }
}
