//! What several nodes share. Here: the single node's twins (a bus with nobody else on it, this machine's clock).
//!
//! Not here: truth. The database orders the log; a bus only carries what is committed and may lose it.

mod clock;
mod memory;

pub use clock::SystemClock;
pub use memory::MemoryBus;
