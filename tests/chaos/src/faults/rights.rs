//! Rights that are taken back from a student who speaks: how long is the voice still heard, and does it come back?

use std::{
    future::Future,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use qism::probe::{Entrance, Peer, Reception, SignedIn};
use qism_signaling::protocol::{
    ClientFrame, Command, CommandId, ErrorCode, Event, RemovalReason, ServerFrame, Source, UserId,
};
use uuid::Uuid;

use super::pass;
use crate::{
    bed::{Bed, Plan},
    network,
    node::PORT,
    verdict::Verdict,
    voice::{sign_in, sign_in_at},
};

pub async fn mute(program: PathBuf) -> anyhow::Result<Verdict> {
    without_postgres(program, |user| Command::Mute { user }).await
}

pub async fn mute_all(program: PathBuf) -> anyhow::Result<Verdict> {
    without_postgres(program, |_| Command::MuteAll {}).await
}

pub async fn remove(program: PathBuf) -> anyhow::Result<Verdict> {
    without_postgres(program, removal).await
}

pub async fn remove_across(program: PathBuf) -> anyhow::Result<Verdict> {
    let talk = Talk::apart(&program).await?;
    talk.removed().await
}

pub async fn remove_without_redis(program: PathBuf) -> anyhow::Result<Verdict> {
    let mut talk = Talk::apart(&program).await?;
    talk.bed.redis.kill();
    // Both nodes have noticed.
    pass(3.0).await;
    talk.removed().await
}

pub async fn disable(program: PathBuf) -> anyhow::Result<Verdict> {
    let talk = Talk::apart(&program).await?;
    let disabled = async {
        talk.bed.user(&["disable", SPEAKER]).await?;
        Ok(Instant::now())
    };
    talk.ended_by(disabled).await
}

fn removal(user: UserId) -> Command {
    Command::Remove { user, reason: RemovalReason::Disturbing, note: String::new(), keep_out: false }
}

const TEACHER: &str = "teacher1";
const SPEAKER: &str = "student1";
const LISTENER: &str = "student2";

/// A student who has the floor and speaks, another one who listens, and their teacher.
struct Talk {
    bed: Bed,
    teacher: Peer,
    speaker: Peer,
    heard: Reception,
    _listener: Peer,
}

impl Talk {
    /// Where their tickets lead: on one node.
    async fn together(program: &Path) -> anyhow::Result<Self> {
        let bed = Bed::make(program, &Plan::of(2)).await?;
        let people = [sign_in(TEACHER).await?, sign_in(SPEAKER).await?, sign_in(LISTENER).await?];
        Self::begin(bed, people).await
    }

    /// The teacher on the first node, the students on the second.
    async fn apart(program: &Path) -> anyhow::Result<Self> {
        let bed = Bed::make(program, &Plan::of(2)).await?;
        let at = |login, node| sign_in_at(login, network::address(node), PORT);
        let people = [at(TEACHER, 1).await?, at(SPEAKER, 2).await?, at(LISTENER, 2).await?];
        Self::begin(bed, people).await
    }

    async fn begin(bed: Bed, [teacher, speaker, listener]: [SignedIn; 3]) -> anyhow::Result<Self> {
        let lesson = teacher.current_lesson().await?;
        let teacher = Peer::enter(&teacher, Entrance::first(lesson)).await?;
        let mut speaker = Peer::enter(&speaker, Entrance::first(lesson)).await?;
        let mut listener = Peer::enter(&listener, Entrance::first(lesson)).await?;
        teacher.command(Command::GiveFloor { user: speaker.welcome.user }).await?;
        speaker.event("the floor", |event| matches!(event, Event::FloorGiven { .. })).await?;
        speaker.publish(Source::Microphone).await?;
        let heard = listener.listen(0).await?;
        let talk = Self { bed, teacher, speaker, heard, _listener: listener };
        let began = Instant::now();
        while talk.packets() < 50 {
            anyhow::ensure!(began.elapsed() < Duration::from_secs(15), "the student is not heard");
            pass(0.05).await;
        }
        Ok(talk)
    }

    /// Of the voice, as the listener counts them.
    fn packets(&self) -> u64 {
        self.heard.all().iter().map(|(_, slot)| slot.packets).sum()
    }

    async fn still_speaks(&self) -> anyhow::Result<()> {
        let count = self.packets();
        pass(0.2).await;
        anyhow::ensure!(self.packets() > count, "the voice stopped before it was to");
        Ok(())
    }

    async fn removed(self) -> anyhow::Result<Verdict> {
        let removed = async {
            let ordered = Instant::now();
            self.teacher.command(removal(self.speaker.welcome.user)).await?;
            Ok(ordered)
        };
        self.ended_by(removed).await
    }

    /// How long it is heard after the moment that `deed` tells, looked at for some seconds.
    async fn ended_by(&self, deed: impl Future<Output = anyhow::Result<Instant>>) -> anyhow::Result<Verdict> {
        self.still_speaks().await?;
        let (since, latest) = tokio::join!(deed, self.last_heard(Duration::from_secs(8)));
        let stopped = latest.saturating_duration_since(since?);
        Ok(Verdict::default().note("voice_stopped_ms", stopped.as_millis() as u64))
    }

    async fn last_heard(&self, during: Duration) -> Instant {
        let began = Instant::now();
        let (mut count, mut latest) = (self.packets(), began);
        while began.elapsed() < during {
            pass(0.01).await;
            let now = self.packets();
            if now > count {
                (count, latest) = (now, Instant::now());
            }
        }
        latest
    }

    /// How often a command was refused as one to come later.
    fn refusals(&self, id: CommandId) -> usize {
        let refused = |frame: &ServerFrame| match frame {
            ServerFrame::Refused { id: told, error: ErrorCode::Unavailable, .. } if *told == id => Some(()),
            _ => None,
        };
        self.teacher.heard(refused).len()
    }

    fn is_accepted(&self, id: CommandId) -> bool {
        let accepted = |frame: &ServerFrame| match frame {
            ServerFrame::Accepted { id: told, .. } if *told == id => Some(()),
            _ => None,
        };
        !self.teacher.heard(accepted).is_empty()
    }
}

/// The teacher ends it while nothing can be written. How long is it heard, and is it heard again before PostgreSQL is back?
async fn without_postgres(program: PathBuf, command: impl Fn(UserId) -> Command) -> anyhow::Result<Verdict> {
    let mut talk = Talk::together(&program).await?;
    let user = talk.speaker.welcome.user;
    talk.bed.postgres.kill();
    pass(0.8).await;
    talk.still_speaks().await?;
    let since = Instant::now();
    let id = CommandId(Uuid::now_v7());
    let (mut count, mut latest, mut sent) = (talk.packets(), since, None::<Instant>);
    let mut answers = 0;
    while since.elapsed() < Duration::from_secs(20) {
        // As the app does: again when told.
        if sent.is_none_or(|sent| sent.elapsed() > Duration::from_secs(1) && talk.refusals(id) > answers) {
            answers = talk.refusals(id);
            talk.teacher.send(ClientFrame::Command { id, command: command(user) }).await?;
            sent = Some(Instant::now());
        }
        pass(0.01).await;
        let now = talk.packets();
        if now > count {
            (count, latest) = (now, Instant::now());
        }
    }
    talk.bed.postgres.revive().await;
    let back = Instant::now();
    while !talk.is_accepted(id) {
        anyhow::ensure!(
            back.elapsed() < Duration::from_secs(20),
            "the mute is not written when PostgreSQL is back"
        );
        if talk.refusals(id) > answers {
            answers = talk.refusals(id);
            pass(1.0).await;
            talk.teacher.send(ClientFrame::Command { id, command: command(user) }).await?;
        }
        pass(0.05).await;
    }
    pass(2.0).await;
    anyhow::ensure!(talk.packets() == count, "the voice came back");
    let stopped = (latest - since).as_millis() as u64;
    Ok(Verdict::default().note("voice_stopped_ms", stopped).note("refused_as_later", answers))
}
