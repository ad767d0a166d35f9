//! What the browser app does with its socket, in Rust: tickets, the outbox that survives cuts, positions, the policy of the
//! close codes, pings. `web-client/src/signal` is the original; constants are its own.

use std::{
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, Command, CommandId, ErrorCode, LessonId, Position, Recipients, ServerFrame, SessionId,
    UserId, limits,
};
use serde::Deserialize;
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};
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

const FIRST_MS: f64 = 300.0;
const LONGEST_MS: f64 = 8_000.0;
const DEAD: Duration = Duration::from_secs(25);
const OPEN: Duration = Duration::from_secs(10);
const PASSWORD: &str = qism::school::demo::PASSWORD;

type Socket = WebSocketStream<MaybeTlsStream<TcpStream>>;

/// A line on its way.
#[derive(Clone, Debug)]
struct Line {
    id: CommandId,
    text: String,
}

/// How a lesson ends: nobody writes any more, then everybody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Lively,
    Silent,
    Over,
}

/// What one browser saw, for the verdict.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    pub user: Option<UserId>,
    /// In the order in which they were written, and when.
    pub said: Vec<(CommandId, Instant)>,
    pub acknowledged: Vec<(CommandId, u64)>,
    pub refused: Vec<(CommandId, ErrorCode)>,
    /// Of the events, in the order in which they came; a snapshot is a `true`.
    pub told: Vec<(Position, bool, Instant)>,
    pub welcomes: Vec<Instant>,
    pub cuts: Vec<(Instant, u16)>,
    pub resets: u32,
    /// Why it stopped coming back.
    pub stopped: Option<u16>,
}

/// Somebody in a lesson.
pub struct Browser {
    http: reqwest::Client,
    lesson: LessonId,
    session: SessionId,
    position: Option<Position>,
    outbox: VecDeque<Line>,
    /// Goes to this node first, whatever the ticket says: people of one lesson on several nodes.
    node: Option<usize>,
    /// Until then nothing is written: something was refused as *later*.
    pause: Option<Instant>,
    attempt: i32,
    pub seen: Seen,
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

impl Browser {
    pub async fn sign_in(login: &str) -> anyhow::Result<Self> {
        let http = reqwest::Client::builder()
            .cookie_store(true)
            .pool_max_idle_per_host(0)
            .timeout(Duration::from_secs(30))
            .build()?;
        let body = serde_json::json!({ "login": login, "password": PASSWORD });
        let asked = http.post(format!("{}/api/session", origin())).header("origin", origin());
        let answer = asked.json(&body).send().await?;
        answer.error_for_status().with_context(|| format!("{login} cannot sign in"))?;
        let answer = http.get(format!("{}/api/lessons", origin())).send().await?.error_for_status()?;
        let today: Today = answer.json().await?;
        let lesson = today.lessons.first().context("no lesson today")?.lesson;
        Ok(Self {
            http,
            lesson,
            session: SessionId(Uuid::new_v4()),
            position: None,
            outbox: VecDeque::new(),
            node: None,
            pause: None,
            attempt: 0,
            seen: Seen::default(),
        })
    }

    pub fn at(mut self, node: usize) -> Self {
        self.node = Some(node);
        self
    }

    pub fn lesson(&self) -> LessonId {
        self.lesson
    }

    /// Is in the lesson and says a line every so often (`None`: only listens), until told to be silent, and stays until told
    /// to go.
    pub async fn stay(
        mut self,
        every: Option<Duration>,
        mut phase: watch::Receiver<Phase>,
        unanswered: Arc<AtomicUsize>,
    ) -> Seen {
        while *phase.borrow() != Phase::Over {
            let code = match self.connect().await {
                Ok(socket) => self.converse(socket, every, &mut phase, &unanswered).await,
                Err(_) => Some(1006),
            };
            let Some(code) = code else { break };
            self.seen.cuts.push((Instant::now(), code));
            self.node = None;
            match self.after_close(code) {
                Some(wait) => tokio::time::sleep(wait).await,
                None => {
                    self.seen.stopped = Some(code);
                    break;
                }
            }
        }
        self.seen
    }

    /// Comes in by a socket that holds a few kilobytes, and never reads.
    pub async fn enter_and_read_nothing(mut self) -> anyhow::Result<TcpStream> {
        let (request, hello) = self.knock().await?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        let stream = socket.connect((FRONT, FRONT_PORT).into()).await?;
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        socket.send(Message::text(serde_json::to_string(&hello)?)).await?;
        Ok(socket.into_inner())
    }

    /// Whether the other side has ended this one, behind all that it sent.
    pub async fn was_closed(mut stream: TcpStream) -> bool {
        let mut rest = vec![0; 65_536];
        let reading = async {
            loop {
                match stream.read(&mut rest).await {
                    Ok(0) | Err(_) => return,
                    Ok(_) => {}
                }
            }
        };
        timeout(Duration::from_secs(3), reading).await.is_ok()
    }

    /// `policy.ts`: 44xx stop (but for a stale ticket), the rest come back.
    fn after_close(&mut self, code: u16) -> Option<Duration> {
        let ceiling = (FIRST_MS * 2_f64.powi(self.attempt)).min(LONGEST_MS);
        self.attempt += 1;
        let back_off = Duration::from_secs_f64((ceiling / 2.0) * (1.0 + rand::random::<f64>()) / 1_000.0);
        match code {
            4502 => Some(Duration::from_millis(rand::random_range(0..250))),
            4501 => Some(Duration::from_secs(5)),
            4401 => Some(back_off),
            4400..=4499 => None,
            _ => Some(back_off),
        }
    }

    /// A fresh ticket: where it leads, and what to say there.
    async fn knock(&mut self) -> anyhow::Result<(Request<()>, ClientFrame)> {
        let wish = serde_json::json!({ "session": self.session });
        let asked = self.http.post(format!("{}/api/lessons/{}/ticket", origin(), self.lesson));
        let answer = asked.header("origin", origin()).json(&wish).send().await?.error_for_status()?;
        let Ticket { ticket, mut socket } = answer.json().await?;
        if let Some(node) = self.node {
            socket = format!("/ws/node{}", node + 1);
        }
        let mut request = format!("ws://{FRONT}:{FRONT_PORT}{socket}").into_client_request()?;
        request.headers_mut().insert("origin", HeaderValue::from_str(&origin())?);
        let position = self.position;
        Ok((request, ClientFrame::Hello { version: protocol::VERSION, ticket, position }))
    }

    async fn connect(&mut self) -> anyhow::Result<Socket> {
        let (request, hello) = self.knock().await?;
        let (mut socket, _) = timeout(OPEN, connect_async(request)).await??;
        write(&mut socket, &hello).await?;
        Ok(socket)
    }

    /// Until the line is cut (with the code), or all is said and done.
    async fn converse(
        &mut self,
        mut socket: Socket,
        every: Option<Duration>,
        phase: &mut watch::Receiver<Phase>,
        unanswered: &AtomicUsize,
    ) -> Option<u16> {
        let mut heard = Instant::now();
        let mut welcomed = false;
        let mut pings = tokio::time::interval(limits::PING_INTERVAL);
        let mut lines = tokio::time::interval(every.unwrap_or(Duration::from_secs(3_600)));
        lines.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        lines.reset_after(every.unwrap_or(Duration::from_secs(3_600)).mul_f64(rand::random()));
        loop {
            let now = *phase.borrow_and_update();
            if now == Phase::Over {
                let _ = socket.close(None).await;
                return None;
            }
            let again = self.pause;
            let before = self.outbox.len();
            let written = tokio::select! {
                incoming = socket.next() => match incoming {
                    Some(Ok(Message::Text(text))) => {
                        heard = Instant::now();
                        let frame = serde_json::from_str(&text).expect("a server frame");
                        welcomed |= matches!(frame, ServerFrame::Welcome(_));
                        self.take(&mut socket, frame).await
                    }
                    Some(Ok(Message::Close(frame))) => return Some(frame.map_or(1005, |frame| frame.code.into())),
                    Some(Ok(_)) => Ok(()),
                    Some(Err(_)) | None => return Some(1006),
                },
                _ = pings.tick() => {
                    if heard.elapsed() > DEAD { return Some(1006); }
                    write(&mut socket, &ClientFrame::Ping { nonce: 0 }).await
                }
                _ = lines.tick(), if welcomed && every.is_some() && now == Phase::Lively => self.say(&mut socket).await,
                () = until(again), if welcomed && again.is_some() => self.write_out(&mut socket).await,
                _ = phase.changed() => Ok(()),
            };
            unanswered.fetch_add(self.outbox.len(), Ordering::Relaxed);
            unanswered.fetch_sub(before, Ordering::Relaxed);
            if written.is_err() {
                return Some(1006);
            }
        }
    }

    async fn say(&mut self, socket: &mut Socket) -> anyhow::Result<()> {
        let id = CommandId(Uuid::now_v7());
        let line = Line { id, text: format!("line {}", self.seen.said.len()) };
        self.seen.said.push((id, Instant::now()));
        self.outbox.push_back(line.clone());
        // Lines written in the pause must not overtake.
        if self.pause.is_some() { Ok(()) } else { write(socket, &command(line)).await }
    }

    /// Everything unacknowledged goes out again, in its order.
    async fn write_out(&mut self, socket: &mut Socket) -> anyhow::Result<()> {
        self.pause = None;
        for line in self.outbox.clone() {
            write(socket, &command(line)).await?;
        }
        Ok(())
    }

    async fn take(&mut self, socket: &mut Socket, frame: ServerFrame) -> anyhow::Result<()> {
        let now = Instant::now();
        match frame {
            ServerFrame::Welcome(welcome) => {
                self.attempt = 0;
                self.seen.user = Some(welcome.user);
                self.seen.welcomes.push(now);
                if let Some(snapshot) = &welcome.snapshot {
                    self.begin_at(snapshot.position);
                }
                return self.write_out(socket).await;
            }
            ServerFrame::Reset { snapshot, .. } => {
                self.seen.resets += 1;
                self.begin_at(snapshot.position);
            }
            ServerFrame::Event(logged) => {
                let position = Position { number: logged.number, chain: logged.chain };
                self.position = Some(position);
                self.seen.told.push((position, false, now));
            }
            ServerFrame::Accepted { id, number } => {
                self.outbox.retain(|line| line.id != id);
                self.seen.acknowledged.push((id, number));
            }
            ServerFrame::Refused { id, error, retry_after_ms } => self.refused(id, error, retry_after_ms),
            _ => {}
        }
        Ok(())
    }

    fn refused(&mut self, id: CommandId, error: ErrorCode, retry_after_ms: Option<u32>) {
        use ErrorCode::{Busy, Superseded, TooFast, Unavailable};
        if matches!(error, Busy | Unavailable | TooFast | Superseded) {
            let wait = Duration::from_millis(retry_after_ms.unwrap_or(1_000).into());
            self.pause.get_or_insert_with(|| Instant::now() + wait);
        } else {
            self.outbox.retain(|line| line.id != id);
            self.seen.refused.push((id, error));
        }
    }

    fn begin_at(&mut self, position: Position) {
        self.position = Some(position);
        self.seen.told.push((position, true, Instant::now()));
    }
}

async fn until(time: Option<Instant>) {
    match time {
        Some(time) => tokio::time::sleep_until(time.into()).await,
        None => std::future::pending().await,
    }
}

fn command(line: Line) -> ClientFrame {
    ClientFrame::Command { id: line.id, command: Command::Say { text: line.text, to: Recipients::Everyone } }
}

async fn write(socket: &mut Socket, frame: &ClientFrame) -> anyhow::Result<()> {
    Ok(socket.send(Message::text(serde_json::to_string(frame)?)).await?)
}
