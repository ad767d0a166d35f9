//! One datagram with one control message.

use std::{
    io, mem,
    net::{SocketAddrV4, UdpSocket},
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
