//! Integration tests over real sockets, one binary. `server` is the fixture, every other file one theme.

mod accounts;
mod backup;
mod behind_proxy;
mod budget;
mod cluster;
mod config_cli;
mod journal;
mod lesson;
mod lesson_media;
mod lossy;
mod media_over_tcp;
mod peer;
mod postgres;
mod program;
mod saver;
mod school;
mod server;
mod sfu;
mod sfu_threads;
mod shell;
mod speakers;
mod standby;
mod storage_faults;
mod turn;
mod watching;
mod ws_limits;
