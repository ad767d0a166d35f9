//! What goes out, collected in one buffer and sent by few system calls. Datagrams to one peer that lie side by side
//! and are equally long (the last may be shorter) leave as one message that the kernel cuts.

use std::{io, os::fd::RawFd};

use super::{
    control::Control,
    messages::{MESSAGES, Messages},
    socket::Socket,
    streams::{STREAM, Streams},
};
use crate::sfu::engine::leg::Path;

/// Datagrams cut from one message: longer runs make bursts that home routers drop.
const RUN: usize = 8;
/// Bytes after which the batch should be flushed: the first receivers do not wait for the last, and what was written is still in
/// the nearest cache when the kernel reads it.
const FULL: usize = 64 * 1024;

/// One datagram in the buffer.
#[derive(Clone, Copy, Debug)]
struct Datagram {
    path: Path,
    start: usize,
    length: usize,
}

/// Neighbors in the buffer that leave as one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Run {
    path: Path,
    start: usize,
    length: usize,
    /// Length of each datagram but the last.
    segment: usize,
    count: usize,
}

/// What a flush did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Flushed {
    pub packets: u64,
    pub bytes: u64,
    /// Datagrams that the kernel refused (full buffer, no route).
    pub refused: u64,
}

/// The send batch of an engine thread.
pub struct Batch {
    buffer: Vec<u8>,
    datagrams: Vec<Datagram>,
    /// Kept between flushes for their memory only, as are the messages.
    runs: Vec<Run>,
    messages: Messages,
    /// False once the kernel or the device refused segmentation.
    segments: bool,
    /// The kernel has cut a message of ours: it knows how.
    has_segmented: bool,
    full: usize,
}

impl Default for Batch {
    fn default() -> Self {
        Self {
            buffer: Vec::with_capacity(FULL + 64 * 1024),
            datagrams: Vec::new(),
            runs: Vec::new(),
            messages: Messages::default(),
            segments: true,
            has_segmented: false,
            full: FULL,
        }
    }
}

impl Batch {
    /// Never full: all of a burst is kept for [`Self::take`].
    #[cfg(test)]
    pub fn kept() -> Self {
        Self { full: usize::MAX, ..Self::default() }
    }

    /// Adds a datagram that `write` appends to the buffer it gets (from the given offset on); nothing is sent when it
    /// returns false.
    pub fn push_with(&mut self, path: Path, write: impl FnOnce(&mut Vec<u8>, usize) -> bool) -> bool {
        let start = self.buffer.len();
        if !write(&mut self.buffer, start) {
            self.buffer.truncate(start);
            return false;
        }
        self.datagrams.push(Datagram { path, start, length: self.buffer.len() - start });
        true
    }

    pub fn push(&mut self, path: Path, bytes: &[u8]) {
        self.push_with(path, |buffer, _| {
            buffer.extend_from_slice(bytes);
            true
        });
    }

    /// Bytes that wait.
    pub fn bytes(&self) -> usize {
        self.buffer.len()
    }

    /// True when it is time to flush in the middle of a burst.
    pub fn is_full(&self) -> bool {
        self.buffer.len() >= self.full
    }

    /// What a flush would send.
    #[cfg(test)]
    pub fn take(&mut self) -> Vec<(Path, Vec<u8>)> {
        let copy = |it: Datagram| (it.path, self.buffer[it.start..it.start + it.length].to_vec());
        let taken = std::mem::take(&mut self.datagrams).into_iter().map(copy).collect();
        self.buffer.clear();
        taken
    }

    /// Sends everything.
    pub fn flush(&mut self, sockets: &[Socket], streams: &Streams) -> Flushed {
        let mut flushed = Flushed::default();
        let mut runs = std::mem::take(&mut self.runs);
        group(&self.datagrams, if self.segments { RUN } else { 1 }, &mut runs);
        let mut rest = &runs[..];
        while let Some(first) = rest.first() {
            let same = rest.iter().take_while(|run| run.path.socket == first.path.socket).count();
            let chunk = &rest[..same.min(MESSAGES)];
            let sent = match sockets.get(usize::from(first.path.socket)) {
                Some(socket) => self.send(socket, chunk, &mut flushed),
                None if first.path.socket == STREAM => self.queue(streams, chunk, &mut flushed),
                None => chunk.len(),
            };
            rest = &rest[sent..];
        }
        self.buffer.clear();
        self.datagrams.clear();
        self.runs = runs;
        flushed
    }

    /// Sends some runs; how many are done with, sent or refused.
    fn send(&mut self, socket: &Socket, runs: &[Run], flushed: &mut Flushed) -> usize {
        match self.send_messages(socket.fd(), runs) {
            Ok(sent) => {
                for run in &runs[..sent] {
                    self.has_segmented |= run.count > 1;
                    flushed.packets += run.count as u64;
                    flushed.bytes += run.length as u64;
                }
                sent
            }
            Err(error) if error.raw_os_error() == Some(libc::EMSGSIZE) && runs[0].count == 1 => {
                self.send_cut(socket, runs[0], flushed);
                1
            }
            Err(error) if is_segmentation_refused(&error) && runs[0].count > 1 => {
                // EIO is the device's word, for all; any other, from a kernel that knows segments, concerns the way to this peer.
                self.segments &= self.has_segmented && error.raw_os_error() != Some(libc::EIO);
                self.send_singly(socket, runs[0], flushed);
                1
            }
            Err(_) => {
                flushed.refused += runs[0].count as u64;
                1
            }
        }
    }

    /// Hands runs to connections; how many are done with, which is all.
    fn queue(&self, streams: &Streams, runs: &[Run], flushed: &mut Flushed) -> usize {
        for run in runs {
            for datagram in self.buffer[run.start..run.start + run.length].chunks(run.segment.max(1)) {
                match streams.send(run.path.peer, datagram) {
                    true => {
                        flushed.packets += 1;
                        flushed.bytes += datagram.len() as u64;
                    }
                    false => flushed.refused += 1,
                }
            }
        }
        runs.len()
    }

    fn send_singly(&mut self, socket: &Socket, run: Run, flushed: &mut Flushed) {
        for index in 0..run.count {
            let start = run.start + index * run.segment;
            let length = run.segment.min(run.start + run.length - start);
            self.send(socket, &[Run { start, length, segment: length, count: 1, ..run }], flushed);
        }
    }

    /// Sends a datagram that is too long for the way to its peer by the socket whose datagrams the kernel cuts.
    fn send_cut(&mut self, socket: &Socket, run: Run, flushed: &mut Flushed) {
        let sent = socket.cutting_fd().map(|fd| self.send_messages(fd, &[run]));
        match sent {
            Some(Ok(1)) => {
                flushed.packets += 1;
                flushed.bytes += run.length as u64;
            }
            _ => flushed.refused += 1,
        }
    }

    /// One system call; how many messages of the front were taken.
    fn send_messages(&mut self, fd: RawFd, runs: &[Run]) -> io::Result<usize> {
        self.messages.clear();
        for run in runs {
            let bytes = &mut self.buffer[run.start..run.start + run.length];
            self.messages.push(run.path.peer, control_of(run), bytes);
        }
        self.messages.send(fd)
    }
}

fn control_of(run: &Run) -> Control {
    let mut control = Control::default();
    if let Some(local) = run.path.local {
        control.add_source(local);
    }
    if run.count > 1 {
        control.add_segment_size(run.segment as u16);
    }
    control
}

/// EIO: the device cannot checksum segments; EINVAL, EMSGSIZE: the way is too narrow for one of them.
fn is_segmentation_refused(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(libc::EIO | libc::EINVAL | libc::EMSGSIZE))
}

/// Groups neighbors: same path, equal length, at most `longest`; a shorter datagram may end a run.
fn group(datagrams: &[Datagram], longest: usize, runs: &mut Vec<Run>) {
    runs.clear();
    for datagram in datagrams {
        match runs.last_mut().filter(|run| can_join(run, datagram, longest)) {
            Some(run) => {
                run.length += datagram.length;
                run.count += 1;
            }
            None => runs.push(Run {
                path: datagram.path,
                start: datagram.start,
                length: datagram.length,
                segment: datagram.length,
                count: 1,
            }),
        }
    }
}

fn can_join(run: &Run, datagram: &Datagram, longest: usize) -> bool {
    run.path == datagram.path
        && run.count < longest
        && run.length == run.segment * run.count
        && datagram.length <= run.segment
        && run.start + run.length == datagram.start
}

#[cfg(test)]
mod tests {
    use super::*;

    fn runs(datagrams: &[Datagram], longest: usize) -> Vec<Run> {
        let mut runs = Vec::new();
        group(datagrams, longest, &mut runs);
        runs
    }

    fn path(port: u16) -> Path {
        Path { socket: 0, peer: ([127, 0, 0, 1], port).into(), local: None }
    }

    #[test]
    fn equal_neighbors_form_runs_and_a_short_one_ends_them() {
        let mut batch = Batch::default();
        for length in [100, 100, 40, 100] {
            batch.push(path(1), &vec![0; length]);
        }
        batch.push(path(2), &[0; 100]);
        let lengths: Vec<(usize, usize)> =
            runs(&batch.datagrams, RUN).iter().map(|run| (run.count, run.length)).collect();
        assert_eq!(lengths, [(3, 240), (1, 100), (1, 100)]);
        assert_eq!(runs(&batch.datagrams, 1).len(), 5);
    }

    #[test]
    fn datagrams_arrive_whole_and_in_order() {
        let any = "127.0.0.1:0".parse().expect("an address");
        let (from, to) = (Socket::bind(any).expect("a socket"), Socket::bind(any).expect("a socket"));
        let mut batch = Batch::default();
        let path = Path { socket: 0, peer: to.address(), local: None };
        for byte in 0..20u8 {
            batch.push(path, &vec![byte; if byte == 19 { 7 } else { 900 }]);
        }
        assert!(!batch.push_with(path, |buffer, _| {
            buffer.push(1);
            false
        }));
        let flushed = batch.flush(std::slice::from_ref(&from), &Streams::default());
        assert_eq!((flushed.packets, flushed.refused), (20, 0));
        let mut receiver = super::super::socket::Receiver::default();
        let received = receiver.wait_for(to.fd(), 20, |datagram| datagram.bytes.to_vec());
        assert_eq!(received.len(), 20);
        assert!(received.iter().zip(0..).all(|(bytes, index)| bytes[0] == index));
    }

    #[test]
    fn a_wildcard_socket_answers_from_the_address_it_was_asked_at() {
        let server = Socket::bind("0.0.0.0:0".parse().expect("an address")).expect("a socket");
        let client = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
        client.set_read_timeout(Some(std::time::Duration::from_secs(10))).expect("a timeout");
        client.send_to(b"ask", ("127.0.0.9", server.address().port())).expect("sent");
        let mut receiver = super::super::socket::Receiver::default();
        let asked = receiver.wait_for(server.fd(), 1, |datagram| (datagram.peer, datagram.local));
        let (peer, local) = asked[0];
        assert_eq!(local, "127.0.0.9".parse().ok());
        let mut batch = Batch::default();
        batch.push(Path { socket: 0, peer, local }, b"answer");
        batch.flush(std::slice::from_ref(&server), &Streams::default());
        let mut buffer = [0; 16];
        let (length, from) = client.recv_from(&mut buffer).expect("an answer");
        assert_eq!((&buffer[..length], from.ip().to_string().as_str()), (&b"answer"[..], "127.0.0.9"));
    }
}
