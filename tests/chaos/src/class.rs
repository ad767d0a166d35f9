//! Browsers of one lesson, each in a task of its own.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use futures_util::{StreamExt as _, TryStreamExt as _};
use qism_signaling::protocol::LessonId;
use tokio::{sync::watch, task::JoinSet};

use crate::browser::{Browser, Phase, Seen};

/// Sign-ins at once; a server checks passwords two at a time.
const SIGNING_IN: usize = 8;
/// Everybody has read the last line within this.
const READ: Duration = Duration::from_secs(3);

/// Who is in the lesson, and how.
#[derive(Clone, Copy, Debug)]
pub struct Roll {
    /// The demonstration's first, second or third class.
    pub class: usize,
    pub students_per_class: usize,
    pub students: usize,
    pub teacher: bool,
    /// So often each of them says a line; `None`: they listen.
    pub every: Option<Duration>,
    /// So many nodes share them evenly; `None`: wherever their tickets lead.
    pub spread: Option<usize>,
}

impl Roll {
    fn logins(&self, behind: usize) -> Vec<String> {
        let first = (self.class - 1) * self.students_per_class + behind;
        let students = (1..=self.students).map(|n| format!("student{}", first + n));
        let teacher = self.teacher.then(|| format!("teacher{}", self.class));
        teacher.into_iter().chain(students).collect()
    }
}

/// A lesson under way.
pub struct Class {
    pub lesson: LessonId,
    browsers: JoinSet<Seen>,
    phase: watch::Sender<Phase>,
    /// Lines that were written and not answered yet.
    unanswered: Arc<AtomicUsize>,
}

impl Class {
    /// All sign in and enter; the teacher first.
    pub async fn enter(roll: Roll) -> anyhow::Result<Self> {
        Self::enter_from(roll, 0).await
    }

    /// The same, with the students behind the first so many.
    pub async fn enter_from(roll: Roll, behind: usize) -> anyhow::Result<Self> {
        let signing =
            roll.logins(behind).into_iter().map(|login| async move { Browser::sign_in(&login).await });
        let people: Vec<Browser> =
            futures_util::stream::iter(signing).buffered(SIGNING_IN).try_collect().await?;
        let (phase, told) = watch::channel(Phase::Lively);
        let unanswered = Arc::new(AtomicUsize::new(0));
        let lesson = people[0].lesson();
        let mut browsers = JoinSet::new();
        for (index, mut person) in people.into_iter().enumerate() {
            if let Some(nodes) = roll.spread {
                person = person.at(index % nodes);
            }
            browsers.spawn(person.stay(roll.every, told.clone(), unanswered.clone()));
            // The teacher opens it for the others.
            let pause = if index == 0 && roll.teacher { 500 } else { 5 };
            tokio::time::sleep(Duration::from_millis(pause)).await;
        }
        Ok(Self { lesson, browsers, phase, unanswered })
    }

    /// Nothing new is said; what was said is answered, if it is within two minutes, and read by all.
    pub async fn end(self) -> Vec<Seen> {
        self.phase.send_replace(Phase::Silent);
        let latest = Instant::now() + Duration::from_secs(120);
        while self.unanswered.load(Ordering::Relaxed) > 0 && Instant::now() < latest {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        tokio::time::sleep(READ).await;
        self.phase.send_replace(Phase::Over);
        self.browsers.join_all().await
    }
}
