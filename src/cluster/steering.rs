//! Sends a lesson's people to one node, and knows of lessons that are open on others.
//!
//! By the path of the WebSocket, which the proxy in front routes: one host name, one certificate, one origin. A node that the
//! proxy does not know, or that has just died, only means that another one answers: every node takes every path.
//!
//! Where a lesson goes is decided once and kept as a row, so that all tickets of it say the same: before the bell for what is in
//! the timetable, else by the first ticket. The row is advice, not a lock.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use qism_signaling::{
    hub::{LessonNow, ports::Clock},
    protocol::{IncarnationId, LessonId},
};

use super::{
    Board,
    homes::{Home, Homes},
    placement::{self, Lesson, Node},
};
use crate::storage::{NodeRow, OpenRoom, Place, Placing, PlannedLesson, Span, StorageError, Store};

/// The timetable is looked at so often.
const LOOK_AHEAD: Duration = Duration::from_secs(10);
/// Lessons are placed so long before they begin: students may come in a quarter of an hour early.
const AHEAD: Duration = Duration::from_secs(20 * 60);
/// Lessons placed at one look.
const AT_ONCE: u32 = 500;

impl From<NodeRow> for Place {
    fn from(node: NodeRow) -> Self {
        let NodeRow { name, draining, load, .. } = node;
        Self { name, draining, load, seats: None }
    }
}

impl From<Place> for Node {
    fn from(place: Place) -> Self {
        let Place { name, draining, load, seats } = place;
        let crate::storage::Load { capacity, people, promised, busy } = load;
        Self { name, draining, capacity, people, promised, busy, seats }
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
    homes: Homes,
    placed: Placed,
}

impl Steering {
    pub fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        board: Arc<Board>,
        own: IncarnationId,
        homes: Homes,
    ) -> Self {
        Self { store, clock, board, own, homes, placed: Placed::default() }
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
                let nodes = places(self.board.alive().into_iter().map(Place::from).collect());
                let lesson = Lesson { id: lesson, expected: 0, home: Home::default(), placed: None };
                placement::choose(&lesson, &nodes)
            }
        };
        node.map_or("/ws".into(), |name| format!("/ws/{name}"))
    }

    /// The node for somebody who enters a lesson now.
    async fn node(&self, lesson: LessonId) -> Result<Option<String>, StorageError> {
        let (nodes, placed) = self.store.places(lesson, self.clock.now_ms()).await?;
        let nodes = places(nodes);
        match placed {
            Some(placed) => self.keep(lesson, &placed, &nodes).await,
            None => self.place(lesson, &nodes).await,
        }
    }

    /// A lesson that has its node: another one takes who finds no room there, and the lesson when it is gone.
    async fn keep(&self, id: LessonId, placed: &str, nodes: &[Node]) -> Result<Option<String>, StorageError> {
        let lesson = Lesson { id, expected: 1, home: Home::default(), placed: Some(placed) };
        let is_gone = !nodes.iter().any(|node| node.name == placed && !node.draining);
        if is_gone && self.board.judges() {
            return self.move_from(&lesson, placed, nodes).await;
        }
        let chosen = placement::choose(&lesson, nodes);
        if chosen.as_deref().is_some_and(|chosen| chosen != placed) {
            self.placed.spilled.fetch_add(1, Ordering::Relaxed);
        }
        Ok(chosen)
    }

    async fn move_from(
        &self,
        lesson: &Lesson<'_>,
        gone: &str,
        nodes: &[Node],
    ) -> Result<Option<String>, StorageError> {
        let planned = self.store.planned_lesson(lesson.id).await?;
        let (expected, code) = planned.map_or((1, String::new()), |it| (it.expected, it.code));
        let lesson = Lesson { expected, home: self.homes.of(&code), placed: None, ..*lesson };
        let Some(to) = placement::choose(&lesson, nodes) else {
            return Ok(None);
        };
        let placing = Placing { node: &to, is_away: !lesson.home.is(&to) };
        self.store.move_lesson(lesson.id, gone, placing).await?;
        self.placed.moved.fetch_add(1, Ordering::Relaxed);
        // Another node may have been faster.
        Ok(self.store.placed_on(lesson.id).await?.or(Some(to)))
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
        let nodes = places(alive.into_iter().map(Place::from).collect());
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
fn places(nodes: Vec<Place>) -> Vec<Node> {
    nodes.into_iter().filter(|node| !node.name.is_empty()).map(Node::from).collect()
}
