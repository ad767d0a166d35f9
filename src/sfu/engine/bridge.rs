//! The way between two engine threads: one bounded ring in each direction, without a lock. What crosses is shared, not
//! copied. Each side is owned by its thread.

use std::sync::Arc;

use qism_signaling::protocol::{LessonId, Publication};
use rtrb::{Consumer, Producer, RingBuffer};

use super::{
    inbox::Inbox,
    room::{export::Demand, shape::Shape},
};
use crate::sfu::forward::{ceiling::Takes, packet::Packet};

/// Crossings that wait for the other thread: it is half a second behind by then. Beyond, packets are dropped and
/// counted, and pictures begin anew at a key frame; everything else is told again until it got through.
const CROSSINGS: usize = 1_024;
/// Kept free of packets, for what steers them.
const RESERVED: usize = 64;

/// One thing that crosses.
#[derive(Debug)]
pub struct Crossing {
    pub lesson: LessonId,
    pub publication: Publication,
    pub content: Content,
}

/// Away from the publisher's thread: `Shape`, `Packet`. Towards it: the others.
#[derive(Debug)]
pub enum Content {
    /// What the packets that follow belong to.
    Shape(Shape),
    Packet {
        layer: u8,
        packet: Packet,
    },
    /// Somebody on that thread receives the publication.
    Demand(Demand),
    /// Nobody does any more.
    Leave,
    KeyFrame {
        layer: u8,
    },
    /// Share that each listener lost, in 256ths.
    Losses(Vec<u8>),
    /// What the widest link of that thread takes of a screen.
    Takes(Takes),
}

/// One thread's end.
pub struct Bridge {
    out: Producer<Crossing>,
    inward: Consumer<Crossing>,
    /// Whom to wake.
    far: Arc<Inbox>,
    /// Something crossed since the last ring.
    is_fresh: bool,
}

impl std::fmt::Debug for Bridge {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Bridge").finish_non_exhaustive()
    }
}

impl Bridge {
    /// Both ends, between the threads of two inboxes, in their order.
    pub fn pair(here: Arc<Inbox>, there: Arc<Inbox>) -> (Self, Self) {
        let ((to_there, from_here), (to_here, from_there)) =
            (RingBuffer::new(CROSSINGS), RingBuffer::new(CROSSINGS));
        let near = Self { out: to_there, inward: from_there, far: there, is_fresh: false };
        (near, Self { out: to_here, inward: from_here, far: here, is_fresh: false })
    }

    /// Sends; false when there is no room for it. The other thread is not woken before [`Self::ring`].
    pub fn send(&mut self, crossing: Crossing) -> bool {
        let is_packet = matches!(crossing.content, Content::Packet { .. });
        if is_packet && self.out.slots() <= RESERVED {
            return false;
        }
        let sent = self.out.push(crossing).is_ok();
        self.is_fresh |= sent;
        sent
    }

    /// Wakes the other thread if something crossed: once per burst.
    pub fn ring(&mut self) {
        if std::mem::take(&mut self.is_fresh) {
            self.far.ring();
        }
    }

    /// The next that came.
    pub fn receive(&mut self) -> Option<Crossing> {
        self.inward.pop().ok()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use bytes::Bytes;
    use qism_signaling::protocol::{Source, UserId};
    use uuid::Uuid;

    use super::*;
    use crate::sfu::forward::packet;

    fn crossing(content: Content) -> Crossing {
        let publication = Publication { user: UserId(Uuid::nil()), source: Source::Microphone };
        Crossing { lesson: LessonId(Uuid::nil()), publication, content }
    }

    fn sound(sequence: u64) -> Crossing {
        let packet = Packet {
            sequence,
            timestamp: 0,
            marker: false,
            captured: None,
            arrived: Instant::now(),
            payload: Bytes::from_static(b"sound"),
            content: packet::Content::Sound,
        };
        crossing(Content::Packet { layer: 0, packet })
    }

    #[test]
    fn a_thread_that_is_behind_loses_packets_but_not_what_steers_them() {
        let inbox = || Arc::new(Inbox::new().expect("an eventfd"));
        let (mut home, mut guest) = Bridge::pair(inbox(), inbox());
        let sent = (0..2 * CROSSINGS as u64).filter(|&sequence| home.send(sound(sequence))).count();
        assert_eq!(sent, CROSSINGS - RESERVED);
        assert!(home.send(crossing(Content::Leave)));
        let came: Vec<_> = std::iter::from_fn(|| guest.receive()).collect();
        assert_eq!(came.len(), sent + 1);
        let in_order = came.iter().zip(0..).all(|(one, expected)| match &one.content {
            Content::Packet { packet, .. } => packet.sequence == expected,
            _ => true,
        });
        assert!(in_order && matches!(came.last().map(|one| &one.content), Some(Content::Leave)));
        assert!(home.send(sound(0)), "room again");
    }
}
