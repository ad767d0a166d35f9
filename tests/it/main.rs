//! Integration tests over real sockets, one binary. `server` is the fixture, every other file one theme.

mod config_cli;
mod peer;
mod server;
mod sfu;
mod shell;
