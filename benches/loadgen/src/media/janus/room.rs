//! Janus's signaling: JSON over one WebSocket, a handle per publisher and subscriber.

use qism_client::Socket;
use std::{
    net::UdpSocket,
    sync::Arc,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::{Value, json};
use tokio_tungstenite::{
    connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};

use super::{
    super::{
        audience::Audience,
        publisher::Publisher,
        sdp::Remote,
        transport::{Identity, Transport},
    },
    program::SIGNALING,
};
use crate::namespace;

const ROOM: u32 = 1;
const PATIENCE: Duration = Duration::from_secs(10);

pub struct Room {
    socket: Socket,
    session: u64,
    feed: u64,
    sent: u64,
}

impl Room {
    pub async fn create() -> anyhow::Result<Self> {
        let mut request = format!("ws://127.0.0.1:{SIGNALING}/").into_client_request()?;
        let protocol = HeaderValue::from_static("janus-protocol");
        request.headers_mut().insert("sec-websocket-protocol", protocol);
        let (socket, _) = connect_async(request).await?;
        let mut room = Self { socket, session: 0, feed: 0, sent: 0 };
        let created = room.ask(json!({ "janus": "create" })).await?;
        room.session = id_of(&created)?;
        let handle = room.attach().await?;
        let wish = json!({
            "request": "create", "room": ROOM, "publishers": 4, "audiocodec": "opus", "videocodec": "vp8",
            "bitrate": 0, "notify_joining": false,
        });
        room.tell(handle, wish, None).await?;
        Ok(room)
    }

    /// The publisher of voice and camera.
    pub async fn publish(&mut self, start: Instant) -> anyhow::Result<Publisher> {
        let identity = Arc::new(Identity::generate()?);
        let socket = UdpSocket::bind((namespace::ADDRESS, 0))?;
        let (local, offer) = Publisher::offer_from(&identity, &socket, namespace::ADDRESS)?;
        let handle = self.attach().await?;
        let join = json!({ "request": "join", "ptype": "publisher", "room": ROOM });
        let joined = self.tell(handle, join, None).await?;
        self.feed = joined["plugindata"]["data"]["id"].as_u64().context("no feed")?;
        let wish = json!({ "request": "publish", "audiocodec": "opus", "videocodec": "vp8" });
        let answer = self.tell(handle, wish, Some(("offer", offer))).await?;
        let answer = sdp_of(&answer)?;
        let transport = Transport::new(identity, local, Remote::of(&answer)?, Instant::now());
        let publisher = tokio::task::block_in_place(|| Publisher::start_on(socket, transport, start))?;
        self.is_up(handle).await?;
        Ok(publisher)
    }

    /// Waits until Janus too sees a connection: nobody can subscribe to a publisher before.
    async fn is_up(&mut self, handle: u64) -> anyhow::Result<()> {
        let up = self.hear(|value| value["janus"] == "webrtcup" && value["sender"] == handle);
        tokio::time::timeout(PATIENCE, up).await.context("janus does not see the publisher")??;
        Ok(())
    }

    /// One subscriber more, who connects after this.
    pub async fn subscribe(&mut self, audience: &Audience, index: usize) -> anyhow::Result<()> {
        let handle = self.attach().await?;
        let join = json!({
            "request": "join", "ptype": "subscriber", "room": ROOM, "streams": [{ "feed": self.feed }],
        });
        let offer = sdp_of(&self.tell(handle, join, None).await?)?;
        let answer = audience.join(index, &offer)?;
        let candidate = audience.candidate(index)?;
        let answer = answer.replace("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{candidate}"));
        self.tell(handle, json!({ "request": "start", "room": ROOM }), Some(("answer", answer))).await?;
        Ok(())
    }

    async fn attach(&mut self) -> anyhow::Result<u64> {
        id_of(&self.ask(json!({ "janus": "attach", "plugin": "janus.plugin.videoroom" })).await?)
    }

    /// A message to the plugin; what it answers.
    async fn tell(&mut self, handle: u64, body: Value, sdp: Option<(&str, String)>) -> anyhow::Result<Value> {
        let mut message = json!({ "janus": "message", "handle_id": handle, "body": body });
        if let Some((kind, sdp)) = sdp {
            message["jsep"] = json!({ "type": kind, "sdp": sdp });
        }
        let answer = self.ask(message).await?;
        match &answer["plugindata"]["data"]["error"] {
            Value::Null => Ok(answer),
            error => bail!("janus: {error}"),
        }
    }

    async fn ask(&mut self, mut message: Value) -> anyhow::Result<Value> {
        self.sent += 1;
        let transaction = format!("t{}", self.sent);
        message["transaction"] = json!(transaction);
        if self.session != 0 {
            message["session_id"] = json!(self.session);
        }
        self.socket.send(Message::text(message.to_string())).await?;
        // What belongs to it, but for the note that it came.
        let answer = self.hear(|value| value["transaction"] == transaction && value["janus"] != "ack");
        let answer = tokio::time::timeout(PATIENCE, answer).await.context("janus does not answer")??;
        match answer["janus"].as_str() {
            Some("error") => bail!("janus: {}", answer["error"]),
            _ => Ok(answer),
        }
    }

    /// The next message of a kind; others are passed over.
    async fn hear(&mut self, is_it: impl Fn(&Value) -> bool) -> anyhow::Result<Value> {
        while let Some(message) = self.socket.next().await {
            let Message::Text(text) = message? else { continue };
            let value: Value = serde_json::from_str(&text)?;
            if is_it(&value) {
                return Ok(value);
            }
        }
        bail!("janus closed the socket")
    }
}

fn id_of(answer: &Value) -> anyhow::Result<u64> {
    answer["data"]["id"].as_u64().context("no id")
}

fn sdp_of(answer: &Value) -> anyhow::Result<String> {
    answer["jsep"]["sdp"].as_str().map(str::to_owned).context("no session description")
}
