//! The wire: every type that crosses the WebSocket or is stored in a lesson's log.
//!
//! `PROTOCOL.md` tells the same in prose. Types only; the rules live in [`crate::room`].

pub mod close;
pub mod command;
pub mod error;
pub mod event;
pub mod frame;
pub mod ids;
pub mod limits;
pub mod media;
mod redaction;
pub mod snapshot;

pub use close::CloseCode;
pub use command::{ChatMode, Command, Recipients, RemovalReason};
pub use error::ErrorCode;
pub use event::{EVENT_FORMAT, Event, LeftReason, Logged, PauseReason};
pub use frame::{ClientFrame, Pull, ServerFrame};
pub use ids::{Attach, Chain, CommandId, IncarnationId, LessonId, Position, SessionId, UserId};
pub use media::{LegKind, Publication, ReceiveMode, Slot, SlotKind, Source, VideoCodec, WantedVideo};
pub use snapshot::{LessonInfo, Name, Participant, Person, Phase, Role, Snapshot};

/// Version of this protocol. A client sends the one it speaks in `hello`; the server refuses others with
/// [`CloseCode::Version`]. Raised only by a change that an older client would misread: new optional fields, new
/// events and new frame types do not raise it, since clients ignore what they do not know.
pub const VERSION: u16 = 1;
