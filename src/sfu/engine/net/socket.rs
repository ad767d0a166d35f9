//! One UDP socket of an engine thread, and the buffers that it is read into.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, RawFd},
};

use socket2::{Domain, Protocol, SockAddr, Type};

use super::{address, control, control::Control};

/// Datagrams per system call.
const BATCH: usize = 64;
/// No peer of ours sends more in one datagram; longer ones are cut and fail authentication.
const LONGEST: usize = 2_048;
/// Kernel buffers, as far as the system allows: a burst of key frames to a whole class.
const KERNEL_BUFFER: usize = 4 << 20;

/// A bound, non-blocking socket.
#[derive(Debug)]
pub struct Socket {
    inner: socket2::Socket,
    address: SocketAddr,
}

impl Socket {
    /// Binds; on an unspecified address the kernel tells which of ours each datagram was sent to.
    pub fn bind(address: SocketAddr) -> io::Result<Self> {
        let inner = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
        if address.is_ipv6() {
            inner.set_only_v6(true)?;
        }
        inner.set_nonblocking(true)?;
        // Best effort: without the privilege the system's own maximum applies.
        let _ = inner.set_recv_buffer_size(KERNEL_BUFFER);
        let _ = inner.set_send_buffer_size(KERNEL_BUFFER);
        if address.ip().is_unspecified() {
            ask_for_destinations(&inner, address)?;
        }
        inner.bind(&SockAddr::from(address))?;
        let address = inner.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        Ok(Self { inner, address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }
}

fn ask_for_destinations(socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
    let (level, option) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    let on: libc::c_int = 1;
    // SAFETY: the option takes an int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const on).cast(),
            size_of::<libc::c_int>() as u32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

/// A received datagram.
#[derive(Clone, Copy, Debug)]
pub struct Datagram<'a> {
    pub bytes: &'a [u8],
    pub peer: SocketAddr,
    /// Which of our addresses it was sent to, on a socket that listens on all.
    pub local: Option<IpAddr>,
}

/// The buffers for one batch.
pub struct Receiver {
    buffers: Vec<[u8; LONGEST]>,
    addresses: Vec<libc::sockaddr_storage>,
    controls: Vec<Control>,
    /// Kept for their memory only.
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// Of the last call: length, peer, local address.
    received: Vec<(usize, Option<SocketAddr>, Option<IpAddr>)>,
}

impl Default for Receiver {
    fn default() -> Self {
        Self {
            buffers: vec![[0; LONGEST]; BATCH],
            // SAFETY: all zeros is a valid sockaddr_storage.
            addresses: vec![unsafe { std::mem::zeroed() }; BATCH],
            controls: vec![Control::default(); BATCH],
            vectors: Vec::with_capacity(BATCH),
            headers: Vec::with_capacity(BATCH),
            received: Vec::with_capacity(BATCH),
        }
    }
}

impl Receiver {
    /// Reads what is there, at most a batch; true when there may be more.
    pub fn receive(&mut self, socket: &Socket) -> bool {
        self.set_headers();
        // SAFETY: every header points to buffers that outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                socket.fd(),
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        self.received.clear();
        for (header, address) in self.headers[..count].iter().zip(&self.addresses) {
            let local = control::destination(&header.msg_hdr);
            self.received.push((header.msg_len as usize, address::from_raw(address), local));
        }
        count == BATCH
    }

    /// Points every header at its buffers: the kernel writes over lengths.
    fn set_headers(&mut self) {
        self.vectors.clear();
        self.headers.clear();
        let vector = |buffer: &mut [u8; LONGEST]| libc::iovec {
            iov_base: buffer.as_mut_ptr().cast(),
            iov_len: LONGEST,
        };
        self.vectors.extend(self.buffers.iter_mut().map(vector));
        let parts = self.vectors.iter_mut().zip(&mut self.addresses).zip(&mut self.controls);
        self.headers.extend(parts.map(|((vector, address), control)| {
            // SAFETY: all zeros is a valid header without buffers.
            let mut header: libc::mmsghdr = unsafe { std::mem::zeroed() };
            header.msg_hdr.msg_iov = vector;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_name = (&raw mut *address).cast();
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            control.attach_empty(&mut header.msg_hdr);
            header
        }));
    }

    /// The datagrams of the last batch.
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> {
        self.received.iter().zip(&self.buffers).filter_map(|(&(length, peer, local), buffer)| {
            Some(Datagram { bytes: buffer.get(..length)?, peer: peer?, local })
        })
    }
}
