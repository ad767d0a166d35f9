//! Signing in and the way into a lesson.

use std::{sync::LazyLock, time::Duration};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, LessonId, Position, ServerFrame, SessionId, frame::Welcome,
};
use reqwest::{Method, RequestBuilder};
use serde::Deserialize;
use tokio_tungstenite::{
    connect_async_with_config,
    tungstenite::{
        client::IntoClientRequest as _,
        http::{HeaderValue, Request},
        protocol::WebSocketConfig,
    },
};
use uuid::Uuid;

use crate::socket::{Socket, message, wait};

/// Everybody's password in the demonstration.
const PASSWORD: &str = qism::school::demo::PASSWORD;
/// Sign-ins at once; the server checks passwords two at a time.
const SIGNING_IN: usize = 8;
/// So long the browser app waits for an answer (`web-client/src/school/api.ts`).
const ANSWER: Duration = Duration::from_secs(12);
/// Passwords of a whole class are checked one after the other.
const PASSWORD_CHECKED: Duration = Duration::from_secs(60);
/// A socket of ours reads little at once, and ten thousand of them fit.
const BUFFER: usize = 4 * 1_024;

/// Everybody's; no idle HTTP connections beside the sockets that are measured.
static HTTP: LazyLock<reqwest::Client> = LazyLock::new(|| {
    // Invariant: without TLS there is nothing that could be missing.
    reqwest::Client::builder().pool_max_idle_per_host(0).timeout(ANSWER).build().expect("a client")
});

/// Somebody at an address: `http://host:port`.
#[derive(Clone)]
pub struct Person {
    url: String,
    http: reqwest::Client,
    /// `None`: the browser keeps what it has.
    cookie: Option<HeaderValue>,
}

#[derive(Deserialize)]
struct Today {
    lessons: Vec<Lesson>,
}

#[derive(Deserialize)]
struct Lesson {
    lesson: LessonId,
}

/// The right to enter a lesson once, and the path of the socket where it is said.
#[derive(Deserialize)]
pub struct Ticket {
    pub ticket: String,
    pub socket: String,
}

/// Where a ticket leads, and what to say there first.
pub struct Door {
    pub request: Request<()>,
    pub hello: ClientFrame,
}

impl Person {
    pub async fn sign_in(url: &str, login: &str) -> anyhow::Result<Self> {
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let asked = HTTP.post(format!("{url}/api/session")).header("origin", url);
        let answer = asked.timeout(PASSWORD_CHECKED).json(&body).send().await?;
        let answer = answer.error_for_status().with_context(|| format!("{login} cannot sign in"))?;
        let cookie = answer.headers().get("set-cookie").context("no cookie")?.to_str()?;
        let pair = cookie.split(';').next().unwrap_or_default();
        Ok(Self { url: url.to_owned(), http: HTTP.clone(), cookie: Some(HeaderValue::from_str(pair)?) })
    }

    /// Not signed in, with a browser of their own, which keeps cookies.
    pub fn stranger(url: &str) -> reqwest::Result<Self> {
        let http = reqwest::Client::builder().cookie_store(true).build()?;
        Ok(Self { url: url.to_owned(), http, cookie: None })
    }

    /// The same browser at another server's address.
    pub fn at(&self, url: &str) -> Self {
        Self { url: url.to_owned(), ..self.clone() }
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// As a page of the server makes it.
    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let request = self.http.request(method, format!("{}{path}", self.url)).header("origin", &self.url);
        match &self.cookie {
            Some(cookie) => request.header("cookie", cookie),
            None => request,
        }
    }

    /// Several, in their order.
    pub async fn sign_in_all(url: &str, logins: Vec<String>) -> anyhow::Result<Vec<Self>> {
        let signing =
            futures_util::stream::iter(logins).map(|login| async move { Self::sign_in(url, &login).await });
        signing.buffered(SIGNING_IN).collect::<Vec<_>>().await.into_iter().collect()
    }

    /// The first lesson of today.
    pub async fn lesson(&self) -> anyhow::Result<LessonId> {
        let asking = self.request(Method::GET, "/api/lessons");
        let today: Today = asking.send().await?.error_for_status()?.json().await?;
        Ok(today.lessons.first().context("no lesson today")?.lesson)
    }

    /// A ticket for one attachment of a session.
    pub async fn ticket(&self, lesson: LessonId, session: SessionId) -> reqwest::Result<Ticket> {
        let wish = serde_json::json!({ "session": session });
        let asked = self.request(Method::POST, &format!("/api/lessons/{lesson}/ticket"));
        asked.json(&wish).send().await?.error_for_status()?.json().await
    }

    /// The door that a ticket opens, to go on behind a position.
    pub fn door(&self, ticket: Ticket, position: Option<Position>) -> anyhow::Result<Door> {
        let Ticket { ticket, socket } = ticket;
        let mut request = format!("{}{socket}", self.url.replacen("http", "ws", 1)).into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(&self.url)?);
        Ok(Door { request, hello: ClientFrame::Hello { version: protocol::VERSION, ticket, position } })
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
        let mut socket = self.door(self.ticket(lesson, session).await?, position)?.open().await?;
        let welcome = wait(&mut socket, |frame| match frame {
            ServerFrame::Welcome(welcome) => Some(welcome),
            _ => None,
        });
        let welcome = welcome.await?;
        Ok((socket, welcome))
    }
}

impl Door {
    /// A socket over which hello was said.
    pub async fn open(self) -> anyhow::Result<Socket> {
        let small = WebSocketConfig::default().read_buffer_size(BUFFER).write_buffer_size(0);
        let (mut socket, _) = connect_async_with_config(self.request, Some(small), true).await?;
        socket.send(message(&self.hello)).await?;
        Ok(socket)
    }
}
