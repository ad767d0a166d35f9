//! UDP in batches: one system call receives up to 64 datagrams, one sends up to 64 messages, each of which may be a
//! run of equal datagrams to one peer (UDP_SEGMENT). The only unsafe code of the SFU is here.

mod address;
pub mod batch;
mod control;
mod messages;
mod reports;
pub mod socket;
pub mod streams;
pub mod wake;
