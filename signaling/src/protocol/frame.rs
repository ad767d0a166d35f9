//! The envelope: what one WebSocket text message holds, in each direction.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use super::{
    command::Command,
    error::ErrorCode,
    event::Logged,
    ids::{Attach, CommandId, Position, SessionId, UserId},
    media::{LegKind, OfferedTrack, Pictures, Publication, ReceiveMode, Slot, VideoCodec, WantedVideo},
    snapshot::{LessonInfo, Participant, Person, Role, Snapshot},
};

/// From a client. The first one is `hello`; everything else before it closes the connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum ClientFrame {
    /// Who I am (the ticket says) and where I stopped reading.
    Hello {
        version: u16,
        ticket: String,
        /// Absent on a first entry; then the server sends a snapshot.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        position: Option<Position>,
    },
    /// Something to decide. Answered by one `reply` with the same id, at once or after the commit.
    Command {
        id: CommandId,
        command: Command,
    },
    /// Ask for history.
    Pull {
        request: u32,
        pull: Pull,
    },
    /// Open the publisher leg, or restart its ICE with an offer of new credentials.
    PublisherOffer {
        sdp: String,
        tracks: Vec<OfferedTrack>,
    },
    /// Ask for the subscriber leg's offer. `cameras` is how many camera slots it shall have: 2 on phones, 6 on laptops.
    /// `packed` = its offers may come as `packed_offer`.
    OpenSubscriber {
        cameras: u8,
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        #[ts(optional, as = "Option<bool>")]
        packed: bool,
    },
    SubscriberAnswer {
        sdp: String,
    },
    /// Ask for a new ICE start of the subscriber leg (the address changed, media is silent).
    RestartSubscriber {},
    /// What to send me from now on.
    Receive {
        mode: ReceiveMode,
        cameras: Vec<WantedVideo>,
    },
    /// How many bytes this lesson may cost me, [`super::limits::BUDGET_BYTES`]; `null` = any number. Answered by
    /// `data_used`.
    SetBudget {
        bytes: Option<u64>,
        /// What the last `data_used` said it had cost, at most [`super::limits::MOST_USED`]: the server that counted may have died.
        #[serde(default, skip_serializing_if = "is_zero")]
        #[ts(optional, as = "Option<u64>")]
        used: u64,
    },
    Ping {
        nonce: u32,
    },
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// A part of history too big to push.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum Pull {
    /// The chat lines before this event number, newest page first; absent = the newest.
    Chat { before: Option<u64> },
}

/// From the server.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[serde(tag = "type", rename_all = "snake_case")]
#[ts(export_to = "generated.ts")]
pub enum ServerFrame {
    /// The answer to `hello`.
    Welcome(Box<Welcome>),
    /// The next line of the log, exactly once and in order.
    Event(Logged),
    /// The command is in the log up to event `number` (acknowledged after commit, the first time or again).
    Accepted {
        id: CommandId,
        number: u64,
    },
    /// The command has no effect.
    Refused {
        id: CommandId,
        error: ErrorCode,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[ts(optional)]
        retry_after_ms: Option<u32>,
    },
    /// Your place in the log is not known here (the history behind you was lost or is too long): start from this.
    Reset {
        snapshot: Box<Snapshot>,
        people: Vec<Person>,
    },
    /// The answer to a `pull` of chat, oldest line first. `more` = there are older ones.
    ChatPage {
        request: u32,
        lines: Vec<Logged>,
        more: bool,
    },
    /// Names of people who were not in `welcome` (a visitor). In a lesson too large for one frame also whoever was not in its
    /// snapshot: each of `participants` as of this moment, in place of what was known.
    People {
        people: Vec<Person>,
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        #[ts(optional, as = "Option<Vec<Participant>>")]
        participants: Vec<Participant>,
    },
    /// Students connected now, where attached and left are withheld (at most one per second) and behind each page of people.
    Counts {
        students_present: u32,
    },
    PublisherAnswer {
        sdp: String,
    },
    SubscriberOffer {
        sdp: String,
    },
    /// The same for who takes it so: the description by `deflate` (RFC 1950), in base64.
    PackedOffer {
        packed: String,
    },
    /// From the next packet on, this slot carries that track; `null` = nothing.
    SlotAssigned {
        slot: Slot,
        publication: Option<Publication>,
    },
    /// Who is heard now, loudest first; empty when nobody is.
    Speaking {
        users: Vec<UserId>,
    },
    /// Simulcast layers of your camera that somebody receives, smallest first; stop encoding the others.
    LayersWanted {
        layers: Vec<bool>,
    },
    /// Your link is too weak for pictures beside the voice: none comes until this says otherwise.
    PicturesStopped {
        stopped: bool,
    },
    /// What you have used of your data in this lesson, all connections, both directions, headers included.
    DataUsed {
        bytes: u64,
        budget: Option<u64>,
        pictures: Pictures,
    },
    /// How many bits per second microphones are to be encoded with: fewer while a listener saves data.
    VoiceRate {
        bitrate: u32,
    },
    /// How many bits per second your screen is to be encoded with at most: what the widest link takes of those who receive it;
    /// `null`: as many as you like.
    ScreenRate {
        bitrate: Option<u32>,
    },
    /// What your camera may be encoded in from now on: what everybody present decodes. VP8 alone until told otherwise.
    CodecsDecoded {
        codecs: Vec<VideoCodec>,
    },
    /// This server goes down: attach to another one beside it, with a new ticket. Here media and events go on for at most so
    /// long, then the connection is closed with `draining`.
    Move {
        within_ms: u32,
    },
    /// A leg is gone or silent for good: open it anew.
    LegLost {
        leg: LegKind,
    },
    /// A frame other than a command was refused.
    Error {
        error: ErrorCode,
    },
    Pong {
        nonce: u32,
        server_time: u64,
    },
}

/// All that a client needs to draw the lesson.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export_to = "generated.ts")]
pub struct Welcome {
    pub version: u16,
    pub user: UserId,
    pub role: Role,
    pub session: SessionId,
    pub attach: Attach,
    pub lesson: LessonInfo,
    /// The admission list for staff; for students the staff, themselves and, up to the roster limit, classmates. Who matters
    /// most comes first; of a large lesson the others follow by `people`.
    pub people: Vec<Person>,
    /// Present on a first entry and where the position is not known any more; absent when the missing events follow.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub snapshot: Option<Snapshot>,
    /// Milliseconds since the Unix epoch, for drawing clocks.
    pub server_time: u64,
}
