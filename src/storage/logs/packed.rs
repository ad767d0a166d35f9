//! The first events of an old lesson in one row: compressed, with their number, the chain of the last one, a digest and the
//! version of the format. What was written after the packing are rows behind it, as ever.

use std::io::{Read as _, Write as _};

use flate2::{Compression, read::DeflateDecoder, write::DeflateEncoder};
use qism_signaling::{
    hub::ports::{AppendError, Batch},
    protocol::{Chain, CommandId, LessonId, Logged, Position, UserId},
    room::chain,
};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use sqlx::{Any, AnyConnection, Executor, Row as _};
use uuid::Uuid;

use super::row::{self, Stored};
use crate::storage::StorageError;

/// What is written now: a list of [`Entry`] as postcard, deflated (RFC 1951).
const FORMAT: i64 = 1;
/// Somebody else may be erasing in the same lesson.
const TRIES: usize = 5;

/// An event, told by what came before it.
#[derive(Debug, Serialize, Deserialize)]
struct Entry {
    /// `None`: as it follows from the one before.
    chain: Option<u64>,
    /// Milliseconds since the one before.
    after: i64,
    sender: Option<Uuid>,
    command: Uuid,
    part: i64,
    kind: String,
    body: String,
    text: Option<String>,
}

/// As it stands in the store.
#[derive(Debug)]
pub struct Packed {
    /// Numbered from 1.
    pub events: Vec<Stored>,
    pub digest: String,
}

impl Packed {
    pub fn head(&self) -> Option<Position> {
        self.events.last().map(|last| Position { number: last.number, chain: last.chain })
    }

    /// Events with number > `after`, at most `limit`.
    pub fn after(&self, after: u64, limit: usize) -> Result<Vec<Logged>, StorageError> {
        self.events.iter().skip(after as usize).take(limit).map(Stored::logged).collect()
    }

    /// Chat lines with number < `before`, the newest `limit`, oldest first.
    pub fn chat(&self, before: u64, limit: usize) -> Result<Vec<Logged>, StorageError> {
        let lines = self.events.iter().rev().filter(|event| event.kind == "said" && event.number < before);
        let mut lines = lines.take(limit).map(Stored::logged).collect::<Result<Vec<_>, _>>()?;
        lines.reverse();
        Ok(lines)
    }

    /// A command of the batch that is in here.
    pub fn known(&self, batch: &Batch) -> Option<AppendError> {
        let is_ours = |old: &Stored| {
            let same =
                |new: &Logged| (new.sender, new.command) == (old.sender.map(UserId), CommandId(old.command));
            batch.events.iter().any(same)
        };
        let Stored { sender, command, number, .. } =
            self.events.iter().rev().find(|old| old.sender.is_some() && is_ours(old))?;
        Some(AppendError::Known { sender: UserId((*sender)?), command: CommandId(*command), number: *number })
    }
}

/// The packed events of a lesson, if there are any; what cannot be what was packed is an error.
pub async fn find<'e>(
    from: impl Executor<'e, Database = Any>,
    lesson: LessonId,
) -> Result<Option<Packed>, StorageError> {
    let sql = "SELECT events, chain, format, digest, body FROM packed WHERE lesson = $1";
    let Some(found) = sqlx::query(sql).bind(lesson.to_string()).fetch_optional(from).await? else {
        return Ok(None);
    };
    let (digest, body): (String, Vec<u8>) = (found.try_get(3)?, found.try_get(4)?);
    let broken = || StorageError::Corrupt { what: "packed lesson", value: lesson.to_string() };
    if digest_of(&body) != digest {
        return Err(broken());
    }
    let packed = Packed { events: decode(found.try_get(2)?, &body)?, digest };
    let told = Position { number: found.try_get::<i64, _>(0)? as u64, chain: row::chain(found.try_get(1)?) };
    if packed.head() == Some(told) { Ok(Some(packed)) } else { Err(broken()) }
}

/// Puts events in the place of what was packed of that lesson before, of which `old` is the digest. False: somebody else was there.
pub async fn put(
    into: &mut AnyConnection,
    lesson: LessonId,
    old: Option<&str>,
    new: &Encoded,
) -> Result<bool, StorageError> {
    let sql = match old {
        Some(_) => {
            "UPDATE packed SET events = $2, chain = $3, ended = $4, format = $5, digest = $6, body = $7 \
             WHERE lesson = $1 AND digest = $8"
        }
        None => {
            "INSERT INTO packed (lesson, events, chain, ended, format, digest, body) VALUES ($1, $2, $3, $4, $5, $6, $7)"
        }
    };
    let mut query = sqlx::query(sql)
        .bind(lesson.to_string())
        .bind(new.head.number as i64)
        .bind(new.head.chain.0 as i64)
        .bind(i64::from(new.ended))
        .bind(FORMAT)
        .bind(new.digest.clone())
        .bind(new.body.clone());
    if let Some(old) = old {
        query = query.bind(old.to_owned());
    }
    Ok(query.execute(into).await?.rows_affected() == 1)
}

/// As it stands there: what [`Encoded::of`] has read back already.
pub async fn body(from: &mut AnyConnection, lesson: LessonId) -> Result<Vec<u8>, sqlx::Error> {
    let sql = "SELECT body FROM packed WHERE lesson = $1";
    sqlx::query(sql).bind(lesson.to_string()).fetch_one(from).await?.try_get(0)
}

/// Erases one text: the lesson is packed anew without it.
pub async fn erase(within: &mut AnyConnection, lesson: LessonId, number: u64) -> Result<(), StorageError> {
    erase_where(within, lesson, |event| event.number == number).await.map(|_| ())
}

/// Erases what somebody wrote, and notes about them; tells how many texts that were.
pub async fn erase_of(
    within: &mut AnyConnection,
    lesson: LessonId,
    person: UserId,
) -> Result<u64, StorageError> {
    let id = person.to_string();
    erase_where(within, lesson, |event| event.sender == Some(person.0) || event.body.contains(&id)).await
}

async fn erase_where(
    within: &mut AnyConnection,
    lesson: LessonId,
    is_meant: impl Fn(&Stored) -> bool,
) -> Result<u64, StorageError> {
    for _ in 0..TRIES {
        let Some(Packed { mut events, digest }) = find(&mut *within, lesson).await? else { return Ok(0) };
        let meant = events.iter_mut().filter(|event| is_meant(event));
        let erased = meant.filter_map(|event| event.text.take()).count();
        if erased == 0 || put(within, lesson, Some(&digest), &Encoded::of(&events)?).await? {
            return Ok(erased as u64);
        }
    }
    Err(StorageError::Corrupt { what: "packed lesson that never rests", value: lesson.to_string() })
}

/// Ready to be put.
#[derive(Debug)]
pub struct Encoded {
    pub head: Position,
    ended: bool,
    pub digest: String,
    pub body: Vec<u8>,
}

impl Encoded {
    /// Of events numbered from 1; makes sure that they can be had back.
    pub fn of(events: &[Stored]) -> Result<Self, StorageError> {
        let broken = |value: String| StorageError::Corrupt { what: "lesson to pack", value };
        let body = encode(events).map_err(|error| broken(error.to_string()))?;
        let last = events.last().ok_or_else(|| broken("nothing".into()))?;
        if decode(FORMAT, &body)? != events {
            return Err(broken(format!("{} events, not numbered from 1", events.len())));
        }
        let head = Position { number: last.number, chain: last.chain };
        let ended = events.iter().any(|event| event.kind == "ended");
        Ok(Self { head, ended, digest: digest_of(&body), body })
    }
}

fn digest_of(body: &[u8]) -> String {
    Sha256::digest(body).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn encode(events: &[Stored]) -> Result<Vec<u8>, Box<dyn std::error::Error>> {
    let mut before: Option<&Stored> = None;
    let entries = events.iter().map(|event| {
        let entry = Entry {
            chain: (following(before, event.sender, event.command, &event.kind) != Some(event.chain))
                .then_some(event.chain.0),
            after: event.at.wrapping_sub(before.map_or(0, |before| before.at)) as i64,
            sender: event.sender,
            command: event.command,
            part: event.part,
            kind: event.kind.clone(),
            body: event.body.clone(),
            text: event.text.clone(),
        };
        before = Some(event);
        entry
    });
    let plain = postcard::to_stdvec(&entries.collect::<Vec<Entry>>())?;
    let mut encoder = DeflateEncoder::new(Vec::new(), Compression::best());
    encoder.write_all(&plain)?;
    Ok(encoder.finish()?)
}

fn decode(format: i64, body: &[u8]) -> Result<Vec<Stored>, StorageError> {
    let broken = |value: String| StorageError::Corrupt { what: "packed lesson", value };
    if format != FORMAT {
        return Err(broken(format!("of format {format}, this version knows {FORMAT}")));
    }
    let mut plain = Vec::new();
    DeflateDecoder::new(body).read_to_end(&mut plain).map_err(|error| broken(error.to_string()))?;
    let entries: Vec<Entry> = postcard::from_bytes(&plain).map_err(|error| broken(error.to_string()))?;
    let mut events: Vec<Stored> = Vec::with_capacity(entries.len());
    for (at, entry) in entries.into_iter().enumerate() {
        let before = events.last();
        let follows = || following(before, entry.sender, entry.command, &entry.kind);
        let chain = entry.chain.map(Chain).or_else(follows);
        let chain = chain.ok_or_else(|| broken("a first event without a chain".into()))?;
        let time = before.map_or(0, |before| before.at).wrapping_add(entry.after as u64);
        let Entry { sender, command, part, kind, body, text, .. } = entry;
        events.push(Stored {
            number: at as u64 + 1,
            chain,
            at: time,
            sender,
            command,
            part,
            kind,
            body,
            text,
        });
    }
    Ok(events)
}

fn following(before: Option<&Stored>, sender: Option<Uuid>, command: Uuid, kind: &str) -> Option<Chain> {
    before.map(|before| chain::next(before.chain, sender.map(UserId), CommandId(command), kind))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn stored() -> impl Strategy<Value = Stored> {
        let texts = ("[a-z_]{1,8}", ".{0,40}", proptest::option::of(".{0,20}"));
        let ids = (proptest::option::of(any::<u128>()), any::<u128>());
        (any::<u64>(), any::<u64>(), ids, 0..9_i64, texts).prop_map(|(chain, at, ids, part, texts)| Stored {
            number: 0,
            chain: Chain(chain),
            at,
            sender: ids.0.map(Uuid::from_u128),
            command: Uuid::from_u128(ids.1),
            part,
            kind: texts.0,
            body: texts.1,
            text: texts.2,
        })
    }

    proptest! {
        #[test]
        fn whatever_was_stored_is_had_back(mut events in proptest::collection::vec(stored(), 1..20), follows in any::<bool>()) {
            for at in 0..events.len() {
                events[at].number = at as u64 + 1;
                if follows && at > 0 {
                    let before = events[at - 1].clone();
                    let event = &events[at];
                    let next = following(Some(&before), event.sender, event.command, &event.kind);
                    events[at].chain = next.expect("one before");
                }
            }
            let encoded = Encoded::of(&events).expect("numbered from 1");
            prop_assert_eq!(decode(FORMAT, &encoded.body).expect("decoded"), events);
        }
    }

    #[test]
    fn what_has_a_hole_or_another_format_is_refused() {
        let event = |number| Stored {
            number,
            chain: Chain(number),
            at: 5,
            sender: None,
            command: Uuid::nil(),
            part: 0,
            kind: "ended".into(),
            body: "{}".into(),
            text: None,
        };
        assert!(Encoded::of(&[]).is_err() && Encoded::of(&[event(1), event(3)]).is_err());
        let encoded = Encoded::of(&[event(1), event(2)]).expect("whole");
        assert!(encoded.ended && encoded.head == Position { number: 2, chain: Chain(2) });
        assert!(decode(FORMAT + 1, &encoded.body).is_err() && decode(FORMAT, &encoded.body[1..]).is_err());
    }
}
