//! One attached connection, seen from the socket: rate limit first, then into the room's queue.

use std::{
    fmt,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU32, Ordering},
    },
};

use tokio::{
    sync::mpsc::{self, error::TrySendError},
    time::Instant,
};

use crate::protocol::{ClientFrame, CloseCode, ErrorCode, ServerFrame, limits};

use super::{
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
        Self { seat, room, outbox, clock, rate, malformed: AtomicU32::new(0) }
    }

    /// Takes one frame from the client. Answers come through the outbox.
    pub async fn receive(&self, frame: ClientFrame) {
        self.outbox.note_heard();
        match (self.pace(), frame) {
            (Pace::Fine, ClientFrame::Ping { nonce }) => self.pong(nonce),
            (Pace::Fine, frame) => self.pass_on(frame),
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
        let mut rate = self.rate.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
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

    fn refuse(&self, frame: &ClientFrame, error: ErrorCode) {
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

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attached").field("seat", &self.seat).finish_non_exhaustive()
    }
}

/// When to try again after `too_fast` or `busy`: the time in which half a burst refills.
const RETRY_MS: u32 = 500 * limits::FRAME_BURST / limits::FRAMES_PER_SECOND;
