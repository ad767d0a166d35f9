//! What the browser app does with its socket, in Rust: the outbox that survives cuts, positions, the policy of the close codes,
//! moves to another server, pings. `web-client/src/signal` is the original; constants are its own. How it comes in: [`Way`].

use std::{
    collections::VecDeque,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use qism_client::{Door, Socket, message};
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, LessonId, Position, Recipients, ServerFrame, UserId,
    frame::Welcome, limits,
};
use tokio::{
    io::AsyncReadExt as _,
    net::{TcpSocket, TcpStream},
    sync::watch,
    time::timeout,
};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use crate::{
    network::FRONT,
    node::FRONT_PORT,
    way::{Arrival, Step, Way, write},
};

const FIRST_MS: f64 = 300.0;
const LONGEST_MS: f64 = 8_000.0;
const DEAD: Duration = Duration::from_secs(25);

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
    /// Times that it went to another server before its own was gone.
    pub moves: u32,
    pub resets: u32,
    /// Why it stopped coming back.
    pub stopped: Option<u16>,
    /// What it waited for on its way in: what, since when, for how long.
    pub steps: Vec<Step>,
}

/// Somebody in a lesson.
pub struct Browser {
    way: Way,
    position: Option<Position>,
    outbox: VecDeque<Line>,
    /// Until then nothing is written: something was refused as *later*.
    pause: Option<Instant>,
    attempt: i32,
    /// Up to this number the connection before the move may have told already what this one tells.
    overlap: u64,
    pub seen: Seen,
}

/// The way to another server, beside the connection that goes on.
type Coming = Pin<Box<dyn Future<Output = (Arrival, Vec<Step>)> + Send>>;
type Incoming = Option<Result<Message, tokio_tungstenite::tungstenite::Error>>;

/// The connection that carries the lesson.
struct Link {
    socket: Socket,
    heard: Instant,
    coming: Option<Coming>,
}

impl Link {
    async fn ping(&mut self) -> Result<(), u16> {
        if self.heard.elapsed() > DEAD {
            return Err(1006);
        }
        send(&mut self.socket, &ClientFrame::Ping { nonce: 0 }).await
    }
}

impl Browser {
    pub async fn sign_in(login: &str) -> anyhow::Result<Self> {
        Ok(Self {
            way: Way::sign_in(login).await?,
            position: None,
            outbox: VecDeque::new(),
            pause: None,
            attempt: 0,
            overlap: 0,
            seen: Seen::default(),
        })
    }

    /// Goes to this node first, whatever the ticket says: people of one lesson on several nodes.
    pub fn at(mut self, node: usize) -> Self {
        self.way.node = Some(node);
        self
    }

    pub fn lesson(&self) -> LessonId {
        self.way.lesson
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
            let (arrival, steps) = self.way.clone().arrive(self.position).await;
            self.seen.steps.extend(steps);
            self.way.given_up |= matches!(arrival, Arrival::Silent);
            let code = match arrival {
                Arrival::In(socket, welcome) => {
                    self.seen.welcomes.push(Instant::now());
                    self.begin(&welcome);
                    self.converse(*socket, every, &mut phase, &unanswered).await
                }
                Arrival::Closed(code) => Some(code),
                Arrival::Silent => Some(1006),
            };
            let Some(code) = code else { break };
            self.seen.cuts.push((Instant::now(), code));
            self.way.node = None;
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
    pub async fn enter_and_read_nothing(self) -> anyhow::Result<TcpStream> {
        let Door { request, hello } = self.way.knock(self.position).await?;
        let socket = TcpSocket::new_v4()?;
        socket.set_recv_buffer_size(4_096)?;
        let stream = socket.connect((FRONT, FRONT_PORT).into()).await?;
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await?;
        socket.send(message(&hello)).await?;
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

    /// What the welcome says of where the log stands.
    fn begin(&mut self, welcome: &Welcome) {
        self.attempt = 0;
        self.way.given_up = false;
        self.seen.user = Some(welcome.user);
        if let Some(snapshot) = &welcome.snapshot {
            self.begin_at(snapshot.position);
        }
    }

    /// Until the connection ends (with the code), or all is said and done.
    async fn converse(
        &mut self,
        socket: Socket,
        every: Option<Duration>,
        phase: &mut watch::Receiver<Phase>,
        unanswered: &AtomicUsize,
    ) -> Option<u16> {
        let mut link = Link { socket, heard: Instant::now(), coming: None };
        let pause = every.unwrap_or(Duration::from_secs(3_600));
        let mut pings = tokio::time::interval(limits::PING_INTERVAL);
        let mut lines = tokio::time::interval(pause);
        lines.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        lines.reset_after(pause.mul_f64(rand::random()));
        let mut end = self.write_out(&mut link.socket).await.err();
        loop {
            let now = *phase.borrow_and_update();
            if now == Phase::Over {
                let _ = link.socket.close(None).await;
                return None;
            }
            if let Some(code) = end
                && let Err(code) = self.survive(&mut link, code).await
            {
                return Some(code);
            }
            let (again, before) = (self.pause, self.outbox.len());
            end = tokio::select! {
                incoming = link.socket.next() => self.incoming(&mut link, incoming),
                arrived = there(&mut link.coming) => self.arrived(&mut link, arrived).await,
                _ = pings.tick() => link.ping().await,
                _ = lines.tick(), if every.is_some() && now == Phase::Lively => self.say(&mut link.socket).await,
                () = until(again), if again.is_some() => self.write_out(&mut link.socket).await,
                _ = phase.changed() => Ok(()),
            }
            .err();
            unanswered.fetch_add(self.outbox.len(), Ordering::Relaxed);
            unanswered.fetch_sub(before, Ordering::Relaxed);
        }
    }

    fn incoming(&mut self, link: &mut Link, incoming: Incoming) -> Result<(), u16> {
        match incoming {
            Some(Ok(Message::Text(text))) => {
                link.heard = Instant::now();
                let frame = serde_json::from_str(&text).expect("a server frame");
                if matches!(frame, ServerFrame::Move { .. }) && link.coming.is_none() {
                    self.way.node = None;
                    link.coming = Some(Box::pin(self.way.clone().arrive(self.position)));
                }
                self.take(frame);
                Ok(())
            }
            Some(Ok(Message::Close(frame))) => Err(frame.map_or(1005, |frame| frame.code.into())),
            Some(Ok(_)) => Ok(()),
            Some(Err(_)) | None => Err(1006),
        }
    }

    /// The other server has taken the lesson over, or will in a moment: this one may close with any code.
    async fn survive(&mut self, link: &mut Link, code: u16) -> Result<(), u16> {
        let arrived = match &mut link.coming {
            Some(coming) => coming.await,
            None => return Err(code),
        };
        link.coming = None;
        let Ok(socket) = self.moved(arrived) else { return Err(code) };
        (link.socket, link.heard) = (socket, Instant::now());
        self.write_out(&mut link.socket).await
    }

    /// The way to another server has ended, while this connection goes on.
    async fn arrived(&mut self, link: &mut Link, arrived: (Arrival, Vec<Step>)) -> Result<(), u16> {
        link.coming = None;
        match self.moved(arrived) {
            Ok(socket) => {
                (link.socket, link.heard) = (socket, Instant::now());
                self.write_out(&mut link.socket).await
            }
            Err(wait) => {
                let (way, position) = (self.way.clone(), self.position);
                link.coming = Some(Box::pin(async move {
                    tokio::time::sleep(wait).await;
                    way.arrive(position).await
                }));
                Ok(())
            }
        }
    }

    /// What the new connection tells begins where the way to it began. Not welcome there: when to try again.
    fn moved(&mut self, (arrival, steps): (Arrival, Vec<Step>)) -> Result<Socket, Duration> {
        self.seen.steps.extend(steps);
        match arrival {
            Arrival::In(socket, welcome) => {
                self.overlap = self.position.map_or(0, |position| position.number);
                self.seen.moves += 1;
                self.begin(&welcome);
                Ok(*socket)
            }
            Arrival::Closed(code) => Err(self.after_close(code).unwrap_or(Duration::from_secs(1))),
            Arrival::Silent => {
                self.way.given_up = true;
                Err(self.after_close(1006).unwrap_or_default())
            }
        }
    }

    async fn say(&mut self, socket: &mut Socket) -> Result<(), u16> {
        let id = CommandId(Uuid::now_v7());
        let line = Line { id, text: format!("line {}", self.seen.said.len()) };
        self.seen.said.push((id, Instant::now()));
        self.outbox.push_back(line.clone());
        // Lines written in the pause must not overtake.
        if self.pause.is_some() { Ok(()) } else { send(socket, &command(line)).await }
    }

    /// Everything unacknowledged goes out again, in its order.
    async fn write_out(&mut self, socket: &mut Socket) -> Result<(), u16> {
        self.pause = None;
        for line in self.outbox.clone() {
            send(socket, &command(line)).await?;
        }
        Ok(())
    }

    fn take(&mut self, frame: ServerFrame) {
        let now = Instant::now();
        match frame {
            ServerFrame::Reset { snapshot, .. } => {
                self.seen.resets += 1;
                self.begin_at(snapshot.position);
            }
            // The connection before the move was quicker.
            ServerFrame::Event(logged) if logged.number <= self.overlap => {}
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
        self.overlap = 0;
        self.seen.told.push((position, true, Instant::now()));
    }
}

/// The end of the way to another server; for ever where there is none.
async fn there(coming: &mut Option<Coming>) -> (Arrival, Vec<Step>) {
    match coming {
        Some(coming) => coming.await,
        None => std::future::pending().await,
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

/// A socket that takes nothing has ended.
async fn send(socket: &mut Socket, frame: &ClientFrame) -> Result<(), u16> {
    write(socket, frame).await.map_err(|_| 1006)
}
