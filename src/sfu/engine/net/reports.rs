//! A second socket on the port of another, to which the kernel gives what can wait: the feedback and reports that every
//! receiver sends some eleven times a second. By a socket of its own it wakes nobody; it is read now and then, much of it by
//! one system call. Retransmissions and key frames that are asked for, checks, handshakes and media stay with the first.

use std::{io, net::SocketAddr, os::fd::AsRawFd};

use socket2::{Domain, Protocol, SockAddr, Type};

/// Packet types of RTCP, in the second byte of a packet, also where it is sealed (RFC 3550 section 12.1, RFC 4585 section 6.1).
const RECEIVER_REPORT: u32 = 201;
const TRANSPORT_FEEDBACK: u32 = 205;
/// First byte of transport-wide feedback: version 2, no padding, format 15.
const ARRIVALS: u32 = 0x8f;

/// Load the byte at a place of the datagram; compare with a value; answer which socket of the group it is for.
const LOAD: u16 = (libc::BPF_LD | libc::BPF_B | libc::BPF_ABS) as u16;
const IS: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

/// Which of the two a datagram is for; one that is too short for a question is for the first. `yes` and `no` skip so many
/// steps.
const CHOICE: [libc::sock_filter; 7] = [
    step(LOAD, 1, 0, 0),
    step(IS, RECEIVER_REPORT, 4, 0),
    step(IS, TRANSPORT_FEEDBACK, 0, 2),
    step(LOAD, 0, 0, 0),
    step(IS, ARRIVALS, 1, 0),
    step(ANSWER, 0, 0, 0),
    step(ANSWER, 1, 0, 0),
];

const fn step(code: u16, k: u32, yes: u8, no: u8) -> libc::sock_filter {
    libc::sock_filter { code, jt: yes, jf: no, k }
}

/// Binds the second socket beside `first`, which is bound to `address` already: so another program that has the port
/// is noticed, although the two share it from now on.
pub fn bind(first: &socket2::Socket, address: SocketAddr) -> io::Result<socket2::Socket> {
    first.set_reuse_port(true)?;
    let second = socket2::Socket::new(Domain::for_address(address), Type::DGRAM, Some(Protocol::UDP))?;
    if address.is_ipv6() {
        second.set_only_v6(true)?;
    }
    second.set_nonblocking(true)?;
    second.set_reuse_port(true)?;
    second.bind(&SockAddr::from(address))?;
    attach(&second)?;
    Ok(second)
}

/// Lets the kernel ask [`CHOICE`] for each datagram to the group of sockets.
fn attach(socket: &socket2::Socket) -> io::Result<()> {
    let mut steps = CHOICE;
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the option takes a program, which outlives the call; the kernel copies its steps.
    let result = unsafe {
        libc::setsockopt(
            socket.as_raw_fd(),
            libc::SOL_SOCKET,
            libc::SO_ATTACH_REUSEPORT_CBPF,
            (&raw const program).cast(),
            size_of::<libc::sock_fprog>() as u32,
        )
    };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(test)]
mod tests {
    use std::net::UdpSocket;

    use super::super::socket::{Receiver, Socket};

    #[test]
    fn only_what_can_wait_goes_to_the_second_socket() {
        for any in ["127.0.0.1:0", "0.0.0.0:0"] {
            let server = Socket::bind(any.parse().expect("an address")).expect("a socket");
            let client = UdpSocket::bind("127.0.0.1:0").expect("a socket");
            let to = ("127.0.0.1", server.address().port());
            let waiting: [&[u8]; 3] = [&[0x8f, 205, 0, 5], &[0x81, 201, 0, 7], &[0x80, 201, 0, 1]];
            let urgent: [&[u8]; 7] = [
                &[0x81, 205, 0, 3],       // asked for again
                &[0x81, 206, 0, 2],       // a key frame
                &[0x80, 200, 0, 6],       // a publisher's clock
                &[0x90, 0x80 | 96, 0, 1], // a picture
                &[0, 1, 0, 8],            // a check
                &[22, 0xfe, 0xfd],        // a handshake
                &[0x8f],
            ];
            for datagram in waiting.iter().chain(&urgent) {
                client.send_to(datagram, to).expect("sent");
            }
            let mut receiver = Receiver::default();
            let mut read = |fd, count| receiver.wait_for(fd, count, |datagram| datagram.bytes.to_vec());
            assert_eq!(read(server.reports_fd().expect("a second socket"), waiting.len()), waiting);
            assert_eq!(read(server.fd(), urgent.len()), urgent);
        }
    }

    #[test]
    fn a_port_is_still_nobody_elses() {
        let server = Socket::bind("127.0.0.1:0".parse().expect("an address")).expect("a socket");
        assert!(Socket::bind(server.address()).is_err(), "a second server by mistake");
        assert!(UdpSocket::bind(server.address()).is_err());
    }
}
