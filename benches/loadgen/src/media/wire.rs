//! One UDP socket for all subscribers of a load: each has a loopback address of its own (127.1.x.y), told apart by the
//! address that a datagram was sent to. So a thousand subscribers cost one receive call per batch.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    ptr,
};

use crate::sendmsg::{self, Control};

/// Datagrams of one receive call.
const BATCH: usize = 64;
const DATAGRAM: usize = 1_600;
/// Room for one IP_PKTINFO.
const CONTROL: usize = 64;
/// The kernel's queue; the load client may be late on a busy machine, which is no loss of the server's.
const QUEUE_BYTES: libc::c_int = 64 << 20;

/// The shared socket.
pub struct Wire {
    socket: UdpSocket,
}

/// Buffers of a receive call, reused. Never moved while a call runs: they are on the heap.
pub struct Batch {
    bytes: Vec<[u8; DATAGRAM]>,
    control: Vec<[u64; CONTROL / 8]>,
}

impl Default for Batch {
    fn default() -> Self {
        Self { bytes: vec![[0; DATAGRAM]; BATCH], control: vec![[0; CONTROL / 8]; BATCH] }
    }
}

/// The address of subscriber `index`.
pub fn address_of(index: usize) -> Ipv4Addr {
    Ipv4Addr::new(127, 1, (index / 250) as u8, (index % 250 + 1) as u8)
}

/// The subscriber behind an address of ours.
pub fn index_of(address: Ipv4Addr) -> usize {
    let [_, _, high, low] = address.octets();
    usize::from(high) * 250 + usize::from(low).saturating_sub(1)
}

impl Wire {
    pub fn bind() -> io::Result<Self> {
        let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
        socket.set_read_timeout(Some(std::time::Duration::from_millis(5)))?;
        let fd = socket.as_raw_fd();
        set(fd, libc::IPPROTO_IP, libc::IP_PKTINFO, 1)?;
        // Over the limit of the system where we may, up to it where not.
        if set(fd, libc::SOL_SOCKET, libc::SO_RCVBUFFORCE, QUEUE_BYTES).is_err() {
            set(fd, libc::SOL_SOCKET, libc::SO_RCVBUF, QUEUE_BYTES)?;
        }
        Ok(Self { socket })
    }

    pub fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends from one of our addresses.
    pub fn send(&self, from: Ipv4Addr, to: SocketAddrV4, datagram: &[u8]) -> io::Result<()> {
        // SAFETY: plain integers; zero is valid.
        let mut info: libc::in_pktinfo = unsafe { mem::zeroed() };
        info.ipi_spec_dst.s_addr = u32::from(from).to_be();
        sendmsg::send(
            &self.socket,
            to,
            datagram,
            Control { level: libc::IPPROTO_IP, kind: libc::IP_PKTINFO, value: info },
        )
    }

    /// Receives what is there, waiting a few milliseconds for the first: (address it was sent to, datagram).
    pub fn receive(&self, batch: &mut Batch, mut take: impl FnMut(Ipv4Addr, &[u8])) -> io::Result<usize> {
        let mut parts: Vec<libc::iovec> = batch
            .bytes
            .iter_mut()
            .map(|bytes| libc::iovec { iov_base: bytes.as_mut_ptr().cast(), iov_len: DATAGRAM })
            .collect();
        // SAFETY: an all-zero mmsghdr is valid; its pointers are set below to buffers that outlive the call.
        let mut headers: Vec<libc::mmsghdr> = (0..BATCH).map(|_| unsafe { mem::zeroed() }).collect();
        for ((header, part), control) in headers.iter_mut().zip(&mut parts).zip(&mut batch.control) {
            header.msg_hdr.msg_iov = part;
            header.msg_hdr.msg_iovlen = 1;
            header.msg_hdr.msg_control = control.as_mut_ptr().cast();
            header.msg_hdr.msg_controllen = CONTROL;
        }
        // SAFETY: `headers` has BATCH entries with valid buffers.
        let count = unsafe {
            libc::recvmmsg(
                self.socket.as_raw_fd(),
                headers.as_mut_ptr(),
                BATCH as u32,
                libc::MSG_WAITFORONE,
                ptr::null_mut(),
            )
        };
        if count < 0 {
            let error = io::Error::last_os_error();
            let quiet = matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted);
            return if quiet { Ok(0) } else { Err(error) };
        }
        for (header, bytes) in headers.iter().zip(&batch.bytes).take(count as usize) {
            if let Some(to) = sent_to(&header.msg_hdr) {
                take(to, &bytes[..(header.msg_len as usize).min(DATAGRAM)]);
            }
        }
        Ok(count as usize)
    }
}

/// The address in a datagram's IP_PKTINFO.
fn sent_to(header: &libc::msghdr) -> Option<Ipv4Addr> {
    // SAFETY: the kernel filled the control buffer of this header and its length.
    unsafe {
        let control = libc::CMSG_FIRSTHDR(header);
        if control.is_null() || (*control).cmsg_type != libc::IP_PKTINFO {
            return None;
        }
        let info: libc::in_pktinfo = ptr::read_unaligned(libc::CMSG_DATA(control).cast());
        Some(Ipv4Addr::from(u32::from_be(info.ipi_addr.s_addr)))
    }
}

/// Sets an option that is one int.
pub fn set(fd: i32, level: i32, name: i32, value: libc::c_int) -> io::Result<()> {
    // SAFETY: the value outlives the call.
    let done = unsafe {
        libc::setsockopt(fd, level, name, ptr::from_ref(&value).cast(), mem::size_of_val(&value) as u32)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_datagram_finds_its_subscriber() {
        for index in [0, 1, 249, 250, 999] {
            assert_eq!(index_of(address_of(index)), index);
        }
        let (wire, other) = (Wire::bind().expect("a socket"), Wire::bind().expect("another"));
        let port = wire.socket.local_addr().expect("bound").port();
        let to = SocketAddrV4::new(address_of(7), port);
        other.send(address_of(300), to, b"hello").expect("sent");
        let mut got = None;
        wire.receive(&mut Batch::default(), |to, bytes| got = Some((index_of(to), bytes.to_vec())))
            .expect("received");
        assert_eq!(got, Some((7, b"hello".to_vec())));
    }
}
