//! What a subscriber costs our own code in a second of a lesson: not only the packets, but the feedback about them, reports,
//! checks of links and timers. In virtual time and without sockets, so that an instruction counter sees nothing else.

use rtc::srtp::context::Context;

use super::*;
use crate::sfu::forward::arrivals::Arrivals;

/// The remote side of one subscriber: what it tells.
struct Listener {
    path: Path,
    sealer: Context,
    arrivals: Arrivals,
    /// Numbers of the pictures' packets that it got.
    got: u16,
}

/// A class whose subscribers answer.
struct Second {
    class: Class,
    listeners: Vec<Listener>,
    start: Instant,
    millisecond: u32,
    pictures: u16,
    voices: u16,
}

impl Second {
    fn new(subscribers: usize) -> Self {
        let mut class = Class::new(subscribers);
        class.worker.sockets.clear();
        let indices: Vec<_> = class.worker.legs.indices().collect();
        let mut listeners = Vec::new();
        for (number, index) in indices.into_iter().enumerate() {
            let path = Path { socket: 0, peer: ([10, 0, 0, 1], 1_024 + number as u16).into(), local: None };
            class.worker.legs.bind(path, index);
            let profile = ProtectionProfile::AeadAes128Gcm;
            let crypto = class.worker.identity.crypto();
            let sealer = Context::new(&[3; 16], &[4; 12], profile, None, None, crypto).expect("keys");
            listeners.push(Listener { path, sealer, arrivals: Arrivals::new(class.now), got: 0 });
        }
        let start = class.now;
        Self { class, listeners, start, millisecond: 0, pictures: 0, voices: 0 }
    }

    /// Time passes: voice and pictures of 0.8 Mbit/s, as the media bench sends them.
    fn run(&mut self, milliseconds: u32) {
        for _ in 0..milliseconds {
            self.class.now = self.start + Duration::from_millis(self.millisecond.into());
            if self.millisecond.is_multiple_of(20) {
                self.class.receive_packet(0, self.voices, Bytes::from_static(&[0xfc; 80]));
                self.voices = self.voices.wrapping_add(1);
            }
            if self.millisecond.is_multiple_of(100) {
                self.class.receive_picture(self.pictures);
                self.pictures += 1;
            }
            self.class.send();
            self.answer();
            self.class.worker.tick(self.class.now);
            self.class.worker.flush();
            self.millisecond += 1;
        }
    }

    /// How often the thread looks up by the clock alone while nothing comes for so long.
    fn wakes(&mut self, milliseconds: u32) -> usize {
        self.millisecond += milliseconds;
        let until = self.class.now + Duration::from_millis(milliseconds.into());
        let worker = &mut self.class.worker;
        let mut now = self.class.now;
        let times = std::iter::from_fn(|| {
            now += worker.patience(now);
            worker.tick(now);
            worker.flush();
            Some(now)
        });
        times.take_while(|now| *now < until).count()
    }

    fn answer(&mut self) {
        let (now, class) = (self.class.now, &mut self.class);
        let sent = self.pictures * PICTURE;
        for (place, listener) in self.listeners.iter_mut().enumerate() {
            if place as u32 % 100 != self.millisecond % 100 {
                continue;
            }
            while listener.got < sent {
                listener.arrivals.received(listener.got, 7, now);
                listener.got += 1;
            }
            let Some(feedback) = listener.arrivals.poll_feedback(5) else { continue };
            let sealed = listener.sealer.encrypt_rtcp(&feedback).expect("sealed");
            let datagram = Datagram { bytes: &sealed, peer: listener.path.peer, local: None };
            class.worker.receive(0, datagram, now);
        }
    }
}

#[test]
fn a_class_that_answers_gets_every_packet() {
    let mut second = Second::new(10);
    second.run(3_000);
    let totals = second.class.worker.counters.totals();
    assert_eq!((totals.strangers, totals.packets_in), (0, 300));
    let leg = second.class.worker.legs.indices().next().expect("somebody");
    let Some(LegState { role: Role::Subscriber(downlink), .. }) = second.class.worker.legs.get_mut(leg)
    else {
        panic!("a subscriber");
    };
    assert!(downlink.link.estimate().is_some_and(|estimate| estimate > 1_000_000));
}

/// Without its DTLS (`leg/tests/dtls.rs`) and what the kernel and the WebSocket hold.
#[test]
fn a_subscriber_who_has_seen_pictures_for_a_while_keeps_little() {
    const SUBSCRIBERS: i64 = 20;
    let mut second = Second::new(SUBSCRIBERS as usize);
    second.run(5_000);
    let legs = std::mem::take(&mut second.class.worker.legs);
    let each = -allocations::held_by(|| drop(legs)).1 / SUBSCRIBERS;
    println!("{each} bytes");
    assert!(each <= 20_000, "{each} bytes");
}

#[test]
fn a_thread_wakes_by_the_clock_seldom_unless_something_is_missing() {
    let mut second = Second::new(1);
    second.run(3_000);
    assert!(second.wakes(100) <= 5);
    let missing = second.pictures;
    second.pictures += 1;
    second.run(100);
    assert!(second.wakes(100) >= 9, "a picture is asked for");
    second.class.receive_picture(missing);
    second.run(1_000);
    assert!(second.wakes(100) <= 5, "it came, {} wait for their link", second.class.worker.paced.len());
}

/// Without its DTLS state, its socket and what the hub keeps of it.
#[test]
fn a_subscriber_keeps_at_most_twenty_kilobytes() {
    let held = |subscribers| {
        allocations::held_by(|| {
            let mut second = Second::new(subscribers);
            second.run(3_000);
            // What the other side keeps.
            second.listeners.clear();
            second
        })
    };
    let ((_few, of_few), (_many, of_many)) = (held(10), held(60));
    let each = (of_many - of_few) / 50;
    let ((), of_downlink) = allocations::held_by(|| std::mem::forget(parties::downlink()));
    println!(
        "{each} bytes: {} in the table of legs, a downlink {of_downlink} at first",
        size_of::<LegState>()
    );
    assert!(each <= 20_000, "{each} bytes");
}

/// For an instruction counter: docs/packet-cost.md tells how.
#[test]
#[ignore = "prints figures, asserts none"]
fn seconds_of_a_class() {
    let mut second = Second::new(50);
    second.run(2_000);
    let before = thread_cpu();
    watched(&mut second);
    let spent = (thread_cpu() - before).as_nanos() as f64;
    println!("{:.0} ns of CPU a packet", spent / f64::from(10 * 50 * 130));
}

#[inline(never)]
fn watched(second: &mut Second) {
    second.run(10_000);
}
