//! Sends a lesson's people to one node, and knows of lessons that are open on others.
//!
//! By the path of the WebSocket, which the proxy in front routes: one host name, one certificate, one origin. A node that the
//! proxy does not know, or that has just died, only means that another one answers: every node takes every path.
//!
//! Where a lesson goes is decided once and kept as a row, so that all tickets of it say the same: before the bell for what is in
//! the timetable, else by the first ticket. The row is advice, not a lock.
//!
//! When a node dies its people come back long before it is stale by its beat. So that they meet on one node all the same, it is known at
//! once that a process was killed (its database session has ended), and, where a machine vanished or stands still, that the proxy passes it
//! over while its beat is late: who asks first moves the lesson's row, and who was led past it is sent where the row says.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qism_signaling::{
    hub::{LessonNow, fleet::STALE, ports::Clock},
    protocol::{IncarnationId, LessonId},
};
use tokio::sync::OnceCell;

use super::{
    Board,
    homes::{Home, Homes},
    placement::{self, Lesson, Node},
};
use crate::storage::{
    Load, NodeRow, OpenRoom, Place, Placing, PlannedLesson, SessionNow, Span, StorageError, Store,
};

/// The timetable is looked at so often.
const LOOK_AHEAD: Duration = Duration::from_secs(10);
/// Lessons are placed so long before they begin: students may come in a quarter of an hour early.
const AHEAD: Duration = Duration::from_secs(20 * 60);
/// Lessons placed at one look.
const AT_ONCE: u32 = 500;

/// A beat that has not come for so long is late: the next one was due half a second ago.
const LATE: Duration = Duration::from_millis(1_500);

fn node(name: String, draining: bool, load: Load, seats: Option<u32>) -> Node {
    let Load { capacity, people, promised, busy } = load;
    Node { name, draining, capacity, people, promised, busy, seats }
}

impl From<NodeRow> for Node {
    fn from(NodeRow { name, draining, load, .. }: NodeRow) -> Self {
        node(name, draining, load, None)
    }
}

impl From<Place> for Node {
    fn from(Place { name, draining, load, seats, .. }: Place) -> Self {
        node(name, draining, load, seats)
    }
}

/// What was decided since the start.
#[derive(Debug, Default)]
pub struct Placed {
    /// Lessons placed before they began.
    pub ahead: AtomicU64,
    /// Lessons placed by their first ticket.
    pub at_ticket: AtomicU64,
    /// Lessons moved since their node is gone, or takes nobody new.
    pub moved: AtomicU64,
    /// Tickets to another node than the lesson's, which was full.
    pub spilled: AtomicU64,
}

/// What the school's pages ask about other nodes.
pub struct Steering {
    store: Store,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    own: IncarnationId,
    own_name: String,
    homes: Homes,
    placed: Placed,
    deciding: Deciding,
}

/// Lessons that are being placed: a class whose node died comes back within a tenth of a second, and one
/// of them moves the lesson for all. Nothing is kept: a cell lives while somebody waits for it.
#[derive(Debug, Default)]
struct Deciding(Mutex<HashMap<Leaving, Weak<Decision>>>);

/// What is to be placed, and the node that it leaves, if it had one.
#[derive(Debug, PartialEq, Eq, Hash)]
struct Leaving(LessonId, Option<String>);

/// Which node it is; none where all are going.
type Decision = OnceCell<Option<String>>;

impl Deciding {
    /// What all who ask at the same time wait for.
    fn cell(&self, lesson: LessonId, from: Option<&str>) -> Arc<Decision> {
        let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let key = Leaving(lesson, from.map(str::to_owned));
        if let Some(cell) = cells.get(&key).and_then(Weak::upgrade) {
            return cell;
        }
        cells.retain(|_, cell| cell.strong_count() > 0);
        let cell = Arc::default();
        cells.insert(key, Arc::downgrade(&cell));
        cell
    }
}

impl Steering {
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
        (own, own_name): (IncarnationId, String),
        homes: Homes,
    ) -> Self {
        Self {
            store,
            clock,
            board,
            own,
            own_name,
            homes,
            placed: Placed::default(),
            deciding: Deciding::default(),
        }
    }

    pub fn placed(&self) -> &Placed {
        &self.placed
    }

    /// The path of the WebSocket for a lesson.
    pub async fn socket(&self, lesson: LessonId) -> String {
        let node = match self.node(lesson).await {
            Ok(node) => node,
            Err(error) => {
                tracing::warn!(%lesson, %error, "where a lesson is placed cannot be read or written");
                let nodes = named(self.board.alive());
                let lesson = Lesson { id: lesson, expected: 0, home: Home::default(), placed: None };
                placement::choose(&lesson, &nodes)
            }
        };
        node.map_or("/ws".into(), |name| format!("/ws/{name}"))
    }

    /// Whether somebody stays here whom a ticket had led to another node, past which the proxy came here. If not, the next ticket
    /// leads them to where the others are.
    pub async fn keeps(&self, lesson: LessonId, led_to: &str) -> bool {
        if led_to == self.own_name {
            return true;
        }
        match self.look(lesson, Some(led_to)).await {
            // The ticket is still right: a proxy that goes past it would do so again.
            Ok((_, placed)) => placed.is_none_or(|node| node == self.own_name || node == led_to),
            Err(error) => {
                tracing::warn!(%lesson, %error, "where a lesson is placed cannot be read");
                true
            }
        }
    }

    /// The node for somebody who enters a lesson now.
    async fn node(&self, lesson: LessonId) -> Result<Option<String>, StorageError> {
        match self.look(lesson, None).await? {
            (nodes, Some(placed)) => Ok(self.with_room(lesson, &placed, &nodes)),
            (nodes, None) => Ok(self.decide(lesson, None, &nodes).await),
        }
    }

    /// The nodes that live, and the one on which the lesson has its place: another one than before, when that is gone.
    async fn look(
        &self,
        lesson: LessonId,
        passed_over: Option<&str>,
    ) -> Result<(Vec<Node>, Option<String>), StorageError> {
        let (places, placed) = self.store.places(lesson, self.clock.now_ms()).await?;
        let nodes = named(living(places, self.own, passed_over));
        let is_gone = |placed: &str| !nodes.iter().any(|node| node.name == placed && !node.draining);
        match placed {
            Some(placed) if is_gone(&placed) && self.board.judges() => {
                let moved = self.decide(lesson, Some(&placed), &nodes).await;
                Ok((nodes, moved.or(Some(placed))))
            }
            placed => Ok((nodes, placed)),
        }
    }

    /// The node of a lesson, or the next one for who finds no room there.
    fn with_room(&self, id: LessonId, placed: &str, nodes: &[Node]) -> Option<String> {
        let lesson = Lesson { id, expected: 1, home: Home::default(), placed: Some(placed) };
        let chosen = placement::choose(&lesson, nodes);
        if chosen.as_deref().is_some_and(|chosen| chosen != placed) {
            self.placed.spilled.fetch_add(1, Ordering::Relaxed);
        }
        chosen
    }

    /// Places a lesson, or moves it `from` a node that is gone: once for all who ask meanwhile. What cannot be written is where hashing
    /// says all the same.
    async fn decide(&self, id: LessonId, from: Option<&str>, nodes: &[Node]) -> Option<String> {
        let cell = self.deciding.cell(id, from);
        let decide = async || {
            let decided = match from {
                Some(gone) => self.move_from(id, gone, nodes).await,
                None => self.place(id, nodes).await,
            };
            decided.unwrap_or_else(|error| {
                tracing::warn!(lesson = %id, %error, "where a lesson is placed cannot be written");
                placement::choose(&Lesson { id, expected: 1, home: Home::default(), placed: None }, nodes)
            })
        };
        cell.get_or_init(decide).await.clone()
    }

    async fn move_from(
        &self,
        id: LessonId,
        gone: &str,
        nodes: &[Node],
    ) -> Result<Option<String>, StorageError> {
        let planned = self.store.planned_lesson(id).await?;
        let (expected, code) = planned.map_or((1, String::new()), |it| (it.expected, it.code));
        let lesson = Lesson { id, expected, home: self.homes.of(&code), placed: None };
        let Some(to) = placement::choose(&lesson, nodes) else {
            return Ok(None);
        };
        let placing = Placing { node: &to, is_away: !lesson.home.is(&to) };
        if !self.store.move_lesson(lesson.id, gone, placing).await? {
            // Another node was faster.
            return Ok(self.store.placed_on(lesson.id).await?.or(Some(to)));
        }
        self.placed.moved.fetch_add(1, Ordering::Relaxed);
        Ok(Some(to))
    }

    /// A lesson that has no node yet.
    async fn place(&self, lesson: LessonId, nodes: &[Node]) -> Result<Option<String>, StorageError> {
        let Some(planned) = self.store.planned_lesson(lesson).await? else { return Ok(None) };
        let Some((_, node)) = placement::plan(&[self.asking(&planned)], nodes).pop() else { return Ok(None) };
        self.store.place_lessons(&[(&planned, self.placing(&planned, &node))]).await?;
        self.placed.at_ticket.fetch_add(1, Ordering::Relaxed);
        Ok(self.store.placed_on(lesson).await?.or(Some(node)))
    }

    fn placing<'a>(&self, planned: &PlannedLesson, node: &'a str) -> Placing<'a> {
        Placing { node, is_away: !self.homes.of(&planned.code).is(node) }
    }

    fn asking(&self, planned: &PlannedLesson) -> Lesson<'_> {
        let home = self.homes.of(&planned.code);
        Lesson { id: planned.lesson, expected: planned.expected, home, placed: None }
    }

    /// Places the lessons of the timetable before they begin, until it is aborted.
    pub async fn look_ahead(&self) {
        let mut tick = tokio::time::interval(LOOK_AHEAD);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            if let Err(error) = self.place_coming().await {
                tracing::warn!(%error, "the coming lessons are not placed");
            }
        }
    }

    async fn place_coming(&self) -> Result<(), StorageError> {
        let alive = self.board.alive();
        // One does it for all; two that both think so do it alike.
        let first = alive.iter().filter(|node| !node.draining).map(|node| node.incarnation).min();
        if first != Some(self.own) || !self.board.judges() {
            return Ok(());
        }
        let from = self.clock.now_ms();
        let span = Span { from, to: from + AHEAD.as_millis() as u64 };
        let coming = self.store.unplaced_lessons(span, AT_ONCE).await?;
        if coming.is_empty() {
            return Ok(());
        }
        let nodes = named(alive);
        let asking: Vec<Lesson<'_>> = coming.iter().map(|planned| self.asking(planned)).collect();
        let plan = placement::plan(&asking, &nodes);
        let rows =
            coming.iter().zip(&plan).map(|(planned, (_, node))| (planned, self.placing(planned, node)));
        let rows: Vec<_> = rows.collect();
        self.store.place_lessons(&rows).await?;
        self.placed.ahead.fetch_add(rows.len() as u64, Ordering::Relaxed);
        tracing::info!(lessons = rows.len(), "coming lessons are placed");
        Ok(())
    }

    /// Whether another node takes people.
    pub fn is_anybody_else(&self) -> bool {
        self.board.alive().iter().any(|node| node.incarnation != self.own && !node.draining)
    }

    /// How lessons stand that are open on other nodes.
    pub async fn elsewhere(&self, lessons: &[LessonId]) -> Vec<LessonNow> {
        let open = self.open(lessons).await;
        open.into_iter().filter(|room| room.incarnation != self.own).map(|room| room.now).collect()
    }

    /// A database that does not answer steers nobody: hashing alone mostly says the same.
    async fn open(&self, lessons: &[LessonId]) -> Vec<OpenRoom> {
        self.store.open_rooms(lessons, self.clock.now_ms()).await.unwrap_or_else(|error| {
            tracing::warn!(%error, "where lessons are open cannot be read");
            Vec::new()
        })
    }
}

/// Those that a path can name.
fn named(nodes: Vec<impl Into<Node>>) -> Vec<Node> {
    nodes.into_iter().map(Into::into).filter(|node: &Node| !node.name.is_empty()).collect()
}

/// Those that live, as far as can be known before they are stale. A session tells of its process only to who has one that has been open for
/// a while: when the database ends all of them, each server has another one, and has told so, after its next beat.
fn living(mut places: Vec<Place>, own: IncarnationId, passed_over: Option<&str>) -> Vec<Place> {
    let is_ours = |place: &Place| {
        place.incarnation == own
            && matches!(place.session, SessionNow::Open(for_ms) if u128::from(for_ms) >= STALE.as_millis())
    };
    let judges = places.iter().any(is_ours);
    places.retain(|place| {
        let is_killed = judges && place.session == SessionNow::Ended;
        let is_late = u128::from(place.age_ms) >= LATE.as_millis();
        let is_passed_over = is_late && passed_over == Some(place.name.as_str());
        !is_killed && !is_passed_over
    });
    places
}

#[cfg(test)]
#[path = "tests/steering.rs"]
mod tests;
