//! The brain of Qism: what a lesson is, who may do what in it, and who must be told.
//!
//! Three layers over [`token_bucket`], each using only those above it:
//! - [`protocol`]: the wire types, nothing else;
//! - [`room`]: the pure state machine of one lesson (`decide`, `apply`), no time, no I/O;
//! - [`hub`]: tokio tasks that own rooms and sessions and talk to the world through ports.
//!
//! Invariant: this crate compiles without webrtc, axum, redis and SQL.

pub mod hub;
pub mod protocol;
pub mod room;
pub mod token_bucket;
