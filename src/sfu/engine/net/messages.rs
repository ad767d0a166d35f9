//! The headers of one `sendmmsg` call. Their memory is kept between calls: nothing is allocated per burst.

use std::{io, net::SocketAddr, os::fd::RawFd};

use super::{address, control::Control};

/// Messages per system call.
pub const MESSAGES: usize = 64;

/// Messages to be sent.
pub struct Messages {
    addresses: Vec<(libc::sockaddr_storage, u32)>,
    controls: Vec<Control>,
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
}

// SAFETY: the pointers inside are set before each system call and are not followed after it.
unsafe impl Send for Messages {}

impl Default for Messages {
    fn default() -> Self {
        Self {
            addresses: Vec::with_capacity(MESSAGES),
            controls: Vec::with_capacity(MESSAGES),
            vectors: Vec::with_capacity(MESSAGES),
            headers: Vec::with_capacity(MESSAGES),
        }
    }
}

impl Messages {
    pub fn clear(&mut self) {
        self.addresses.clear();
        self.controls.clear();
        self.vectors.clear();
        self.headers.clear();
    }

    /// Adds one; `bytes` must stay where they are until [`Self::send`].
    pub fn push(&mut self, peer: SocketAddr, control: Control, bytes: &mut [u8]) {
        self.addresses.push(address::to_raw(peer));
        self.controls.push(control);
        self.vectors.push(libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: bytes.len() });
    }

    /// One system call; how many of the front were taken.
    pub fn send(&mut self, fd: RawFd) -> io::Result<usize> {
        let parts = self.addresses.iter_mut().zip(&mut self.controls).zip(&mut self.vectors);
        self.headers.extend(parts.map(|((address, control), vector)| {
            // SAFETY: all zeros is a valid header without buffers.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut address.0).cast();
            header.msg_hdr.msg_namelen = address.1;
            control.attach(&mut header.msg_hdr);
            header
        }));
        let count = self.headers.len() as u32;
        // SAFETY: every header points to buffers that outlive the call.
        let sent = unsafe { libc::sendmmsg(fd, self.headers.as_mut_ptr(), count, 0) };
        usize::try_from(sent).map_err(|_| io::Error::last_os_error())
    }
}
