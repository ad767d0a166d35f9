//! Frames over a socket.

use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{ClientFrame, Command, CommandId, ServerFrame};
use tokio::{net::TcpStream, sync::mpsc, time::Interval};
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, tungstenite::Message};
use uuid::Uuid;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A frame as it is sent.
pub fn message(frame: &ClientFrame) -> Message {
    // Invariant: our own types always serialize.
    Message::text(serde_json::to_string(frame).expect("frames are JSON"))
}

/// A command under a new id.
pub fn command(command: Command) -> Message {
    message(&ClientFrame::Command { id: CommandId(Uuid::now_v7()), command })
}

/// The next frame that `pick` takes; others are passed over.
pub async fn wait<T>(socket: &mut Socket, pick: impl Fn(ServerFrame) -> Option<T>) -> anyhow::Result<T> {
    while let Some(message) = socket.next().await {
        if let Message::Text(text) = message?
            && let Ok(frame) = serde_json::from_str(&text)
            && let Some(found) = pick(frame)
        {
            return Ok(found);
        }
    }
    anyhow::bail!("the socket was closed")
}

/// Reads, writes and pings until either side ends it; `take` gets every text.
pub async fn converse(
    mut socket: Socket,
    mut outgoing: mpsc::Receiver<Message>,
    mut pings: Interval,
    mut take: impl FnMut(&str),
) {
    loop {
        let written = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => { take(&text); Ok(()) }
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => return,
            },
            line = outgoing.recv() => match line {
                Some(line) => socket.send(line).await,
                None => return,
            },
            _ = pings.tick() => socket.send(message(&ClientFrame::Ping { nonce: 0 })).await,
        };
        if written.is_err() {
            return;
        }
    }
}
