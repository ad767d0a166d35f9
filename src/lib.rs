//! The body of Qism: the adapters round the brain (`qism_signaling`) and the program that composes them.
//!
//! `app` is the only place that knows every part; everything else sees only what stands above it:
//! storage, sfu, cluster, auth → school → http → app.

#[cfg(test)]
mod allocations;
pub mod app;
pub mod auth;
pub mod cluster;
pub mod config;
pub mod http;
pub mod probe;
pub mod school;
pub mod sfu;
pub mod storage;
pub mod telemetry;
