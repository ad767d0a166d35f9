//! A lesson of a real server under load: a teacher who publishes, students who join and receive.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::Context as _;
use futures_util::{SinkExt as _, StreamExt as _, stream};
use qism_client::{Person, Socket, message, wait};
use qism_signaling::protocol::{
    ClientFrame, LessonId, ReceiveMode, ServerFrame, UserId, WantedVideo, limits,
};

use super::{audience::Audience, publisher::Publisher, rates::Side};
use crate::server::{SETTLED, Server};

/// Students who join at the same time, where that is not what is measured.
const JOINING: usize = 4;
/// A join takes no longer.
const PATIENCE: Duration = Duration::from_secs(20);

/// The running lesson.
pub struct Lesson {
    pub server: Server,
    pub publisher: Publisher,
    pub audience: Audience,
    class: Vec<Person>,
    lesson: LessonId,
    teacher: UserId,
    joined: usize,
}

/// What joining took.
#[derive(Debug, Default)]
pub struct Joins {
    pub failed: usize,
    /// From the ticket to a leg that is up.
    pub times_ms: Vec<f64>,
}

impl Lesson {
    /// Starts a server; so many students sign in and wait at the door.
    pub async fn start(program: &Path, students: usize, start: Instant) -> anyhow::Result<Self> {
        let server = Server::start(program, students.max(30))?;
        let logins = (1..=students).map(|n| format!("student{n}"));
        let logins = std::iter::once("teacher1".to_owned()).chain(logins).collect();
        let mut class = Person::sign_in_all(&server.url, logins).await?;
        tokio::time::sleep(SETTLED).await;
        let teacher = class.remove(0);
        let lesson = teacher.lesson().await?;
        let (mut socket, welcome) = teacher.enter(lesson).await?;
        let publisher = Publisher::open(&mut socket, start).await?;
        keep(socket);
        let audience = Audience::new(students, start)?;
        Ok(Self { server, publisher, audience, class, lesson, teacher: welcome.user, joined: 0 })
    }

    /// Students join, a few at a time, until there are so many.
    pub async fn grow(&mut self, students: usize) -> Joins {
        let numbers = self.joined..students;
        self.joined = students;
        let joining = stream::iter(numbers).map(|index| self.join(index)).buffer_unordered(JOINING);
        let mut joins = Joins::default();
        for joined in joining.collect::<Vec<_>>().await {
            match joined {
                Ok(took) => joins.times_ms.push(took.as_secs_f64() * 1_000.0),
                Err(error) => {
                    println!("    a join failed: {error:#}");
                    joins.failed += 1;
                }
            }
        }
        joins
    }

    /// One student enters and receives everything; how long it took.
    pub async fn join(&self, index: usize) -> anyhow::Result<Duration> {
        let began = Instant::now();
        let joining = async {
            let (mut socket, _) = self.class[index].enter(self.lesson).await?;
            subscribe(&mut socket, &self.audience, index, self.teacher).await?;
            keep(socket);
            anyhow::Ok(())
        };
        tokio::time::timeout(PATIENCE, joining).await.context("in vain")??;
        Ok(began.elapsed())
    }

    pub fn side(&self) -> Side<'_> {
        self.side_named("qism")
    }

    pub fn side_named(&self, name: &'static str) -> Side<'_> {
        let process = self.server.process();
        Side { name, process, publisher: &self.publisher, audience: &self.audience }
    }
}

/// Receives everything of a teacher's, in a place of the audience; waits until the leg is up.
pub async fn subscribe(
    socket: &mut Socket,
    audience: &Audience,
    index: usize,
    teacher: UserId,
) -> anyhow::Result<()> {
    let camera = WantedVideo { user: teacher, width: 1_280, height: 720 };
    let receive = ClientFrame::Receive { mode: ReceiveMode::Everything, cameras: vec![camera] };
    socket.send(message(&receive)).await?;
    socket.send(message(&ClientFrame::OpenSubscriber { cameras: 2, packed: false })).await?;
    let offer = wait(socket, |frame| match frame {
        ServerFrame::SubscriberOffer { sdp } => Some(sdp),
        _ => None,
    });
    let answer = audience.join(index, &offer.await?)?;
    socket.send(message(&ClientFrame::SubscriberAnswer { sdp: answer })).await?;
    audience.is_up(index).await
}

/// Reads and pings in the background, so that the server sees somebody.
fn keep(mut socket: Socket) {
    tokio::spawn(async move {
        let mut pings = tokio::time::interval(limits::PING_INTERVAL);
        loop {
            let ended = tokio::select! {
                incoming = socket.next() => !matches!(incoming, Some(Ok(_))),
                _ = pings.tick() => socket.send(message(&ClientFrame::Ping { nonce: 0 })).await.is_err(),
            };
            if ended {
                return;
            }
        }
    });
}
