//! The floor: what sealing a packet once per subscriber and giving it to the kernel costs without any SFU round it.
//! Same sizes, same bursts, same machine, same minute; a ratio to it means something on any machine.

use std::{
    io, mem,
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    time::{Duration, Instant},
};

use rtc::crypto::{AeadAlgorithm, RTCCryptoProvider as _, providers::RingProvider};

use crate::sendmsg::{self, Control};

/// A picture's burst, as the publisher sends it.
const BURST: usize = 8;
const PLAIN: usize = 1_200;
const HEADER: usize = 20;
const TAG: usize = 16;
const DURING: Duration = Duration::from_secs(3);

/// Microseconds of CPU per packet of this thread: seal in place, one sendmsg with UDP_SEGMENT per subscriber and burst.
pub fn cpu_us_per_packet(subscribers: usize) -> anyhow::Result<f64> {
    let crypto = RingProvider::new();
    let mut cipher = crypto
        .crypto()
        .new_aead(AeadAlgorithm::Aes128Gcm, &[7; 16])
        .map_err(|error| anyhow::anyhow!("{error}"))?;
    let receiver = UdpSocket::bind("0.0.0.0:0")?;
    let port = receiver.local_addr()?.port();
    let sender = UdpSocket::bind("127.0.0.1:0")?;
    receiver.set_read_timeout(Some(Duration::from_millis(20)))?;
    let reading = std::thread::spawn(move || {
        let mut bytes = [0; 2_048];
        while receiver.recv(&mut bytes).is_ok() {}
    });
    let (began, before, mut packets, mut number) = (Instant::now(), thread_cpu(), 0u64, 0u64);
    let mut buffer = Vec::with_capacity(BURST * (PLAIN + TAG));
    let result = loop {
        for subscriber in 0..subscribers {
            buffer.clear();
            for _ in 0..BURST {
                number += 1;
                let mut nonce = [0; 12];
                nonce[4..].copy_from_slice(&number.to_be_bytes());
                let start = buffer.len();
                buffer.resize(start + PLAIN, 7);
                let (header, payload) = buffer[start..].split_at_mut(HEADER);
                let mut tag = [0; TAG];
                let sealed = cipher.seal_in_place(&nonce, header, payload, &mut tag);
                sealed.map_err(|error| anyhow::anyhow!("{error}"))?;
                buffer.extend_from_slice(&tag);
            }
            let to = Ipv4Addr::new(127, 1, (subscriber / 250) as u8, (subscriber % 250 + 1) as u8);
            segmented(&sender, SocketAddrV4::new(to, port), &buffer, (PLAIN + TAG) as u16)?;
            packets += BURST as u64;
        }
        if began.elapsed() > DURING {
            break (thread_cpu() - before).as_secs_f64() * 1e6 / packets as f64;
        }
    };
    let _ = reading.join();
    Ok(result)
}

/// One datagram for the kernel to cut into segments.
fn segmented(socket: &UdpSocket, to: SocketAddrV4, bytes: &[u8], segment: u16) -> io::Result<()> {
    sendmsg::send(
        socket,
        to,
        bytes,
        Control { level: libc::SOL_UDP, kind: libc::UDP_SEGMENT, value: segment },
    )
}

/// CPU time of this thread.
fn thread_cpu() -> Duration {
    // SAFETY: a plain call on a local struct.
    let mut time: libc::timespec = unsafe { mem::zeroed() };
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut time) };
    Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
}
