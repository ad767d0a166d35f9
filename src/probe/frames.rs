//! What the server said on the socket: kept in order, so that a waiter may also find what came before it asked.

use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use qism_signaling::protocol::ServerFrame;
use tokio::sync::watch;

use super::ProbeError;

/// Older frames are forgotten, so that a long examination of a lively lesson does not grow.
const KEPT: usize = 50_000;

/// A place in the frames: those from here on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark(usize);

#[derive(Default)]
struct Kept {
    /// Frames forgotten so far.
    forgotten: usize,
    frames: VecDeque<(Instant, ServerFrame)>,
    /// Set once the socket is closed.
    closed: Option<u16>,
}

/// The frames of one connection. Written by its reader task, read by anybody.
pub(super) struct Frames {
    kept: Mutex<Kept>,
    /// Changes with every frame and at the close.
    news: watch::Sender<()>,
}

impl Frames {
    pub fn new() -> Self {
        Self { kept: Mutex::default(), news: watch::Sender::new(()) }
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn push(&self, frame: ServerFrame) {
        let mut kept = self.kept();
        if kept.frames.len() == KEPT {
            kept.frames.pop_front();
            kept.forgotten += 1;
        }
        kept.frames.push_back((Instant::now(), frame));
        drop(kept);
        self.news.send_replace(());
    }

    pub fn close(&self, code: u16) {
        self.kept().closed.get_or_insert(code);
        self.news.send_replace(());
    }

    pub fn closed(&self) -> Option<u16> {
        self.kept().closed
    }

    /// The place behind everything said so far.
    pub fn end(&self) -> Mark {
        let kept = self.kept();
        Mark(kept.forgotten + kept.frames.len())
    }

    /// What `pick` takes out of the frames since `mark`, in order.
    pub fn collect<T>(&self, mark: Mark, mut pick: impl FnMut(Instant, &ServerFrame) -> Option<T>) -> Vec<T> {
        let kept = self.kept();
        let skip = mark.0.saturating_sub(kept.forgotten);
        kept.frames.iter().skip(skip).filter_map(|(at, frame)| pick(*at, frame)).collect()
    }

    /// The first that `pick` takes since `mark`, waiting for it.
    pub async fn wait<T>(
        &self,
        mark: Mark,
        what: &'static str,
        within: Duration,
        mut pick: impl FnMut(&ServerFrame) -> Option<T>,
    ) -> Result<T, ProbeError> {
        let mut news = self.news.subscribe();
        let found = async {
            loop {
                news.borrow_and_update();
                let closed = self.closed();
                if let Some(found) = self.collect(mark, |_, frame| pick(frame)).into_iter().next() {
                    return Ok(found);
                }
                if let Some(code) = closed {
                    return Err(ProbeError::Closed(code));
                }
                // Invariant: the sender is in `self`, so the channel is open.
                let _ = news.changed().await;
            }
        };
        tokio::time::timeout(within, found).await.unwrap_or(Err(ProbeError::TimedOut(what, within)))
    }

    /// The close code, waiting for it.
    pub async fn wait_closed(&self, within: Duration) -> Result<u16, ProbeError> {
        let mut news = self.news.subscribe();
        let closed = async {
            loop {
                news.borrow_and_update();
                if let Some(code) = self.closed() {
                    return code;
                }
                let _ = news.changed().await;
            }
        };
        tokio::time::timeout(within, closed).await.map_err(|_| ProbeError::TimedOut("the close", within))
    }
}
