//! What waits to be written to one connection, bounded in bytes. A reader that is too slow loses its connection, never
//! the class its pace: when the bound is hit the queue is dropped and `SlowReader` is all that is left to send.
//!
//! What is told to everybody is also written by who tells it, through each connection's [`Wire`]: that spares a wake-up for
//! each. The connection's own task goes on where the transport takes no more, and closes.

use std::{
    collections::VecDeque,
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, Weak,
        atomic::{AtomicBool, AtomicU64, Ordering},
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

/// The transport of one connection.
pub trait Wire: Send + Sync + fmt::Debug {
    /// Writes what waits as far as the transport takes it now; never blocks. False: the connection's own task must go on,
    /// because the transport takes no more, is broken, or is that task's at this moment.
    fn write_now(&self, waiting: &Waiting) -> bool;
}

/// The writing end; cheap to clone.
#[derive(Clone, Debug)]
pub(crate) struct Outbox(Arc<Waiting>);

/// The end of the connection's own task.
#[derive(Debug)]
pub struct OutboxReader(Arc<Waiting>);

/// What waits for one connection, and what its two ends tell each other.
#[derive(Debug, Default)]
pub struct Waiting {
    queue: Mutex<Queue>,
    /// The connection's own task is needed.
    needed: Notify,
    /// Bytes that the connection carried.
    carried: AtomicU64,
    /// Whether the client said anything.
    heard: AtomicBool,
}

#[derive(Debug, Default)]
struct Queue {
    frames: VecDeque<Bytes>,
    bytes: usize,
    close: Option<CloseCode>,
    /// Nothing more goes in: closed, or the reader is gone.
    ended: bool,
    /// `None` until the connection is attached; it owns its transport, and may be gone.
    wire: Option<Weak<dyn Wire>>,
}

/// A new pair.
pub(crate) fn outbox() -> (Outbox, OutboxReader) {
    let waiting = Arc::new(Waiting::default());
    (Outbox(waiting.clone()), OutboxReader(waiting))
}

impl Waiting {
    /// Queues a rendered frame; beyond [`limits::OUTBOX_BYTES`] the connection is closed as too slow.
    pub fn put(&self, frame: Bytes) {
        let mut queue = self.lock();
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

    /// The next frame.
    pub fn pop(&self) -> Option<Bytes> {
        self.lock().pop()
    }

    /// True when no frame waits.
    pub fn is_empty(&self) -> bool {
        self.lock().frames.is_empty()
    }

    /// The connection carried so many bytes more, in either direction, headers included.
    pub fn note_carried(&self, bytes: u64) {
        self.carried.fetch_add(bytes, Ordering::Relaxed);
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

impl Outbox {
    /// Queues a rendered frame, and has the connection's own task write it with what else comes in this moment.
    pub(crate) fn push(&self, frame: Bytes) {
        self.put(frame);
        self.0.needed.notify_one();
    }

    /// Queues a rendered frame for the next [`Outbox::write`].
    pub(crate) fn put(&self, frame: Bytes) {
        self.0.put(frame);
    }

    /// Writes what was put, or has the connection's own task do it.
    pub(crate) fn write(&self) {
        let wire = {
            let queue = self.0.lock();
            match (queue.close, queue.frames.is_empty()) {
                (None, true) => return,
                (None, false) => queue.wire.as_ref().and_then(Weak::upgrade),
                (Some(_), _) => None,
            }
        };
        if !wire.is_some_and(|wire| wire.write_now(&self.0)) {
            self.0.needed.notify_one();
        }
    }

    /// Something waits that the transport did not take.
    pub(crate) fn is_waiting(&self) -> bool {
        !self.0.is_empty()
    }

    pub(crate) fn send(&self, frame: &ServerFrame) {
        self.push(super::render::frame(frame));
    }

    pub(crate) fn note_carried(&self, bytes: u64) {
        self.0.note_carried(bytes);
    }

    /// What was carried since this was last asked.
    pub(crate) fn take_carried(&self) -> u64 {
        self.0.carried.swap(0, Ordering::Relaxed)
    }

    /// The client said something, be it a ping.
    pub(crate) fn note_heard(&self) {
        self.0.heard.store(true, Ordering::Relaxed);
    }

    /// Whether the client said anything since this was last asked.
    pub(crate) fn take_heard(&self) -> bool {
        self.0.heard.swap(false, Ordering::Relaxed)
    }

    /// What is queued is still written, then the connection is closed.
    pub(crate) fn close(&self, code: CloseCode) {
        self.0.lock().end(code);
        self.0.needed.notify_one();
    }
}

impl Queue {
    fn end(&mut self, code: CloseCode) {
        if !self.ended {
            self.ended = true;
            self.close = Some(code);
        }
    }

    fn pop(&mut self) -> Option<Bytes> {
        let frame = self.frames.pop_front()?;
        self.bytes -= frame.len();
        Some(frame)
    }

    /// Why the connection is to be closed, once, and only behind the last frame.
    fn take_close(&mut self) -> Option<CloseCode> {
        if self.frames.is_empty() { self.close.take() } else { None }
    }
}

impl OutboxReader {
    /// From now on others may write. What waits already is left to the connection's own task.
    pub fn connect(&self, wire: Weak<dyn Wire>) {
        self.0.lock().wire = Some(wire);
        self.0.needed.notify_one();
    }

    /// Waits until this task is needed: to write what nobody else could, or to close. Cancel-safe.
    pub async fn needed(&self) {
        self.0.needed.notified().await;
    }

    /// What there is to write.
    pub fn waiting(&self) -> &Waiting {
        &self.0
    }

    /// Why the connection is to be closed now that everything is written; told once.
    pub fn take_close(&mut self) -> Option<CloseCode> {
        self.0.lock().take_close()
    }

    /// The next thing to write; `None` after the close. Cancel-safe. For who has no wire.
    pub async fn next(&mut self) -> Option<Outgoing> {
        loop {
            if let Some(outgoing) = self.try_next() {
                return Some(outgoing);
            }
            if self.0.lock().ended {
                return None;
            }
            self.needed().await;
        }
    }

    /// The next thing, if there is one now.
    pub fn try_next(&mut self) -> Option<Outgoing> {
        let mut queue = self.0.lock();
        queue.pop().map(Outgoing::Frame).or_else(|| queue.take_close().map(Outgoing::Close))
    }
}

impl Drop for OutboxReader {
    fn drop(&mut self) {
        let mut queue = self.0.lock();
        queue.ended = true;
        queue.frames.clear();
        queue.wire = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Takes so many frames, then none.
    #[derive(Debug)]
    struct Narrow(Mutex<(usize, Vec<Bytes>)>);

    impl Wire for Narrow {
        fn write_now(&self, waiting: &Waiting) -> bool {
            let mut narrow = self.0.lock().expect("whole");
            while narrow.0 > narrow.1.len() {
                let Some(frame) = waiting.pop() else { return true };
                narrow.1.push(frame);
            }
            waiting.is_empty()
        }
    }

    #[tokio::test]
    async fn who_tells_writes_and_the_connections_own_task_is_only_woken_for_the_rest() {
        let (outbox, mut reader) = outbox();
        let narrow = Arc::new(Narrow(Mutex::new((2, Vec::new()))));
        let wire: Arc<dyn Wire> = narrow.clone();
        reader.connect(Arc::downgrade(&wire));
        reader.needed().await;
        let text = |n: u8| Bytes::from(vec![b'0' + n]);
        outbox.put(text(1));
        outbox.write();
        outbox.put(text(2));
        outbox.write();
        outbox.write();
        assert_eq!(narrow.0.lock().expect("whole").1, [text(1), text(2)]);
        let woken = tokio::time::timeout(std::time::Duration::from_millis(20), reader.needed());
        assert!(woken.await.is_err(), "everything is written");
        outbox.put(text(3));
        outbox.write();
        reader.needed().await;
        assert_eq!(reader.next().await, Some(Outgoing::Frame(text(3))));
        drop((narrow, wire));
        outbox.put(text(4));
        outbox.write();
        reader.needed().await;
        assert_eq!(reader.waiting().pop(), Some(text(4)));
    }

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
