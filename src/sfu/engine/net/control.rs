//! Control messages beside a datagram: the local address (PKTINFO) and the size of its segments (UDP_SEGMENT).

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Space for one PKTINFO and one UDP_SEGMENT, aligned for their headers.
#[derive(Clone, Copy)]
#[repr(C, align(8))]
pub struct Control {
    bytes: [u8; 96],
    length: usize,
}

impl Default for Control {
    fn default() -> Self {
        Self { bytes: [0; 96], length: 0 }
    }
}

impl Control {
    /// For receiving: all of the space.
    pub fn attach_empty(&mut self, header: &mut libc::msghdr) {
        header.msg_control = self.bytes.as_mut_ptr().cast();
        header.msg_controllen = self.bytes.len() as _;
    }

    /// For sending: what was added.
    pub fn attach(&mut self, header: &mut libc::msghdr) {
        if self.length > 0 {
            header.msg_control = self.bytes.as_mut_ptr().cast();
            header.msg_controllen = self.length as _;
        }
    }

    /// The kernel cuts the datagram into segments of this size.
    pub fn add_segment_size(&mut self, size: u16) {
        self.add(libc::SOL_UDP, libc::UDP_SEGMENT, size);
    }

    /// The reply leaves from this address.
    pub fn add_source(&mut self, source: IpAddr) {
        match source {
            IpAddr::V4(ip) => {
                let info = libc::in_pktinfo {
                    ipi_ifindex: 0,
                    ipi_spec_dst: libc::in_addr { s_addr: u32::from_ne_bytes(ip.octets()) },
                    ipi_addr: libc::in_addr { s_addr: 0 },
                };
                self.add(libc::IPPROTO_IP, libc::IP_PKTINFO, info);
            }
            IpAddr::V6(ip) => {
                let info =
                    libc::in6_pktinfo { ipi6_addr: libc::in6_addr { s6_addr: ip.octets() }, ipi6_ifindex: 0 };
                self.add(libc::IPPROTO_IPV6, libc::IPV6_PKTINFO, info);
            }
        }
    }

    fn add<T>(&mut self, level: i32, kind: i32, value: T) {
        // SAFETY: CMSG_SPACE and CMSG_LEN only compute.
        let (space, length) = unsafe {
            (libc::CMSG_SPACE(size_of::<T>() as u32) as usize, libc::CMSG_LEN(size_of::<T>() as u32) as usize)
        };
        debug_assert!(self.length + space <= self.bytes.len());
        let place = self.bytes[self.length..].as_mut_ptr().cast::<libc::cmsghdr>();
        // SAFETY: the space was checked, and CMSG_SPACE keeps every header aligned in the aligned array.
        unsafe {
            (*place).cmsg_level = level;
            (*place).cmsg_type = kind;
            (*place).cmsg_len = length as _;
            libc::CMSG_DATA(place).cast::<T>().write_unaligned(value);
        }
        self.length += space;
    }
}

/// The local address that a received datagram was sent to.
pub fn destination(header: &libc::msghdr) -> Option<IpAddr> {
    // SAFETY: the kernel filled the control buffer that the header points to.
    let mut message = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !message.is_null() {
        // SAFETY: CMSG_FIRSTHDR and CMSG_NXTHDR give null or a header inside the buffer.
        let (level, kind) = unsafe { ((*message).cmsg_level, (*message).cmsg_type) };
        if (level, kind) == (libc::IPPROTO_IP, libc::IP_PKTINFO) {
            // SAFETY: level and type say what the data are.
            let info: libc::in_pktinfo = unsafe { read_data(message) };
            return Some(Ipv4Addr::from(info.ipi_addr.s_addr.to_ne_bytes()).into());
        }
        if (level, kind) == (libc::IPPROTO_IPV6, libc::IPV6_PKTINFO) {
            // SAFETY: as above.
            let info: libc::in6_pktinfo = unsafe { read_data(message) };
            return Some(Ipv6Addr::from(info.ipi6_addr.s6_addr).into());
        }
        // SAFETY: as above.
        message = unsafe { libc::CMSG_NXTHDR(header, message) };
    }
    None
}

/// # Safety
/// The control message must carry a `T`.
unsafe fn read_data<T>(message: *const libc::cmsghdr) -> T {
    // SAFETY: the caller's promise; the data may be unaligned.
    unsafe { libc::CMSG_DATA(message).cast::<T>().read_unaligned() }
}
