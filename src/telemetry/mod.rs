//! What the operator sees of a running server: log lines and counters, and what must never be in them.

mod logging;
pub mod metrics;
mod redacted;

pub use logging::start_logging;
pub use redacted::Redacted;
