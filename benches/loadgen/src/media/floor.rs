//! The floor: what sealing a packet once per subscriber and giving it to the kernel costs without any SFU round it.
//! Same sizes, same bursts, same machine, same minute, and the same audience, which opens, counts and answers as it does before a server;
//! nobody reads the answers. A ratio to it means something on any machine.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    time::{Duration, Instant},
};

use anyhow::{anyhow, bail};
use rtc::crypto::{
    AeadAlgorithm, AeadCipher, BlockCipherAlgorithm, RTCCryptoProvider as _, providers::RingProvider,
};

use super::{
    audience::Audience,
    publisher::Pattern,
    rates::{LEAST_WHOLE, MOST_LOST, WARMING},
    transport::MASTER,
    wire::{self, address_of},
};
use crate::{
    figures::quantile,
    process::{self, thread_cpu},
    sendmsg::Messages,
};

/// Packets of the largest burst, and bytes of packets with the server's headers, before they are sealed.
const BURST: usize = 8;
const PICTURE: usize = 1_200;
const VOICE: usize = 72;
/// Of the time at the end of each packet.
const TIME: usize = 8;
const SALT: usize = 12;
const TAG: usize = 16;
/// Messages per system call, as the server's.
const MESSAGES: usize = 64;
/// Bytes of the kernel's queue, as far as the system allows, as the server's.
const KERNEL_BUFFER: libc::c_int = 4 << 20;
/// Id of the extension with the transport-wide number of a picture's packet.
pub const TRANSPORT_EXTENSION: u8 = 3;

/// A sender and its audience.
pub struct Floor {
    sender: Sender,
    audience: Audience,
}

impl Floor {
    pub fn open(subscribers: usize, start: Instant) -> anyhow::Result<Self> {
        let audience = Audience::new(subscribers, start)?;
        let sender = Sender::new(audience.port()?, start)?;
        (0..subscribers).try_for_each(|index| audience.expect(index, sender.address))?;
        Ok(Self { sender, audience })
    }

    /// Microseconds of CPU per packet of this thread, at the pace of a pattern: seal in place, one UDP_SEGMENT message per
    /// subscriber and picture, one plain message per subscriber and voice packet, 64 of them per system call. `None` when too much of it
    /// was lost: a packet that finds a full queue costs the kernel less.
    pub fn round(&mut self, pattern: Pattern, during: Duration) -> anyhow::Result<Option<f64>> {
        let is_pinned = process::is_pinned();
        if is_pinned {
            process::pin(process::SERVER_CORE)?;
        }
        let round = self.measure(pattern, during);
        if is_pinned {
            process::pin(process::LOAD_CORE)?;
        }
        round
    }

    fn measure(&mut self, pattern: Pattern, during: Duration) -> anyhow::Result<Option<f64>> {
        let subscribers = self.audience.up();
        self.sender.pace(subscribers, pattern, WARMING)?;
        self.audience.restart();
        let before = thread_cpu();
        let packets = self.sender.pace(subscribers, pattern, during)?;
        let cost = (thread_cpu() - before).as_secs_f64() * 1e6 / packets as f64;
        let heard = self.audience.heard();
        if heard.packets == 0 {
            bail!("the floor: nothing was heard");
        }
        let lost = heard.lost as f64 / (heard.lost + heard.packets) as f64;
        // The last burst may be on its way still.
        let is_void = lost > MOST_LOST || (heard.packets as f64) < packets as f64 * LEAST_WHOLE;
        println!(
            "    floor {cost:>8.2} µs a packet, p50 {:.2} ms, p99 {:.2} ms, {:.3} % lost{}",
            quantile(&heard.delays_ms, 0.5),
            quantile(&heard.delays_ms, 0.99),
            lost * 100.0,
            if is_void { ": void" } else { "" }
        );
        Ok((!is_void).then_some(cost))
    }
}

/// A socket with the options of the server's: what it sends is not to be cut on its way, so that the kernel need not number the
/// pieces.
fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    wire::set(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, KERNEL_BUFFER)?;
    wire::set(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    Ok(socket)
}

/// A voice, or pictures: the same numbers for all who hear it.
#[derive(Clone, Copy)]
struct Stream {
    ssrc: u32,
    kind: u8,
    /// Bytes of a packet before it is sealed.
    size: usize,
    /// Its packets carry a transport-wide number.
    is_numbered: bool,
    /// Number of the next packet.
    next: u64,
}

impl Stream {
    /// Appends the header of a packet: that of RTP, and eight bytes of one extension where packets have a number.
    fn write_header(&self, number: u64, buffer: &mut Vec<u8>) {
        let [high, low] = (number as u16).to_be_bytes();
        let flags = if self.is_numbered { 0x90 } else { 0x80 };
        buffer.extend_from_slice(&[flags, self.kind, high, low, 0, 0, 0, 0]);
        buffer.extend_from_slice(&self.ssrc.to_be_bytes());
        if self.is_numbered {
            buffer.extend_from_slice(&[0xbe, 0xde, 0, 1, TRANSPORT_EXTENSION << 4 | 1, high, low, 0]);
        }
    }

    /// RFC 7714 section 8.1.
    fn nonce(&self, number: u64, salt: &[u8; SALT]) -> [u8; SALT] {
        let mut nonce = [0; SALT];
        nonce[2..6].copy_from_slice(&self.ssrc.to_be_bytes());
        nonce[6..].copy_from_slice(&number.to_be_bytes()[2..]);
        nonce.iter_mut().zip(salt).for_each(|(byte, salt)| *byte ^= salt);
        nonce
    }
}

struct Sender {
    socket: UdpSocket,
    address: SocketAddrV4,
    /// Of the audience.
    port: u16,
    start: Instant,
    cipher: Box<dyn AeadCipher>,
    salt: [u8; SALT],
    voice: Stream,
    pictures: Stream,
    buffer: Vec<u8>,
    messages: Messages,
}

impl Sender {
    fn new(port: u16, start: Instant) -> anyhow::Result<Self> {
        let socket = bind()?;
        let SocketAddr::V4(address) = socket.local_addr()? else { bail!("no address of version 4") };
        let (cipher, salt) = session()?;
        Ok(Self {
            socket,
            address,
            port,
            start,
            cipher,
            salt,
            voice: Stream { ssrc: 1, kind: 111, size: VOICE, is_numbered: false, next: 0 },
            pictures: Stream { ssrc: 2, kind: 96, size: PICTURE, is_numbered: true, next: 0 },
            buffer: Vec::with_capacity(MESSAGES * BURST * (PICTURE + TAG)),
            messages: Messages::default(),
        })
    }

    /// Sends at the pace of a pattern; how many packets that were.
    fn pace(&mut self, subscribers: usize, pattern: Pattern, during: Duration) -> anyhow::Result<u64> {
        let (began, mut packets) = (Instant::now(), 0);
        let (mut voice, mut picture, (every, burst)) = (began, began, pattern.pictures());
        while began.elapsed() < during {
            std::thread::sleep(voice.min(picture).saturating_duration_since(Instant::now()));
            let now = Instant::now();
            if now >= voice {
                voice += pattern.voice_every();
                packets += self.fan_out(subscribers, 1, self.voice)?;
                self.voice.next += 1;
            }
            if now >= picture {
                picture += every;
                packets += self.fan_out(subscribers, burst as usize, self.pictures)?;
                self.pictures.next += u64::from(burst);
            }
        }
        Ok(packets)
    }

    /// A burst to every subscriber; how many packets that were.
    fn fan_out(&mut self, subscribers: usize, burst: usize, stream: Stream) -> anyhow::Result<u64> {
        let at = (self.start.elapsed().as_nanos() as u64).to_be_bytes();
        for first in (0..subscribers).step_by(MESSAGES) {
            self.buffer.clear();
            self.messages.clear();
            for subscriber in first..subscribers.min(first + MESSAGES) {
                let start = self.buffer.len();
                (0..burst as u64).try_for_each(|place| self.seal(&stream, stream.next + place, at))?;
                let to = address_of(subscriber);
                let segment = (burst > 1).then_some((stream.size + TAG) as u16);
                let bytes = start..self.buffer.len();
                self.messages.push(SocketAddrV4::new(to, self.port), bytes, segment);
            }
            self.messages.send(&self.socket, &mut self.buffer)?;
        }
        Ok((subscribers * burst) as u64)
    }

    fn seal(&mut self, stream: &Stream, number: u64, at: [u8; TIME]) -> anyhow::Result<()> {
        let start = self.buffer.len();
        stream.write_header(number, &mut self.buffer);
        let header = self.buffer.len() - start;
        self.buffer.resize(start + stream.size - TIME, 7);
        self.buffer.extend_from_slice(&at);
        let (header, payload) = self.buffer[start..].split_at_mut(header);
        let mut tag = [0; TAG];
        let nonce = stream.nonce(number, &self.salt);
        let sealed = self.cipher.seal_in_place(&nonce, header, payload, &mut tag);
        sealed.map_err(|error| anyhow!("{error}"))?;
        self.buffer.extend_from_slice(&tag);
        Ok(())
    }
}

/// Cipher and salt that the master key of the audience gives for RTP (RFC 3711 section 4.3).
fn session() -> anyhow::Result<(Box<dyn AeadCipher>, [u8; SALT])> {
    let crypto = RingProvider::new();
    let (master_key, master_salt) = MASTER;
    let derive = |label: u8| {
        let mut block = [0; 16];
        block[..SALT].copy_from_slice(&master_salt);
        block[7] ^= label;
        let encrypted = crypto.crypto().block_encrypt(BlockCipherAlgorithm::Aes128, &master_key, &mut block);
        encrypted.map(|()| block).map_err(|error| anyhow!("{error}"))
    };
    let (key, block) = (derive(0)?, derive(2)?);
    let cipher = crypto.crypto().new_aead(AeadAlgorithm::Aes128Gcm, &key);
    let mut salt = [0; SALT];
    salt.copy_from_slice(&block[..SALT]);
    Ok((cipher.map_err(|error| anyhow!("{error}"))?, salt))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_audience_opens_what_it_sends() {
        let mut floor = Floor::open(2, Instant::now()).expect("an audience");
        let sent = floor.sender.pace(2, Pattern::Slow, Duration::from_millis(300)).expect("sent");
        let until = Instant::now() + Duration::from_secs(10);
        while floor.audience.heard().packets < sent && Instant::now() < until {
            std::thread::sleep(Duration::from_millis(10));
        }
        let heard = floor.audience.heard();
        assert_eq!((heard.packets, heard.lost, heard.delays_ms.len() as u64), (sent, 0, sent));
        assert!(heard.delays_ms.iter().all(|delay| *delay < 10_000.0), "the time in them was read");
    }
}
