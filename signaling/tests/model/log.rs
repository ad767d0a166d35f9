//! The database: one lesson's log. The primary key is the lock, the index on commands the memory.

use std::{
    cmp::Ordering,
    hash::{Hash, Hasher},
};

use qism_signaling::protocol::{CommandId, Logged, Position, UserId};

use crate::scenario::Flaw;

/// An event of the log, told apart by its place: the chain covers sender, command and kind.
#[derive(Clone, Debug)]
pub struct Entry(pub Logged);

impl Entry {
    pub fn position(&self) -> Position {
        Position { number: self.0.number, chain: self.0.chain }
    }

    fn key(&self) -> (u64, u64) {
        (self.0.number, self.0.chain.0)
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}

impl Eq for Entry {}

impl Hash for Entry {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.key().hash(state);
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// What the database answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Outcome {
    Written,
    Conflict,
    Known {
        sender: UserId,
        command: CommandId,
        number: u64,
    },
    /// The answer was lost; whether it was written nobody knows.
    Unknown,
}

/// The log itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Log(pub Vec<Entry>);

impl Log {
    pub fn position(&self) -> Option<Position> {
        self.0.last().map(Entry::position)
    }

    /// The last number that this sender's command has.
    pub fn known(&self, sender: UserId, command: CommandId) -> Option<u64> {
        let of = |entry: &&Entry| entry.0.sender == Some(sender) && entry.0.command == command;
        self.0.iter().rev().find(of).map(|entry| entry.0.number)
    }

    /// One statement: all rows or none.
    pub fn append(&mut self, head: Position, batch: &[Entry], flaw: Option<Flaw>) -> Outcome {
        for entry in batch.iter().filter(|_| flaw != Some(Flaw::IdsAreForgotten)) {
            let Some(sender) = entry.0.sender else { continue };
            if let Some(number) = self.known(sender, entry.0.command) {
                return Outcome::Known { sender, command: entry.0.command, number };
            }
        }
        if flaw == Some(Flaw::NumbersAreNoLock) {
            self.squeeze_in(batch);
            return Outcome::Written;
        }
        let taken = self.0.len() as u64 > head.number;
        let other = self.0.get((head.number as usize).wrapping_sub(1)).map(Entry::position) != Some(head);
        if taken || (other && head.number > 0 && flaw != Some(Flaw::HeadsAreNumbersOnly)) {
            return Outcome::Conflict;
        }
        self.0.extend(batch.iter().cloned());
        Outcome::Written
    }

    /// What a database does that hands out numbers by itself.
    fn squeeze_in(&mut self, batch: &[Entry]) {
        for Entry(old) in batch {
            let head = self.position().unwrap_or_default();
            let new =
                qism_signaling::room::chain::log(head, old.at, old.sender, old.command, old.event.clone());
            self.0.push(Entry(new));
        }
    }
}
