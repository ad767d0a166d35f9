//! The floor: what sealing a packet once per subscriber and giving it to the kernel costs without any SFU round it.
//! Same sizes, same bursts, same machine, same minute; a ratio to it means something on any machine.

use std::{
    io,
    net::{SocketAddrV4, UdpSocket},
    os::fd::AsRawFd as _,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use rtc::crypto::{AeadAlgorithm, AeadCipher, RTCCryptoProvider as _, providers::RingProvider};

use super::{
    publisher::Pattern,
    wire::{self, Batch, Wire, address_of},
};
use crate::{
    process::{self, thread_cpu},
    sendmsg::Messages,
};

/// Packets of the largest burst, and bytes of its packets with the server's header.
const BURST: usize = 8;
const PICTURE: usize = 1_200;
const VOICE: usize = 80;
const HEADER: usize = 20;
const TAG: usize = 16;
/// Messages per system call, as the server's.
const MESSAGES: usize = 64;
/// Bytes of the kernel's queue, as far as the system allows, as the server's.
const KERNEL_BUFFER: libc::c_int = 4 << 20;

/// Microseconds of CPU per packet of this thread, at the pace of a pattern: seal in place, one UDP_SEGMENT message per
/// subscriber and picture, one plain message per subscriber and voice packet, 64 of them per system call. Somebody takes
/// all of it: a packet that finds a full queue costs the kernel less.
pub fn cpu_us_per_packet(subscribers: usize, pattern: Pattern, during: Duration) -> anyhow::Result<f64> {
    let stopped = Arc::new(AtomicBool::new(false));
    let wire = Wire::bind()?;
    let mut sender = Sender::new(wire.port()?)?;
    let is_pinned = process::is_pinned();
    let until = stopped.clone();
    let reading = std::thread::spawn(move || {
        let mut batch = Batch::default();
        while !until.load(Ordering::Relaxed) && wire.receive(&mut batch, |_, _| {}).is_ok() {}
    });
    if is_pinned {
        process::pin(process::SERVER_CORE)?;
    }
    let result = sender.pace(subscribers, pattern, during);
    if is_pinned {
        process::pin(process::LOAD_CORE)?;
    }
    stopped.store(true, Ordering::Relaxed);
    let _ = reading.join();
    result
}

/// A socket with the options of the server's: what it sends is not to be cut on its way, so that the kernel need not number the
/// pieces.
fn bind() -> io::Result<UdpSocket> {
    let socket = UdpSocket::bind("127.0.0.1:0")?;
    wire::set(socket.as_raw_fd(), libc::SOL_SOCKET, libc::SO_SNDBUF, KERNEL_BUFFER)?;
    wire::set(socket.as_raw_fd(), libc::IPPROTO_IP, libc::IP_MTU_DISCOVER, libc::IP_PMTUDISC_DO)?;
    Ok(socket)
}

struct Sender {
    socket: UdpSocket,
    port: u16,
    cipher: Box<dyn AeadCipher>,
    number: u64,
    buffer: Vec<u8>,
    messages: Messages,
}

impl Sender {
    fn new(port: u16) -> anyhow::Result<Self> {
        let crypto = RingProvider::new();
        let cipher = crypto.crypto().new_aead(AeadAlgorithm::Aes128Gcm, &[7; 16]);
        Ok(Self {
            socket: bind()?,
            port,
            cipher: cipher.map_err(|error| anyhow::anyhow!("{error}"))?,
            number: 0,
            buffer: Vec::with_capacity(MESSAGES * BURST * (PICTURE + TAG)),
            messages: Messages::default(),
        })
    }

    fn pace(&mut self, subscribers: usize, pattern: Pattern, during: Duration) -> anyhow::Result<f64> {
        let (began, before, mut packets) = (Instant::now(), thread_cpu(), 0);
        let (mut voice, mut picture, (every, burst)) = (began, began, pattern.pictures());
        while began.elapsed() < during {
            std::thread::sleep(voice.min(picture).saturating_duration_since(Instant::now()));
            let now = Instant::now();
            if now >= voice {
                voice += pattern.voice_every();
                packets += self.fan_out(subscribers, 1, VOICE)?;
            }
            if now >= picture {
                picture += every;
                packets += self.fan_out(subscribers, burst as usize, PICTURE)?;
            }
        }
        Ok((thread_cpu() - before).as_secs_f64() * 1e6 / packets as f64)
    }

    /// A burst to every subscriber; how many packets that were.
    fn fan_out(&mut self, subscribers: usize, burst: usize, size: usize) -> anyhow::Result<u64> {
        for first in (0..subscribers).step_by(MESSAGES) {
            self.buffer.clear();
            self.messages.clear();
            for subscriber in first..subscribers.min(first + MESSAGES) {
                let start = self.buffer.len();
                (0..burst).try_for_each(|_| self.seal(size))?;
                let to = address_of(subscriber);
                let segment = (burst > 1).then_some((size + TAG) as u16);
                let bytes = start..self.buffer.len();
                self.messages.push(SocketAddrV4::new(to, self.port), bytes, segment);
            }
            self.messages.send(&self.socket, &mut self.buffer)?;
        }
        Ok((subscribers * burst) as u64)
    }

    fn seal(&mut self, size: usize) -> anyhow::Result<()> {
        self.number += 1;
        let mut nonce = [0; 12];
        nonce[4..].copy_from_slice(&self.number.to_be_bytes());
        let start = self.buffer.len();
        self.buffer.resize(start + size, 7);
        let (header, payload) = self.buffer[start..].split_at_mut(HEADER);
        let mut tag = [0; TAG];
        let sealed = self.cipher.seal_in_place(&nonce, header, payload, &mut tag);
        sealed.map_err(|error| anyhow::anyhow!("{error}"))?;
        self.buffer.extend_from_slice(&tag);
        Ok(())
    }
}
