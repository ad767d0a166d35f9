//! HTTP and WebSocket: one file per resource, each with a `routes() -> Router<AppState>` that `router` merges.
//!
//! Only translation happens here: who asks (cookie, origin, address), what they ask (`school`), how it is told
//! (status, JSON, close code). Not here: rules of the school, SQL, anything about media.

pub mod assets;
pub mod connections;
pub mod headers;
pub mod health;
pub mod listener;
pub mod router;
pub mod selfmade;
pub mod state;
pub mod tls;

pub use state::{AppState, ClientAddress, Origins, Site};
