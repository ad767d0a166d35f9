//! What waits to be written to one connection, bounded in bytes. A reader that is too slow loses its connection, never
//! the class its pace: when the bound is hit the queue is dropped and `SlowReader` is all that is left to send.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicU64, Ordering},
    },
};

use bytes::Bytes;
use tokio::sync::Notify;

use crate::protocol::{CloseCode, ServerFrame, limits};

/// One thing to write.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outgoing {
    /// A text message; UTF-8.
    Frame(Bytes),
    /// Close the connection with this code; the last item.
    Close(CloseCode),
}

/// The writing end; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Shared>);

/// The reading end.
#[derive(Debug)]
pub struct OutboxReader(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    filled: Notify,
    /// Bytes that the connection carried, as its pump says.
    carried: AtomicU64,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    close: Option<CloseCode>,
    /// Nothing more goes in: closed, or the reader is gone.
    ended: bool,
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// A new pair.
pub(crate) fn outbox() -> (Outbox, OutboxReader) {
    let shared = Arc::new(Shared::default());
    (Outbox(shared.clone()), OutboxReader(shared))
}

impl Outbox {
    /// Queues a rendered frame and wakes the writer.
    pub(crate) fn push(&self, frame: Bytes) {
        self.put(frame);
        self.wake();
    }

    /// Queues a rendered frame for the next [`Outbox::wake`]; beyond [`limits::OUTBOX_BYTES`] the connection is closed as
    /// too slow.
    pub(crate) fn put(&self, frame: Bytes) {
        let mut queue = self.0.lock();
        if queue.ended {
            return;
        }
        queue.bytes += frame.len();
        if queue.bytes > limits::OUTBOX_BYTES {
            queue.end(CloseCode::SlowReader);
            queue.frames.clear();
        } else {
            queue.frames.push_back(frame);
        }
    }

    /// Has the writer write what was put.
    pub(crate) fn wake(&self) {
        self.0.filled.notify_one();
    }

    pub(crate) fn send(&self, frame: &ServerFrame) {
        self.push(super::render::frame(frame));
    }

    /// The connection carried so many bytes more, in either direction, headers included.
    pub(crate) fn note_carried(&self, bytes: u64) {
        self.0.carried.fetch_add(bytes, Ordering::Relaxed);
    }

    /// What was carried since this was last asked.
    pub(crate) fn take_carried(&self) -> u64 {
        self.0.carried.swap(0, Ordering::Relaxed)
    }

    /// What is queued is still written, then the connection is closed.
    pub(crate) fn close(&self, code: CloseCode) {
        self.0.lock().end(code);
        self.wake();
    }
}

impl Queue {
    fn end(&mut self, code: CloseCode) {
        if !self.ended {
            self.ended = true;
            self.close = Some(code);
        }
    }

    fn pop(&mut self) -> Option<Outgoing> {
        if let Some(frame) = self.frames.pop_front() {
            self.bytes -= frame.len();
            return Some(Outgoing::Frame(frame));
        }
        self.close.take().map(Outgoing::Close)
    }
}

impl OutboxReader {
    /// The next thing to write; `None` after the close. Cancel-safe.
    pub async fn next(&mut self) -> Option<Outgoing> {
        loop {
            {
                let mut queue = self.0.lock();
                if let Some(outgoing) = queue.pop() {
                    return Some(outgoing);
                }
                if queue.ended {
                    return None;
                }
            }
            self.0.filled.notified().await;
        }
    }

    /// The next thing, if there is one now: feed until `None`, then flush once.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        self.0.lock().pop()
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.ended = true;
        queue.frames.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_slow_reader_is_closed_at_the_byte_bound() {
        let (outbox, mut reader) = outbox();
        let frame = Bytes::from(vec![b'x'; 64 * 1024]);
        for _ in 0..4 {
            outbox.put(frame.clone());
        }
        assert_eq!(reader.try_next(), Some(Outgoing::Frame(frame.clone())));
        outbox.push(frame.clone());
        outbox.push(frame.clone());
        assert_eq!(reader.next().await, Some(Outgoing::Close(CloseCode::SlowReader)));
        assert_eq!(reader.next().await, None);
    }

    #[tokio::test]
    async fn what_is_queued_before_a_close_is_still_written() {
        let (outbox, mut reader) = outbox();
        outbox.push(Bytes::from_static(b"last words"));
        outbox.close(CloseCode::Ended);
        outbox.push(Bytes::from_static(b"too late"));
        assert_eq!(reader.next().await, Some(Outgoing::Frame(Bytes::from_static(b"last words"))));
        assert_eq!(reader.next().await, Some(Outgoing::Close(CloseCode::Ended)));
        assert_eq!(reader.next().await, None);
    }
}
