//! The school's door: sign in, today's lessons, a ticket, and the WebSocket that the ticket opens.

use http_body_util::{BodyExt as _, Full};
use hyper::{Method, Request, StatusCode, body::Bytes, header};
use hyper_util::rt::TokioIo;
use qism_signaling::protocol::{LessonId, Phase, SessionId};
use serde::{Deserialize, de::DeserializeOwned};
use tokio_tungstenite::{WebSocketStream, client_async, tungstenite::client::IntoClientRequest as _};

use super::{
    ProbeError,
    address::{Address, Dialer, Line, Trust},
};

/// The way to a lesson that names no server.
const ANY_SERVER: &str = "/ws";
/// Answers larger than this are not ours.
const ANSWER_BYTES: usize = 4 << 20;

/// A server, before anybody signed in.
#[derive(Clone)]
pub struct Door {
    dialer: Dialer,
    /// Lessons are entered here, wherever a ticket leads.
    is_only: bool,
}

/// Somebody signed in.
#[derive(Clone)]
pub struct SignedIn {
    door: Door,
    cookie: String,
}

/// One line of `GET /api/lessons`.
#[derive(Clone, Debug, Deserialize)]
pub struct LessonToday {
    pub lesson: LessonId,
    pub starts_at: u64,
    pub ends_at: u64,
    pub phase: Phase,
}

#[derive(Deserialize)]
struct Today {
    now: u64,
    lessons: Vec<LessonToday>,
}

#[derive(Deserialize)]
struct TicketAnswer {
    ticket: String,
    socket: String,
}

#[derive(Deserialize)]
struct ErrorAnswer {
    error: String,
}

/// A ticket and where to take it.
pub(super) struct Ticket {
    pub ticket: String,
    pub socket: String,
}

struct Answer {
    cookie: Option<String>,
    body: Bytes,
}

impl Door {
    pub fn new(address: Address, trust: &Trust) -> Result<Self, ProbeError> {
        Ok(Self { dialer: Dialer::new(address, trust)?, is_only: false })
    }

    /// Enters lessons by this door alone: that of one server, with no proxy that takes people to where their tickets lead. A server takes
    /// whoever comes by another's way for passed on by a proxy that does not reach that one.
    pub fn only(self) -> Self {
        Self { is_only: true, ..self }
    }

    pub fn address(&self) -> &Address {
        &self.dialer.address
    }

    pub async fn sign_in(&self, login: &str, password: &str) -> Result<SignedIn, ProbeError> {
        let body = serde_json::json!({ "login": login, "password": password });
        let answer = self.ask(Method::POST, "/api/session", None, Some(&body)).await?;
        let cookie = answer.cookie.ok_or(ProbeError::Http {
            asked: "sign in".into(),
            error: "no cookie came: is this a Qism server?".into(),
        })?;
        Ok(SignedIn { door: self.clone(), cookie })
    }

    /// What a page that anybody may read says.
    pub async fn read(&self, path: &str) -> Result<String, ProbeError> {
        let answer = self.ask(Method::GET, path, None, None).await?;
        Ok(String::from_utf8_lossy(&answer.body).into_owned())
    }

    async fn ask(
        &self,
        method: Method,
        path: &str,
        cookie: Option<&str>,
        body: Option<&serde_json::Value>,
    ) -> Result<Answer, ProbeError> {
        let asked = format!("{method} {path}");
        let failed = |error: &dyn std::fmt::Display| ProbeError::Http {
            asked: asked.clone(),
            error: error.to_string(),
        };
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::HOST, self.address().authority())
            .header(header::ORIGIN, self.address().origin())
            .header(header::CONTENT_TYPE, "application/json");
        if let Some(cookie) = cookie {
            request = request.header(header::COOKIE, cookie);
        }
        let body = body.map(serde_json::Value::to_string).unwrap_or_default();
        let request = request.body(Full::new(Bytes::from(body))).map_err(|error| failed(&error))?;
        let io = TokioIo::new(self.dialer.dial().await?);
        let (mut sender, connection) =
            hyper::client::conn::http1::handshake(io).await.map_err(|error| failed(&error))?;
        let exchange = async {
            let response = sender.send_request(request).await.map_err(|error| failed(&error))?;
            let (head, body) = response.into_parts();
            let limited = http_body_util::Limited::new(body, ANSWER_BYTES);
            let body = limited.collect().await.map_err(|error| failed(&error))?.to_bytes();
            Ok::<_, ProbeError>((head, body))
        };
        tokio::pin!(connection);
        let (head, body) = tokio::select! {
            // The connection ends when the answer is complete, never before it.
            biased;
            answer = exchange => answer?,
            ended = &mut connection => return Err(failed(&format!("the connection ended: {ended:?}"))),
        };
        if !head.status.is_success() {
            return Err(refusal(asked, head.status, &body));
        }
        let cookie = head.headers.get(header::SET_COOKIE).and_then(|value| value.to_str().ok());
        let cookie = cookie.and_then(|value| value.split(';').next()).map(str::to_owned);
        Ok(Answer { cookie, body })
    }
}

fn refusal(asked: String, status: StatusCode, body: &[u8]) -> ProbeError {
    let code = serde_json::from_slice(body).map(|answer: ErrorAnswer| answer.error);
    let text = || String::from_utf8_lossy(body).lines().next().unwrap_or_default().to_owned();
    ProbeError::Refused { asked, status: status.as_u16(), code: code.unwrap_or_else(|_| text()) }
}

impl SignedIn {
    /// Today's lessons of this person, and the server's clock.
    pub async fn lessons(&self) -> Result<(u64, Vec<LessonToday>), ProbeError> {
        let today: Today = self.read(Method::GET, "/api/lessons", None).await?;
        Ok((today.now, today.lessons))
    }

    /// The lesson that is going on: an open one first.
    pub async fn current_lesson(&self) -> Result<LessonId, ProbeError> {
        let (now, lessons) = self.lessons().await?;
        let on = lessons.iter().filter(|lesson| lesson.phase != Phase::Ended);
        let on = on.filter(|lesson| {
            lesson.phase == Phase::Open || (lesson.starts_at..lesson.ends_at).contains(&now)
        });
        on.min_by_key(|lesson| (lesson.phase != Phase::Open, lesson.starts_at))
            .map(|lesson| lesson.lesson)
            .ok_or(ProbeError::NoLesson)
    }

    pub(super) async fn ticket(&self, lesson: LessonId, session: SessionId) -> Result<Ticket, ProbeError> {
        let path = format!("/api/lessons/{lesson}/ticket");
        let wish = serde_json::json!({ "session": session });
        let TicketAnswer { ticket, socket } = self.read(Method::POST, &path, Some(&wish)).await?;
        Ok(Ticket { ticket, socket })
    }

    /// An open WebSocket; nothing was said on it yet.
    pub(super) async fn socket(&self, path: &str) -> Result<WebSocketStream<Box<dyn Line>>, ProbeError> {
        let path = if self.door.is_only { ANY_SERVER } else { path };
        let address = self.door.address();
        let scheme = if address.secure { "wss" } else { "ws" };
        let wrong = |error: &dyn std::fmt::Display| ProbeError::Socket(error.to_string());
        let url = format!("{scheme}://{}{path}", address.authority());
        let mut request = url.into_client_request().map_err(|error| wrong(&error))?;
        let origin = address.origin().parse().map_err(|error| wrong(&error))?;
        request.headers_mut().insert(header::ORIGIN, origin);
        let line = self.door.dialer.dial().await?;
        let (socket, _) = client_async(request, line).await.map_err(|error| wrong(&error))?;
        Ok(socket)
    }

    /// The door this person came through.
    pub fn door(&self) -> &Door {
        &self.door
    }

    async fn read<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: Option<&serde_json::Value>,
    ) -> Result<T, ProbeError> {
        let asked = format!("{method} {path}");
        let answer = self.door.ask(method, path, Some(&self.cookie), body).await?;
        serde_json::from_slice(&answer.body)
            .map_err(|error| ProbeError::Http { asked, error: format!("the answer makes no sense: {error}") })
    }
}
