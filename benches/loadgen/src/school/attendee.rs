//! One person in one lesson: reads, writes, pings, keeps the place in the log, comes back after a cut.

use std::sync::{Arc, Mutex, PoisonError, atomic::Ordering};

use anyhow::Context as _;
use qism_signaling::protocol::{
    Command, Event, LessonId, Logged, Position, Recipients, ServerFrame, SessionId, UserId, limits,
};
use tokio::{sync::mpsc, task::JoinHandle, time::Interval};
use tokio_tungstenite::tungstenite::Message;
use uuid::Uuid;

use super::room::Counts;
use qism_client::{Person, Socket, command, converse};

/// Messages on their way to the socket's task; the writer waits when there are more.
const QUEUE: usize = 8;

/// Outlives its sockets.
pub struct Attendee {
    person: Person,
    lesson: LessonId,
    session: SessionId,
    place: Arc<Place>,
    counts: Arc<Counts>,
    line: Option<(mpsc::Sender<Message>, JoinHandle<()>)>,
}

/// Where this one stopped reading.
struct Place {
    /// `None` while events may have been passed over: the next one tells.
    position: Mutex<Option<Position>>,
    user: UserId,
    /// Whether the delays of lines are measured here.
    measures: bool,
}

impl Attendee {
    /// Enters for the first time; `before` does what needs the bare socket (media), and is true when it read from it.
    pub async fn enter(
        person: Person,
        lesson: LessonId,
        measures: bool,
        counts: Arc<Counts>,
        before: impl AsyncFnOnce(&mut Socket) -> anyhow::Result<bool>,
    ) -> anyhow::Result<Self> {
        let session = SessionId(Uuid::new_v4());
        let (mut socket, welcome) = person.enter_from(lesson, session, None).await?;
        let position = welcome.snapshot.as_ref().context("no snapshot")?.position;
        let position = (!before(&mut socket).await?).then_some(position);
        let place = Arc::new(Place { position: Mutex::new(position), user: welcome.user, measures });
        let mut attendee = Self { person, lesson, session, place, counts, line: None };
        attendee.converse(socket);
        Ok(attendee)
    }

    pub fn user(&self) -> UserId {
        self.place.user
    }

    /// Loses the socket, without a word.
    pub fn cut(&mut self) {
        if let Some((_, task)) = self.line.take() {
            task.abort();
        }
    }

    /// Comes back to where it stopped reading.
    pub async fn come_back(&mut self) -> anyhow::Result<()> {
        let position = self.place.position();
        let (socket, welcome) = self.person.enter_from(self.lesson, self.session, position).await?;
        if position.is_some() && welcome.snapshot.is_some() {
            self.counts.broken.fetch_add(1, Ordering::Relaxed);
        }
        self.converse(socket);
        Ok(())
    }

    /// Says a line that tells when it was sent.
    pub async fn say(&self) -> anyhow::Result<()> {
        let say = Command::Say { text: self.counts.line(), to: Recipients::Everyone };
        let (writer, _) = self.line.as_ref().context("cut off")?;
        Ok(writer.send(command(say)).await?)
    }

    /// Raises or lowers the own hand.
    pub async fn wave(&self, up: bool) -> anyhow::Result<()> {
        let wish = if up { Command::RaiseHand {} } else { Command::LowerHand { user: self.place.user } };
        let (writer, _) = self.line.as_ref().context("cut off")?;
        Ok(writer.send(command(wish)).await?)
    }

    fn converse(&mut self, socket: Socket) {
        let (writer, outgoing) = mpsc::channel(QUEUE);
        self.counts.inside.fetch_add(1, Ordering::Relaxed);
        let inside = Inside(self.counts.clone());
        let place = self.place.clone();
        let take = move |text: &str| place.take(text, &inside.0);
        let task = tokio::spawn(converse(socket, outgoing, pings(), take));
        self.line = Some((writer, task));
    }
}

impl Drop for Attendee {
    fn drop(&mut self) {
        self.cut();
    }
}

/// Counted as inside until dropped, however the task ends.
struct Inside(Arc<Counts>);

impl Drop for Inside {
    fn drop(&mut self) {
        self.0.inside.fetch_sub(1, Ordering::Relaxed);
    }
}

/// Not all in the same moment.
fn pings() -> Interval {
    let first = limits::PING_INTERVAL.mul_f64(rand::random::<f64>());
    tokio::time::interval_at(tokio::time::Instant::now() + first, limits::PING_INTERVAL)
}

impl Place {
    fn position(&self) -> Option<Position> {
        *self.position.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, text: &str, counts: &Counts) {
        match serde_json::from_str(text) {
            Ok(ServerFrame::Event(logged)) => self.follow(&logged, counts),
            Ok(ServerFrame::Accepted { .. }) => drop(counts.accepted.fetch_add(1, Ordering::Relaxed)),
            Ok(ServerFrame::Reset { .. }) => drop(counts.broken.fetch_add(1, Ordering::Relaxed)),
            _ => {}
        }
    }

    fn follow(&self, logged: &Logged, counts: &Counts) {
        let mut position = self.position.lock().unwrap_or_else(PoisonError::into_inner);
        if position.is_some_and(|position| logged.number != position.number + 1) {
            counts.broken.fetch_add(1, Ordering::Relaxed);
        }
        *position = Some(Position { number: logged.number, chain: logged.chain });
        drop(position);
        if let Event::Said { text: Some(text), .. } = &logged.event {
            counts.lines.fetch_add(1, Ordering::Relaxed);
            if self.measures {
                counts.arrived(text);
            }
        }
    }
}
