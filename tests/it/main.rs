//! Integration tests over real sockets, one binary. `server` is the fixture, every other file one theme.

mod accounts;
mod behind_proxy;
mod config_cli;
mod journal;
mod lesson;
mod lesson_media;
mod lossy;
mod media_over_tcp;
mod peer;
mod postgres;
mod school;
mod server;
mod sfu;
mod sfu_threads;
mod shell;
mod storage_faults;
mod turn;
mod ws_limits;
