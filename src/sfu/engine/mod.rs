//! The engine: plain OS threads, each with its own UDP port, legs and rooms. A lesson lives on one thread, so there is
//! no lock on the packet path.

mod bandwidth;
pub mod counters;
mod datagrams;
mod echoes;
mod fanout;
mod feedback;
pub mod identity;
pub mod inbox;
pub mod leg;
mod legs;
pub mod net;
mod ntp;
mod orders;
mod reports;
mod room;
mod rtcp;
mod streams;
mod timers;
mod worker;

use std::{os::fd::RawFd, sync::Arc, time::Instant};

use inbox::Inbox;
use net::{socket::Receiver, wake::wait};
pub use streams::thread_of_check;
pub use worker::Worker;

/// Runs a thread's loop until its inbox is stopped.
pub fn run(mut worker: Worker, inbox: &Arc<Inbox>) {
    let mut fds: Vec<RawFd> = worker.sockets().iter().map(net::socket::Socket::fd).collect();
    fds.push(inbox.fd());
    let mut receiver = Receiver::default();
    while !inbox.is_stopped() {
        wait(&fds, worker.patience(Instant::now()));
        turn(&mut worker, inbox, &mut receiver);
    }
    worker.close_all(Instant::now());
}

/// One turn: orders first, so that a withdrawal precedes the packets it is about.
fn turn(worker: &mut Worker, inbox: &Inbox, receiver: &mut Receiver) {
    for order in inbox.drain() {
        worker.obey(order, Instant::now());
    }
    let streams = inbox.drain_streams();
    if !streams.is_empty() {
        let now = Instant::now();
        streams.into_iter().for_each(|event| worker.receive_stream(event, now));
        worker.fan_out(now);
        worker.flush();
    }
    for socket in 0..worker.sockets().len() {
        drain_socket(worker, socket, receiver);
    }
    worker.tick(Instant::now());
    worker.flush();
}

/// Reads one batch and fans it out; the rest waits for the next turn, so that no socket starves another.
fn drain_socket(worker: &mut Worker, socket: usize, receiver: &mut Receiver) {
    receiver.receive(&worker.sockets()[socket]);
    let now = Instant::now();
    for datagram in receiver.datagrams() {
        worker.receive(socket as u8, datagram, now);
    }
    worker.fan_out(now);
    worker.flush();
}
