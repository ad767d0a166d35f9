//! One attached connection, seen from the socket: rate limit first, then into the room's queue.

use std::{
    fmt,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};

use crate::protocol::{ClientFrame, CloseCode, Command, CommandId, ErrorCode, ServerFrame, limits};

use super::{
    held::HeldLine,
    outbox::Outbox,
    ports::Clock,
    rate::{FrameRate, Pace},
    render,
    room_task::RoomMessage,
    seats::SeatId,
};

/// Frames that made no sense before the connection is closed.
const MALFORMED_FRAMES: u32 = 10;

/// The handle of the socket's task. Dropped or [`Attached::disconnected`]: the room starts the grace of a cut line.
pub struct Attached {
    seat: SeatId,
    room: mpsc::Sender<RoomMessage>,
    outbox: Outbox,
    clock: Arc<dyn Clock>,
    rate: Mutex<FrameRate>,
    /// What the room never saw, it cannot hold the lines behind.
    held: Mutex<HeldLine>,
    malformed: AtomicU32,
}

impl Attached {
    pub(crate) fn new(
        seat: SeatId,
        room: mpsc::Sender<RoomMessage>,
        outbox: Outbox,
        clock: Arc<dyn Clock>,
    ) -> Self {
        let rate = Mutex::new(FrameRate::new(Instant::now()));
        Self { seat, room, outbox, clock, rate, held: Mutex::default(), malformed: AtomicU32::new(0) }
    }

    /// Takes one frame from the client. Answers come through the outbox.
    pub async fn receive(&self, frame: ClientFrame) {
        self.outbox.note_heard();
        match (self.pace(), frame) {
            (Pace::Fine, ClientFrame::Ping { nonce }) => self.pong(nonce),
            (Pace::Fine, frame) => match self.held_before(&frame) {
                Some(error) => self.refuse(&frame, error),
                None => self.pass_on(frame),
            },
            (Pace::TooFast, frame) => self.refuse(&frame, ErrorCode::TooFast),
            (Pace::Flood, _) => self.outbox.close(CloseCode::Flood),
        }
    }

    /// Takes a frame that only the transport understands (a ping of the WebSocket). It says nothing, and counts as any other.
    pub fn receive_transport_frame(&self) {
        if self.pace() == Pace::Flood {
            self.outbox.close(CloseCode::Flood);
        }
    }

    fn pace(&self) -> Pace {
        let mut rate = self.rate.lock().unwrap_or_else(PoisonError::into_inner);
        rate.take(Instant::now())
    }

    /// Answered here: ten thousand clients with nothing to say wake no room.
    fn pong(&self, nonce: u32) {
        let server_time = self.clock.now_ms();
        self.outbox.put(render::frame(&ServerFrame::Pong { nonce, server_time }));
        self.outbox.write();
    }

    /// A full room queue means an overloaded lesson: the client keeps its command and is told when to come again.
    fn pass_on(&self, frame: ClientFrame) {
        match self.room.try_send(RoomMessage::Frame { seat: self.seat, frame }) {
            Ok(()) => {}
            Err(TrySendError::Full(RoomMessage::Frame { frame, .. })) => self.refuse(&frame, ErrorCode::Busy),
            Err(_) => self.outbox.close(CloseCode::Unavailable),
        }
    }

    /// Why a line must wait for one before it that was refused here.
    fn held_before(&self, frame: &ClientFrame) -> Option<ErrorCode> {
        self.held().held_before(line_of(frame)?, Instant::now())
    }

    fn held(&self) -> MutexGuard<'_, HeldLine> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn refuse(&self, frame: &ClientFrame, error: ErrorCode) {
        if let Some(line) = line_of(frame) {
            self.held().hold_behind(line, error, Instant::now());
        }
        self.outbox.send(&match frame {
            ClientFrame::Command { id, .. } => {
                ServerFrame::Refused { id: *id, error, retry_after_ms: Some(RETRY_MS) }
            }
            _ => ServerFrame::Error { error },
        });
    }

    /// A message that is no frame. Answered, counted; repeated too often the connection is closed.
    pub async fn malformed(&self) {
        let before = self.malformed.fetch_add(1, Ordering::Relaxed);
        if before + 1 >= MALFORMED_FRAMES || self.pace() == Pace::Flood {
            self.outbox.close(CloseCode::Malformed);
        } else {
            self.outbox.send(&ServerFrame::Error { error: ErrorCode::Malformed });
        }
    }

    /// The socket carried so many bytes more, in either direction, headers included: its data are paid for, too.
    pub fn carried(&self, bytes: u64) {
        self.outbox.note_carried(bytes);
    }

    /// The socket is gone.
    pub async fn disconnected(self) {
        let _ = self.room.send(RoomMessage::Disconnected { seat: self.seat }).await;
    }
}

/// Of a chat line.
fn line_of(frame: &ClientFrame) -> Option<CommandId> {
    match frame {
        ClientFrame::Command { id, command: Command::Say { .. } } => Some(*id),
        _ => None,
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("seat", &self.seat).finish_non_exhaustive()
    }
}

/// When to try again after `too_fast` or `busy`: the time in which half a burst refills.
const RETRY_MS: u32 = 500 * limits::FRAME_BURST / limits::FRAMES_PER_SECOND;

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;
    use crate::{
        hub::{memory::ManualClock, outbox::outbox},
        protocol::Recipients,
    };

    #[tokio::test]
    async fn a_line_does_not_overtake_one_that_found_the_room_full() {
        let ((outbox, mut reader), (queue, mut room)) = (outbox(), mpsc::channel(1));
        let attached = Attached::new(SeatId(1), queue, outbox, Arc::new(ManualClock::starting_at(0)));
        let line = |n: u128| {
            let command = Command::Say { text: n.to_string(), to: Recipients::Everyone };
            ClientFrame::Command { id: CommandId(Uuid::from_u128(n)), command }
        };
        let mut taken = || {
            let id = |message| match message {
                RoomMessage::Frame { frame: ClientFrame::Command { id, .. }, .. } => Some(id.0.as_u128()),
                _ => None,
            };
            room.try_recv().ok().and_then(id)
        };
        attached.receive(line(1)).await;
        attached.receive(line(2)).await;
        assert_eq!(taken(), Some(1));
        attached.receive(line(3)).await;
        assert_eq!(taken(), None, "it waits behind the second");
        let mut refused = 0;
        while reader.try_next().is_some() {
            refused += 1;
        }
        assert_eq!(refused, 2);
        for n in [2, 3] {
            attached.receive(line(n)).await;
            assert_eq!(taken(), Some(n));
        }
    }
}
