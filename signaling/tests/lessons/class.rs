//! A class of thirty and a clock: a hub over memory ports, in virtual time.

use std::{sync::Arc, time::Duration};

use qism_signaling::{
    hub::{
        Attached, Entry, Hub, HubConfig, OutboxReader, Outgoing, Ports,
        envelope::BusEvent,
        memory::{ManualClock, MemoryAdmissions, MemoryJournal, NullBus, RecordingMedia},
        memory_bus::Wire,
        ports::{Bus, MediaEvent, Roll},
    },
    protocol::{
        ClientFrame, CloseCode, Command, CommandId, ErrorCode, Event, IncarnationId, LessonId, LessonInfo,
        Logged, Name, Person, Position, Recipients, Role, ServerFrame, SessionId, Snapshot, Source, UserId,
        frame::Welcome,
        snapshot::{Localized, Spelling},
    },
};
use tokio::sync::mpsc;
use uuid::Uuid;

pub const START_MS: u64 = 1_700_000_000_000;

pub struct Class {
    pub hub: Arc<Hub>,
    pub journal: Arc<MemoryJournal>,
    pub admissions: Arc<MemoryAdmissions>,
    pub media: Arc<RecordingMedia>,
    pub media_events: mpsc::Sender<MediaEvent>,
    pub lesson: LessonId,
    pub teacher: UserId,
    pub students: Vec<UserId>,
    pub director: UserId,
}

pub fn user(number: u128) -> UserId {
    UserId(Uuid::from_u128(number))
}

pub fn incarnation(number: u128) -> IncarnationId {
    IncarnationId(Uuid::from_u128(number))
}

fn person(user: UserId, role: Role) -> Person {
    let name =
        Name { arabic: None, latin: Some(Spelling { given: user.to_string(), family: "Test".into() }) };
    Person { user, role, name }
}

fn people(teacher: UserId, students: &[UserId]) -> Vec<Person> {
    let students = students.iter().map(|student| person(*student, Role::Student));
    std::iter::once(person(teacher, Role::Teacher)).chain(students).collect()
}

impl Class {
    pub fn of(students: u128) -> Self {
        Self::with(students, Arc::new(MemoryJournal::default()))
    }

    /// A lesson whose hour comes only then.
    pub fn starting_in(students: u128, ms: u64) -> Self {
        let class = Self::of(students);
        let mut info = info(class.lesson, class.teacher);
        info.starts_at += ms;
        info.ends_at += ms;
        class.admissions.set_roll(Roll { info, people: people(class.teacher, &class.students) });
        class
    }

    /// On a journal that exists already: the same node after a restart.
    pub fn with(students: u128, journal: Arc<MemoryJournal>) -> Self {
        let (_, nothing) = mpsc::channel(1);
        Self::node(Uuid::now_v7().as_u128(), students, journal, Arc::new(NullBus), nothing)
    }

    /// The class on several nodes that share a journal and a wire.
    pub fn on_nodes(nodes: u128, students: u128) -> (Vec<Self>, Arc<Wire>) {
        let (journal, wire) = (Arc::new(MemoryJournal::default()), Arc::new(Wire::default()));
        let node = |n: u128| {
            let (bus, events) = wire.end(incarnation(n));
            Self::node(n, students, journal.clone(), bus, events)
        };
        ((1..=nodes).map(node).collect(), wire)
    }

    fn node(
        number: u128,
        students: u128,
        journal: Arc<MemoryJournal>,
        bus: Arc<dyn Bus>,
        bus_events: mpsc::Receiver<BusEvent>,
    ) -> Self {
        let lesson = LessonId(Uuid::from_u128(1));
        let (teacher, director) = (user(100), user(200));
        let students: Vec<UserId> = (1..=students).map(|n| user(1_000 + n)).collect();
        let admissions = Arc::new(MemoryAdmissions::default());
        admissions.set_roll(Roll { info: info(lesson, teacher), people: people(teacher, &students) });
        admissions.add_visitor(person(director, Role::Director));
        let media = Arc::new(RecordingMedia::default());
        let (media_events, receiver) = mpsc::channel(64);
        let ports = Ports {
            journal: journal.clone(),
            bus,
            admissions: admissions.clone(),
            clock: Arc::new(ManualClock::starting_at(START_MS)),
            media: media.clone(),
        };
        let hub = Hub::start(HubConfig::new(incarnation(number)), ports, receiver, bus_events);
        Self { hub, journal, admissions, media, media_events, lesson, teacher, students, director }
    }

    pub fn entry(&self, user: UserId, session: u128) -> Entry {
        let role = match user {
            user if user == self.teacher => Role::Teacher,
            user if user == self.director => Role::Director,
            _ => Role::Student,
        };
        Entry {
            user,
            role,
            visit: role == Role::Director,
            lesson: self.lesson,
            session: SessionId(Uuid::from_u128(session)),
            ticket: CommandId(Uuid::now_v7()),
        }
    }

    /// Comes in for the first time, with a session of one's own.
    pub async fn enter(&self, user: UserId) -> Seated {
        self.try_enter(user, user.0.as_u128(), None).await.expect("admitted")
    }

    pub async fn try_enter(
        &self,
        user: UserId,
        session: u128,
        position: Option<Position>,
    ) -> Result<Seated, CloseCode> {
        self.knock(self.entry(user, session), position).await
    }

    pub async fn knock(&self, entry: Entry, position: Option<Position>) -> Result<Seated, CloseCode> {
        let (attached, reader) = self.hub.attach(entry, position).await?;
        let mut seated =
            Seated { entry, attached, reader, welcome: None, position: position.unwrap_or_default() };
        seated.take_welcome().await;
        Ok(seated)
    }

    /// Teacher and everybody of the class.
    pub async fn full(&self) -> (Seated, Vec<Seated>) {
        let teacher = self.enter(self.teacher).await;
        let mut students = Vec::new();
        for student in &self.students {
            students.push(self.enter(*student).await);
        }
        (teacher, students)
    }

    /// The same, and the first student has the floor and speaks.
    pub async fn with_speaker(&self) -> (Seated, Vec<Seated>) {
        let (mut teacher, mut students) = self.full().await;
        teacher.ask(Command::GiveFloor { user: self.students[0] }).await.expect("given");
        let publish = Command::Publish { source: Source::Microphone, muted: false };
        students[0].ask(publish).await.expect("published");
        (teacher, students)
    }

    pub fn log(&self) -> Vec<Event> {
        self.journal.log(self.lesson).into_iter().map(|logged| logged.event).collect()
    }
}

fn info(lesson: LessonId, teacher: UserId) -> LessonInfo {
    LessonInfo {
        lesson,
        subject: Localized {
            ar: "الرياضيات".into(), fr: "Mathématiques".into(), en: "Mathematics".into()
        },
        group: "2APIC-1".into(),
        teacher,
        starts_at: START_MS,
        ends_at: START_MS + 3_600_000,
    }
}

/// Somebody in the lesson, with what the server sent.
pub struct Seated {
    pub entry: Entry,
    pub attached: Attached,
    pub reader: OutboxReader,
    pub welcome: Option<Welcome>,
    /// Where a client of this person would resume.
    pub position: Position,
}

impl Seated {
    async fn take_welcome(&mut self) {
        match self.frame().await {
            Ok(ServerFrame::Welcome(welcome)) => {
                if let Some(snapshot) = &welcome.snapshot {
                    self.position = snapshot.position;
                }
                self.welcome = Some(*welcome);
            }
            other => panic!("not a welcome: {other:?}"),
        }
    }

    pub fn snapshot(&self) -> &Snapshot {
        self.welcome
            .as_ref()
            .and_then(|welcome| welcome.snapshot.as_ref())
            .expect("a snapshot in the welcome")
    }

    /// The next frame, or the code of the close.
    pub async fn frame(&mut self) -> Result<ServerFrame, CloseCode> {
        let next =
            tokio::time::timeout(Duration::from_secs(3_600), self.reader.next()).await.expect("something");
        match next {
            Some(Outgoing::Frame(text)) => {
                let frame: ServerFrame = serde_json::from_slice(&text).expect("a frame");
                self.follow(&frame);
                Ok(frame)
            }
            Some(Outgoing::Close(code)) => Err(code),
            None => panic!("read after the close"),
        }
    }

    /// Moves the position as a client does.
    fn follow(&mut self, frame: &ServerFrame) {
        match frame {
            ServerFrame::Event(logged) => {
                assert_eq!(logged.number, self.position.number + 1, "exactly once and in order");
                self.position = Position { number: logged.number, chain: logged.chain };
            }
            ServerFrame::Reset { snapshot, .. } => self.position = snapshot.position,
            _ => {}
        }
    }

    /// Sends a command and waits for its answer; events on the way are read over.
    pub async fn ask(&mut self, command: Command) -> Result<u64, ErrorCode> {
        self.ask_as(CommandId(Uuid::now_v7()), command).await
    }

    pub async fn ask_as(&mut self, id: CommandId, command: Command) -> Result<u64, ErrorCode> {
        self.attached.receive(ClientFrame::Command { id, command }).await;
        loop {
            match self.frame().await {
                Ok(ServerFrame::Accepted { id: answered, number }) if answered == id => return Ok(number),
                Ok(ServerFrame::Refused { id: answered, error, .. }) if answered == id => return Err(error),
                Ok(_) => {}
                Err(code) => panic!("closed: {code:?}"),
            }
        }
    }

    pub async fn say(&mut self, text: &str) -> Result<u64, ErrorCode> {
        self.ask(Command::Say { text: text.into(), to: Recipients::Everyone }).await
    }

    /// Reads until an event for which `wanted` holds.
    pub async fn until(&mut self, wanted: impl Fn(&Event) -> bool) -> Logged {
        loop {
            match self.frame().await {
                Ok(ServerFrame::Event(logged)) if wanted(&logged.event) => return logged,
                Ok(_) => {}
                Err(code) => panic!("closed: {code:?}"),
            }
        }
    }

    /// Everything that is queued now.
    pub async fn now(&mut self) -> Vec<ServerFrame> {
        settle().await;
        let mut frames = Vec::new();
        while let Some(outgoing) = self.reader.try_next() {
            if let Outgoing::Frame(text) = outgoing {
                let frame: ServerFrame = serde_json::from_slice(&text).expect("a frame");
                self.follow(&frame);
                frames.push(frame);
            }
        }
        frames
    }

    /// The texts of the chat lines that are queued now.
    pub async fn lines(&mut self) -> Vec<String> {
        let line = |frame| match frame {
            ServerFrame::Event(Logged { event: Event::Said { text, .. }, .. }) => text,
            _ => None,
        };
        self.now().await.into_iter().filter_map(line).collect()
    }

    /// Reads to the end; how was it closed?
    pub async fn closed(&mut self) -> CloseCode {
        loop {
            if let Err(code) = self.frame().await {
                return code;
            }
        }
    }
}

/// Lets all tasks run that can, without passing time that matters.
pub async fn settle() {
    tokio::time::sleep(Duration::from_millis(20)).await;
}

pub async fn wait(seconds: u64) {
    tokio::time::sleep(Duration::from_secs(seconds)).await;
}

/// Passes time while these people's browsers ping, as browsers do.
pub async fn stay(seats: &[&Seated], seconds: u64) {
    for second in 0..seconds {
        if second % 10 == 0 {
            for seat in seats {
                seat.attached.receive(ClientFrame::Ping { nonce: 0 }).await;
            }
        }
        wait(1).await;
    }
}
