//! One datagram with one control message, or many messages by one call.

use std::{
    io, mem,
    net::{SocketAddrV4, UdpSocket},
    ops::Range,
    os::fd::AsRawFd as _,
    ptr,
};

/// Bytes for the control message, its header included.
const CONTROL: usize = 64;

/// What goes with a datagram: level and type of the control message, and its plain value.
pub struct Control<T: Copy> {
    pub level: libc::c_int,
    pub kind: libc::c_int,
    pub value: T,
}

/// Sends `datagram` to `to`.
pub fn send<T: Copy>(
    socket: &UdpSocket,
    to: SocketAddrV4,
    datagram: &[u8],
    with: Control<T>,
) -> io::Result<()> {
    // SAFETY: CMSG_SPACE only computes.
    let space = unsafe { libc::CMSG_SPACE(mem::size_of::<T>() as u32) } as usize;
    assert!(space <= CONTROL, "no room for this control message");
    let mut name = raw(to);
    let mut control = [0u64; CONTROL / 8];
    let mut part = libc::iovec { iov_base: datagram.as_ptr().cast_mut().cast(), iov_len: datagram.len() };
    // SAFETY: all pointers are to locals that outlive the call; `control` is aligned and large enough, as asserted.
    let sent = unsafe {
        let mut header: libc::msghdr = mem::zeroed();
        header.msg_name = ptr::from_mut(&mut name).cast();
        header.msg_namelen = mem::size_of_val(&name) as u32;
        header.msg_iov = &mut part;
        header.msg_iovlen = 1;
        header.msg_control = control.as_mut_ptr().cast();
        header.msg_controllen = space;
        let control = libc::CMSG_FIRSTHDR(&header);
        (*control).cmsg_level = with.level;
        (*control).cmsg_type = with.kind;
        (*control).cmsg_len = libc::CMSG_LEN(mem::size_of::<T>() as u32) as usize;
        ptr::write_unaligned(libc::CMSG_DATA(control).cast(), with.value);
        libc::sendmsg(socket.as_raw_fd(), &header, 0)
    };
    if sent < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

fn raw(address: SocketAddrV4) -> libc::sockaddr_in {
    libc::sockaddr_in {
        sin_family: libc::AF_INET as u16,
        sin_port: address.port().to_be(),
        sin_addr: libc::in_addr { s_addr: u32::from(*address.ip()).to_be() },
        sin_zero: [0; 8],
    }
}

/// Messages for one `sendmmsg` call; their memory is kept.
#[derive(Default)]
pub struct Messages {
    names: Vec<libc::sockaddr_in>,
    parts: Vec<(Range<usize>, Option<u16>)>,
}

impl Messages {
    pub fn clear(&mut self) {
        self.names.clear();
        self.parts.clear();
    }

    /// Bytes of the buffer for `to`, cut into segments of that size by the kernel, if one is told.
    pub fn push(&mut self, to: SocketAddrV4, bytes: Range<usize>, segment: Option<u16>) {
        self.names.push(raw(to));
        self.parts.push((bytes, segment));
    }

    /// Sends all.
    pub fn send(&mut self, socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<()> {
        let count = self.parts.len();
        let base = buffer.as_mut_ptr();
        let vector = |(bytes, _): &(Range<usize>, Option<u16>)| libc::iovec {
            // SAFETY: ranges lie within the buffer.
            iov_base: unsafe { base.add(bytes.start) }.cast(),
            iov_len: bytes.len(),
        };
        let mut vectors: Vec<libc::iovec> = self.parts.iter().map(vector).collect();
        let mut controls = vec![[0u64; CONTROL / 8]; count];
        // SAFETY: an all-zero header is valid; its pointers are set to buffers that outlive the call.
        let mut headers: Vec<libc::mmsghdr> = (0..count).map(|_| unsafe { mem::zeroed() }).collect();
        for (place, header) in headers.iter_mut().enumerate() {
            let header = &mut header.msg_hdr;
            header.msg_name = ptr::from_mut(&mut self.names[place]).cast();
            header.msg_namelen = mem::size_of::<libc::sockaddr_in>() as u32;
            header.msg_iov = &mut vectors[place];
            header.msg_iovlen = 1;
            if let Some(segment) = self.parts[place].1 {
                header.msg_control = controls[place].as_mut_ptr().cast();
                // SAFETY: the control buffer has room for one message of two bytes.
                unsafe {
                    header.msg_controllen = libc::CMSG_SPACE(2) as usize;
                    let control = libc::CMSG_FIRSTHDR(header);
                    (*control).cmsg_level = libc::SOL_UDP;
                    (*control).cmsg_type = libc::UDP_SEGMENT;
                    (*control).cmsg_len = libc::CMSG_LEN(2) as usize;
                    ptr::write_unaligned(libc::CMSG_DATA(control).cast(), segment);
                }
            }
        }
        let mut sent = 0;
        while sent < count {
            let rest = &mut headers[sent..];
            // SAFETY: every header points to buffers that outlive the call.
            let taken =
                unsafe { libc::sendmmsg(socket.as_raw_fd(), rest.as_mut_ptr(), rest.len() as u32, 0) };
            sent += usize::try_from(taken).map_err(|_| io::Error::last_os_error())?;
        }
        Ok(())
    }
}
