//! One UDP port of an engine thread, and the buffers that it is read into.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    os::fd::{AsRawFd, RawFd},
};

use socket2::{Domain, Protocol, SockAddr, Type};

use super::{address, control, control::Control, reports};

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
    /// Takes what can wait; `None` where the kernel cannot tell it apart. What is sent by it may be cut on its way.
    reports: Option<socket2::Socket>,
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
        prepare(&inner, address)?;
        inner.bind(&SockAddr::from(address))?;
        let address = inner.local_addr()?.as_socket().ok_or(io::ErrorKind::AddrNotAvailable)?;
        let reports = reports::bind(&inner, address);
        let reports = reports.and_then(|reports| prepare(&reports, address).map(|()| reports));
        let reports = reports.inspect_err(|error| tracing::warn!(%error, "reports wake media threads"));
        if reports.is_ok() && address.is_ipv4() {
            let _ = send_whole(&inner);
        }
        Ok(Self { inner, reports: reports.ok(), address })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn fd(&self) -> RawFd {
        self.inner.as_raw_fd()
    }

    /// Sends what is too long for a way in one piece.
    pub fn cutting_fd(&self) -> Option<RawFd> {
        self.reports_fd()
    }

    /// Where reports wait.
    pub fn reports_fd(&self) -> Option<RawFd> {
        self.reports.as_ref().map(AsRawFd::as_raw_fd)
    }
}

/// Sets buffers and, on an unspecified address, asks where each datagram was sent to.
fn prepare(socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
    // Best effort: without the privilege the system's own maximum applies.
    let _ = socket.set_recv_buffer_size(KERNEL_BUFFER);
    let _ = socket.set_send_buffer_size(KERNEL_BUFFER);
    match address.ip().is_unspecified() {
        true => ask_for_destinations(socket, address),
        false => Ok(()),
    }
}

/// Datagrams are not to be cut on their way: the kernel need not find a number for the pieces of each, which costs a packet in
/// twenty-five. It refuses those that are too long for the way to their peer, once it knows that.
fn send_whole(socket: &socket2::Socket) -> io::Result<()> {
    set(socket, libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)
}

fn ask_for_destinations(socket: &socket2::Socket, address: SocketAddr) -> io::Result<()> {
    let (level, option) = match address {
        SocketAddr::V4(_) => (libc::IPPROTO_IP, libc::IP_PKTINFO),
        SocketAddr::V6(_) => (libc::IPPROTO_IPV6, libc::IPV6_RECVPKTINFO),
    };
    set(socket, level, option, 1)
}

fn set(socket: &socket2::Socket, level: i32, option: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the option takes an int, which outlives the call.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            level,
            option,
            (&raw const value).cast(),
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
    /// Point at the others, none of which ever grows.
    vectors: Vec<libc::iovec>,
    headers: Vec<libc::mmsghdr>,
    /// Of the last call: length, peer, local address.
    received: Vec<(usize, Option<SocketAddr>, Option<IpAddr>)>,
}

impl Default for Receiver {
    fn default() -> Self {
        let mut receiver = Self {
            buffers: vec![[0; LONGEST]; BATCH],
            // SAFETY: all zeros is a valid sockaddr_storage.
            addresses: vec![unsafe { std::mem::zeroed() }; BATCH],
            controls: vec![Control::default(); BATCH],
            vectors: Vec::with_capacity(BATCH),
            headers: Vec::with_capacity(BATCH),
            received: Vec::with_capacity(BATCH),
        };
        receiver.point_headers();
        receiver
    }
}

impl Receiver {
    /// Reads what is there, at most a batch; true when there may be more.
    pub fn receive(&mut self, fd: RawFd) -> bool {
        // SAFETY: every header points to buffers that outlive the call.
        let count = unsafe {
            libc::recvmmsg(
                fd,
                self.headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_DONTWAIT,
                std::ptr::null_mut(),
            )
        };
        let count = usize::try_from(count).unwrap_or(0);
        self.received.clear();
        for place in 0..count {
            let header = &mut self.headers[place];
            let local = control::destination(&header.msg_hdr);
            let peer = address::from_raw(&self.addresses[place]);
            self.received.push((header.msg_len as usize, peer, local));
            // The kernel wrote over the lengths.
            header.msg_hdr.msg_namelen = size_of::<libc::sockaddr_storage>() as u32;
            self.controls[place].attach_empty(&mut header.msg_hdr);
        }
        count == BATCH
    }

    /// Points every header at its buffers, which stay where they are.
    fn point_headers(&mut self) {
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
    pub fn datagrams(&self) -> impl Iterator<Item = Datagram<'_>> + Clone {
        self.received.iter().zip(&self.buffers).filter_map(|(&(length, peer, local), buffer)| {
            Some(Datagram { bytes: buffer.get(..length)?, peer: peer?, local })
        })
    }
}

#[cfg(test)]
impl Receiver {
    /// Reads until so many datagrams have come, however slow the machine is; what `take` takes of each.
    pub fn wait_for<T>(&mut self, fd: RawFd, count: usize, take: impl Fn(Datagram<'_>) -> T) -> Vec<T> {
        let (mut all, began) = (Vec::new(), std::time::Instant::now());
        while all.len() < count && began.elapsed() < std::time::Duration::from_secs(10) {
            self.receive(fd);
            all.extend(self.datagrams().map(&take));
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        all
    }
}
