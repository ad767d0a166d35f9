//! The way into a lesson, as the browser app takes it: a ticket, a socket, hello, welcome. `web-client/src/school/api.ts` and
//! `web-client/src/signal/socket.ts` are the originals; constants are their own.

use std::time::{Duration, Instant};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, LessonId, Position, ServerFrame, SessionId, frame::Welcome,
};
use serde::Deserialize;
use tokio::{net::TcpStream, time::timeout};
use tokio_tungstenite::{
    MaybeTlsStream, WebSocketStream, connect_async,
    tungstenite::{
        Message,
        client::IntoClientRequest as _,
        http::{HeaderValue, Request},
    },
};
use uuid::Uuid;

use crate::{network::FRONT, node::FRONT_PORT};

/// No answer to a request.
const ANSWER: Duration = Duration::from_secs(12);
/// A ticket is asked for once more when the first request is silent for so long.
const HEDGE: Duration = Duration::from_millis(1_500);
/// Not welcomed within this: given up; longer once that has happened.
const FIRST_OPEN: Duration = Duration::from_secs(5);
const OPEN: Duration = Duration::from_secs(10);
const PASSWORD: &str = qism::school::demo::PASSWORD;

pub type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// What somebody waited for: what, since when, for how long.
pub type Step = (&'static str, Instant, Duration);

/// How a way in ended.
pub enum Arrival {
    In(Box<Socket>, Box<Welcome>),
    /// Not in, with the code of the close; 1006 without one.
    Closed(u16),
    /// Waited for in vain.
    Silent,
}

/// Somebody signed in, as one session of one lesson.
#[derive(Clone)]
pub struct Way {
    http: reqwest::Client,
    pub lesson: LessonId,
    session: SessionId,
    /// Goes to this node, whatever the ticket says.
    pub node: Option<usize>,
    /// A welcome was waited for in vain.
    pub given_up: bool,
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

fn origin() -> String {
    format!("http://{FRONT}:{FRONT_PORT}")
}

impl Way {
    pub async fn sign_in(login: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .pool_max_idle_per_host(0)
            .timeout(ANSWER)
            .build()?;
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let asked = http.post(format!("{}/api/session", origin())).header("origin", origin());
        // Passwords of a whole class are checked one after the other.
        let answer = asked.timeout(Duration::from_secs(30)).json(&body).send().await?;
        answer.error_for_status().with_context(|| format!("{login} cannot sign in"))?;
        let answer = http.get(format!("{}/api/lessons", origin())).send().await?.error_for_status()?;
        let today: Today = answer.json().await?;
        let lesson = today.lessons.first().context("no lesson today")?.lesson;
        Ok(Self { http, lesson, session: SessionId(Uuid::new_v4()), node: None, given_up: false })
    }

    async fn ask(&self) -> reqwest::Result<Ticket> {
        let wish = serde_json::json!({ "session": self.session });
        let asked = self.http.post(format!("{}/api/lessons/{}/ticket", origin(), self.lesson));
        asked.header("origin", origin()).json(&wish).send().await?.error_for_status()?.json().await
    }

    async fn ticket(&self) -> reqwest::Result<Ticket> {
        let mut first = std::pin::pin!(self.ask());
        if let Ok(early) = timeout(HEDGE, first.as_mut()).await {
            return early;
        }
        let second = std::pin::pin!(self.ask());
        match futures_util::future::select(first, second).await.factor_first() {
            (Err(error), other) if error.status().is_none() => other.await,
            (answer, _) => answer,
        }
    }

    /// A fresh ticket: where it leads, and what to say there.
    pub async fn knock(&self, position: Option<Position>) -> anyhow::Result<(Request<()>, ClientFrame)> {
        let Ticket { ticket, mut socket } = self.ticket().await?;
        if let Some(node) = self.node {
            socket = format!("/ws/node{}", node + 1);
        }
        let mut request = format!("ws://{FRONT}:{FRONT_PORT}{socket}").into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(&origin())?);
        Ok((request, ClientFrame::Hello { version: protocol::VERSION, ticket, position }))
    }

    /// Until welcomed, or it is clear that not.
    pub async fn arrive(self, position: Option<Position>) -> (Arrival, Vec<Step>) {
        let since = Instant::now();
        let Ok((request, hello)) = self.knock(position).await else {
            return (Arrival::Closed(1006), vec![("no ticket", since, since.elapsed())]);
        };
        let ticket = ("ticket", since, since.elapsed());
        let since = Instant::now();
        let patience = if self.given_up { OPEN } else { FIRST_OPEN };
        let arrival = match timeout(patience, greet(request, hello)).await {
            Ok(Ok(arrival)) => arrival,
            Ok(Err(_)) => Arrival::Closed(1006),
            Err(_) => Arrival::Silent,
        };
        let what = if matches!(arrival, Arrival::In(..)) { "welcome" } else { "no welcome" };
        (arrival, vec![ticket, (what, since, since.elapsed())])
    }
}

/// Says hello and waits to be welcomed; what is told before that is nobody's.
async fn greet(request: Request<()>, hello: ClientFrame) -> anyhow::Result<Arrival> {
    let (mut socket, _) = connect_async(request).await?;
    write(&mut socket, &hello).await?;
    while let Some(message) = socket.next().await {
        match message? {
            Message::Text(text) => {
                if let ServerFrame::Welcome(welcome) = serde_json::from_str(&text)? {
                    return Ok(Arrival::In(Box::new(socket), welcome));
                }
            }
            Message::Close(frame) => {
                return Ok(Arrival::Closed(frame.map_or(1005, |frame| frame.code.into())));
            }
            _ => {}
        }
    }
    Ok(Arrival::Closed(1006))
}

pub async fn write(socket: &mut Socket, frame: &ClientFrame) -> anyhow::Result<()> {
    Ok(socket.send(Message::text(serde_json::to_string(frame)?)).await?)
}
