//! Sends a lesson's people to one node, and knows of lessons that are open on others.
//!
//! By the path of the WebSocket, which the proxy in front routes: one host name, one certificate, one origin. A node that the
//! proxy does not know, or that has just died, only means that another one answers: every node takes every path.

use std::sync::Arc;

use qism_signaling::{
    hub::{LessonNow, ports::Clock},
    protocol::{IncarnationId, LessonId},
};

use super::{
    Board,
    placement::{self, Candidate},
};
use crate::storage::{NodeRow, OpenRoom, Place, Store};

impl From<NodeRow> for Place {
    fn from(node: NodeRow) -> Self {
        let NodeRow { incarnation, name, draining, load, .. } = node;
        Self { incarnation, name, draining, load, seats: None }
    }
}

impl From<Place> for Candidate {
    fn from(place: Place) -> Self {
        let Place { name, draining, load, seats, .. } = place;
        Self { name, draining, load, people: seats }
    }
}

/// What the school's pages ask about other nodes.
pub struct Steering {
    store: Store,
    clock: Arc<dyn Clock>,
    board: Arc<Board>,
    own: IncarnationId,
}

impl Steering {
    pub fn new(store: Store, clock: Arc<dyn Clock>, board: Arc<Board>, own: IncarnationId) -> Self {
        Self { store, clock, board, own }
    }

    /// The path of the WebSocket for a lesson.
    pub async fn socket(&self, lesson: LessonId) -> String {
        let nodes = self.places(lesson).await.into_iter().filter(|node| !node.name.is_empty());
        let nodes: Vec<Candidate> = nodes.map(Candidate::from).collect();
        placement::place(lesson, &nodes).map_or("/ws".into(), |node| format!("/ws/{}", node.name))
    }

    /// Whether another node takes people.
    pub fn is_anybody_else(&self) -> bool {
        self.board.alive().iter().any(|node| node.incarnation != self.own && !node.draining)
    }

    /// The nodes as they say at this moment; without the database as the last beat saw them, wherever the lesson is open.
    async fn places(&self, lesson: LessonId) -> Vec<Place> {
        match self.store.places(lesson, self.clock.now_ms()).await {
            Ok(places) => places,
            Err(error) => {
                tracing::warn!(%error, "which nodes there are cannot be read");
                self.board.alive().into_iter().map(Place::from).collect()
            }
        }
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
