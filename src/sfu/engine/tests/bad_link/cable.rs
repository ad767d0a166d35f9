//! One direction of a link: seeded losses, delay, jitter, and a bandwidth with a queue that drops what does not fit.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use rand::{RngExt, SeedableRng, rngs::StdRng};

/// IP and UDP headers, which the link carries too.
const HEADERS: usize = 28;

/// How datagrams get lost, beside what the queue drops.
#[derive(Clone, Copy, Debug)]
pub enum Loss {
    None,
    /// So many of a hundred, each for itself.
    Each(u32),
    /// The link goes from good to bad once in `every` datagrams and stays so for `length` of them, all lost.
    Bursts {
        every: u32,
        length: u32,
    },
}

/// What the direction is like; may change at any time.
#[derive(Clone, Copy, Debug)]
pub struct Nature {
    pub delay: Duration,
    /// At most so much is added to the delay; order is kept.
    pub jitter: Duration,
    pub loss: Loss,
    /// Bits per second; `None` is as wide as wanted.
    pub bitrate: Option<u32>,
    /// What waits longer is dropped at the tail.
    pub queue: Duration,
    /// Nothing passes.
    pub is_cut: bool,
}

impl Nature {
    /// A good link with this delay.
    pub fn good(delay: Duration) -> Self {
        Self {
            delay,
            jitter: Duration::ZERO,
            loss: Loss::None,
            bitrate: None,
            queue: Duration::from_millis(300),
            is_cut: false,
        }
    }
}

/// The direction with what travels on it.
pub struct Cable {
    pub nature: Nature,
    random: StdRng,
    /// Datagrams of the burst that are still to be lost.
    burst: u32,
    /// When the last bit of what waits has left.
    busy: Instant,
    newest: Instant,
    traveling: VecDeque<(Instant, Vec<u8>)>,
    /// Dropped by the full queue.
    pub overflowed: usize,
    /// Delivered or on the way, with headers.
    pub bytes: usize,
    /// The same with what was lost or dropped.
    pub given: usize,
}

impl Cable {
    pub fn new(nature: Nature, seed: u64, now: Instant) -> Self {
        Self {
            nature,
            random: StdRng::seed_from_u64(seed),
            burst: 0,
            busy: now,
            newest: now,
            traveling: VecDeque::new(),
            overflowed: 0,
            bytes: 0,
            given: 0,
        }
    }

    pub fn send(&mut self, datagram: Vec<u8>, now: Instant) {
        let size = datagram.len() + HEADERS;
        self.given += size;
        if let Some(bitrate) = self.nature.bitrate {
            let start = self.busy.max(now);
            if start > now + self.nature.queue {
                self.overflowed += 1;
                return;
            }
            self.busy = start + Duration::from_secs_f64(size as f64 * 8.0 / f64::from(bitrate));
        } else {
            self.busy = now;
        }
        if self.nature.is_cut || self.loses() {
            return;
        }
        let jitter = self.nature.jitter.mul_f64(self.random.random_range(0.0..=1.0));
        self.newest = self.newest.max(self.busy + self.nature.delay + jitter);
        self.bytes += size;
        self.traveling.push_back((self.newest, datagram));
    }

    fn loses(&mut self) -> bool {
        match self.nature.loss {
            Loss::None => false,
            Loss::Each(percent) => self.random.random_range(0..100) < percent,
            Loss::Bursts { every, length } => {
                if self.burst == 0 && self.random.random_range(0..every) == 0 {
                    self.burst = length;
                }
                let is_lost = self.burst > 0;
                self.burst = self.burst.saturating_sub(1);
                is_lost
            }
        }
    }

    /// The next datagram that is there by now.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<u8>> {
        let is_there = self.traveling.front().is_some_and(|(at, _)| *at <= now);
        is_there.then(|| self.traveling.pop_front().expect("it was looked at").1)
    }
}

#[test]
fn a_full_queue_drops_and_a_wide_link_does_not() {
    let start = Instant::now();
    let narrow = Nature { bitrate: Some(100_000), ..Nature::good(Duration::from_millis(50)) };
    let mut cable = Cable::new(narrow, 1, start);
    (0..100).for_each(|_| cable.send(vec![0; 972], start));
    assert_eq!(cable.overflowed, 100 - 4, "each thousand bytes are 80 ms; the fourth starts within 300");
    assert!(cable.poll(start + Duration::from_millis(129)).is_none());
    assert!(cable.poll(start + Duration::from_millis(131)).is_some());
    cable.nature.bitrate = None;
    (0..100).for_each(|_| cable.send(vec![0; 972], start + Duration::from_secs(1)));
    assert_eq!(cable.overflowed, 96);
}

#[test]
fn losses_are_as_many_as_told_and_the_same_for_the_same_seed() {
    let start = Instant::now();
    let arrived = |loss, seed| {
        let mut cable = Cable::new(Nature { loss, ..Nature::good(Duration::ZERO) }, seed, start);
        (0..10_000u32).for_each(|number| cable.send(number.to_be_bytes().to_vec(), start));
        std::iter::from_fn(|| cable.poll(start)).collect::<Vec<_>>()
    };
    let each = arrived(Loss::Each(20), 7);
    assert!((7_800..8_200).contains(&each.len()), "{}", each.len());
    assert_eq!(each, arrived(Loss::Each(20), 7));
    assert_ne!(each, arrived(Loss::Each(20), 8));
    let bursts = arrived(Loss::Bursts { every: 100, length: 10 }, 7);
    assert!((8_900..9_300).contains(&bursts.len()), "{}", bursts.len());
}
