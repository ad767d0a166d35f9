//! Which node a lesson's people are sent to. Pure: the same answer on every node that sees the same.
//!
//! A lesson that is open somewhere, or was placed, stays there while there is room. A new one goes where weighted rendezvous
//! hashing says, among the nodes that bear its whole class beside all that they have promised, at home before elsewhere. When a
//! node comes or goes, only its own share of the lessons moves.
//!
//! Room is counted in people, since at the bell nobody has used a processor yet: a hundred classes that begin at eight spread by
//! their lists, not onto the node that was idle at one minute to.

use std::cmp::Reverse;

use qism_signaling::protocol::LessonId;
use sha2::{Digest as _, Sha256};

use super::homes::Home;

/// Per mille of its connections up to which a node is given new lessons; the rest is for those it has.
const OPEN: u64 = 850;
/// Per mille of its connections above which it is full.
const FULL: u64 = 950;
/// Per mille of its processors' time up to which a node is given new lessons, and above which it is full. Its media is late long
/// before all is used.
const BUSY_OPEN: u16 = 600;
const BUSY_FULL: u16 = 850;

/// A node that lives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    pub name: String,
    pub draining: bool,
    /// Connections that it may have.
    pub capacity: u32,
    /// Connections that it has.
    pub people: u32,
    /// Connections that it keeps free for lessons placed on it whose people are not there yet.
    pub promised: u32,
    /// Per mille of its processors' time, of late.
    pub busy: u16,
    /// People of this lesson on it; `None`: the lesson is not open there.
    pub seats: Option<u32>,
}

/// A lesson that asks where to go.
#[derive(Clone, Copy, Debug)]
pub struct Lesson<'a> {
    pub id: LessonId,
    /// People on its list.
    pub expected: u32,
    /// The nodes of its school.
    pub home: Home<'a>,
    /// The node that it was placed on before.
    pub placed: Option<&'a str>,
}

/// What a node can take of a lesson.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Room {
    /// Nobody.
    None,
    /// Who comes late, not a whole class.
    Few,
    /// The whole class.
    Class,
}

/// The nodes in the order in which a lesson should take them; those that take nobody new are not among them.
fn order<'n>(lesson: &Lesson<'_>, nodes: &'n [Node]) -> Vec<&'n Node> {
    let mut order: Vec<&Node> = nodes.iter().filter(|node| !node.draining).collect();
    // Scores are hashes: computed once each.
    order.sort_by_cached_key(|node| Reverse(rank(lesson, node)));
    order
}

/// The name of the node that should take a lesson; none where all are going.
pub fn choose(lesson: &Lesson<'_>, nodes: &[Node]) -> Option<String> {
    order(lesson, nodes).first().map(|node| node.name.clone())
}

/// Places lessons that begin soon, one after the other: what one is promised, the next does not get.
pub fn plan<'a>(lessons: &[Lesson<'a>], nodes: &[Node]) -> Vec<(LessonId, String)> {
    let mut nodes = nodes.to_vec();
    let mut plan = Vec::with_capacity(lessons.len());
    for lesson in lessons {
        let Some(name) = choose(lesson, &nodes) else { break };
        for node in nodes.iter_mut().filter(|node| node.name == name) {
            node.promised = node.promised.saturating_add(lesson.expected);
        }
        plan.push((lesson.id, name));
    }
    plan
}

/// People that a node waits for, of the lessons placed on it: how many each expects, and how many of it are there.
pub fn promised(lessons: impl Iterator<Item = (u32, u32)>) -> u32 {
    lessons.map(|(expected, there)| expected.saturating_sub(there)).fold(0, u32::saturating_add)
}

/// The greatest is taken first: where its people are, where it was placed, where there is room, at home, by its score.
type Rank = (bool, u32, bool, Room, bool, Score);

fn rank(lesson: &Lesson<'_>, node: &Node) -> Rank {
    let placed = lesson.placed == Some(node.name.as_str());
    let stays = (placed || node.seats.is_some()) && takes_its_own(node);
    let there = if stays { node.seats.unwrap_or(0) } else { 0 };
    let room = room(lesson, node);
    (stays, there, stays && placed, room, lesson.home.is(&node.name), score(lesson.id, node))
}

/// Room for somebody of a lesson that the node has: their places are promised.
fn takes_its_own(node: &Node) -> bool {
    share(node.people, node) < FULL && node.busy < BUSY_FULL
}

fn room(lesson: &Lesson<'_>, node: &Node) -> Room {
    let taken = node.people.saturating_add(node.promised);
    let with_class = share(taken.saturating_add(lesson.expected), node);
    match () {
        () if node.busy < BUSY_OPEN && with_class <= OPEN => Room::Class,
        () if node.busy < BUSY_FULL && share(taken, node) < FULL => Room::Few,
        () => Room::None,
    }
}

/// Per mille of its connections.
fn share(people: u32, node: &Node) -> u64 {
    u64::from(people) * 1_000 / u64::from(node.capacity.max(1))
}

/// Of rendezvous hashing; never NaN.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Score(f64);

impl Eq for Score {}

impl PartialOrd for Score {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Score {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.0.total_cmp(&other.0)
    }
}

/// Weighted rendezvous hashing: -w / ln(u) is largest for a node with probability in proportion to its w.
fn score(lesson: LessonId, node: &Node) -> Score {
    let hash = Sha256::new().chain_update(node.name.as_bytes()).chain_update(lesson.0.as_bytes()).finalize();
    let bits = u64::from_be_bytes(std::array::from_fn(|at| hash[at]));
    // 53 bits: in (0, 1), never 0 or 1.
    let unit = ((bits >> 11) as f64 + 0.5) / (1_u64 << 53) as f64;
    Score(-weight(node) / unit.ln())
}

/// Free places, as far as there is time to serve them. Never zero: where nobody has room somebody still must go.
fn weight(node: &Node) -> f64 {
    let free = node.capacity.saturating_sub(node.people.saturating_add(node.promised));
    let idle = 1_000_u16.saturating_sub(node.busy).max(50);
    f64::from(free.max(1)) * f64::from(idle)
}

#[cfg(test)]
#[path = "tests/placement.rs"]
mod tests;
