//! The async shell of the brain: tasks that own rooms and sessions, and the ports to the world.
//!
//! One [`room_task`] per lesson owns its fold and its sessions; nothing else is shared but the registry (lesson → queue of
//! its task) and each session's byte-bounded [`outbox`]. The body calls [`Hub::attach`] with a verified ticket, feeds
//! frames into the [`Attached`] and writes what the [`OutboxReader`] yields; with a [`Wire`] the room writes, too.

mod appender;
pub mod envelope;
pub mod fleet;
mod held;
pub mod memory;
pub mod memory_bus;
mod outbox;
mod packed;
pub mod ports;
mod rate;
mod registry;
mod render;
mod room_task;
mod seats;
mod session;
mod untaken;
mod watch;

pub use outbox::{OutboxReader, Outgoing, Waiting, Wire};
pub use registry::{Entry, Hub, HubConfig, LessonNow, Ports};
pub use session::Attached;
