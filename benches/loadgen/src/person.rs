//! Somebody who signs in, takes a ticket and enters a lesson: real HTTP, a real WebSocket.

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, Command, CommandId, LessonId, ServerFrame, SessionId, frame::Welcome,
};
use serde::Deserialize;
use tokio::net::TcpStream;
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{Message, client::IntoClientRequest as _, http::HeaderValue},
};
use uuid::Uuid;

use crate::server::PASSWORD;

/// Sign-ins at once; the server checks passwords two at a time.
const SIGNING_IN: usize = 8;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// Signed in.
#[derive(Clone)]
pub struct Person {
    http: reqwest::Client,
    url: String,
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
        // No idle HTTP connections beside the sockets that are measured.
        let http = reqwest::Client::builder().cookie_store(true).pool_max_idle_per_host(0).build()?;
        let person = Self { http, url: url.to_owned() };
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let answer = person.post("/api/session").json(&body).send().await?;
        answer.error_for_status().with_context(|| format!("{login} cannot sign in"))?;
        Ok(person)
    }

    /// Several, in their order.
    pub async fn sign_in_all(url: &str, logins: Vec<String>) -> anyhow::Result<Vec<Self>> {
        let signing =
            futures_util::stream::iter(logins).map(|login| async move { Self::sign_in(url, &login).await });
        signing.buffered(SIGNING_IN).collect::<Vec<_>>().await.into_iter().collect()
    }

    fn post(&self, path: &str) -> reqwest::RequestBuilder {
        self.http.post(format!("{}{path}", self.url)).header("origin", &self.url)
    }

    /// The first lesson of today.
    pub async fn lesson(&self) -> anyhow::Result<LessonId> {
        let answer = self.http.get(format!("{}/api/lessons", self.url)).send().await?.error_for_status()?;
        let today: Today = answer.json().await?;
        Ok(today.lessons.first().context("no lesson today")?.lesson)
    }

    /// A socket that was welcomed.
    pub async fn enter(&self, lesson: LessonId) -> anyhow::Result<(Socket, Box<Welcome>)> {
        let wish = serde_json::json!({ "session": SessionId(Uuid::new_v4()) });
        let answer = self.post(&format!("/api/lessons/{lesson}/ticket")).json(&wish).send().await?;
        let Ticket { ticket, socket } = answer.error_for_status()?.json().await?;
        let mut request = format!("{}{socket}", self.url.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(&self.url)?);
        let (mut socket, _) = connect_async(request).await?;
        let hello = ClientFrame::Hello { version: protocol::VERSION, ticket, position: None };
        socket.send(message(&hello)).await?;
        let welcome = wait(&mut socket, |frame| match frame {
            ServerFrame::Welcome(welcome) => Some(welcome),
            _ => None,
        });
        let welcome = welcome.await?;
        Ok((socket, welcome))
    }
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
