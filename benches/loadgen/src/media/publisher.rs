//! The teacher's publisher leg: 50 voice packets a second and pictures of eight packets, each with the time it was sent
//! in its last bytes. The first picture is a key frame, and every one that was asked for.

use std::{
    net::{Ipv4Addr, SocketAddrV4, UdpSocket},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::SinkExt as _;
use qism_signaling::protocol::{ClientFrame, Command, ServerFrame, Source, media::OfferedTrack};

use super::{
    sdp::{CAMERA, LEVEL, Local, MID, Remote, VOICE, candidate, publisher_offer},
    transport::{Identity, Transport},
};
use qism_client::{Socket, command, message, wait};

/// Bytes of a picture's packet; what FACTS and other servers are measured with.
const PACKET_BYTES: usize = 1_200;
const VOICE_BYTES: usize = 80;
const PER_PICTURE: u32 = 8;
const VOICE_EVERY: Duration = Duration::from_millis(20);
/// How long a sender without anything to send waits.
const IDLE: Duration = Duration::from_millis(10);
const PATIENCE: Duration = Duration::from_secs(10);

/// What is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pattern {
    Nothing,
    /// Voice and 25 pictures a second: 1.9 Mbit/s.
    Full,
    /// Voice and 10 pictures a second: 0.8 Mbit/s.
    Slow,
    /// As many packets as [`Self::Slow`], evenly spaced.
    Even,
    /// Two pictures and ten voice packets a second: for thousands of subscribers.
    Sparse,
}

impl Pattern {
    const ALL: [Self; 5] = [Self::Nothing, Self::Full, Self::Slow, Self::Even, Self::Sparse];

    /// From one group of picture packets to the next, and how many are in it.
    pub fn pictures(self) -> (Duration, u32) {
        match self {
            Self::Nothing | Self::Slow => (Duration::from_millis(100), PER_PICTURE),
            Self::Full => (Duration::from_millis(40), PER_PICTURE),
            Self::Even => (Duration::from_micros(12_500), 1),
            Self::Sparse => (Duration::from_millis(500), PER_PICTURE),
        }
    }

    /// From one voice packet to the next.
    pub fn voice_every(self) -> Duration {
        if self == Self::Sparse { VOICE_EVERY * 5 } else { VOICE_EVERY }
    }

    /// What a subscriber gets, if all of it.
    pub fn packets_per_second(self) -> f64 {
        let (every, parts) = self.pictures();
        f64::from(parts) / every.as_secs_f64() + 1.0 / self.voice_every().as_secs_f64()
    }
}

/// What the sending thread shares.
#[derive(Default)]
struct Shared {
    /// Key frames that the server asked for.
    asked: AtomicU64,
    /// Index of the pattern.
    pattern: AtomicU8,
    stopped: AtomicBool,
}

/// Sends until dropped.
pub struct Publisher {
    shared: Arc<Shared>,
    sending: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Opens the leg over the teacher's socket and publishes microphone and camera.
    pub async fn open(socket: &mut Socket, start: Instant) -> anyhow::Result<Self> {
        let identity = Arc::new(Identity::generate()?);
        let (local, offer) = Self::offer(&identity);
        let tracks = [("0", Source::Microphone), ("1", Source::Camera)];
        let tracks = tracks.map(|(mid, source)| OfferedTrack { mid: mid.into(), source }).to_vec();
        let offer = ClientFrame::PublisherOffer { sdp: offer, tracks };
        socket.send(message(&offer)).await?;
        let answer = wait(socket, |frame| match frame {
            ServerFrame::PublisherAnswer { sdp } => Some(Ok(sdp)),
            ServerFrame::Error { error } => Some(Err(error)),
            _ => None,
        });
        let answer = match answer.await? {
            Ok(answer) => answer,
            Err(error) => bail!("the publisher's offer was refused: {error:?}"),
        };
        for source in [Source::Microphone, Source::Camera] {
            socket.send(command(Command::Publish { source, muted: false })).await?;
        }
        let transport = Transport::new(identity, local, Remote::of(&answer)?, Instant::now());
        Self::start(transport, start)
    }

    /// The description of what a publisher sends, for its side of a connection.
    pub fn offer(identity: &Identity) -> (Local, String) {
        let local = Transport::local(identity);
        let offer = publisher_offer(&local);
        (local, offer)
    }

    /// The same with a candidate, for servers that want one.
    pub fn offer_from(
        identity: &Identity,
        socket: &UdpSocket,
        ip: Ipv4Addr,
    ) -> anyhow::Result<(Local, String)> {
        let (local, offer) = Self::offer(identity);
        let candidate = candidate(SocketAddrV4::new(ip, socket.local_addr()?.port()));
        Ok((local, offer.replace("a=rtcp-mux\r\n", &format!("a=rtcp-mux\r\n{candidate}"))))
    }

    /// Connects and waits for a pattern.
    pub fn start(transport: Transport, start: Instant) -> anyhow::Result<Self> {
        Self::start_on(UdpSocket::bind("0.0.0.0:0")?, transport, start)
    }

    /// The same by a socket that is there.
    pub fn start_on(socket: UdpSocket, transport: Transport, start: Instant) -> anyhow::Result<Self> {
        let shared = Arc::new(Shared::default());
        let mut sender = Sender {
            socket,
            transport,
            start,
            shared: shared.clone(),
            voices: 0,
            pictures: 0,
            parts: 0,
            packets: 0,
            answered: None,
        };
        sender.socket.connect(sender.transport.remote().address)?;
        sender.connect().context("the publisher's leg")?;
        let sending = std::thread::Builder::new().name("publisher".into()).spawn(move || sender.run())?;
        Ok(Self { shared, sending: Some(sending) })
    }

    pub fn send(&self, pattern: Pattern) {
        let index = Pattern::ALL.iter().position(|it| *it == pattern).unwrap_or_default();
        self.shared.pattern.store(index as u8, Ordering::Relaxed);
    }

    /// Key frames that were asked for so far.
    pub fn asked(&self) -> u64 {
        self.shared.asked.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::Relaxed);
        if let Some(sending) = self.sending.take() {
            let _ = sending.join();
        }
    }
}

struct Sender {
    socket: UdpSocket,
    transport: Transport,
    start: Instant,
    shared: Arc<Shared>,
    voices: u32,
    pictures: u32,
    /// Of the picture that is being sent.
    parts: u32,
    /// Of the camera.
    packets: u32,
    /// Key frames asked for when the last one was sent.
    answered: Option<u64>,
}

impl Sender {
    fn connect(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while !self.transport.is_up() {
            if Instant::now() > until {
                bail!("ICE or DTLS did not come up");
            }
            self.turn(Duration::from_millis(5))?;
        }
        Ok(())
    }

    /// Sends what is due, receives for at most `wait`.
    fn turn(&mut self, wait: Duration) -> anyhow::Result<()> {
        for datagram in self.transport.poll(Instant::now()) {
            self.socket.send(&datagram)?;
        }
        let mut bytes = [0; 2_048];
        self.socket.set_read_timeout(Some(wait.max(Duration::from_micros(100))))?;
        if let Ok(length) = self.socket.recv(&mut bytes) {
            match bytes[..length] {
                [128..=191, 192..=223, ..] => self.listen(&bytes[..length]),
                _ => self.transport.receive(&bytes[..length], Instant::now())?,
            }
        }
        Ok(())
    }

    /// Counts the key frames that are asked for.
    fn listen(&mut self, datagram: &[u8]) {
        let Some(opened) = self.transport.open_rtcp(datagram) else { return };
        let mut rest = &opened[..];
        while let [head, kind, high, low, ..] = *rest {
            if kind == 206 && matches!(head & 31, 1 | 4) {
                self.shared.asked.fetch_add(1, Ordering::Relaxed);
            }
            let length = 4 + 4 * usize::from(u16::from_be_bytes([high, low]));
            rest = rest.get(length..).unwrap_or_default();
        }
    }

    fn run(mut self) {
        let (mut voice, mut picture) = (Instant::now(), Instant::now());
        while !self.shared.stopped.load(Ordering::Relaxed) {
            let pattern = Pattern::ALL[usize::from(self.shared.pattern.load(Ordering::Relaxed))];
            if pattern == Pattern::Nothing {
                (voice, picture) = (Instant::now(), Instant::now());
                if self.turn(IDLE).is_err() {
                    return;
                }
                continue;
            }
            let (now, (every, parts)) = (Instant::now(), pattern.pictures());
            if now >= voice {
                voice += pattern.voice_every();
                self.send_voice();
            }
            if now >= picture {
                picture += every;
                (0..parts).for_each(|_| self.send_part());
            }
            let wait = voice.min(picture).saturating_duration_since(Instant::now());
            if !wait.is_zero() && self.turn(wait).is_err() {
                return;
            }
        }
    }

    fn send_voice(&mut self) {
        let mut packet = head(111, true, self.voices as u16, self.voices.wrapping_mul(960), VOICE);
        // One-byte extensions: mid "0", level −20 dBov with voice.
        packet.extend([0xbe, 0xde, 0, 1, MID << 4, b'0', LEVEL << 4, 0x80 | 20]);
        packet.push(0xfc);
        self.voices = self.voices.wrapping_add(1);
        self.send(packet, VOICE_BYTES);
    }

    /// One packet of a picture.
    fn send_part(&mut self) {
        let part = self.parts;
        let asked = self.shared.asked.load(Ordering::Relaxed);
        let is_key = part == 0 && self.answered != Some(asked);
        if is_key {
            self.answered = Some(asked);
        }
        let (last, picture) = (part + 1 == PER_PICTURE, self.pictures);
        let mut packet = head(96, last, self.packets as u16, picture.wrapping_mul(3_600), CAMERA);
        packet.extend([0xbe, 0xde, 0, 1, MID << 4, b'1', 0, 0]);
        // VP8 descriptor: start of the picture, 15-bit picture id.
        packet.extend([if part == 0 { 0x90 } else { 0x80 }, 0x80]);
        packet.extend(((picture as u16 & 0x7fff) | 0x8000).to_be_bytes());
        match (part, is_key) {
            (0, true) => packet.extend([0x10, 0, 0, 0x9d, 1, 0x2a, 0x00, 0x05, 0xd0, 0x02]),
            (0, false) => packet.extend([0x11, 0, 0]),
            _ => {}
        }
        self.packets = self.packets.wrapping_add(1);
        (self.parts, self.pictures) = match last {
            true => (0, picture.wrapping_add(1)),
            false => (part + 1, picture),
        };
        self.send(packet, PACKET_BYTES);
    }

    /// Fills up to `size`, the last bytes telling the time.
    fn send(&mut self, mut packet: Vec<u8>, size: usize) {
        packet.resize(size - 8, 7);
        packet.extend((self.start.elapsed().as_nanos() as u64).to_be_bytes());
        if let Some(sealed) = self.transport.seal(&packet) {
            // A full queue loses a packet, which the audience will count.
            let _ = self.socket.send(&sealed);
        }
    }
}

/// The fixed part of an RTP header with an extension to follow.
fn head(payload_type: u8, marker: bool, sequence: u16, timestamp: u32, ssrc: u32) -> Vec<u8> {
    let mut packet = Vec::with_capacity(PACKET_BYTES + 16);
    packet.extend([0x90, (u8::from(marker) << 7) | payload_type]);
    packet.extend(sequence.to_be_bytes());
    packet.extend(timestamp.to_be_bytes());
    packet.extend(ssrc.to_be_bytes());
    packet
}

/// When an opened packet was sent, since the start.
pub fn sent_at(packet: &[u8]) -> Option<Duration> {
    let bytes = packet.last_chunk::<8>()?;
    Some(Duration::from_nanos(u64::from_be_bytes(*bytes)))
}
