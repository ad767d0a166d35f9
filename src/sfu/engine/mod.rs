//! The engine: plain OS threads, each with its own UDP port, legs and rooms, so there is no lock on the packet path. A
//! large lesson has rooms on several threads, which pass each packet over a bridge once.

mod ahead;
mod bandwidth;
pub mod bridge;
mod carried;
pub mod counters;
mod datagrams;
mod echoes;
mod exports;
mod fanout;
mod feedback;
#[doc(hidden)]
pub mod fuzzing;
pub mod identity;
mod imports;
pub mod inbox;
pub mod leg;
mod legs;
pub mod net;
mod ntp;
mod orders;
mod pacing;
pub mod relay;
mod relays;
mod reports;
mod room;
mod rtcp;
mod sharing;
mod streams;
mod timers;
mod ways;
mod worker;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use inbox::Inbox;
use net::{
    socket::{Receiver, Socket},
    wake::{self, Waiter},
};
pub use streams::thread_of_check;
pub use worker::Worker;

/// Batches of reports read in one go, of 64 each; what is more waits for the next one, in a queue that the kernel bounds.
const REPORTS: usize = 16;

/// So long nobody is woken while the rest of a picture is expected: most of it comes in a tenth of a millisecond.
const NAP: Duration = Duration::from_micros(100);

/// Runs a thread's loop until its inbox is stopped.
pub fn run(mut worker: Worker, inbox: &Arc<Inbox>) {
    wake::be_prompt();
    let sockets = worker.sockets().len();
    let mut waiter = Waiter::new(worker.sockets().iter().map(Socket::fd).chain([inbox.fd()]));
    let mut receiver = Receiver::default();
    while !inbox.is_stopped() {
        if worker.is_gathering() {
            // One wake-up for the rest of a picture, instead of one for each packet.
            std::thread::sleep(NAP);
        }
        waiter.wait(worker.patience(Instant::now()));
        if waiter.is_ready(sockets) {
            look_into(&mut worker, inbox);
        }
        (0..sockets).filter(|&socket| waiter.is_ready(socket)).for_each(|socket| {
            drain_socket(&mut worker, socket, &mut receiver);
        });
        let now = Instant::now();
        worker.fan_out(now);
        if worker.is_reading_due(now) {
            (0..sockets).for_each(|socket| read_reports(&mut worker, socket, &mut receiver));
        }
        worker.tick(Instant::now());
        worker.flush();
    }
    worker.close_all(Instant::now());
}

/// Orders first, so that a withdrawal precedes the packets it is about.
fn look_into(worker: &mut Worker, inbox: &Inbox) {
    inbox.answer();
    for order in inbox.drain() {
        worker.obey(order, Instant::now());
    }
    let now = Instant::now();
    inbox.drain_streams().into_iter().for_each(|event| worker.receive_stream(event, now));
    worker.receive_crossings(now);
    worker.fan_out(now);
    worker.flush();
}

/// Reads one batch and fans it out; the rest waits for the next turn, so that no socket starves another.
fn drain_socket(worker: &mut Worker, socket: usize, receiver: &mut Receiver) {
    receiver.receive(worker.sockets()[socket].fd());
    let now = Instant::now();
    for datagram in receiver.datagrams() {
        worker.receive(socket as u8, datagram, now);
    }
    worker.fan_out(now);
    worker.flush();
}

/// Reads the reports that came to a socket since the last time: some of each receiver, so that nobody needs all of them.
fn read_reports(worker: &mut Worker, socket: usize, receiver: &mut Receiver) {
    let Some(fd) = worker.sockets()[socket].reports_fd() else { return };
    for _ in 0..REPORTS {
        let is_more = receiver.receive(fd);
        let now = Instant::now();
        worker.receive_reports(socket as u8, receiver.datagrams(), now);
        if !is_more {
            return;
        }
    }
}

#[cfg(test)]
#[path = "tests/bad_link/mod.rs"]
mod bad_link;

#[cfg(test)]
#[path = "tests/parties.rs"]
mod parties;
