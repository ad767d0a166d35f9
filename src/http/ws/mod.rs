//! The WebSocket of a lesson: one task per socket moves frames between it and the hub.
//!
//! Cheap by thousands: small buffers, one timer, writes coalesced (fed until the outbox is empty, then one flush). Not
//! here: what a frame means, rate limits, who is in the lesson; that is `qism_signaling::hub`.

use std::{sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    extract::{
        State, WebSocketUpgrade,
        ws::{CloseFrame, Message, Utf8Bytes, WebSocket},
    },
    http::HeaderMap,
    response::Response,
    routing::get,
};
use bytes::Bytes;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::{
    hub::{Attached, OutboxReader, Outgoing},
    protocol::{self, ClientFrame, CloseCode, limits},
};
use tokio::time::{Instant, sleep, timeout};
use tokio_tungstenite::tungstenite;

use super::{AppState, connections::Permit, headers::bad_origin};

/// The default of 128 KiB would be the cost of an idle socket.
const READ_BUFFER_BYTES: usize = 4 * 1024;
/// One write to the kernel carries up to this much.
const WRITE_BUFFER_BYTES: usize = 16 * 1024;
/// Up to here a message that is too large is read and answered; a larger one is cut off unread.
const READABLE_BYTES: usize = 4 * limits::CLIENT_MESSAGE_BYTES;
/// The outbox holds the queue; here waits only what the kernel does not take.
const MAX_WRITE_BUFFER_BYTES: usize = WRITE_BUFFER_BYTES + limits::OUTBOX_BYTES;
/// Nothing heard for this long, not even a ping.
const SILENCE: Duration = Duration::from_secs(limits::PING_INTERVAL.as_secs() * 3);
/// How long a closed socket may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

pub fn routes() -> Router<AppState> {
    Router::new().route("/ws", get(upgrade))
}

async fn upgrade(
    State(state): State<AppState>,
    Extension(permit): Extension<Arc<Permit>>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !state.site.origins.allows(&headers) {
        return bad_origin(&headers);
    }
    upgrade
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(WRITE_BUFFER_BYTES)
        .max_write_buffer_size(MAX_WRITE_BUFFER_BYTES)
        .max_message_size(READABLE_BYTES)
        .max_frame_size(READABLE_BYTES)
        .on_upgrade(async move |socket| {
            Box::pin(converse(socket, state)).await;
            drop(permit);
        })
}

/// A socket from its first frame to its last.
async fn converse(mut socket: WebSocket, state: AppState) {
    let mut line = match enter(&mut socket, &state).await {
        Ok(line) => line,
        Err(End::Close(code)) => return say_goodbye(socket, code).await,
        Err(End::Gone) => return,
    };
    let end = line.carry(&mut socket).await;
    line.attached.disconnected().await;
    if let End::Close(code) = end {
        say_goodbye(socket, code).await;
    }
}

/// Why a conversation is over.
enum End {
    /// We close, and say why.
    Close(CloseCode),
    /// Nobody is there to be told.
    Gone,
}

impl From<CloseCode> for End {
    fn from(code: CloseCode) -> Self {
        Self::Close(code)
    }
}

/// Waits for `hello`, checks the ticket, attaches to the hub.
async fn enter(socket: &mut WebSocket, state: &AppState) -> Result<Line, End> {
    let text = timeout(limits::HELLO, next_text(socket)).await.map_err(|_| CloseCode::Malformed)??;
    let Ok(ClientFrame::Hello { version, ticket, position }) = serde_json::from_str(&text) else {
        return Err(CloseCode::Malformed.into());
    };
    if version != protocol::VERSION {
        return Err(CloseCode::Version.into());
    }
    let entry = state.school.verify_ticket(&ticket).map_err(|_| CloseCode::Ticket)?;
    let (attached, outbox) = state.hub.attach(entry, position).await?;
    Ok(Line { attached, outbox, stall: state.write_stall })
}

/// The next text. Anything else but pings makes no sense here.
async fn next_text(socket: &mut WebSocket) -> Result<Utf8Bytes, End> {
    loop {
        match socket.next().await {
            Some(Ok(Message::Text(text))) if text.len() <= limits::CLIENT_MESSAGE_BYTES => return Ok(text),
            Some(Ok(Message::Text(_) | Message::Binary(_))) => return Err(CloseCode::Malformed.into()),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => {}
            Some(Ok(Message::Close(_))) | None => return Err(End::Gone),
            Some(Err(error)) => return Err(broken(error)),
        }
    }
}

/// A frame that breaks the WebSocket protocol or its limits is told, a lost connection is not.
fn broken(error: axum::Error) -> End {
    match error.into_inner().downcast_ref() {
        Some(
            tungstenite::Error::Capacity(_) | tungstenite::Error::Protocol(_) | tungstenite::Error::Utf8(_),
        ) => End::Close(CloseCode::Malformed),
        _ => End::Gone,
    }
}

/// One attached connection.
struct Line {
    attached: Attached,
    outbox: OutboxReader,
    /// A write that gets nowhere for this long ends the connection.
    stall: Duration,
}

impl Line {
    /// Moves frames both ways until one side ends it.
    async fn carry(&mut self, socket: &mut WebSocket) -> End {
        let silence = sleep(SILENCE);
        tokio::pin!(silence);
        loop {
            tokio::select! {
                text = next_text(socket) => match text {
                    Ok(text) => {
                        silence.as_mut().reset(Instant::now() + SILENCE);
                        self.take(&text).await;
                    }
                    Err(end) => return end,
                },
                outgoing = self.outbox.next() => {
                    let Some(outgoing) = outgoing else { return End::Gone };
                    if let Err(end) = self.deliver(socket, outgoing).await {
                        return end;
                    }
                }
                () = &mut silence => return End::Close(CloseCode::Idle),
            }
        }
    }

    async fn take(&mut self, text: &str) {
        match serde_json::from_str(text) {
            Ok(frame) => self.attached.receive(frame).await,
            Err(error) => {
                tracing::trace!(%error, "malformed frame");
                self.attached.malformed().await;
            }
        }
    }

    /// Writes what waits, up to one buffer, with one flush.
    async fn deliver(&mut self, socket: &mut WebSocket, first: Outgoing) -> Result<(), End> {
        let Ok(written) = timeout(self.stall, self.write(socket, first)).await else {
            tracing::debug!("a socket took nothing for too long");
            return Err(End::Gone);
        };
        match written {
            Ok(None) => Ok(()),
            Ok(Some(code)) => Err(End::Close(code)),
            Err(_) => Err(End::Gone),
        }
    }

    /// `Some` when the hub wants this connection closed.
    async fn write(
        &mut self,
        socket: &mut WebSocket,
        first: Outgoing,
    ) -> Result<Option<CloseCode>, axum::Error> {
        let (mut next, mut fed) = (Some(first), 0);
        while let Some(outgoing) = next {
            match outgoing {
                Outgoing::Close(code) => return Ok(Some(code)),
                Outgoing::Frame(bytes) => {
                    fed += bytes.len();
                    socket.feed(text(bytes)).await?;
                }
            }
            next = if fed < WRITE_BUFFER_BYTES { self.outbox.try_next() } else { None };
        }
        socket.flush().await.map(|()| None)
    }
}

fn text(bytes: Bytes) -> Message {
    // Invariant: the hub renders frames with serde_json.
    Message::Text(Utf8Bytes::try_from(bytes).expect("JSON is UTF-8"))
}

/// Says why (after everything written before), and waits a little for the other side to agree.
async fn say_goodbye(mut socket: WebSocket, code: CloseCode) {
    let frame = CloseFrame { code: code.number(), reason: Utf8Bytes::default() };
    let goodbye = async {
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, axum::Error>(())
    };
    if !matches!(timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
        tracing::trace!("left without a goodbye");
    }
}
