//! A bus between hubs of one process: the twin of the real one for tests, where letters can be lost.

use std::sync::{
    Arc, Mutex,
    atomic::{AtomicBool, AtomicU32, Ordering},
};

use tokio::sync::mpsc;

use crate::protocol::{IncarnationId, LessonId};

use super::{
    envelope::{BusEvent, Content, Envelope},
    ports::Bus,
};

/// Letters waiting for one hub. Full: dropped, as on the real one.
const QUEUE: usize = 1_024;

/// What the hubs of a test share.
#[derive(Debug, Default)]
pub struct Wire {
    ends: Mutex<Vec<(IncarnationId, mpsc::Sender<BusEvent>)>>,
    cut: AtomicBool,
    losing: AtomicU32,
}

impl Wire {
    /// The end of one more hub.
    pub fn end(self: &Arc<Self>, of: IncarnationId) -> (Arc<WireEnd>, mpsc::Receiver<BusEvent>) {
        let (sender, receiver) = mpsc::channel(QUEUE);
        self.lock().push((of, sender));
        (Arc::new(WireEnd { of, wire: self.clone() }), receiver)
    }

    /// From now on nothing gets through, or all again.
    pub fn set_cut(&self, cut: bool) {
        self.cut.store(cut, Ordering::SeqCst);
        if !cut {
            self.deliver(|_| true, &BusEvent::Restored);
        }
    }

    /// The next letters are lost although all seems well.
    pub fn lose(&self, letters: u32) {
        self.losing.store(letters, Ordering::SeqCst);
    }

    /// Delivers a letter that no hub has written.
    pub fn inject(&self, envelope: Envelope) {
        let from = envelope.from;
        self.deliver(|to| to != from, &BusEvent::Received(envelope));
    }

    fn deliver(&self, to: impl Fn(IncarnationId) -> bool, event: &BusEvent) {
        for (_, end) in self.lock().iter().filter(|(of, _)| to(*of)) {
            let _ = end.try_send(event.clone());
        }
    }

    fn is_lost(&self) -> bool {
        let one = |left: u32| left.checked_sub(1);
        self.losing.fetch_update(Ordering::SeqCst, Ordering::SeqCst, one).is_ok()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<(IncarnationId, mpsc::Sender<BusEvent>)>> {
        self.ends.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }
}

/// One hub's end.
#[derive(Debug)]
pub struct WireEnd {
    of: IncarnationId,
    wire: Arc<Wire>,
}

impl Bus for WireEnd {
    fn publish(&self, lesson: LessonId, content: Content) {
        if self.is_up() && !self.wire.is_lost() {
            self.wire.inject(Envelope { from: self.of, lesson, content });
        }
    }

    fn listen(&self, _: LessonId, _: bool) {}

    fn is_up(&self) -> bool {
        !self.wire.cut.load(Ordering::SeqCst)
    }
}
