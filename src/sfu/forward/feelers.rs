//! Whether a link on which pictures are stopped would bear one by now, before any is risked. Twice a second two small packets of
//! padding leave together: how many get lost tells the one thing that stops pictures, how far apart two come the other, since the
//! narrowest part of the way sets their distance (packet pairs). A link that stays bad is asked more seldom, until a pair comes well.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use super::estimator::Told;

/// Packets that leave together.
pub const PAIR: usize = 2;
/// Bytes of padding in each: with the other pair of the second it is 4 kbit/s on a link that hardly bears the voice.
pub const PADDING: u8 = 50;
/// Between two pairs.
const EVERY: Duration = Duration::from_millis(500);
/// The same while the link is bad for long: what the voice alone allows (see `prober`) pays for that without end.
const SELDOM: Duration = Duration::from_millis(2_500);
/// Pairs until then: a minute.
const OFTEN: usize = 120;
/// Pairs that are judged by: six seconds, of which the first may have met what was bad until then.
const WINDOW: usize = 12;
/// Packets of them that may be lost. Of a link that loses a quarter, six are; one that loses a tenth may take a little longer.
const LOST: usize = 2;
/// Share of the pairs (in hundredths) that must have come as over a link that is wide enough: delays that vary part some of
/// them on any link, and push some together.
const WIDE: usize = 66;
/// IP and UDP headers.
const HEADERS: usize = 28;
/// Pairs that are not told of yet; the oldest is given up when there are more.
const TRAVELING: usize = 8;
/// What was told is out of date then: nothing more is. A pair that is lost is told of by the next one.
const SILENT: Duration = Duration::from_secs(8);

/// What became of a packet.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fate {
    Untold,
    Lost,
    /// When it came, where that was told.
    Came(Option<Duration>),
}

/// A pair on its way.
#[derive(Clone, Copy, Debug)]
struct Pair {
    /// Transport-wide number of its first packet.
    first: u64,
    fates: [Fate; PAIR],
    /// Bits of one packet, headers included.
    bits: usize,
}

impl Pair {
    fn is_told(&self) -> bool {
        self.fates.iter().all(|fate| *fate != Fate::Untold)
    }

    fn lost(&self) -> usize {
        self.fates.iter().filter(|fate| **fate == Fate::Lost).count()
    }

    /// They came as far apart as over a link that bears less than `bitrate`; `None` where that is not known.
    fn is_narrow(&self, bitrate: u32) -> Option<bool> {
        let [Fate::Came(Some(one)), Fate::Came(Some(two))] = self.fates else { return None };
        Some(one.abs_diff(two).as_secs_f64() * f64::from(bitrate) > self.bits as f64)
    }

    /// It came as over a link that is fit.
    fn is_well(&self, bitrate: u32) -> bool {
        self.lost() == 0 && self.is_narrow(bitrate) != Some(true)
    }
}

/// The pairs of one subscriber.
#[derive(Debug, Default)]
pub struct Feelers {
    newest: Option<Instant>,
    /// Pairs that left since pictures stopped.
    pairs: usize,
    traveling: VecDeque<Pair>,
    /// The newest that were told of, [`WINDOW`] at most.
    felt: VecDeque<Pair>,
    told: Option<Instant>,
}

impl Feelers {
    /// A pair is due, for who waits until the link bears so many bits per second.
    pub fn is_due(&self, bitrate: u32, now: Instant) -> bool {
        let is_hopeful = self.felt.back().is_some_and(|pair| pair.is_well(bitrate));
        let every = if self.pairs < OFTEN || is_hopeful { EVERY } else { SELDOM };
        self.newest.is_none_or(|newest| now >= newest + every)
    }

    /// A pair leaves, whose first packet has this number, each of so many bytes with the RTP header.
    pub fn sent(&mut self, first: u64, bytes: usize, now: Instant) {
        self.newest = Some(now);
        self.pairs += 1;
        if self.traveling.len() == TRAVELING {
            self.traveling.pop_front();
        }
        let bits = (bytes + HEADERS) * 8;
        self.traveling.push_back(Pair { first, fates: [Fate::Untold; PAIR], bits });
    }

    /// Takes what feedback told.
    pub fn told(&mut self, packets: &[Told], now: Instant) {
        for told in packets {
            let of = |pair: &&mut Pair| (pair.first..pair.first + PAIR as u64).contains(&told.number);
            let Some(pair) = self.traveling.iter_mut().find(of) else { continue };
            let fate = if told.arrived { Fate::Came(told.arrival) } else { Fate::Lost };
            pair.fates[(told.number - pair.first) as usize] = fate;
            self.told = Some(now);
        }
        while let Some(pair) = self.traveling.pop_front_if(|pair| pair.is_told()) {
            if self.felt.len() == WINDOW {
                self.felt.pop_front();
            }
            self.felt.push_back(pair);
        }
    }

    /// Whether the link has been fit for pictures for a while, and bears so many bits per second; `None` where nobody tells.
    pub fn verdict(&self, bitrate: u32, now: Instant) -> Option<bool> {
        self.told.filter(|told| now < *told + SILENT)?;
        let lost: usize = self.felt.iter().map(Pair::lost).sum();
        let known = self.felt.iter().filter_map(|pair| pair.is_narrow(bitrate));
        let (wide, all) = known.fold((0, 0), |(wide, all), it| (wide + usize::from(!it), all + 1));
        Some(self.felt.len() == WINDOW && lost <= LOST && wide * 100 >= all * WIDE)
    }

    /// Pictures flow again.
    pub fn rest(&mut self) {
        *self = Self::default();
    }
}

#[cfg(test)]
mod tests {
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;

    const NEEDED: u32 = 60_000;

    /// A link, as seconds on it go by.
    struct Rig {
        feelers: Feelers,
        random: StdRng,
        start: Instant,
        now: Instant,
        number: u64,
    }

    impl Rig {
        fn new(seed: u64) -> Self {
            let (start, random) = (Instant::now(), StdRng::seed_from_u64(seed));
            Self { feelers: Feelers::default(), random, start, now: start, number: 5 }
        }

        /// A pair over a link that loses so many of a hundred, bears so many kbit/s, and delays by up to `jitter_ms`.
        fn pair(&mut self, loss: u32, kbps: u64, jitter_ms: u64) -> Option<bool> {
            while !self.feelers.is_due(NEEDED, self.now) {
                self.now += Duration::from_millis(100);
            }
            let bytes = 36 + usize::from(PADDING);
            self.feelers.sent(self.number, bytes, self.now);
            let apart = Duration::from_micros((bytes + HEADERS) as u64 * 8_000 / kbps);
            let mut came = self.now - self.start;
            let told: Vec<Told> = (0..PAIR as u32)
                .map(|place| {
                    let jitter = Duration::from_micros(self.random.random_range(0..=jitter_ms * 1_000));
                    came = came.max(self.now - self.start + apart * place + jitter);
                    let arrived = self.random.random_range(0..100) >= loss;
                    let (number, departure) = (self.number + u64::from(place), self.now);
                    Told { number, size: bytes, departure, arrived, arrival: arrived.then_some(came) }
                })
                .collect();
            self.number += 7;
            // Each may be told of for itself.
            told.iter().for_each(|told| self.feelers.told(&[*told], self.now));
            self.feelers.verdict(NEEDED, self.now)
        }

        /// Pairs until the link is found fit, of so many.
        fn until_fit(
            &mut self,
            most: usize,
            mut pair: impl FnMut(&mut Self) -> Option<bool>,
        ) -> Option<usize> {
            (0..most).find(|_| pair(self) == Some(true))
        }
    }

    #[test]
    fn a_link_that_got_well_is_found_fit_after_five_seconds() {
        for seed in 0..200 {
            let mut rig = Rig::new(seed);
            (0..30).for_each(|_| assert_ne!(rig.pair(40, 40, 10), Some(true), "seed {seed}"));
            let pairs = rig.until_fit(40, |rig| rig.pair(0, 1_000, 10)).expect("it is fit");
            assert!((5..WINDOW).contains(&pairs), "seed {seed}: {pairs} pairs");
        }
    }

    #[test]
    fn a_link_that_stays_bad_is_asked_ever_more_seldom_and_found_fit_soon_when_it_is() {
        for seed in 0..100 {
            let mut rig = Rig::new(seed);
            (0..OFTEN).for_each(|_| assert_ne!(rig.pair(0, 40, 0), Some(true)));
            assert_eq!(rig.now - rig.start, EVERY * (OFTEN as u32 - 1), "seed {seed}");
            let bad = rig.now;
            (0..24).for_each(|_| assert_ne!(rig.pair(0, 40, 0), Some(true)));
            assert_eq!(rig.now - bad, SELDOM * 24);
            let well = rig.now;
            rig.until_fit(40, |rig| rig.pair(0, 1_000, 10)).expect("it is fit");
            let took = rig.now - well;
            assert!(took <= Duration::from_secs(8), "seed {seed}: {took:?}");
        }
    }

    #[test]
    fn a_bad_link_is_seldom_taken_for_a_fit_one_within_a_minute_and_often_near_the_bound() {
        let minute = 120;
        let fooled = |pair: fn(&mut Rig) -> Option<bool>| {
            (0..100).filter(|&seed| Rig::new(seed).until_fit(minute, pair).is_some()).count()
        };
        assert_eq!(fooled(|rig| rig.pair(0, 50, 0)), 0, "50 kbit/s");
        let [lossy, wavering, unsteady] = [
            fooled(|rig| rig.pair(40, 1_000, 10)),
            fooled(|rig| rig.pair(30, 1_000, 10)),
            fooled(|rig| rig.pair(0, 50, 10)),
        ];
        println!("of 100 minutes: 40 % lost {lossy}, 30 % {wavering}, 50 kbit/s with jitter {unsteady}");
        // 5, 37, 10. A link that loses 30 % is hardly worse than the quarter that stops pictures: there every third minute tries them again.
        assert!(lossy <= 6 && wavering <= 40 && unsteady <= 12);
    }

    #[test]
    fn jitter_and_a_few_losses_keep_nobody_waiting_for_long() {
        for seed in 0..100 {
            let (mut shaky, mut lossy) = (Rig::new(seed), Rig::new(seed));
            let shaken = shaky.until_fit(60, |rig| rig.pair(0, 1_000, 30));
            let lost = lossy.until_fit(120, |rig| rig.pair(10, 1_000, 5));
            assert!(shaken.is_some_and(|pairs| pairs < 20), "seed {seed}: {shaken:?}");
            assert!(lost.is_some(), "seed {seed}: a tenth is lost");
        }
    }

    #[test]
    fn nothing_is_known_where_nobody_tells() {
        let (start, mut feelers) = (Instant::now(), Feelers::default());
        (0..100).for_each(|pair| feelers.sent(pair * 2, 86, start));
        assert_eq!((feelers.verdict(NEEDED, start), feelers.traveling.len()), (None, TRAVELING));
        let mut rig = Rig::new(1);
        (0..WINDOW).for_each(|_| _ = rig.pair(0, 1_000, 0));
        assert_eq!(rig.feelers.verdict(NEEDED, rig.now), Some(true));
        assert_eq!(rig.feelers.verdict(NEEDED, rig.now + SILENT), None);
        rig.feelers.rest();
        assert_eq!(rig.feelers.verdict(NEEDED, rig.now), None);
    }
}
