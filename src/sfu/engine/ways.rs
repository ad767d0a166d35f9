//! The ways out of one thread: bridges to other threads of this node, relays to threads of others.

use std::time::Instant;

use qism_signaling::protocol::{LessonId, Publication};

use super::{
    bridge::{Bridge, Content, Crossing},
    relay::{
        Relays,
        letter::{LISTENERS, Letter, Word},
    },
    room::Origin,
};

/// All of them.
pub struct Ways {
    /// By the number of the thread.
    pub bridges: Vec<Option<Bridge>>,
    pub relays: Relays,
}

impl Ways {
    pub fn bridge(&mut self, to: u8) -> Option<&mut Bridge> {
        self.bridges.get_mut(usize::from(to))?.as_mut()
    }

    /// Asks where a publication comes from; false when it did not get through.
    pub fn ask(
        &mut self,
        origin: Origin,
        lesson: LessonId,
        publication: Publication,
        content: Content,
        now: Instant,
    ) -> bool {
        match origin {
            Origin::Thread(home) => {
                let bridge = self.bridge(home);
                bridge.is_some_and(|bridge| bridge.send(Crossing { lesson, publication, content }))
            }
            Origin::Node(node) => {
                let Some(word) = word(content) else { return false };
                let relay = self.relays.toward(node, lesson, now);
                relay.is_some_and(|relay| relay.write(&Letter { lesson, publication, word }, now))
            }
        }
    }
}

/// What is asked of another thread, as another node is asked.
fn word(content: Content) -> Option<Word> {
    match content {
        Content::Shape(_) | Content::Packet { .. } => None,
        Content::Demand(demand) => Some(Word::Demand(demand)),
        Content::Leave => Some(Word::Leave),
        Content::KeyFrame { layer } => Some(Word::KeyFrame { layer }),
        Content::Takes(takes) => Some(Word::Takes(takes)),
        Content::Losses(mut losses) => {
            losses.truncate(LISTENERS);
            Some(Word::Losses(losses))
        }
    }
}
