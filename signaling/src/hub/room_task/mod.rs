//! One lesson on this node: owns its fold, its sessions and its place in the log.
//!
//! Messages come through one bounded queue. One append, or one look into the journal, is in flight at a time; what queued
//! meanwhile is decided on the new head and written together. Nothing is acknowledged or told before the commit. The task itself
//! never waits for the journal once the room is open: voices, gates and what other nodes tell go on. Split by noun: [`arrivals`],
//! [`commands`], [`commits`], [`reading`], [`delivery`], [`people`], [`rhythm`], [`media`], [`data`], [`clock`]; what other nodes
//! have to do with it: [`elsewhere`], [`ghosts`], [`holds`], [`voices`], [`departure`].

mod arrivals;
mod clock;
mod commands;
mod commits;
mod data;
mod delivery;
pub(crate) mod departure;
mod elsewhere;
mod fault;
mod ghosts;
mod holds;
mod media;
mod people;
mod reading;
mod rhythm;
mod voices;

pub(crate) use arrivals::Caller;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    future::Future,
    pin::Pin,
    sync::Arc,
    time::Duration,
};

use tokio::{sync::mpsc, time::Instant};
use tracing::info;

use crate::{
    protocol::{
        Attach, ClientFrame, CloseCode, Command, CommandId, IncarnationId, LessonId, Logged, Person,
        Position, SessionId, Source, UserId, limits,
    },
    room::{Room, audience::Audience, voice_seats::VoiceSeats},
};

use super::{
    appender::{Decided, Intent, Lanes, Wish},
    envelope::Envelope,
    held::HeldLines,
    ports::{AppendError, MediaEvent, Roll, Unavailable},
    registry::{Hub, Shown},
    seats::{Reception, SeatId, Seats},
};

/// What can happen to a room.
#[derive(Debug)]
pub(crate) enum RoomMessage {
    Attach(Caller),
    /// Who a caller is that is not on the roll: `None` = nobody with a right to be here.
    Introduced {
        user: UserId,
        person: Result<Option<Person>, Unavailable>,
    },
    Frame {
        seat: SeatId,
        frame: ClientFrame,
    },
    Disconnected {
        seat: SeatId,
    },
    /// The writer of the line that a `delete_line` names has been looked up.
    LineLookedUp {
        seat: SeatId,
        id: CommandId,
        command: Command,
        writer: Option<UserId>,
    },
    Media(MediaEvent),
    /// From another node.
    Letter(Envelope),
    /// The journal's head, as a check saw it.
    Head(Position),
    Withdraw {
        user: UserId,
    },
    Erase {
        user: UserId,
    },
    /// One that some of the lesson's people were on.
    NodeDied,
    /// Nobody is heard here any more.
    CastOff,
    /// Everybody to another node, while media goes on here.
    MoveOut,
    /// Everybody out, at once.
    Drain,
}

/// Cuts, the adult watch and counts are looked at this often.
const TICK: Duration = Duration::from_millis(500);
/// Ticks of all rooms come together on a grid of this, so that one wake-up serves several.
const GRID: Duration = Duration::from_millis(20);
/// Events kept for resumes: those that may be missed, and the last one that was not.
const RING: usize = limits::RESUME_EVENTS + 1;

/// The state of one room task.
pub(crate) struct RoomTask {
    hub: Arc<Hub>,
    lesson: LessonId,
    roll: Roll,
    /// Everybody on the roll, and visitors once they came.
    people: HashMap<UserId, Person>,
    strangers: arrivals::Strangers,
    /// Whose names students of a crowd have been told.
    named: HashSet<UserId>,
    /// Who is still to be told of people that their first frame did not hold.
    pages: people::Pages,
    room: Room,
    seats: Seats,
    lanes: Lanes,
    held: HeldLines,
    flight: Option<Flight>,
    /// The fold holds what was read and not written here, with no commit since: nothing is acknowledged by it alone.
    unconfirmed: bool,
    /// The log has events that this version does not know: told once.
    skips: bool,
    /// The last events with their audience: what a resume needs. The oldest fall out.
    ring: VecDeque<(Logged, Audience)>,
    /// Cut lines whose grace runs.
    cuts: Vec<Cut>,
    /// What the server itself could not write yet.
    owed: Vec<Wish>,
    rhythm: rhythm::Rhythm,
    /// Seats that were acknowledged something in this turn, which ends with its being written.
    answered: Vec<SeatId>,
    /// Events of other nodes that wait for the ones before them.
    early: elsewhere::Early,
    ghosts: ghosts::Ghosts,
    holds: holds::Holds,
    voices: voices::VoicesByNode,
    /// Heard now on all nodes, as last told.
    speakers: Vec<UserId>,
    /// Who of them, and of others before, is forwarded.
    voice_seats: VoiceSeats,
    opened: Instant,
    /// What the SFU was last ordered to let pass.
    permitted: HashMap<UserId, Vec<Source>>,
    /// Publishers on other nodes, as the SFU was last told.
    origins: HashMap<UserId, IncarnationId>,
    /// What everybody who was here has used of their data, over all their connections to this lesson.
    data: HashMap<UserId, data::DataUse>,
    /// Bits per second of microphones, as last told.
    voice_rate: u32,
    no_adult_since: Option<Instant>,
    empty_since: Option<Instant>,
    /// Somebody is to be told of their data at the next tick.
    untold: bool,
    /// The count students of a crowd were last told.
    counted: u32,
    ticks: u32,
    shown: Arc<Shown>,
    /// For lookups that come back as a message.
    itself: mpsc::WeakSender<RoomMessage>,
    draining: bool,
    /// Everybody is being sent to another node.
    departure: Option<departure::Departure>,
}

/// What the journal is asked, one thing at a time.
enum Flight {
    Append(Append),
    Reading(reading::Reading),
}

/// What the journal has answered.
enum Landed {
    Append(Result<(), AppendError>),
    Reading(Result<reading::Answer, Unavailable>),
}

/// The append that is being written, or the confirmation of what was read.
struct Append {
    /// What it was decided on. Letters may have brought more since.
    head: Position,
    decided: Vec<Decided>,
    /// What the log has already, with its number: acknowledged by the same commit.
    known: Vec<(Intent, u64)>,
    outcome: Asked<(), AppendError>,
}

/// An answer of the journal, to wait for.
type Asked<T, E> = Pin<Box<dyn Future<Output = Result<T, E>> + Send>>;

impl Append {
    /// All that waits for it, in the order in which it came.
    fn into_intents(self) -> Vec<Intent> {
        let known = self.known.into_iter().map(|(intent, _)| intent);
        known.chain(self.decided.into_iter().map(|decided| decided.intent)).collect()
    }
}

/// A connection that went away.
#[derive(Debug)]
struct Cut {
    due: Instant,
    user: UserId,
    session: SessionId,
    attach: Attach,
    reception: Reception,
}

/// Opens the room and serves it until it has been empty for a while.
pub(crate) async fn run(
    hub: Arc<Hub>,
    lesson: LessonId,
    mut messages: mpsc::Receiver<RoomMessage>,
    itself: mpsc::WeakSender<RoomMessage>,
    shown: Arc<Shown>,
) {
    match RoomTask::open(hub.clone(), lesson, shown, itself).await {
        Ok(Some(mut task)) => {
            info!(%lesson, events = task.room.head.number, "room opened");
            task.serve(&mut messages).await;
            info!(%lesson, events = task.room.head.number, "room closed");
        }
        Ok(None) => refuse_all(&mut messages, CloseCode::NotAdmitted).await,
        Err(error) => {
            tracing::warn!(%lesson, %error, "room did not open");
            refuse_all(&mut messages, CloseCode::Unavailable).await;
        }
    }
    messages.close();
    hub.forget(lesson);
}

/// Answers whoever knocked at a room that cannot be.
async fn refuse_all(messages: &mut mpsc::Receiver<RoomMessage>, code: CloseCode) {
    messages.close();
    while let Some(message) = messages.recv().await {
        if let RoomMessage::Attach(caller) = message {
            caller.refuse(code);
        }
    }
}

impl RoomTask {
    async fn open(
        hub: Arc<Hub>,
        lesson: LessonId,
        shown: Arc<Shown>,
        itself: mpsc::WeakSender<RoomMessage>,
    ) -> Result<Option<Self>, Unavailable> {
        let Some(roll) = hub.ports.admissions.roll(lesson).await? else { return Ok(None) };
        let origin = hub.ports.journal.origin(lesson).await?;
        let people = roll.people.iter().map(|person| (person.user, person.clone())).collect();
        let mut task = Self {
            hub,
            lesson,
            roll,
            people,
            strangers: arrivals::Strangers::default(),
            named: HashSet::new(),
            pages: people::Pages::default(),
            room: Room::new(origin),
            seats: Seats::default(),
            lanes: Lanes::default(),
            held: HeldLines::default(),
            flight: None,
            unconfirmed: false,
            skips: false,
            ring: VecDeque::new(),
            cuts: Vec::new(),
            owed: Vec::new(),
            rhythm: rhythm::Rhythm::default(),
            answered: Vec::new(),
            early: elsewhere::Early::default(),
            ghosts: ghosts::Ghosts::default(),
            holds: holds::Holds::default(),
            voices: voices::VoicesByNode::default(),
            speakers: Vec::new(),
            voice_seats: VoiceSeats::default(),
            opened: Instant::now(),
            permitted: HashMap::new(),
            origins: HashMap::new(),
            data: HashMap::new(),
            untold: false,
            voice_rate: limits::VOICE_BITRATE,
            no_adult_since: None,
            empty_since: Some(Instant::now()),
            counted: 0,
            ticks: 0,
            shown,
            itself,
            draining: false,
            departure: None,
        };
        task.read_up().await?;
        Ok(Some(task))
    }

    async fn serve(&mut self, messages: &mut mpsc::Receiver<RoomMessage>) {
        let mut tick = tokio::time::interval_at(on_grid(self.hub.started) + TICK, TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        self.tick();
        self.take_off();
        while !self.is_done() {
            let in_flight = self.flight.is_some();
            tokio::select! {
                biased;
                landed = landing(&mut self.flight) => self.landed(landed),
                message = messages.recv() => match message {
                    Some(message) => self.handle(message),
                    None => return,
                },
                _ = tick.tick() => self.tick(),
                () = self.rhythm.next() => {}
                () = self.pages.next() => self.tell_pages(),
                () = self.early.overdue(in_flight) => self.close_gap(),
                () = departure::turn(self.departure.as_ref()) => self.next_departs(),
            }
            self.take_off();
            self.write_out();
            self.shown.show_head(self.room.head);
        }
        self.hub.ports.media.order(super::ports::MediaOrder::CloseLesson { lesson: self.lesson });
    }

    fn handle(&mut self, message: RoomMessage) {
        match message {
            RoomMessage::Attach(caller) => self.knock(caller),
            RoomMessage::Introduced { user, person } => self.introduced(user, person),
            RoomMessage::Frame { seat, frame } => self.frame(seat, frame),
            RoomMessage::Disconnected { seat } => self.disconnected(seat),
            RoomMessage::LineLookedUp { seat, id, command, writer } => {
                self.command(seat, id, command, writer)
            }
            RoomMessage::Media(event) => self.media_event(event),
            RoomMessage::Letter(envelope) => self.letter(envelope),
            RoomMessage::Head(head) => self.head_seen(head),
            RoomMessage::Withdraw { user } => self.withdraw(user),
            RoomMessage::Erase { user } => self.erase(user),
            RoomMessage::NodeDied => self.write_ghosts(Instant::now()),
            RoomMessage::CastOff => self.cast_off(),
            RoomMessage::MoveOut => self.move_out(),
            RoomMessage::Drain => self.drain(),
        }
    }

    fn drain(&mut self) {
        self.draining = true;
        self.seats.close_all(CloseCode::Draining);
    }

    fn is_done(&self) -> bool {
        let empty = self.empty_since.is_some_and(|since| since.elapsed() >= self.hub.config.empty_room);
        let idle = self.flight.is_none() && self.lanes.is_empty() && self.seats.is_empty();
        idle && (self.draining || empty || self.has_moved_out())
    }
}

/// The next moment of the grid.
fn on_grid(started: Instant) -> Instant {
    let steps = started.elapsed().as_millis() / GRID.as_millis();
    started + GRID * u32::try_from(steps + 1).unwrap_or(u32::MAX)
}

/// Waits for what is in flight; for ever when there is nothing.
async fn landing(flight: &mut Option<Flight>) -> Landed {
    match flight {
        Some(Flight::Append(append)) => Landed::Append(append.outcome.as_mut().await),
        Some(Flight::Reading(reading)) => Landed::Reading(reading.answer().await),
        None => std::future::pending().await,
    }
}
