//! The bus over Redis: publishes what rooms tell, listens to the lessons that are open here. The twin of `memory`.
//!
//! Losable by design. While Redis is away nothing is kept: what is published is dropped, and the rooms find events by
//! comparing heads. One task owns the connection (see [`super::link`]); rooms never wait for it.

use std::{
    collections::HashSet,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use qism_signaling::{
    hub::{
        envelope::{BusEvent, Content},
        ports::{Bus, Clock},
    },
    protocol::{IncarnationId, LessonId},
};
use tokio::sync::{Notify, mpsc};

use super::{
    link,
    seal::{Copies, Seal, Stamp},
    server::RedisServer,
};

/// Letters waiting to be published. Full: the newest is dropped and counted; the others find its events by comparing heads.
const OUTGOING: usize = 4_096;
/// Letters waiting for the hub. Full: as above.
const INCOMING: usize = 4_096;
/// Longest wait before the next attempt to connect; a random part of it, so that not all nodes come at once.
const AGAIN: Duration = Duration::from_secs(1);

/// Rooms' end of the connection.
pub struct RedisBus {
    outgoing: mpsc::Sender<(LessonId, Content)>,
    shared: Arc<Shared>,
}

/// What rooms and the connection's task share.
pub(super) struct Shared {
    pub own: IncarnationId,
    pub seal: Seal,
    clock: Arc<dyn Clock>,
    /// Of the last letter that was written.
    number: AtomicU64,
    copies: Mutex<Copies>,
    pub counters: BusCounters,
    /// The lessons that are open here. Bounded by the rooms.
    wanted: Mutex<HashSet<LessonId>>,
    pub changed: Notify,
    up: AtomicBool,
}

/// What happened since the start.
#[derive(Debug, Default)]
pub struct BusCounters {
    pub published: AtomicU64,
    pub received: AtomicU64,
    /// Not sealed by our key, or sealed once and sent again.
    pub forged: AtomicU64,
    /// Sealed by it and not understood.
    pub unreadable: AtomicU64,
    /// Queues were full, or Redis away.
    pub dropped: AtomicU64,
    /// Connections made.
    pub connected: AtomicU64,
}

pub(super) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl RedisBus {
    /// Begins to connect; what comes is in the receiver, for the hub.
    pub fn start(
        server: RedisServer,
        seal: Seal,
        own: IncarnationId,
        clock: Arc<dyn Clock>,
    ) -> (Arc<Self>, mpsc::Receiver<BusEvent>) {
        let (outgoing, letters) = mpsc::channel(OUTGOING);
        let (incoming, events) = mpsc::channel(INCOMING);
        let shared = Arc::new(Shared {
            own,
            seal,
            clock,
            number: AtomicU64::new(0),
            copies: Mutex::default(),
            counters: BusCounters::default(),
            wanted: Mutex::default(),
            changed: Notify::new(),
            up: AtomicBool::new(false),
        });
        tokio::spawn(keep_connected(server, shared.clone(), letters, incoming));
        (Arc::new(Self { outgoing, shared }), events)
    }

    pub fn counters(&self) -> &BusCounters {
        &self.shared.counters
    }
}

impl Bus for RedisBus {
    fn publish(&self, lesson: LessonId, content: Content) {
        if !self.is_up() || self.outgoing.try_send((lesson, content)).is_err() {
            count(&self.shared.counters.dropped);
        }
    }

    fn listen(&self, lesson: LessonId, open: bool) {
        let mut wanted = self.shared.wanted();
        let _ = if open { wanted.insert(lesson) } else { wanted.remove(&lesson) };
        self.shared.changed.notify_one();
    }

    fn is_up(&self) -> bool {
        self.shared.up.load(Ordering::Relaxed)
    }
}

impl Shared {
    pub fn wanted(&self) -> MutexGuard<'_, HashSet<LessonId>> {
        self.wanted.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// For the next letter.
    pub fn stamp(&self) -> Stamp {
        let number = self.number.fetch_add(1, Ordering::Relaxed) + 1;
        Stamp { number, at: self.clock.now_ms() }
    }

    /// Whether an authentic letter came before.
    pub fn is_copy(&self, from: IncarnationId, stamp: Option<Stamp>) -> bool {
        let now = self.clock.now_ms();
        self.copies.lock().unwrap_or_else(std::sync::PoisonError::into_inner).note(from, stamp, now)
    }

    pub fn set_up(&self, up: bool) {
        self.up.store(up, Ordering::Relaxed);
    }
}

/// Connects, carries, and connects again, until no room is left to write.
async fn keep_connected(
    server: RedisServer,
    shared: Arc<Shared>,
    mut letters: mpsc::Receiver<(LessonId, Content)>,
    incoming: mpsc::Sender<BusEvent>,
) {
    let mut told = false;
    while !incoming.is_closed() {
        let end = link::carry(&server, &shared, &mut letters, &incoming).await;
        if shared.up.swap(false, Ordering::Relaxed) || !told {
            tracing::warn!(redis = %server, error = %end, "the bus is away; lessons go on by comparing heads");
            told = true;
        }
        // What waited when the connection broke: the rooms have found it otherwise before we are back.
        while letters.try_recv().is_ok() {
            count(&shared.counters.dropped);
        }
        tokio::time::sleep(AGAIN.mul_f64(rand::random_range(0.1..1.0))).await;
    }
}
