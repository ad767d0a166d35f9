//! What several nodes share: the bus over Redis and its single-node twin, the database's clock, the beat, placement.
//!
//! Not here: truth. The database orders the log; a bus only carries what is committed and may lose it.

mod beats;
mod board;
mod busy;
mod clock;
mod homes;
mod judging;
mod link;
mod memory;
mod namesake;
mod placement;
mod redis;
mod seal;
mod server;
mod steering;

pub use beats::{Beats, Status};
pub use board::Board;
pub use busy::Busy;
pub use clock::{DatabaseClock, SystemClock};
pub use homes::Homes;
pub use memory::MemoryBus;
pub use namesake::{NameError, take_name};
pub use redis::{BusCounters, RedisBus};
pub use seal::Seal;
pub use server::{RedisServer, ServerError};
pub use steering::{Placed, Steering};
