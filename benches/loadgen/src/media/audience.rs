//! The subscribers: one thread reads for all. The first ten open every packet and measure its delay; the others count
//! sequence numbers, so that the load client stays far cheaper than the server.

use std::{
    collections::HashMap,
    net::SocketAddrV4,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    thread::JoinHandle,
    time::{Duration, Instant},
};

use anyhow::bail;

use super::{
    feedback::{EVERY, Feedback},
    floor::TRANSPORT_EXTENSION,
    publisher::sent_at,
    sdp::{Remote, answer, candidate},
    transport::{Identity, Transport},
    wire::{Batch, Wire, address_of, index_of},
};

/// Subscribers that decrypt.
const OPENING: usize = 10;
const PATIENCE: Duration = Duration::from_secs(15);
/// Longer datagrams are pictures.
const PICTURE: usize = 400;
/// How often timers are looked at.
const TURN: Duration = Duration::from_millis(10);

struct Subscriber {
    transport: Transport,
    feedback: Feedback,
    next_feedback: Instant,
    /// When the first packet of a picture came.
    first_picture: Option<Instant>,
    /// By SSRC: packets and the range of extended sequence numbers.
    streams: HashMap<u32, Stream>,
}

#[derive(Clone, Copy)]
struct Stream {
    packets: u64,
    first: u64,
    highest: u64,
}

/// What all of them heard since [`Audience::restart`].
#[derive(Default)]
pub struct Heard {
    pub packets: u64,
    pub lost: u64,
    /// Sorted.
    pub delays_ms: Vec<f64>,
}

struct Hall {
    wire: Wire,
    identity: Arc<Identity>,
    subscribers: Mutex<Vec<Option<Subscriber>>>,
    delays_ms: Mutex<Vec<f64>>,
    start: Instant,
    stopped: AtomicBool,
}

/// Reads until dropped.
pub struct Audience {
    hall: Arc<Hall>,
    reading: Option<JoinHandle<()>>,
}

impl Audience {
    pub fn new(places: usize, start: Instant) -> anyhow::Result<Self> {
        let hall = Arc::new(Hall {
            wire: Wire::bind()?,
            identity: Arc::new(Identity::generate()?),
            subscribers: Mutex::new((0..places).map(|_| None).collect()),
            delays_ms: Mutex::default(),
            start,
            stopped: AtomicBool::new(false),
        });
        let for_thread = hall.clone();
        let reading = std::thread::Builder::new().name("audience".into()).spawn(move || for_thread.read())?;
        Ok(Self { hall, reading: Some(reading) })
    }

    /// Takes an offer; the answer to send.
    pub fn join(&self, index: usize, offer: &str) -> anyhow::Result<String> {
        let local = Transport::local(&self.hall.identity);
        let answer = answer(offer, &local);
        let remote = Remote::of(offer)?;
        self.take_place(index, Transport::new(self.hall.identity.clone(), local, remote, Instant::now()));
        Ok(answer)
    }

    /// Listens to a sender that has the key already and shakes no hands.
    pub fn expect(&self, index: usize, sender: SocketAddrV4) -> anyhow::Result<()> {
        let remote = Remote {
            ufrag: String::new(),
            password: String::new(),
            address: sender,
            transport_extension: Some(TRANSPORT_EXTENSION),
            repairs: Vec::new(),
        };
        let transport = Transport::keyed(self.hall.identity.clone(), remote, Instant::now())?;
        self.take_place(index, transport);
        Ok(())
    }

    fn take_place(&self, index: usize, transport: Transport) {
        let now = Instant::now();
        // Spread, as people are.
        let next_feedback = now + EVERY * (index % 100) as u32 / 100;
        self.hall.subscribers()[index] = Some(Subscriber {
            transport,
            feedback: Feedback::new(self.hall.start),
            next_feedback,
            first_picture: None,
            streams: HashMap::new(),
        });
    }

    /// Where all of them receive, each at an address of its own.
    pub fn port(&self) -> anyhow::Result<u16> {
        Ok(self.hall.wire.port()?)
    }

    /// The line that tells where a subscriber receives.
    pub fn candidate(&self, index: usize) -> anyhow::Result<String> {
        Ok(candidate(SocketAddrV4::new(address_of(index), self.port()?)))
    }

    /// Waits until ICE and DTLS are done.
    pub async fn is_up(&self, index: usize) -> anyhow::Result<()> {
        let until = Instant::now() + PATIENCE;
        while Instant::now() < until {
            let up = self.hall.subscribers()[index].as_ref().is_some_and(|one| one.transport.is_up());
            if up {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        bail!("subscriber {index} did not come up")
    }

    /// Forgets what was heard.
    pub fn restart(&self) {
        self.hall.subscribers().iter_mut().flatten().for_each(|one| one.streams.clear());
        self.hall.delays_ms().clear();
    }

    /// When each of the first so many got the first packet of a picture.
    pub fn first_pictures(&self, places: usize) -> Vec<Option<Instant>> {
        let subscribers = self.hall.subscribers();
        subscribers.iter().take(places).map(|one| one.as_ref()?.first_picture).collect()
    }

    /// How many are connected.
    pub fn up(&self) -> usize {
        self.hall.subscribers().iter().flatten().filter(|one| one.transport.is_up()).count()
    }

    pub fn heard(&self) -> Heard {
        let mut heard = Heard::default();
        for subscriber in self.hall.subscribers().iter().flatten() {
            for stream in subscriber.streams.values() {
                heard.packets += stream.packets;
                heard.lost += (stream.highest - stream.first + 1).saturating_sub(stream.packets);
            }
        }
        heard.delays_ms = self.hall.delays_ms().clone();
        heard.delays_ms.sort_by(f64::total_cmp);
        heard
    }
}

impl Drop for Audience {
    fn drop(&mut self) {
        self.hall.stopped.store(true, Ordering::Relaxed);
        if let Some(reading) = self.reading.take() {
            let _ = reading.join();
        }
    }
}

impl Hall {
    fn subscribers(&self) -> MutexGuard<'_, Vec<Option<Subscriber>>> {
        self.subscribers.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn delays_ms(&self) -> MutexGuard<'_, Vec<f64>> {
        self.delays_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn read(&self) {
        let (mut batch, mut turn, mut inbox) = (Batch::default(), Instant::now(), Vec::new());
        while !self.stopped.load(Ordering::Relaxed) {
            let received =
                self.wire.receive(&mut batch, |to, bytes| inbox.push((index_of(to), bytes.to_vec())));
            if let Err(error) = received {
                eprintln!("audience: {error}");
                return;
            }
            let now = Instant::now();
            let mut subscribers = self.subscribers();
            for (index, datagram) in inbox.drain(..) {
                if let Some(Some(subscriber)) = subscribers.get_mut(index) {
                    self.take(index, subscriber, &datagram, now);
                }
            }
            if now >= turn {
                turn = now + TURN;
                for (index, subscriber) in subscribers.iter_mut().enumerate() {
                    subscriber.iter_mut().for_each(|one| self.drive(index, one, now));
                }
            }
        }
    }

    fn drive(&self, index: usize, subscriber: &mut Subscriber, now: Instant) {
        let to = subscriber.transport.remote().address;
        let mut datagrams = subscriber.transport.poll(now);
        if now >= subscriber.next_feedback && subscriber.transport.is_up() {
            subscriber.next_feedback += EVERY;
            for packet in subscriber.feedback.poll() {
                datagrams.extend(subscriber.transport.seal_rtcp(&packet).map(|sealed| sealed.to_vec()));
            }
        }
        for datagram in datagrams {
            if let Err(error) = self.wire.send(address_of(index), to, &datagram) {
                eprintln!("audience: {error}");
            }
        }
    }

    fn take(&self, index: usize, subscriber: &mut Subscriber, datagram: &[u8], now: Instant) {
        match datagram {
            [128..=191, 192..=223, ..] => {}
            [128..=191, _, high, low, _, _, _, _, ssrc @ ..] if ssrc.len() >= 4 => {
                let ssrc = u32::from_be_bytes([ssrc[0], ssrc[1], ssrc[2], ssrc[3]]);
                subscriber.count(ssrc, u16::from_be_bytes([*high, *low]), datagram, now);
                if index < OPENING {
                    self.measure(subscriber, datagram, now);
                }
            }
            _ => {
                if let Err(error) = subscriber.transport.receive(datagram, now) {
                    eprintln!("subscriber {index}: {error}");
                }
                self.drive(index, subscriber, now);
            }
        }
    }

    fn measure(&self, subscriber: &mut Subscriber, datagram: &[u8], now: Instant) {
        let Some(packet) = subscriber.transport.open(datagram) else { return };
        // Padding tells no time.
        if let Some(sent) = sent_at(&packet).filter(|_| packet[0] & 0x20 == 0) {
            let delay = now.saturating_duration_since(self.start).saturating_sub(sent);
            self.delays_ms().push(delay.as_secs_f64() * 1_000.0);
        }
    }
}

impl Subscriber {
    fn count(&mut self, ssrc: u32, sequence: u16, datagram: &[u8], now: Instant) {
        let remote = self.transport.remote();
        let is_repair = remote.repairs.contains(&(datagram[1] & 0x7f));
        let is_picture = datagram.len() > PICTURE && !is_repair;
        let wanted = remote.transport_extension;
        let number = wanted.and_then(|id| transport_number(datagram, id));
        self.feedback.came(ssrc, sequence, number, is_picture, now);
        if is_repair {
            return;
        }
        if is_picture {
            self.first_picture.get_or_insert(now);
        }
        let start = (1 << 16) + u64::from(sequence);
        let stream = self.streams.entry(ssrc).or_insert(Stream { packets: 0, first: start, highest: start });
        let ahead = sequence.wrapping_sub(stream.highest as u16) as i16;
        // What was sent once more is no further packet.
        if ahead > 0 || stream.packets == 0 {
            stream.highest = stream.highest.saturating_add_signed(i64::from(ahead));
            stream.packets += 1;
        }
    }
}

/// The transport-wide number in a packet's one-byte extensions.
fn transport_number(packet: &[u8], wanted: u8) -> Option<u16> {
    if packet[0] & 0x10 == 0 {
        return None;
    }
    let start = 12 + usize::from(packet[0] & 15) * 4;
    let words = packet.get(start + 2..start + 4)?;
    let length = usize::from(u16::from_be_bytes([words[0], words[1]])) * 4;
    let mut block = packet.get(start + 4..start + 4 + length)?;
    while let Some(&head) = block.first() {
        let (id, size) = (head >> 4, if head == 0 { 0 } else { usize::from(head & 15) + 1 });
        if id == wanted {
            return Some(u16::from_be_bytes([*block.get(1)?, *block.get(2)?]));
        }
        block = block.get(1 + size..)?;
    }
    None
}
