//! HTTP and WebSocket: one file per resource, each with a `routes() -> Router<AppState>` that `router` merges.
//!
//! Only translation happens here: who asks (cookie, origin, address), what they ask (`school`), how it is told
//! (status, JSON, close code). Not here: rules of the school, SQL, anything about media.

pub mod assets;
mod check;
pub mod connections;
mod cookie;
mod fleet;
pub mod forwarded;
mod headers;
pub mod health;
mod lessons;
pub mod listener;
pub mod metrics;
mod people;
mod refusal;
mod reports;
pub mod router;
pub mod selfmade;
mod session;
mod state;
pub mod tls;
mod ws;

pub use refusal::Refusal;
pub use state::{AppState, ClientAddress, Origins, Site};
