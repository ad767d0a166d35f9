//! What the last beat saw of all servers.

use std::{
    sync::{
        Mutex, MutexGuard,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use qism_signaling::hub::fleet::STALE;

use crate::storage::{NodeNow, NodeRow};

/// The servers as the last beat saw them, for whoever places lessons or asks how we are.
#[derive(Debug, Default)]
pub struct Board {
    seen: Mutex<(Vec<NodeNow>, Option<Instant>)>,
    /// The last beat could tell the living from the dead.
    judges: AtomicBool,
}

impl Board {
    pub fn alive(&self) -> Vec<NodeRow> {
        let nodes = &self.lock().0;
        nodes.iter().filter(|node| node.is_alive()).map(|node| node.node.clone()).collect()
    }

    /// Time since the last beat that the database took.
    pub fn age(&self) -> Option<Duration> {
        self.lock().1.map(|at| at.elapsed())
    }

    /// Whether the database answers.
    pub fn is_fresh(&self) -> bool {
        self.age().is_some_and(|age| age < STALE)
    }

    /// Whether somebody who is not [`alive`](Self::alive) is dead; false right after a silence of the database.
    pub fn judges(&self) -> bool {
        self.judges.load(Ordering::Relaxed)
    }

    pub(super) fn replace(&self, nodes: Vec<NodeNow>) {
        *self.lock() = (nodes, Some(Instant::now()));
    }

    pub(super) fn judge(&self, judges: bool) {
        self.judges.store(judges, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, (Vec<NodeNow>, Option<Instant>)> {
        self.seen.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}
