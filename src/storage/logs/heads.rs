//! Where each lesson's log ends. Every server asks twice a second, of all of its lessons; where nobody else writes, the answer is remembered
//! for as long as this server does not write either.

use std::{
    collections::{HashMap, HashSet},
    sync::{Mutex, PoisonError},
};

use qism_signaling::protocol::{LessonId, Position};
use sqlx::{AssertSqlSafe, Row as _, any::AnyRow};

use super::{log::Log, row};
use crate::storage::{StorageError, row::id};

/// Parameters of one statement; both engines allow more.
const HEADS_AT_ONCE: usize = 512;

/// The last event of each lesson that is a row; of those without any, the last that is packed.
const HEADS: &str = "SELECT e.lesson, e.number, e.chain FROM event e JOIN \
     (SELECT o.day, o.lesson, (SELECT MAX(number) FROM event n WHERE n.day = o.day AND n.lesson = o.lesson) AS last \
     FROM origin o WHERE o.lesson IN ({list})) m ON e.day = m.day AND e.lesson = m.lesson AND e.number = m.last";
const PACKED_HEADS: &str = "SELECT lesson, events, chain FROM packed WHERE lesson IN ({list})";

/// The last answer, and how many batches had been written before it was asked for.
#[derive(Debug, Default)]
pub struct ToldHeads(Mutex<(u64, HashMap<LessonId, Option<Position>>)>);

impl ToldHeads {
    /// The heads of these lessons, if they were asked for and nothing was written since.
    fn still(&self, written: u64, lessons: &[LessonId]) -> Option<Vec<(LessonId, Position)>> {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if told.0 != written {
            return None;
        }
        let heads: Option<Vec<_>> = lessons.iter().map(|it| Some((*it, *told.1.get(it)?))).collect();
        Some(heads?.into_iter().filter_map(|(lesson, head)| Some((lesson, head?))).collect())
    }

    fn keep(&self, written: u64, lessons: &[LessonId], heads: &[(LessonId, Position)]) {
        let mut all: HashMap<LessonId, Option<Position>> = lessons.iter().map(|it| (*it, None)).collect();
        all.extend(heads.iter().map(|(lesson, head)| (*lesson, Some(*head))));
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = (written, all);
    }
}

impl Log {
    /// The last event of each lesson that has any.
    pub(super) async fn heads(
        &self,
        lessons: &[LessonId],
    ) -> Result<Vec<(LessonId, Position)>, StorageError> {
        let written = self.writer.at_rest();
        if let Some(told) = written.and_then(|written| self.told_heads.still(written, lessons)) {
            return Ok(told);
        }
        let heads = self.read_heads(lessons).await?;
        if let Some(written) = written {
            self.told_heads.keep(written, lessons, &heads);
        }
        Ok(heads)
    }

    async fn read_heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, StorageError> {
        let mut heads = self.heads_of(lessons, HEADS).await?;
        let found: HashSet<LessonId> = heads.iter().map(|(lesson, _)| *lesson).collect();
        let missing: Vec<LessonId> =
            lessons.iter().copied().filter(|lesson| !found.contains(lesson)).collect();
        heads.extend(self.heads_of(&missing, PACKED_HEADS).await?);
        Ok(heads)
    }

    async fn heads_of(
        &self,
        lessons: &[LessonId],
        sql: &str,
    ) -> Result<Vec<(LessonId, Position)>, StorageError> {
        let mut heads = Vec::with_capacity(lessons.len());
        for some in lessons.chunks(HEADS_AT_ONCE) {
            // Few sizes, so that each is prepared once.
            let size = some.len().next_power_of_two();
            let list: Vec<String> = (1..=size).map(|n| format!("${n}")).collect();
            let sql = sql.replace("{list}", &list.join(", "));
            let mut query = sqlx::query(AssertSqlSafe(sql));
            for lesson in some.iter().cycle().take(size) {
                query = query.bind(lesson.to_string());
            }
            for found in query.fetch_all(&self.pools.read).await? {
                heads.push(head(&found)?);
            }
        }
        Ok(heads)
    }
}

fn head(found: &AnyRow) -> Result<(LessonId, Position), StorageError> {
    let lesson = LessonId(id(&found.try_get::<String, _>(0)?)?);
    let number = found.try_get::<i64, _>(1)? as u64;
    Ok((lesson, Position { number, chain: row::chain(found.try_get(2)?) }))
}

#[cfg(test)]
mod tests {
    use qism_signaling::protocol::Chain;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_answer_holds_until_something_is_written_and_only_for_what_was_asked() {
        let lesson = |n| LessonId(Uuid::from_u128(n));
        let (one, empty, other) = (lesson(1), lesson(2), lesson(3));
        let head = (one, Position { number: 7, chain: Chain(9) });
        let told = ToldHeads::default();
        assert_eq!(told.still(0, &[one]), None, "nothing was asked");
        told.keep(4, &[one, empty], &[head]);
        assert_eq!(told.still(4, &[empty, one]), Some(vec![head]));
        assert_eq!(told.still(4, &[empty]), Some(vec![]));
        assert_eq!(told.still(4, &[one, other]), None, "another lesson has opened");
        assert_eq!(told.still(5, &[one]), None, "something was written");
    }
}
