//! The way into a lesson with the patience of the browser app: a ticket, a socket, hello, welcome. `web-client/src/school/api.ts` and
//! `web-client/src/signal/socket.ts` are the originals; constants are their own.

use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use qism_client::{Door, Person, Socket, Ticket, message};
use qism_signaling::protocol::{ClientFrame, LessonId, Position, ServerFrame, SessionId, frame::Welcome};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::{network::FRONT, node::FRONT_PORT};

/// A ticket is asked for once more when the first request is silent for so long.
const HEDGE: Duration = Duration::from_millis(1_500);
/// Not welcomed within this: given up; longer once that has happened.
const FIRST_OPEN: Duration = Duration::from_secs(5);
const OPEN: Duration = Duration::from_secs(10);

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
    person: Person,
    pub lesson: LessonId,
    session: SessionId,
    /// Goes to this node, whatever the ticket says.
    pub node: Option<usize>,
    /// A welcome was waited for in vain.
    pub given_up: bool,
}

impl Way {
    pub async fn sign_in(login: &str) -> anyhow::Result<Self> {
        let person = Person::sign_in(&format!("http://{FRONT}:{FRONT_PORT}"), login).await?;
        let lesson = person.lesson().await?;
        Ok(Self { person, lesson, session: SessionId(Uuid::new_v4()), node: None, given_up: false })
    }

    async fn ticket(&self) -> reqwest::Result<Ticket> {
        let ask = || Box::pin(self.person.ticket(self.lesson, self.session));
        let mut first = ask();
        if let Ok(early) = timeout(HEDGE, first.as_mut()).await {
            return early;
        }
        match futures_util::future::select(first, ask()).await.factor_first() {
            (Err(error), other) if error.status().is_none() => other.await,
            (answer, _) => answer,
        }
    }

    /// A fresh ticket: where it leads, and what to say there.
    pub async fn knock(&self, position: Option<Position>) -> anyhow::Result<Door> {
        let mut ticket = self.ticket().await?;
        if let Some(node) = self.node {
            ticket.socket = format!("/ws/node{}", node + 1);
        }
        self.person.door(ticket, position)
    }

    /// Until welcomed, or it is clear that not.
    pub async fn arrive(self, position: Option<Position>) -> (Arrival, Vec<Step>) {
        let since = Instant::now();
        let Ok(door) = self.knock(position).await else {
            return (Arrival::Closed(1006), vec![("no ticket", since, since.elapsed())]);
        };
        let ticket = ("ticket", since, since.elapsed());
        let since = Instant::now();
        let patience = if self.given_up { OPEN } else { FIRST_OPEN };
        let arrival = match timeout(patience, greet(door)).await {
            Ok(Ok(arrival)) => arrival,
            Ok(Err(_)) => Arrival::Closed(1006),
            Err(_) => Arrival::Silent,
        };
        let what = if matches!(arrival, Arrival::In(..)) { "welcome" } else { "no welcome" };
        (arrival, vec![ticket, (what, since, since.elapsed())])
    }
}

/// Says hello and waits to be welcomed; what is told before that is nobody's.
async fn greet(door: Door) -> anyhow::Result<Arrival> {
    let mut socket = door.open().await?;
    while let Some(incoming) = socket.next().await {
        match incoming? {
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
    Ok(socket.send(message(frame)).await?)
}
