//! The hub: lesson → room task. Sharded maps; nothing else is shared between lessons.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, MutexGuard,
        atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering},
    },
    time::Duration,
};

use dashmap::DashMap;
use tokio::{
    sync::{Notify, mpsc, oneshot},
    time::Instant,
};

use crate::protocol::{
    CloseCode, CommandId, EVENT_FORMAT, IncarnationId, LessonId, Phase, Position, Role, SessionId, UserId,
    limits,
};

use super::{
    envelope::BusEvent,
    fleet::Fleet,
    outbox::{OutboxReader, outbox},
    ports::{Admissions, Bus, Clock, Journal, MediaEvent, MediaPlane},
    room_task::{self, Caller, RoomMessage, departure},
    session::Attached,
    watch,
};

/// The durations of a lesson's life; the defaults are [`limits`].
#[derive(Clone, Copy, Debug)]
pub struct HubConfig {
    /// This process start.
    pub incarnation: IncarnationId,
    pub no_adult_pause: Duration,
    pub no_adult_close: Duration,
    pub cut_grace: Duration,
    /// A room without sessions is closed after this.
    pub empty_room: Duration,
    /// How often the heads of all local lessons are compared with the journal.
    pub head_check: Duration,
}

impl HubConfig {
    /// The promises of the design.
    pub fn new(incarnation: IncarnationId) -> Self {
        Self {
            incarnation,
            no_adult_pause: limits::NO_ADULT_PAUSE,
            no_adult_close: limits::NO_ADULT_CLOSE,
            cut_grace: limits::CUT_GRACE,
            empty_room: Duration::from_secs(60),
            head_check: Duration::from_millis(500),
        }
    }
}

/// The world, as the hub reaches it.
#[derive(Clone)]
pub struct Ports {
    pub journal: Arc<dyn Journal>,
    pub bus: Arc<dyn Bus>,
    pub admissions: Arc<dyn Admissions>,
    pub clock: Arc<dyn Clock>,
    pub media: Arc<dyn MediaPlane>,
}

/// Somebody with a verified ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Entry {
    pub user: UserId,
    pub role: Role,
    pub visit: bool,
    pub lesson: LessonId,
    pub session: SessionId,
    /// The ticket's id: command id of the `attached` event, which makes the ticket single-use.
    pub ticket: CommandId,
}

/// A lesson that is open on this node.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LessonNow {
    pub lesson: LessonId,
    pub phase: Phase,
    pub students_present: u32,
    pub teacher_present: bool,
    /// Connections of the lesson that this node holds.
    pub seats: u32,
}

/// All lessons of this node.
pub struct Hub {
    pub(crate) config: HubConfig,
    pub(crate) ports: Ports,
    /// Rooms tick together on a grid that begins here.
    pub(crate) started: Instant,
    /// The bus is there again: heads are compared at once.
    pub(crate) compare_now: Arc<Notify>,
    rooms: DashMap<LessonId, Room>,
    fleet: Mutex<Fleet>,
    /// The newest format of events that every server reads: none newer is written.
    event_format: AtomicU32,
    /// Events folded that this version does not know.
    unknown_events: AtomicU64,
    /// Set on shutdown: nobody enters any more.
    closing: Mutex<bool>,
    /// When another node last said that the database took its beat, and that it did not.
    beats_elsewhere: Mutex<[Option<Instant>; 2]>,
    /// While neither store nor other nodes are heard: nobody enters.
    isolated: AtomicBool,
}

struct Room {
    queue: mpsc::Sender<RoomMessage>,
    shown: Arc<Shown>,
}

impl Room {
    fn now(&self) -> Option<LessonNow> {
        *lock(&self.shown.now)
    }
}

/// What a room shows without being asked.
#[derive(Debug, Default)]
pub(crate) struct Shown {
    now: Mutex<Option<LessonNow>>,
    head: Mutex<Option<Position>>,
    /// Connections whose transport takes no more.
    waiting: AtomicU32,
}

impl Shown {
    pub(crate) fn show(&self, now: LessonNow) {
        *lock(&self.now) = Some(now);
    }

    pub(crate) fn show_waiting(&self, connections: u32) {
        self.waiting.store(connections, Ordering::Relaxed);
    }

    pub(crate) fn show_head(&self, head: Position) {
        *lock(&self.head) = Some(head);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// Messages waiting for one room: frames of a thousand people in a burst. Full → `busy` to the sender.
const ROOM_QUEUE: usize = 4_096;

impl Hub {
    /// Starts the hub's own tasks: head checks, and the distribution of what the media plane and the bus tell.
    pub fn start(
        config: HubConfig,
        ports: Ports,
        media_events: mpsc::Receiver<MediaEvent>,
        bus_events: mpsc::Receiver<BusEvent>,
    ) -> Arc<Self> {
        let hub = Arc::new(Self {
            config,
            ports,
            started: Instant::now(),
            compare_now: Arc::default(),
            rooms: DashMap::new(),
            fleet: Mutex::new(Fleet::default()),
            event_format: AtomicU32::new(EVENT_FORMAT),
            unknown_events: AtomicU64::new(0),
            closing: Mutex::new(false),
            beats_elsewhere: Mutex::default(),
            isolated: AtomicBool::new(false),
        });
        tokio::spawn(watch::heads(Arc::downgrade(&hub)));
        tokio::spawn(watch::media(Arc::downgrade(&hub), media_events));
        tokio::spawn(watch::bus(Arc::downgrade(&hub), bus_events));
        hub
    }

    /// Puts somebody into a lesson. With a position, the missing events follow the welcome; without, a snapshot is in it.
    pub async fn attach(
        self: &Arc<Self>,
        entry: Entry,
        position: Option<Position>,
    ) -> Result<(Attached, OutboxReader), CloseCode> {
        // A room may close in the moment we knock: knock once more, at the new one.
        for _ in 0..2 {
            if self.is_closing() {
                return Err(CloseCode::Draining);
            }
            if self.isolated.load(Ordering::Relaxed) {
                return Err(CloseCode::Unavailable);
            }
            let queue = self.room(entry.lesson);
            let (outbox, reader) = outbox();
            let (reply, answer) = oneshot::channel();
            let caller = Caller { entry, position, outbox: outbox.clone(), reply };
            if queue.send(RoomMessage::Attach(caller)).await.is_ok()
                && let Ok(outcome) = answer.await
            {
                let clock = self.ports.clock.clone();
                return outcome.map(|seat| (Attached::new(seat, queue, outbox, clock), reader));
            }
        }
        Err(CloseCode::Unavailable)
    }

    fn room(self: &Arc<Self>, lesson: LessonId) -> mpsc::Sender<RoomMessage> {
        let mut room = self.rooms.entry(lesson).or_insert_with(|| self.open(lesson));
        if room.queue.is_closed() {
            // While the entry is held: of two who find a room closed, one opens the next.
            *room = self.open(lesson);
        }
        room.queue.clone()
    }

    fn open(self: &Arc<Self>, lesson: LessonId) -> Room {
        let (queue, messages) = mpsc::channel(ROOM_QUEUE);
        let shown = Arc::<Shown>::default();
        self.ports.bus.listen(lesson, true);
        tokio::spawn(room_task::run(self.clone(), lesson, messages, queue.downgrade(), shown.clone()));
        Room { queue, shown }
    }

    /// Called by a room task as its last act.
    pub(crate) fn forget(&self, lesson: LessonId) {
        self.rooms.remove_if(&lesson, |_, room| {
            let closed = room.queue.is_closed();
            if closed {
                // In here, so that it cannot come after the `listen` of a room that is opened anew.
                self.ports.bus.listen(lesson, false);
            }
            closed
        });
    }

    /// What a beat showed of all nodes.
    pub fn see(&self, fleet: Fleet) {
        let format = fleet.format();
        if self.event_format.swap(format, Ordering::Relaxed) != format {
            tracing::info!(
                format,
                newest = EVENT_FORMAT,
                "events are written up to this format, which all servers read"
            );
        }
        *lock(&self.fleet) = fleet;
    }

    /// The newest format of events that may be written.
    pub fn event_format(&self) -> u32 {
        self.event_format.load(Ordering::Relaxed)
    }

    /// Events since the start that a newer server wrote and this version skipped.
    pub fn unknown_events(&self) -> u64 {
        self.unknown_events.load(Ordering::Relaxed)
    }

    pub(crate) fn note_unknown_event(&self) {
        self.unknown_events.fetch_add(1, Ordering::Relaxed);
    }

    /// The nodes, when the picture of them may be judged by.
    pub(crate) fn fleet(&self) -> Option<Fleet> {
        let fleet = lock(&self.fleet);
        fleet.is_fresh(Instant::now()).then(|| fleet.clone())
    }

    pub(crate) fn note_beat_elsewhere(&self, database: bool) {
        let mut told = lock(&self.beats_elsewhere);
        told[usize::from(!database)] = Some(Instant::now());
    }

    /// Whether another node has said within this time that it hears the database, or that it does not either.
    pub fn another_beats(&self, database: bool, within: Duration) -> bool {
        let told = lock(&self.beats_elsewhere);
        told[usize::from(!database)].is_some_and(|at| at.elapsed() < within)
    }

    /// A node on which this lesson was has died, and it is here that its people are written off: at once, also where nobody has
    /// asked for the room yet.
    pub fn adopt(self: &Arc<Self>, lesson: LessonId) {
        if !self.is_closing() {
            // Where the queue is full the room's next tick finds them.
            let _ = self.room(lesson).try_send(RoomMessage::NodeDied);
        }
    }

    /// How every lesson that is open here stands.
    pub fn open_lessons(&self) -> Vec<LessonNow> {
        self.rooms.iter().filter_map(|room| room.now()).collect()
    }

    /// Connections that had something waiting when they were last looked at, every other second: their readers are slow.
    pub fn waiting_connections(&self) -> u32 {
        self.rooms.iter().map(|room| room.shown.waiting.load(Ordering::Relaxed)).sum()
    }

    /// How the lessons that are open here stand; others are absent.
    pub fn phases(&self, lessons: &[LessonId]) -> Vec<LessonNow> {
        lessons.iter().filter_map(|lesson| self.rooms.get(lesson).and_then(|room| room.now())).collect()
    }

    /// The school withdrew a right: the person is put out of the lesson, or of all lessons.
    pub async fn withdraw(&self, user: UserId, lesson: Option<LessonId>) {
        for queue in self.queues(lesson).into_values() {
            let _ = queue.send(RoomMessage::Withdraw { user }).await;
        }
    }

    /// The school erased somebody: out of all lessons that are open here, and what they wrote with them. May be told again.
    pub async fn erase(&self, user: UserId) {
        for queue in self.queues(None).into_values() {
            let _ = queue.send(RoomMessage::Erase { user }).await;
        }
    }

    /// Neither the store nor other nodes are heard, or one of them again. While it lasts nobody could take a right back here:
    /// media stops, and everybody is sent elsewhere.
    pub async fn isolate(&self, isolated: bool) {
        if self.isolated.swap(isolated, Ordering::Relaxed) || !isolated {
            return;
        }
        let lessons = self.queues(None);
        tracing::error!(
            lessons = lessons.len(),
            "neither the database nor other servers are heard: sending everybody elsewhere"
        );
        for queue in lessons.into_values() {
            let _ = queue.send(RoomMessage::CastOff).await;
        }
    }

    /// Whoever comes is sent elsewhere from now on; who is here stays.
    pub fn close_door(&self) {
        *lock(&self.closing) = true;
    }

    /// Has everybody move to other nodes while media goes on here, one lesson after the other. Returns when all have gone and
    /// nothing is carried for them any more.
    pub async fn move_out(&self) {
        self.close_door();
        let mut lessons: Vec<(u32, mpsc::Sender<RoomMessage>)> = self.seated();
        // Small ones first: most of them are through before a crowd begins.
        lessons.sort_by_key(|(seats, _)| *seats);
        let begun = Instant::now();
        let turns = departure::turns(lessons.iter().map(|(seats, _)| *seats));
        for (after, (_, queue)) in turns.into_iter().zip(&lessons) {
            tokio::time::sleep_until(begun + after).await;
            let _ = queue.send(RoomMessage::MoveOut).await;
        }
        for (_, queue) in lessons {
            queue.closed().await;
        }
    }

    /// The queues of all lessons, with how many connections each has here.
    fn seated(&self) -> Vec<(u32, mpsc::Sender<RoomMessage>)> {
        let seats = |room: &Room| room.now().map_or(0, |now| now.seats);
        self.rooms.iter().map(|room| (seats(&room), room.queue.clone())).collect()
    }

    /// Tells every connection to go elsewhere, and ends.
    pub async fn shutdown(&self) {
        self.close_door();
        for queue in self.queues(None).into_values() {
            let _ = queue.send(RoomMessage::Drain).await;
            queue.closed().await;
        }
    }

    fn is_closing(&self) -> bool {
        *lock(&self.closing)
    }

    /// The lessons that are open here.
    pub(crate) fn lessons(&self) -> Vec<LessonId> {
        self.rooms.iter().map(|room| *room.key()).collect()
    }

    /// The queue of a room whose head is another one.
    pub(crate) fn queue_unless_at(
        &self,
        lesson: LessonId,
        head: Position,
    ) -> Option<mpsc::Sender<RoomMessage>> {
        let room = self.rooms.get(&lesson)?;
        let is_at = *lock(&room.shown.head) == Some(head);
        (!is_at).then(|| room.queue.clone())
    }

    /// The queue of a room that is open here.
    pub(crate) fn queue_to(&self, lesson: LessonId) -> Option<mpsc::Sender<RoomMessage>> {
        self.rooms.get(&lesson).map(|room| room.queue.clone())
    }

    /// The queues of one lesson, or of all.
    pub(crate) fn queues(&self, lesson: Option<LessonId>) -> HashMap<LessonId, mpsc::Sender<RoomMessage>> {
        self.rooms
            .iter()
            .filter(|room| lesson.is_none_or(|lesson| lesson == *room.key()))
            .map(|room| (*room.key(), room.queue.clone()))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use uuid::Uuid;

    use super::*;
    use crate::hub::{
        envelope::Content,
        memory::{ManualClock, MemoryAdmissions, MemoryJournal, RecordingMedia},
    };

    /// Takes its time to listen, so that whoever else wants to open the room comes in between.
    struct SlowBus;

    impl Bus for SlowBus {
        fn publish(&self, _: LessonId, _: Content) {}

        fn listen(&self, _: LessonId, _: bool) {
            thread::sleep(Duration::from_millis(50));
        }

        fn is_up(&self) -> bool {
            true
        }
    }

    #[test]
    fn two_callers_who_find_a_room_closed_get_the_same_new_one() {
        // Its tasks are never run: a room that is opened stays as it is.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let _in_it = runtime.enter();
        let ports = Ports {
            journal: Arc::new(MemoryJournal::default()),
            bus: Arc::new(SlowBus),
            admissions: Arc::new(MemoryAdmissions::default()),
            clock: Arc::new(ManualClock::starting_at(1)),
            media: Arc::new(RecordingMedia::default()),
        };
        let config = HubConfig::new(IncarnationId(Uuid::from_u128(1)));
        let hub = Hub::start(config, ports, mpsc::channel(1).1, mpsc::channel(1).1);
        let lesson = LessonId(Uuid::from_u128(2));
        hub.rooms.insert(lesson, Room { queue: mpsc::channel(1).0, shown: Arc::default() });
        let call = || {
            let (hub, handle) = (hub.clone(), runtime.handle().clone());
            thread::spawn(move || {
                let _in_it = handle.enter();
                hub.room(lesson)
            })
        };
        let (one, two) = (call(), call());
        let (one, two) = (one.join().expect("called"), two.join().expect("called"));
        assert!(one.same_channel(&two));
    }
}
