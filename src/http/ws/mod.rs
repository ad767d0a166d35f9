//! The WebSocket of a lesson: one task per socket moves frames between it and the hub.
//!
//! Cheap by thousands: small buffers, no timer while it sits (the room closes silent ones), writes coalesced (what is in the
//! outbox leaves in one system call, see [`texts`]) and done by the room where the transport takes them ([`wire`]). Not here:
//! what a frame means, rate limits, who is in the lesson; that is `qism_signaling::hub`.

mod cost;
mod texts;
mod wire;

use std::{io, sync::Arc, time::Duration};

use axum::{
    Extension, Router,
    body::Body,
    extract::{Request, State},
    http::StatusCode,
    response::{IntoResponse as _, Response},
    routing::get,
};
use futures_util::{SinkExt as _, StreamExt as _};
use hyper::upgrade::{OnUpgrade, Upgraded};
use hyper_util::rt::TokioIo;
use qism_signaling::{
    hub::{self, Attached, OutboxReader},
    protocol::{self, ClientFrame, CloseCode, LessonId, limits},
};
use tokio::time::timeout;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        self, Message, Utf8Bytes,
        handshake::server::create_response_with_body,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use super::{AppState, connections::Permit, headers::bad_origin};
use crate::school::TicketRefusal;
use wire::{Library, Wire};

/// The default of 128 KiB would be the cost of an idle socket. Most messages are shorter than this.
const READ_BUFFER_BYTES: usize = 1024;
/// Up to here a message that is too large is read and answered; a larger one is cut off unread.
const READABLE_BYTES: usize = 4 * limits::CLIENT_MESSAGE_BYTES;
/// Pongs and a close: all that goes through the socket's own write buffer.
const CONTROL_BYTES: usize = 4 * 1024;
/// Head of a client's frame of usual length, with its mask.
const CLIENT_HEAD: usize = 6;
/// Pings before the hello.
const PINGS: usize = 16;
/// How long a closed socket may take to say goodbye.
const GOODBYE: Duration = Duration::from_secs(2);

type Transport = TokioIo<Upgraded>;
type Socket = WebSocketStream<Library<Transport>>;

pub fn routes() -> Router<AppState> {
    // The last part names a node, for the proxy in front; whoever gets it serves it.
    Router::new().route("/ws", get(upgrade)).route("/ws/{node}", get(upgrade))
}

/// The handshake (RFC 6455, section 4.2), behind a check of the Origin.
async fn upgrade(
    State(state): State<AppState>,
    Extension(permit): Extension<Arc<Permit>>,
    mut request: Request,
) -> Response {
    if !state.site.origins.allows(request.headers()) {
        return bad_origin(request.headers());
    }
    let accepted = match create_response_with_body(&request, Body::empty) {
        Ok(accepted) => accepted,
        Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()).into_response(),
    };
    let Some(upgrading) = request.extensions_mut().remove::<OnUpgrade>() else {
        return StatusCode::UPGRADE_REQUIRED.into_response();
    };
    let led_to = request.uri().path().strip_prefix("/ws/").map(str::to_owned);
    tokio::spawn(async move {
        match upgrading.await {
            Ok(transport) => Box::pin(converse(transport, state, led_to)).await,
            Err(error) => tracing::trace!(%error, "gone before the handshake was over"),
        }
        drop(permit);
    });
    accepted
}

fn config() -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .write_buffer_size(0)
        .max_write_buffer_size(CONTROL_BYTES)
        .max_message_size(Some(READABLE_BYTES))
        .max_frame_size(Some(READABLE_BYTES))
}

/// A socket from its first frame to its last. `led_to`: the node that its path names.
async fn converse(transport: Upgraded, state: AppState, led_to: Option<String>) {
    let wire = Wire::new(TokioIo::new(transport));
    let library = Library(wire.clone());
    let mut socket = WebSocketStream::from_raw_socket(library, Role::Server, Some(config())).await;
    let mut line = match enter(&mut socket, wire, &state, led_to).await {
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
async fn enter(
    socket: &mut Socket,
    wire: Arc<Wire<Transport>>,
    state: &AppState,
    led_to: Option<String>,
) -> Result<Line, End> {
    let text = timeout(limits::HELLO, first_text(socket)).await.map_err(|_| CloseCode::Malformed)??;
    let Ok(ClientFrame::Hello { version, ticket, position }) = serde_json::from_str(&text) else {
        return Err(CloseCode::Malformed.into());
    };
    if version != protocol::VERSION {
        return Err(CloseCode::Version.into());
    }
    let entry = state.school.verify_ticket(&ticket).await.map_err(refused)?;
    let lesson = entry.lesson;
    if let (Some(steering), Some(led_to)) = (&state.steering, led_to)
        && !steering.keeps(lesson, &led_to).await
    {
        return Err(CloseCode::Draining.into());
    }
    let (attached, outbox) = state.hub.attach(entry, position).await?;
    let shared: Arc<dyn hub::Wire> = wire.clone();
    outbox.connect(Arc::downgrade(&shared));
    Ok(Line { lesson, attached, outbox, wire, stall: state.write_stall })
}

fn refused(refusal: TicketRefusal) -> CloseCode {
    match refusal {
        TicketRefusal::Ticket(_) | TicketRefusal::Withdrawn => CloseCode::Ticket,
        TicketRefusal::Broken { lesson, error } => {
            tracing::error!(%lesson, %error, "a ticket could not be checked");
            CloseCode::Unavailable
        }
    }
}

/// What came on a socket.
enum Heard {
    Text(Utf8Bytes),
    /// A ping or pong of the WebSocket, which the library has answered. Browsers send none.
    Transport,
}

async fn first_text(socket: &mut Socket) -> Result<Utf8Bytes, End> {
    for _ in 0..=PINGS {
        if let Heard::Text(text) = hear(socket).await? {
            return Ok(text);
        }
    }
    Err(CloseCode::Malformed.into())
}

/// The next message. Anything else but texts and pings makes no sense here.
async fn hear(socket: &mut Socket) -> Result<Heard, End> {
    match socket.next().await {
        Some(Ok(Message::Text(text))) if text.len() <= limits::CLIENT_MESSAGE_BYTES => Ok(Heard::Text(text)),
        Some(Ok(Message::Text(_) | Message::Binary(_))) => Err(CloseCode::Malformed.into()),
        Some(Ok(Message::Ping(_) | Message::Pong(_) | Message::Frame(_))) => Ok(Heard::Transport),
        Some(Ok(Message::Close(_))) | None => Err(End::Gone),
        Some(Err(error)) => Err(broken(error)),
    }
}

/// A frame that breaks the WebSocket protocol or its limits is told, a lost connection is not.
fn broken(error: tungstenite::Error) -> End {
    use tungstenite::Error as E;
    match error {
        E::Capacity(_) | E::Protocol(_) | E::Utf8(_) => End::Close(CloseCode::Malformed),
        _ => End::Gone,
    }
}

/// One attached connection.
struct Line {
    lesson: LessonId,
    attached: Attached,
    outbox: OutboxReader,
    wire: Arc<Wire<Transport>>,
    /// A write that gets nowhere for this long ends the connection.
    stall: Duration,
}

impl Line {
    /// Moves frames both ways until one side ends it. The outbox first: reading is looked at when it is empty.
    async fn carry(&mut self, socket: &mut Socket) -> End {
        loop {
            let moved = tokio::select! {
                biased;
                () = self.outbox.needed() => self.deliver(socket).await,
                heard = hear(socket) => match heard {
                    Ok(Heard::Text(text)) => { self.take(&text).await; Ok(()) }
                    Ok(Heard::Transport) => { self.attached.receive_transport_frame(); Ok(()) }
                    Err(end) => Err(end),
                },
            };
            if let Err(end) = moved {
                return end;
            }
        }
    }

    async fn take(&mut self, text: &str) {
        self.attached.carried(cost::on_the_air(text.len() + CLIENT_HEAD));
        match serde_json::from_str(text) {
            Ok(frame) => self.attached.receive(frame).await,
            Err(error) => {
                tracing::trace!(%error, "malformed frame");
                self.attached.malformed().await;
            }
        }
    }

    /// Writes what the room could not, and closes when the hub wants it.
    async fn deliver(&mut self, socket: &mut Socket) -> Result<(), End> {
        loop {
            let written = async {
                // A pong that is half written goes first.
                socket.flush().await.map_err(io::Error::other)?;
                self.wire.write(self.outbox.waiting()).await
            };
            match timeout(self.stall, written).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Err(End::Gone),
                Err(_) => {
                    tracing::debug!(lesson = %self.lesson, "a socket took nothing for too long");
                    return Err(End::Gone);
                }
            }
            if let Some(code) = self.outbox.take_close() {
                return Err(End::Close(code));
            }
            if self.outbox.waiting().is_empty() {
                return Ok(());
            }
        }
    }
}

/// Says why (after everything written before), and waits a little for the other side to agree.
async fn say_goodbye(mut socket: Socket, code: CloseCode) {
    let frame = CloseFrame { code: code.number().into(), reason: Utf8Bytes::default() };
    let goodbye = async {
        socket.send(Message::Close(Some(frame))).await?;
        while let Some(Ok(_)) = socket.next().await {}
        Ok::<_, tungstenite::Error>(())
    };
    if !matches!(timeout(GOODBYE, goodbye).await, Ok(Ok(()))) {
        tracing::trace!("left without a goodbye");
    }
}
