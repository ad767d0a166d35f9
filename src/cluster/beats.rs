//! The beat of this server: once a second it says that it lives, and looks who else does.

use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

use qism_signaling::{
    hub::{
        Hub, LessonNow,
        envelope::{Content, EVERY_NODE},
        fleet::Fleet,
        ports::Bus,
    },
    protocol::{EVENT_FORMAT, IncarnationId, LessonId, limits},
};
use tokio::sync::Notify;

use super::{
    Board, DatabaseClock,
    judging::{ALIKE, Buried, DEAF, Hearing, Others, must_stop},
    placement,
};
use crate::storage::{Hour, Load, MediaDoors, NodeNow, NodeRow, Session, StorageError, Store};

/// A third of what makes a node stale.
const BEAT: Duration = Duration::from_secs(1);
/// A beat that takes longer has failed; the next one is tried.
const PATIENCE: Duration = Duration::from_secs(2);
/// Whoever is on a lesson's list and has not come so long after its beginning does not come any more.
const WAITED_FOR: Duration = Duration::from_secs(15 * 60);
/// The dead are cleared away every so many beats.
const CLEARING: u64 = 30;
/// In a store of its own a server that has nothing new to say writes so often: nobody looks whether it lives, only whether the store takes it.
const ALONE_EVERY: Duration = Duration::from_secs(5);

/// What changes about a server from beat to beat.
#[derive(Clone, Copy, Debug, Default)]
pub struct Status {
    pub draining: bool,
    /// Connections that it may have, and that it has.
    pub capacity: u32,
    pub people: u32,
    /// Per mille of its processors' time, of late.
    pub busy: u16,
}

/// One server's beat.
pub struct Beats {
    store: Store,
    /// Present where the database is shared: its time counts.
    clock: Option<Arc<DatabaseClock>>,
    own: NodeRow,
    /// Ends with this process: by that the others know that its name is free.
    session: Option<Session>,
    board: Arc<Board>,
    /// What the table says of our rooms.
    told: HashMap<LessonId, LessonNow>,
    /// What a store of our own tells.
    written: Option<Written>,
    /// Living nodes that the log has told of.
    known: HashSet<IncarnationId>,
    buried: Buried,
    failing: bool,
    hearing: Hearing,
    count: u64,
    nudge: Arc<Notify>,
}

/// What was last written into a store that is ours alone, and found there.
struct Written {
    own: NodeRow,
    at: Instant,
    /// The beat that was written: as long as that lies ahead the row is fresh.
    until: u64,
    nodes: Vec<NodeNow>,
}

/// Connections that must stay free here, for these lessons.
fn promised(rooms: &[LessonNow], expected: Vec<(LessonId, u32)>) -> u32 {
    let seats: HashMap<LessonId, u32> = rooms.iter().map(|room| (room.lesson, room.seats)).collect();
    let there = |(lesson, expected)| (expected, seats.get(&lesson).copied().unwrap_or(0));
    placement::promised(expected.into_iter().map(there))
}

impl Beats {
    /// Beats for the first time: nobody may meet us before the others can know us.
    pub async fn start(
        store: Store,
        clock: Option<Arc<DatabaseClock>>,
        incarnation: IncarnationId,
        name: &str,
    ) -> Result<Self, StorageError> {
        let version = env!("CARGO_PKG_VERSION").to_owned();
        let (name, media) = (name.to_owned(), MediaDoors::default());
        let (load, session) = (Load::default(), String::new());
        let event_format = EVENT_FORMAT;
        let own = NodeRow { incarnation, name, version, draining: false, load, media, session, event_format };
        let mut beats = Self {
            store,
            clock,
            own,
            session: None,
            board: Arc::default(),
            told: HashMap::new(),
            written: None,
            known: HashSet::new(),
            buried: Buried::default(),
            failing: false,
            hearing: Hearing::default(),
            count: 0,
            nudge: Arc::default(),
        };
        if !beats.store.is_shared() {
            beats.store.silence_others(incarnation, beats.store.database_now().await?).await?;
        }
        beats.tell(&[]).await?;
        Ok(beats)
    }

    pub fn board(&self) -> Arc<Board> {
        self.board.clone()
    }

    /// From the next beat on the others know how their media gets in here.
    pub fn open_media(&mut self, media: MediaDoors) {
        self.own.media = media;
    }

    /// Has it beat at once: something changed that others should know.
    pub fn nudge(&self) -> Arc<Notify> {
        self.nudge.clone()
    }

    /// Until it is aborted. `met` is told the others that live, with each beat.
    pub async fn run(
        mut self,
        hub: Arc<Hub>,
        bus: Option<Arc<dyn Bus>>,
        status: impl Fn() -> Status,
        met: impl Fn(Vec<NodeRow>),
    ) {
        if let Some(bus) = &bus {
            bus.listen(EVERY_NODE, true);
        }
        let mut tick = tokio::time::interval(BEAT);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        let nudge = self.nudge();
        loop {
            tokio::select! {
                _ = tick.tick() => {}
                () = nudge.notified() => {}
            }
            let Status { draining, capacity, people, busy } = status();
            self.own.draining = draining;
            self.own.load = Load { capacity, people, busy, ..self.own.load };
            let outcome = tokio::time::timeout(PATIENCE, self.beat(&hub)).await;
            // What it would write might be where nobody looks for it.
            let replaced = matches!(
                outcome,
                Ok(Err(StorageError::NameTaken { .. } | StorageError::SharedOutOtherwise { .. }))
            );
            let problem = match outcome {
                Ok(Ok(())) => {
                    met(self.others());
                    None
                }
                Ok(Err(error)) => Some(error.to_string()),
                Err(late) => Some(late.to_string()),
            };
            self.note(problem.as_deref());
            if let Some(bus) = &bus {
                // Who takes nobody for dead yet gives nobody a reason to stop.
                let database = problem.is_none() && self.board.judges();
                bus.publish(EVERY_NODE, Content::Beats { database });
            }
            let others = Others {
                hear_the_database: hub.another_beats(true, DEAF),
                are_cut_off_too: hub.another_beats(false, ALIKE),
            };
            let bus_is_up = bus.as_ref().map(|bus| bus.is_up());
            hub.isolate(replaced || must_stop(self.board.age(), bus_is_up, others)).await;
        }
    }

    fn others(&self) -> Vec<NodeRow> {
        let own = self.own.incarnation;
        self.board.alive().into_iter().filter(|node| node.incarnation != own).collect()
    }

    async fn beat(&mut self, hub: &Arc<Hub>) -> Result<(), StorageError> {
        let rooms = hub.open_lessons();
        let nodes = self.tell(&rooms).await?;
        // Behind a silence of the database everybody looks dead until they have beaten again.
        let judges = self.hearing.heard(Instant::now());
        self.board.judge(judges);
        let (alive, stale): (Vec<_>, Vec<_>) = nodes.iter().partition(|node| node.is_alive() || !judges);
        self.introduce(&nodes);
        let ids = |nodes: &[&NodeNow]| nodes.iter().map(|node| node.node.incarnation).collect::<Vec<_>>();
        let formats = alive.iter().map(|node| node.node.event_format);
        let fleet = Fleet::seen(ids(&alive), ids(&stale), tokio::time::Instant::now());
        let fleet = formats.fold(fleet, Fleet::reading);
        hub.see(fleet.clone());
        self.bury(&stale, &fleet, hub).await
    }

    /// Other lines name nodes by their incarnation only.
    fn introduce(&mut self, nodes: &[NodeNow]) {
        let alive = || nodes.iter().filter(|node| node.is_alive()).map(|node| &node.node);
        self.known.retain(|known| alive().any(|node| node.incarnation == *known));
        for NodeRow { incarnation, name, version, .. } in alive() {
            if *incarnation != self.own.incarnation && self.known.insert(*incarnation) {
                tracing::info!(peer = name, %incarnation, version, "another node beats");
            }
        }
    }

    /// Sees to it that the table tells of us, and says what it tells of all.
    async fn tell(&mut self, rooms: &[LessonNow]) -> Result<Vec<NodeNow>, StorageError> {
        self.count += 1;
        let nodes = match self.store.is_shared() {
            true => self.tell_others(rooms).await?,
            false => self.tell_alone(rooms).await?,
        };
        self.board.replace(nodes.clone());
        Ok(nodes)
    }

    /// Writes our row and reads all.
    async fn tell_others(&mut self, rooms: &[LessonNow]) -> Result<Vec<NodeNow>, StorageError> {
        let asked = Instant::now();
        let Hour { now, expected } = self.store.hour(&self.own.name, WAITED_FOR).await?;
        if let Some(clock) = &self.clock {
            clock.measure(now, asked, Instant::now());
        }
        self.own.load.promised = promised(rooms, expected);
        self.keep_session().await;
        self.write(rooms, now).await?;
        self.store.expect_shared_out().await?;
        self.clear(now).await?;
        self.store.nodes(now).await
    }

    /// The same in a store of our own. The beat is written ahead, until the next one is due: whoever reads the row looks how old it is.
    async fn tell_alone(&mut self, rooms: &[LessonNow]) -> Result<Vec<NodeNow>, StorageError> {
        let now = self.store.database_now().await?;
        if let Some(written) = self.written.as_ref().filter(|written| self.still_tells(written, rooms, now)) {
            return Ok(written.nodes.clone());
        }
        let (at, until) = (Instant::now(), now + ALONE_EVERY.as_millis() as u64);
        self.write(rooms, until).await?;
        self.clear(now).await?;
        let nodes = self.store.nodes(now).await?;
        self.written = Some(Written { own: self.own.clone(), at, until, nodes: nodes.clone() });
        Ok(nodes)
    }

    /// Whether a store of our own tells of us what is so, and need not be written anew.
    fn still_tells(&self, Written { own, at, until, .. }: &Written, rooms: &[LessonNow], now: u64) -> bool {
        // How many people there are is told with the lessons, too; how busy we are comes by and by.
        let load = Load { people: own.load.people, busy: own.load.busy, ..self.own.load };
        let is_same = NodeRow { load, ..self.own.clone() } == *own
            && rooms.len() == self.told.len()
            && rooms.iter().all(|room| self.told.get(&room.lesson) == Some(room));
        // By both clocks: one may be set, the other stands still while the machine sleeps.
        is_same && at.elapsed() < ALONE_EVERY && now < *until
    }

    async fn write(&mut self, rooms: &[LessonNow], beat: u64) -> Result<(), StorageError> {
        let changed: Vec<LessonNow> =
            rooms.iter().filter(|room| self.told.get(&room.lesson) != Some(room)).copied().collect();
        let open: HashSet<LessonId> = rooms.iter().map(|room| room.lesson).collect();
        let closed: Vec<LessonId> =
            self.told.keys().filter(|lesson| !open.contains(lesson)).copied().collect();
        self.written = None;
        self.store.beat(&self.own, beat, &changed, &closed).await?;
        self.told = rooms.iter().map(|room| (room.lesson, *room)).collect();
        Ok(())
    }

    /// Clears away now and then what nobody needs any more.
    async fn clear(&mut self, now: u64) -> Result<(), StorageError> {
        if self.count < CLEARING {
            return Ok(());
        }
        self.count = 0;
        self.store.forget_dead_nodes(now).await?;
        self.store.forget_old_attempts(now).await?;
        self.store.forget_places(now.saturating_sub(limits::OVERRUN.as_millis() as u64)).await
    }

    /// One that was lost is opened again. Where that fails the row says that there is none, and only the beats tell of us.
    async fn keep_session(&mut self) {
        let is_open = match &mut self.session {
            Some(session) => session.is_open().await,
            None => false,
        };
        if !is_open {
            self.session = self.store.open_session().await.ok().flatten();
        }
        self.own.session = self.session.as_ref().map(|session| session.name().to_owned()).unwrap_or_default();
    }

    /// Opens the lessons of dead nodes that are ours to look after: their people are written off there.
    async fn bury(&mut self, stale: &[&NodeNow], fleet: &Fleet, hub: &Arc<Hub>) -> Result<(), StorageError> {
        let dead: Vec<IncarnationId> = stale.iter().map(|node| node.node.incarnation).collect();
        if !self.buried.is_due(&dead) {
            return Ok(());
        }
        for NodeRow { incarnation, name, .. } in stale.iter().map(|node| &node.node) {
            let lessons = self.store.rooms_of(*incarnation).await?;
            let ours = lessons.iter().filter(|lesson| fleet.is_first(self.own.incarnation, **lesson));
            ours.for_each(|lesson| hub.adopt(*lesson));
            if !self.buried.contains(incarnation) {
                tracing::warn!(peer = name, %incarnation, lessons = lessons.len(), "a node beats no more");
            }
        }
        self.buried = Buried::from(dead);
        Ok(())
    }

    /// Told once when it begins and once when it is over.
    fn note(&mut self, problem: Option<&str>) {
        match (problem, self.failing) {
            (Some(problem), false) => {
                tracing::warn!(problem, "the beat fails: others will take this server for dead")
            }
            (None, true) => tracing::info!("the beat is back"),
            _ => {}
        }
        self.failing = problem.is_some();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn beats_on(store: &Store) -> Beats {
        let own = IncarnationId(uuid::Uuid::now_v7());
        Beats::start(store.clone(), None, own, "").await.expect("the first beat")
    }

    #[tokio::test]
    async fn a_store_of_our_own_is_written_when_something_is_new() {
        let folder = tempfile::tempdir().expect("a folder");
        let url = format!("sqlite://{}", folder.path().join("qism.db").display());
        let store = Store::open(&*url).await.expect("opened");
        let mut beats = beats_on(&store).await;
        let lesson = LessonId(uuid::Uuid::now_v7());
        let phase = qism_signaling::protocol::Phase::Open;
        let room = |seats| LessonNow { lesson, phase, students_present: 1, teacher_present: true, seats };
        for (rooms, is_new) in [
            (vec![], false),
            (vec![room(1)], true),
            (vec![room(1)], false),
            (vec![room(2)], true),
            (vec![], true),
        ] {
            let before = beats.written.as_ref().map(|written| written.at);
            let nodes = beats.tell(&rooms).await.expect("told");
            assert!(nodes.len() == 1 && nodes[0].is_alive() && beats.board().is_fresh());
            assert_eq!(beats.written.as_ref().map(|written| written.at) != before, is_new, "{rooms:?}");
        }
        beats.own.draining = true;
        let nodes = beats.tell(&[]).await.expect("told");
        assert!(nodes[0].node.draining, "it is told at once that nobody new is taken");
        let now = store.database_now().await.expect("the time");
        assert!(
            store.nodes(now + 7_000).await.expect("read")[0].is_alive(),
            "until the next beat is long due"
        );
    }

    #[tokio::test]
    async fn whoever_beat_in_a_store_of_our_own_before_is_dead_at_once() {
        let store = Store::open("sqlite::memory:").await.expect("opened");
        let killed = beats_on(&store).await.own.incarnation;
        let mut beats = beats_on(&store).await;
        let nodes = beats.tell(&[]).await.expect("told");
        let alive: Vec<bool> = nodes.iter().map(|it| it.is_alive()).collect();
        let dead: Vec<IncarnationId> =
            nodes.iter().filter(|it| !it.is_alive()).map(|it| it.node.incarnation).collect();
        assert!(dead == [killed] && alive.len() == 2, "{nodes:?}");
    }
}
