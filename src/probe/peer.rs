//! A participant of a lesson: one WebSocket, a subscriber leg, a publisher leg when it has something to send.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use futures_util::{SinkExt as _, StreamExt as _};
use qism_signaling::protocol::{
    self, ClientFrame, Command, CommandId, Event, LessonId, Logged, Position, Publication, ReceiveMode,
    Recipients, ServerFrame, SessionId, Slot, Source, WantedVideo, frame::Welcome, limits,
};
use tokio::{sync::mpsc, task::JoinHandle};
use tokio_tungstenite::{WebSocketStream, tungstenite::Message};
use uuid::Uuid;

use super::{
    ProbeError, SignedIn,
    address::Line,
    frames::{Frames, Mark},
    leg,
    publisher::Publisher,
    subscriber::{Reception, Subscriber},
};

/// What a server that works answers well within.
const PATIENCE: Duration = Duration::from_secs(10);
/// Frames waiting for the socket; the sender waits when there are more.
const WAITING: usize = 256;
/// The connection ended without a close code (RFC 6455 section 7.1.5).
const ABNORMAL: u16 = 1006;

/// Which lesson, as which session, from where in its log.
#[derive(Clone, Copy, Debug)]
pub struct Entrance {
    pub lesson: LessonId,
    pub session: SessionId,
    /// Given when coming back.
    pub position: Option<Position>,
}

impl Entrance {
    /// For the first time, as a new session.
    pub fn first(lesson: LessonId) -> Self {
        Self { lesson, session: SessionId(Uuid::new_v4()), position: None }
    }
}

/// How long the steps of an entrance took.
#[derive(Clone, Copy, Debug, Default)]
pub struct EntranceTimes {
    pub ticket: Duration,
    pub socket: Duration,
    pub welcome: Duration,
}

/// Somebody in a lesson. Dropping it cuts the line without a word.
pub struct Peer {
    pub times: EntranceTimes,
    pub welcome: Welcome,
    entrance: Entrance,
    signed_in: SignedIn,
    frames: Arc<Frames>,
    outgoing: mpsc::Sender<ClientFrame>,
    carrying: JoinHandle<()>,
    subscriber: Option<Subscriber>,
    publisher: Option<Publisher>,
}

impl Drop for Peer {
    fn drop(&mut self) {
        self.carrying.abort();
    }
}

impl Peer {
    /// Takes a ticket, opens the socket, says hello, waits for the welcome.
    pub async fn enter(signed_in: &SignedIn, entrance: Entrance) -> Result<Self, ProbeError> {
        let began = Instant::now();
        let ticket = signed_in.ticket(entrance.lesson, entrance.session).await?;
        let ticketed = began.elapsed();
        let socket = signed_in.socket(&ticket.socket).await?;
        let connected = began.elapsed();
        let frames = Arc::new(Frames::new());
        let (outgoing, waiting) = mpsc::channel(WAITING);
        let carrying = tokio::spawn(carry(socket, waiting, frames.clone()));
        let hello = ClientFrame::Hello {
            version: protocol::VERSION,
            ticket: ticket.ticket,
            position: entrance.position,
        };
        let _ = outgoing.send(hello).await;
        let welcome = frames.wait(Mark::default(), "welcome", PATIENCE, |frame| match frame {
            ServerFrame::Welcome(welcome) => Some((**welcome).clone()),
            _ => None,
        });
        let welcome = welcome.await.inspect_err(|_| carrying.abort())?;
        let times = EntranceTimes {
            ticket: ticketed,
            socket: connected - ticketed,
            welcome: began.elapsed() - connected,
        };
        let signed_in = signed_in.clone();
        let (subscriber, publisher) = (None, None);
        Ok(Self { times, welcome, entrance, signed_in, frames, outgoing, carrying, subscriber, publisher })
    }

    /// Attaches once more, as the same session, through another server's door, while this connection goes on: what a server that
    /// goes down asks for.
    pub async fn follow(&self, elsewhere: &SignedIn) -> Result<Self, ProbeError> {
        Self::enter(elsewhere, Entrance { position: Some(self.position()), ..self.entrance }).await
    }

    /// Cuts the line without a word, as a network does.
    pub fn cut(self) -> Away {
        let entrance = Entrance { position: Some(self.position()), ..self.entrance };
        Away { signed_in: self.signed_in.clone(), entrance }
    }

    /// Sends a frame as it is.
    pub async fn send(&self, frame: ClientFrame) -> Result<(), ProbeError> {
        let gone = |_| ProbeError::Closed(self.frames.closed().unwrap_or(ABNORMAL));
        self.outgoing.send(frame).await.map_err(gone)
    }

    /// Sends a command and waits for its answer: the number of the event, or the refusal.
    pub async fn command(&self, command: Command) -> Result<u64, ProbeError> {
        let (id, mark) = (CommandId(Uuid::now_v7()), self.mark());
        self.send(ClientFrame::Command { id, command }).await?;
        let answer = self.wait_since(mark, "the answer to a command", |frame| match frame {
            ServerFrame::Accepted { id: answered, number } if *answered == id => Some(Ok(*number)),
            ServerFrame::Refused { id: answered, error, .. } if *answered == id => Some(Err(*error)),
            _ => None,
        });
        answer.await?.map_err(ProbeError::Command)
    }

    pub async fn say(&self, text: &str) -> Result<u64, ProbeError> {
        self.command(Command::Say { text: text.to_owned(), to: Recipients::Everyone }).await
    }

    pub async fn raise_hand(&self) -> Result<u64, ProbeError> {
        self.command(Command::RaiseHand {}).await
    }

    /// The round trip of a ping over the socket.
    pub async fn ping(&self, nonce: u32) -> Result<Duration, ProbeError> {
        let (mark, began) = (self.mark(), Instant::now());
        self.send(ClientFrame::Ping { nonce }).await?;
        let pong = self.wait_since(mark, "a pong", |frame| match frame {
            ServerFrame::Pong { nonce: answered, .. } if *answered == nonce => Some(()),
            _ => None,
        });
        pong.await.map(|()| began.elapsed())
    }

    /// The place behind everything that the server said so far.
    pub fn mark(&self) -> Mark {
        self.frames.end()
    }

    /// The first frame since the entrance that `pick` takes, waiting for it.
    pub async fn wait<T>(
        &self,
        what: &'static str,
        pick: impl FnMut(&ServerFrame) -> Option<T>,
    ) -> Result<T, ProbeError> {
        self.wait_since(Mark::default(), what, pick).await
    }

    /// The first frame since `mark` that `pick` takes, waiting for it.
    pub async fn wait_since<T>(
        &self,
        mark: Mark,
        what: &'static str,
        pick: impl FnMut(&ServerFrame) -> Option<T>,
    ) -> Result<T, ProbeError> {
        self.frames.wait(mark, what, PATIENCE, pick).await
    }

    /// The first event since the entrance that fits, waiting for it.
    pub async fn event(
        &self,
        what: &'static str,
        fits: impl Fn(&Event) -> bool,
    ) -> Result<Logged, ProbeError> {
        self.wait(what, |frame| match frame {
            ServerFrame::Event(logged) if fits(&logged.event) => Some(logged.clone()),
            _ => None,
        })
        .await
    }

    /// What `pick` takes out of everything said since the entrance.
    pub fn heard<T>(&self, mut pick: impl FnMut(&ServerFrame) -> Option<T>) -> Vec<T> {
        self.frames.collect(Mark::default(), |_, frame| pick(frame))
    }

    /// What was put into which slot, in order.
    pub fn assignments(&self) -> Vec<(Instant, Slot, Option<Publication>)> {
        self.frames.collect(Mark::default(), |at, frame| match frame {
            ServerFrame::SlotAssigned { slot, publication } => Some((at, *slot, *publication)),
            _ => None,
        })
    }

    /// All events since the entrance.
    pub fn events(&self) -> Vec<Logged> {
        self.heard(|frame| match frame {
            ServerFrame::Event(logged) => Some(logged.clone()),
            _ => None,
        })
    }

    /// Where this participant stands in the lesson's log.
    pub fn position(&self) -> Position {
        let start = self.welcome.snapshot.as_ref().map(|snapshot| snapshot.position);
        let start = start.or(self.entrance.position).unwrap_or_default();
        let latest = self.heard(|frame| match frame {
            ServerFrame::Event(logged) => Some(Position { number: logged.number, chain: logged.chain }),
            ServerFrame::Reset { snapshot, .. } => Some(snapshot.position),
            _ => None,
        });
        latest.last().copied().unwrap_or(start)
    }

    /// The code that the server closed the socket with, waiting for it.
    pub async fn closed(&self) -> Result<u16, ProbeError> {
        self.frames.wait_closed(PATIENCE).await
    }

    pub fn is_closed(&self) -> bool {
        self.frames.closed().is_some()
    }

    /// Opens the subscriber leg.
    pub async fn listen(&mut self, cameras: u8) -> Result<Reception, ProbeError> {
        let mark = self.mark();
        self.send(ClientFrame::OpenSubscriber { cameras, packed: false }).await?;
        let offer = self.wait_since(mark, "the subscriber offer", |frame| match frame {
            ServerFrame::SubscriberOffer { sdp } => Some(Ok(sdp.clone())),
            ServerFrame::Error { error } => Some(Err(ProbeError::Command(*error))),
            _ => None,
        });
        let (subscriber, answer) = Subscriber::open(self.signed_in.door().address(), offer.await??).await?;
        self.send(ClientFrame::SubscriberAnswer { sdp: answer }).await?;
        let reception = subscriber.reception.clone();
        self.subscriber = Some(subscriber);
        Ok(reception)
    }

    /// Chooses what to receive.
    pub async fn receive(&self, mode: ReceiveMode, cameras: Vec<WantedVideo>) -> Result<(), ProbeError> {
        self.send(ClientFrame::Receive { mode, cameras }).await
    }

    /// Opens the publisher leg, as a browser does at the first need, and waits until it is up. Nothing is sent.
    pub async fn prepare_to_publish(&mut self) -> Result<(), ProbeError> {
        if self.publisher.is_some() {
            return Ok(());
        }
        let (mut publisher, sdp, tracks) = Publisher::offer(self.signed_in.door().address()).await?;
        let mark = self.mark();
        self.send(ClientFrame::PublisherOffer { sdp, tracks }).await?;
        let answer = self.wait_since(mark, "the publisher answer", |frame| match frame {
            ServerFrame::PublisherAnswer { sdp } => Some(Ok(sdp.clone())),
            ServerFrame::Error { error } => Some(Err(ProbeError::Command(*error))),
            _ => None,
        });
        publisher.accept(answer.await??).await?;
        publisher.is_up(PATIENCE).await?;
        self.publisher = Some(publisher);
        Ok(())
    }

    /// Asks to publish and, when that is accepted, sends.
    pub async fn publish(&mut self, source: Source) -> Result<(), ProbeError> {
        self.prepare_to_publish().await?;
        self.command(Command::Publish { source, muted: false }).await?;
        self.feed(source)
    }

    /// The same with pictures of so many packets of 1,100 bytes each, ten a second: what a link feels, not what anybody looks at.
    pub async fn publish_large(&mut self, source: Source, packets: u32) -> Result<(), ProbeError> {
        self.prepare_to_publish().await?;
        self.command(Command::Publish { source, muted: false }).await?;
        let publisher = self.publisher.as_mut();
        publisher
            .ok_or(ProbeError::Media("the publisher leg is not open".into()))?
            .feed_large(source, packets)
    }

    /// Sends without asking. The publisher leg must be open.
    pub fn feed(&mut self, source: Source) -> Result<(), ProbeError> {
        let publisher = self.publisher.as_mut();
        publisher.ok_or(ProbeError::Media("the publisher leg is not open".into()))?.feed(source)
    }

    /// Packets sent on a track.
    pub fn sent(&self, source: Source) -> u64 {
        self.publisher.as_ref().map_or(0, |publisher| publisher.sent(source))
    }

    /// The latest STUN round trip of the subscriber leg.
    pub async fn media_round_trip_ms(&self) -> Option<f64> {
        leg::round_trip_ms(&self.subscriber.as_ref()?.connection).await
    }

    /// Leaves on purpose and waits for the server's goodbye.
    pub async fn leave(mut self) -> Result<u16, ProbeError> {
        let id = CommandId(Uuid::now_v7());
        self.send(ClientFrame::Command { id, command: Command::Leave {} }).await?;
        let code = self.closed().await;
        let subscriber = self.subscriber.take().map(|leg| leg.connection);
        let publisher = self.publisher.take().map(|leg| leg.connection.clone());
        for connection in [subscriber, publisher].into_iter().flatten() {
            let _ = connection.close().await;
        }
        code
    }
}

/// Somebody whose line is cut.
pub struct Away {
    signed_in: SignedIn,
    entrance: Entrance,
}

impl Away {
    /// Comes back as the same session from where the cut line stopped.
    pub async fn come_back(&self) -> Result<Peer, ProbeError> {
        Peer::enter(&self.signed_in, self.entrance).await
    }
}

/// Moves frames between the socket and the queues until either ends, with a ping in between.
async fn carry(
    mut socket: WebSocketStream<Box<dyn Line>>,
    mut outgoing: mpsc::Receiver<ClientFrame>,
    frames: Arc<Frames>,
) {
    let mut pings = tokio::time::interval(limits::PING_INTERVAL);
    pings.tick().await;
    let code = loop {
        let sent = tokio::select! {
            incoming = socket.next() => match incoming {
                Some(Ok(Message::Text(text))) => { take(&frames, &text); Ok(()) }
                Some(Ok(Message::Close(frame))) => {
                    break frame.map_or(ABNORMAL, |frame| u16::from(frame.code));
                }
                Some(Ok(_)) => Ok(()),
                Some(Err(_)) | None => break ABNORMAL,
            },
            frame = outgoing.recv() => match frame {
                Some(frame) => write(&mut socket, &frame).await,
                None => break ABNORMAL,
            },
            _ = pings.tick() => write(&mut socket, &ClientFrame::Ping { nonce: 0 }).await,
        };
        if sent.is_err() {
            break ABNORMAL;
        }
    };
    frames.close(code);
    let _ = socket.close(None).await;
}

fn take(frames: &Frames, text: &str) {
    // A newer server may send kinds of frames that this program does not know.
    if let Ok(frame) = serde_json::from_str(text) {
        frames.push(frame);
    }
}

async fn write(
    socket: &mut WebSocketStream<Box<dyn Line>>,
    frame: &ClientFrame,
) -> Result<(), tokio_tungstenite::tungstenite::Error> {
    // Invariant: our own types always serialize.
    let text = serde_json::to_string(frame).expect("frames are JSON");
    socket.send(Message::text(text)).await
}
