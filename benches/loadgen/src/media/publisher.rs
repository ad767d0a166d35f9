//! The teacher's publisher leg: 50 voice packets a second and 25 pictures of eight packets, each with the time it was
//! sent in its last bytes.

use std::{
    net::UdpSocket,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail};
use futures_util::SinkExt as _;
use qism_signaling::protocol::{ClientFrame, Command, ServerFrame, Source, media::OfferedTrack};

use super::{
    sdp::{CAMERA, LEVEL, MID, Remote, VOICE, publisher_offer},
    transport::{Identity, Transport},
};
use crate::person::{Socket, command, message, wait};

/// Bytes of a picture's packet; what FACTS and other servers are measured with.
const PACKET_BYTES: usize = 1_200;
const VOICE_BYTES: usize = 80;
const PER_PICTURE: u32 = 8;
const PICTURE_EVERY: Duration = Duration::from_millis(40);
const VOICE_EVERY: Duration = Duration::from_millis(20);
/// A key frame every so many pictures: asked for or not.
const KEY_EVERY: u32 = 50;
const PATIENCE: Duration = Duration::from_secs(10);

/// Sends until dropped.
pub struct Publisher {
    sent: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    sending: Option<JoinHandle<()>>,
}

impl Publisher {
    /// Opens the leg over the teacher's socket and publishes microphone and camera.
    pub async fn open(socket: &mut Socket, start: Instant) -> anyhow::Result<Self> {
        let identity = Arc::new(Identity::generate()?);
        let local = Transport::local(&identity);
        let tracks = [("0", Source::Microphone), ("1", Source::Camera)];
        let tracks = tracks.map(|(mid, source)| OfferedTrack { mid: mid.into(), source }).to_vec();
        let offer = ClientFrame::PublisherOffer { sdp: publisher_offer(&local), tracks };
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
        let (sent, stopped) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let mut sender = Sender {
            socket: UdpSocket::bind("127.0.0.1:0")?,
            transport,
            start,
            sent: sent.clone(),
            stopped: stopped.clone(),
            voices: 0,
            pictures: 0,
            packets: 0,
        };
        sender.socket.connect(sender.transport.remote().address)?;
        sender.connect().context("the publisher's leg")?;
        let sending = std::thread::Builder::new().name("publisher".into()).spawn(move || sender.run())?;
        Ok(Self { sent, stopped, sending: Some(sending) })
    }

    /// Packets sent so far.
    pub fn sent(&self) -> u64 {
        self.sent.load(Ordering::Relaxed)
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Relaxed);
        if let Some(sending) = self.sending.take() {
            let _ = sending.join();
        }
    }
}

struct Sender {
    socket: UdpSocket,
    transport: Transport,
    start: Instant,
    sent: Arc<AtomicU64>,
    stopped: Arc<AtomicBool>,
    voices: u32,
    pictures: u32,
    /// Of the camera.
    packets: u32,
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
            self.transport.receive(&bytes[..length], Instant::now())?;
        }
        Ok(())
    }

    fn run(mut self) {
        let (mut voice, mut picture) = (Instant::now(), Instant::now());
        while !self.stopped.load(Ordering::Relaxed) {
            let now = Instant::now();
            if now >= voice {
                voice += VOICE_EVERY;
                self.send_voice();
            }
            if now >= picture {
                picture += PICTURE_EVERY;
                self.send_picture();
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

    fn send_picture(&mut self) {
        let (picture, is_key) = (self.pictures, self.pictures.is_multiple_of(KEY_EVERY));
        self.pictures = self.pictures.wrapping_add(1);
        for part in 0..PER_PICTURE {
            let last = part + 1 == PER_PICTURE;
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
            self.send(packet, PACKET_BYTES);
        }
    }

    /// Fills up to `size`, the last bytes telling the time.
    fn send(&mut self, mut packet: Vec<u8>, size: usize) {
        packet.resize(size - 8, 7);
        packet.extend((self.start.elapsed().as_nanos() as u64).to_be_bytes());
        if let Some(sealed) = self.transport.seal(&packet)
            && self.socket.send(&sealed).is_ok()
        {
            self.sent.fetch_add(1, Ordering::Relaxed);
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
