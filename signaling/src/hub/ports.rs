//! What the hub needs from the world. Adapters live in the body (`storage`, `cluster`, `sfu`, `school`); each port has
//! a memory twin for tests.

use std::time::Duration;

use async_trait::async_trait;
use serde::{Deserialize, Serialize};
use tokio::sync::oneshot;

use crate::protocol::{
    Chain, CommandId, ErrorCode, Event, IncarnationId, LegKind, LessonId, LessonInfo, Logged, Person,
    Position, Publication, SessionId, Slot, Source, UserId, VideoCodec,
    media::{OfferedTrack, Pictures},
};

use super::envelope::Content;

/// The durable log of every lesson. The primary key (lesson, number) is the only lock.
#[async_trait]
pub trait Journal: Send + Sync + 'static {
    /// Writes the batch as numbers `batch.head.number + 1…` in one statement, all or nothing, and erases the texts
    /// it names in the same transaction.
    async fn append(&self, batch: Batch) -> Result<(), AppendError>;
    /// Makes sure that what was read up to `head` outlives the store's primary, as an own commit does: by a later commit
    /// on the same primary. A row can be seen there before a standby has it, when its writer was cut off while it waited.
    /// [`AppendError::Conflict`]: the head is not in the log (any more).
    async fn confirm(&self, lesson: LessonId, head: Position) -> Result<(), AppendError>;
    /// Events with number > `after`, in order, at most `limit`.
    async fn read(&self, lesson: LessonId, after: u64, limit: usize) -> Result<Vec<Logged>, Unavailable>;
    /// The last event of each lesson; a lesson without events is absent.
    async fn heads(&self, lessons: &[LessonId]) -> Result<Vec<(LessonId, Position)>, Unavailable>;
    /// Chat lines (`said`) with number < `before`, the newest `limit` of them, oldest first.
    async fn chat(
        &self,
        lesson: LessonId,
        before: Option<u64>,
        limit: usize,
    ) -> Result<Vec<Logged>, Unavailable>;
    /// The seed of the lesson's chain: position 0. Made at random on first use.
    async fn origin(&self, lesson: LessonId) -> Result<Chain, Unavailable>;
}

/// What one append writes.
#[derive(Clone, Debug)]
pub struct Batch {
    pub lesson: LessonId,
    /// The head the decisions were made on.
    pub head: Position,
    /// Numbered from `head.number + 1`, chained from `head.chain`.
    pub events: Vec<Logged>,
    /// Whose text becomes null.
    pub erase: Vec<Erase>,
}

/// What loses its text for ever.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erase {
    /// The event with this number: a deleted line.
    Line(u64),
    /// Everything that this person sent into the lesson, and notes about them.
    Person(UserId),
}

impl Erase {
    /// What these events strike out.
    pub fn of(events: &[Logged]) -> Vec<Self> {
        events.iter().filter_map(|logged| Self::of_one(&logged.event)).collect()
    }

    /// What an event strikes out.
    pub fn of_one(event: &Event) -> Option<Self> {
        match event {
            Event::LineDeleted { number, .. } => Some(Self::Line(*number)),
            Event::Erased { user } => Some(Self::Person(*user)),
            _ => None,
        }
    }

    /// Takes the text of an event that is meant.
    pub fn strike(self, logged: &mut Logged) {
        match self {
            Self::Line(number) if logged.number == number => {
                if let Some(text) = logged.event.text_mut() {
                    *text = None;
                }
            }
            Self::Person(user) => drop(logged.erase_of(user)),
            Self::Line(_) => {}
        }
    }
}

/// Why nothing was written.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// Somebody else wrote at this number: fold these, decide again. They begin with the head itself, if that is an event, and
    /// may be fewer than there are.
    #[error("{} events were written since", since.len().saturating_sub(1))]
    Overtaken { since: Vec<Logged> },
    /// The head is not in the log (any more): read on, decide again.
    #[error("the head has moved")]
    Conflict,
    /// This sender's command is in the log already, up to that number.
    #[error("command {command:?} is known as event {number}")]
    Known { sender: UserId, command: CommandId, number: u64 },
    /// The store does not answer, is full or read-only. Nothing is acknowledged.
    #[error(transparent)]
    Unavailable(#[from] Unavailable),
}

/// The store cannot serve now.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the store is not available: {0}")]
pub struct Unavailable(pub String);

/// Carries to other nodes what they should know at once. It may lose everything and never makes anybody wait.
pub trait Bus: Send + Sync + 'static {
    /// Passes something on to every other node that has the lesson open.
    fn publish(&self, lesson: LessonId, content: Content);
    /// Whether a room of this lesson is open here: its letters are wanted.
    fn listen(&self, lesson: LessonId, open: bool);
    /// False while nothing gets through; heads are then compared twice as often.
    fn is_up(&self) -> bool;
}

/// The school: who a lesson is for.
#[async_trait]
pub trait Admissions: Send + Sync + 'static {
    /// The lesson and everybody admitted to it; `None` when there is no such lesson.
    async fn roll(&self, lesson: LessonId) -> Result<Option<Roll>, Unavailable>;
    /// Somebody who is not on the list (a visitor).
    async fn person(&self, lesson: LessonId, user: UserId) -> Result<Option<Person>, Unavailable>;
    /// A removal or report that the director must see, with the last events of the lesson.
    async fn notify_director(&self, lesson: LessonId, cause: Logged, recent: Vec<Logged>);
}

/// A lesson's admission list.
#[derive(Clone, Debug)]
pub struct Roll {
    pub info: LessonInfo,
    pub people: Vec<Person>,
}

/// The database's time, which every node agrees on.
pub trait Clock: Send + Sync + 'static {
    /// Milliseconds since the Unix epoch.
    fn now_ms(&self) -> u64;
}

/// The SFU. Orders never block; what they yield comes back by the reply or as a [`MediaEvent`].
pub trait MediaPlane: Send + Sync + 'static {
    fn order(&self, order: MediaOrder);
}

/// One of a session's WebRTC connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Leg {
    pub lesson: LessonId,
    pub user: UserId,
    pub session: SessionId,
    pub kind: LegKind,
}

/// What the hub asks of the SFU.
#[derive(Debug)]
pub enum MediaOrder {
    /// Answer a publisher's offer. For a leg that exists: an ICE restart, the media goes on meanwhile.
    Publish { leg: Leg, offer: String, tracks: Vec<OfferedTrack>, reply: SdpReply },
    /// Make a subscriber leg with 6 + `cameras` slots; yields the offer. Replaces an existing leg.
    Subscribe { leg: Leg, cameras: u8, reply: SdpReply },
    /// The client's answer to the offer.
    SubscriberAnswer { leg: Leg, answer: String, reply: oneshot::Sender<Result<(), MediaError>> },
    /// New ICE credentials for a subscriber leg; yields the new offer. The old ones stay until the new are nominated.
    RestartSubscriber { leg: Leg, reply: SdpReply },
    /// What this person may send into the lesson from now on; packets of any other source are dropped.
    Permit { lesson: LessonId, user: UserId, sources: Vec<Source> },
    /// Where this person's tracks come in: on another node, or here (`None`, as for everybody never told of).
    Origin { lesson: LessonId, user: UserId, node: Option<IncarnationId> },
    /// What the other nodes should know of the voices here, while the bus is away: told over the relays that are open.
    Heard { lesson: LessonId, voices: Voices },
    /// Puts a publication into a slot of a subscriber leg (`None` empties it), at most as large as told.
    Assign { leg: Leg, slot: Slot, publication: Option<Publication>, cap: LayerCap },
    /// What a subscriber may cost from now on.
    Spare { leg: Leg, plan: DataPlan },
    /// End a leg.
    Close { leg: Leg },
    /// End all legs of a lesson.
    CloseLesson { lesson: LessonId },
}

/// Who is heard on one node.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Voices {
    /// Now, loudest first.
    Speaking(Vec<UserId>),
    /// Begins to speak: past its use in a moment.
    Begins(UserId),
}

/// Answers an order with an SDP.
pub type SdpReply = oneshot::Sender<Result<String, MediaError>>;

/// The largest picture worth sending to one slot, in device pixels; audio ignores it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LayerCap {
    pub width: u16,
    pub height: u16,
}

impl LayerCap {
    /// Whatever there is.
    pub const FULL: Self = Self { width: u16::MAX, height: u16::MAX };
    /// The smallest layer only.
    pub const LOW: Self = Self { width: 320, height: 180 };
}

/// What a receiver wants to pay for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct DataPlan {
    /// Voices come in fewer, larger packets: 40 ms later, for a third less.
    pub saver: bool,
    /// What is left of the budget; `None`: no budget.
    pub left: Option<DataLeft>,
}

/// The rest of a budget and the time it has to last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DataLeft {
    pub bytes: u64,
    pub time: Duration,
}

/// Why the SFU refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MediaError {
    /// The SDP is not one we can serve; says which line or part.
    #[error("session description: {0}")]
    Sdp(String),
    #[error("no such leg")]
    NoLeg,
    /// The node's media threads have no room for another leg.
    #[error("no capacity")]
    Full,
}

impl MediaError {
    /// What the client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            Self::Full => ErrorCode::Busy,
            Self::Sdp(_) | Self::NoLeg => ErrorCode::BadMedia,
        }
    }
}

/// What the SFU tells the hub, over one bounded channel that the hub owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum MediaEvent {
    /// DTLS is done; media can flow.
    LegUp { leg: Leg },
    /// 30 s without consent, or a DTLS failure: the leg is closed.
    LegLost { leg: Leg },
    /// Voices heard now, loudest first, only of permitted microphones. Sent on change, at most 5 per second.
    Speaking { lesson: LessonId, users: Vec<UserId> },
    /// A permitted microphone begins to speak: told with its second packet.
    VoiceBegins { lesson: LessonId, user: UserId },
    /// The same from another node, which told it over a relay. May be lost.
    HeardElsewhere { lesson: LessonId, node: IncarnationId, voices: Voices },
    /// Which simulcast layers of a camera anybody receives, smallest first.
    LayersWanted { lesson: LessonId, publication: Publication, layers: Vec<bool> },
    /// How many bits per second a screen is to be encoded with at most: what the widest link takes of those who receive it.
    ScreenRate { lesson: LessonId, publication: Publication, bitrate: Option<u32> },
    /// All pictures to this subscriber were stopped so that the voice gets through; or they flow again.
    PicturesStopped { leg: Leg, stopped: bool },
    /// What these people's legs carried since this was last told, both directions, IP and UDP headers included.
    Carried { lesson: LessonId, bytes: Vec<(UserId, u64)> },
    /// What the budget of this subscriber leaves of its pictures.
    PicturesSpared { leg: Leg, pictures: Pictures },
    /// The codecs of a camera that everybody present decodes.
    CodecsDecoded { lesson: LessonId, publication: Publication, codecs: Vec<VideoCodec> },
}
