//! What the operator sees of a running server: log lines, traces and counters, and what must never be in them.

mod logging;
pub mod metrics;
pub mod process;
mod redacted;
mod traces;

pub use logging::{Telemetry, TelemetryError, start};
pub use redacted::Redacted;
