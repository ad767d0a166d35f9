//! Waits for sockets, and is woken by other threads (an eventfd).

use std::{
    fs::File,
    io::{self, Read, Write},
    os::fd::{AsRawFd, FromRawFd, RawFd},
    time::Duration,
};

/// Wakes a thread that waits by a [`Waiter`].
#[derive(Debug)]
pub struct Wake {
    event: File,
}

impl Wake {
    pub fn new() -> io::Result<Self> {
        // SAFETY: a plain system call; the descriptor is ours alone.
        let fd = unsafe { libc::eventfd(0, libc::EFD_NONBLOCK | libc::EFD_CLOEXEC) };
        if fd < 0 {
            return Err(io::Error::last_os_error());
        }
        // SAFETY: the descriptor was just made and is owned by nobody else.
        Ok(Self { event: unsafe { File::from_raw_fd(fd) } })
    }

    /// Ends the wait that is under way, or the next one.
    pub fn wake(&self) {
        // Fails only when the counter is full, which wakes as well.
        let _ = (&self.event).write(&1u64.to_ne_bytes());
    }

    /// Makes ready for the next wait.
    pub fn reset(&self) {
        let _ = (&self.event).read(&mut [0; 8]);
    }

    pub fn fd(&self) -> RawFd {
        self.event.as_raw_fd()
    }
}

/// The kernel adds up to 50 µs to each wait of a thread unless it is told how much, in nanoseconds.
const SLACK: libc::c_ulong = 1_000;
/// What a media thread asks of the scheduler: to be run soon, and never for long before others are. In nanoseconds; the kernel's own is
/// some milliseconds. Shorter costs more switches, longer lets packets wait.
const SLICE: u64 = 300_000;
const SCHED_OTHER: u32 = 0;

/// `struct sched_attr` (sched_setattr(2)) in its first form.
#[repr(C)]
#[derive(Debug, Default)]
struct Scheduling {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// Lets this thread wake when it should, and run soon then: before threads that check passwords, and in turns with those that read what it
/// sends. Linux 6.12 and later take the wish for short turns; an older kernel, or one that refuses, costs promptness and nothing else.
pub fn be_prompt() {
    // SAFETY: a plain system call that changes this thread's timer slack only.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, SLACK) };
    let size = size_of::<Scheduling>() as u32;
    let mut known = Scheduling { size, ..Scheduling::default() };
    // SAFETY: the kernel fills at most `size` bytes of a struct of that size, for this thread (0).
    let read = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut known, size, 0) };
    if read == 0 && known.policy == SCHED_OTHER {
        let wished = Scheduling { size, runtime: SLICE, ..known };
        // SAFETY: the kernel reads a struct of the size that it tells.
        unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const wished, 0) };
    }
}

/// Waits for several descriptors.
pub struct Waiter {
    polled: Vec<libc::pollfd>,
}

impl Waiter {
    pub fn new(fds: impl Iterator<Item = RawFd>) -> Self {
        Self { polled: fds.map(|fd| libc::pollfd { fd, events: libc::POLLIN, revents: 0 }).collect() }
    }

    /// Waits until one of them is readable, at most `timeout`.
    pub fn wait(&mut self, timeout: Duration) {
        let timeout =
            libc::timespec { tv_sec: timeout.as_secs() as _, tv_nsec: timeout.subsec_nanos().into() };
        let count = self.polled.len() as libc::nfds_t;
        // SAFETY: list and time outlive the call. An error (a signal) is a wait that ended early.
        unsafe { libc::ppoll(self.polled.as_mut_ptr(), count, &raw const timeout, std::ptr::null()) };
    }

    /// True when the descriptor at this place may be read since the last wait.
    pub fn is_ready(&self, place: usize) -> bool {
        self.polled[place].revents != 0
    }
}
