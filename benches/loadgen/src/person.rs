//! Somebody who signs in, takes a ticket and enters a lesson: real HTTP, a real WebSocket.

use std::sync::LazyLock;

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, Command, CommandId, LessonId, Position, ServerFrame, SessionId, frame::Welcome,
};
use serde::Deserialize;
use tokio::{net::TcpStream, sync::mpsc, time::Interval};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async_with_config,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue, protocol::WebSocketConfig},
};
use uuid::Uuid;

use crate::server::PASSWORD;

/// Sign-ins at once; the server checks passwords two at a time.
const SIGNING_IN: usize = 8;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Everybody's; no idle HTTP connections beside the sockets that are measured.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    // Invariant: without TLS there is nothing that could be missing.
    reqwest::Client::builder().pool_max_idle_per_host(0).build().expect("a client")
});

/// A socket of ours reads little at once, and ten thousand of them fit.
const BUFFER: usize = 4 * 1_024;

/// Signed in.
#[derive(Clone)]
pub struct Person {
    url: String,
    cookie: HeaderValue,
}

#[derive(Deserialize)]
struct Today {
    lessons: Vec<Lesson>,
}

#[derive(Deserialize)]
struct Lesson {
    lesson: LessonId,
}

#[derive(Deserialize)]
struct Ticket {
    ticket: String,
    socket: String,
}

impl Person {
    pub async fn sign_in(url: &str, login: &str) -> anyhow::Result<Self> {
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let answer = HTTP.post(format!("{url}/api/session")).header("origin", url).json(&body).send().await?;
        let answer = answer.error_for_status().with_context(|| format!("{login} cannot sign in"))?;
        let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
        let pair = cookie.split(';').next().unwrap_or_default();
        Ok(Self { url: url.to_owned(), cookie: HeaderValue::from_str(pair)? })
    }

    /// Several, in their order.
    pub async fn sign_in_all(url: &str, logins: Vec<String>) -> anyhow::Result<Vec<Self>> {
        let signing =
            futures_util::stream::iter(logins).map(|login| async move { Self::sign_in(url, &login).await });
        signing.buffered(SIGNING_IN).collect::<Vec<_>>().await.into_iter().collect()
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        let url = format!("{}{path}", self.url);
        HTTP.post(url).header("origin", &self.url).header("cookie", &self.cookie)
    }

    /// The first lesson of today.
    pub async fn lesson(&self) -> anyhow::Result<LessonId> {
        let asking = HTTP.get(format!("{}/api/lessons", self.url)).header("cookie", &self.cookie);
        let today: Today = asking.send().await?.error_for_status()?.json().await?;
        Ok(today.lessons.first().context("no lesson today")?.lesson)
    }

    /// A socket that was welcomed.
    pub async fn enter(&self, lesson: LessonId) -> anyhow::Result<(Socket, Box<Welcome>)> {
        self.enter_from(lesson, SessionId(Uuid::new_v4()), None).await
    }

    /// The same, to go on where a session stopped reading.
    pub async fn enter_from(
        &self,
        lesson: LessonId,
        session: SessionId,
        position: Option<Position>,
    ) -> anyhow::Result<(Socket, Box<Welcome>)> {
        let wish = serde_json::json!({ "session": session });
        let answer = self.post(&format!("/api/lessons/{lesson}/ticket")).json(&wish).send().await?;
        let Ticket { ticket, socket } = answer.error_for_status()?.json().await?;
        let mut request = format!("{}{socket}", self.url.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(&self.url)?);
        let small = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let (mut socket, _) = connect_async_with_config(request, Some(small), true).await?;
        let hello = ClientFrame::Hello { version: protocol::VERSION, ticket, position };
        socket.send(message(&hello)).await?;
        let welcome = wait(&mut socket, |frame| match frame {
            ServerFrame::Welcome(welcome) => Some(welcome),
            _ => None,
        });
        let welcome = welcome.await?;
        Ok((socket, welcome))
    }
}

/// Who teaches a class of the demonstration, the first of which is 0.
pub fn teacher_of(class: usize) -> String {
    // The fourth teacher has no lesson now.
    format!("teacher{}", if class < 3 { class + 1 } else { class + 2 })
}

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
