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

/// Lets the waits of this thread end when they should: the kernel adds up to 50 µs to each unless it is told not to.
pub fn wake_punctually() {
    // SAFETY: a plain system call that changes this thread's timer slack only, in nanoseconds. A failure costs those 50 µs.
    unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 1_000 as libc::c_ulong) };
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
