//! Finding out whether a link bears more than flows on it: for a moment as much is sent as a wanted layer needs, the
//! missing part as padding. Only when a layer is wanted and blocked, ever more seldom while it does not help, and never
//! for more than a small part of what the lesson costs.
//!
//! Before any picture flows nothing is known of a link but what is assumed of every one. A lesson begins with a *look*: five
//! small packets at the assumed rate, and if they came as they left a few more, twice as fast, until the link bears what is
//! wanted or its end is found.

use std::{
    ops::Range,
    time::{Duration, Instant},
};

/// A probe's rate, in percent of the estimate.
const LEAST: u64 = 150;
const MOST: u64 = 200;
/// A probe lasts so long at most, and is not worth beginning for less.
pub const LONGEST: Duration = Duration::from_millis(120);
const SHORTEST: Duration = Duration::from_millis(60);
/// The first look: at the assumed megabit five packets, behind which a voice waits no longer than behind one of a picture …
const GLANCE: Duration = Duration::from_millis(12);
/// … and the later ones: twenty packets and more.
const LOOK: Duration = Duration::from_millis(40);
/// Looks that find no more are repeated so often at most: what was late may have been the receiver.
const LOOKS: usize = 3;
/// Between two probes, in seconds but the first: after one that came as it was sent, while nothing is known of one …
const NEXT: Duration = Duration::from_millis(300);
const FIRST_WAIT: Duration = Duration::from_secs(2);
/// … after one that found more, but perhaps also the end …
const AGAIN: Duration = Duration::from_secs(1);
/// … after the first, second … that did not, and the last one for ever after: most narrow times are over within a minute,
/// and then pictures shall be back within ten seconds.
const WAITS: [u64; 18] = [2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 15, 30];
/// One byte of padding for so many bytes of anything: 2 % of what a subscriber pays for …
const SHARE: u64 = 50;
/// … and 10 % of what two nodes send each other.
const SHARE_OF_NODES: u64 = 10;
/// Padding that is there from the start, so that a lesson can begin with a look at the link: the part of 5 MB, which no
/// lesson with pictures stays below.
const START: u64 = 100_000;
/// Bytes of it that are there for something else than a probe only where there are more.
const LEAST_LEFT: u64 = 2_000;
/// Padding saved up while nothing is probed: a few probes of the largest layer.
const SAVED: u64 = 300_000;

/// What a probe found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// No more than was known, or nobody knows.
    Nothing,
    /// Clearly more than was known, but it came more slowly than it left: that is the link's end, or its delays vary.
    More,
    /// It came as it left: there may be yet more.
    NoEnd,
}

/// A probe that runs.
#[derive(Clone, Copy, Debug)]
struct Running {
    since: Instant,
    until: Instant,
    /// Bits per second.
    bitrate: u64,
    /// Bytes that left since it began, of anything.
    sent: u64,
}

/// The probes of one subscriber.
#[derive(Debug)]
pub struct Prober {
    running: Option<Running>,
    /// None before.
    next: Option<Instant>,
    /// When the newest one was over.
    ended: Option<Instant>,
    /// Probes in a row that did not help.
    failures: usize,
    /// The newest probe was a look.
    looks: bool,
    /// The fall whose rate was outgrown already.
    encouraged: Option<Instant>,
    /// One byte of padding for so many of anything.
    share: u64,
    /// Padding that may still be sent, in bytes times that.
    budget: u64,
}

impl Default for Prober {
    fn default() -> Self {
        Self::of(SHARE)
    }
}

impl Prober {
    fn of(share: u64) -> Self {
        let budget = START * share;
        Self {
            running: None,
            next: None,
            ended: None,
            failures: 0,
            looks: false,
            encouraged: None,
            share,
            budget,
        }
    }

    /// Of a link that nobody pays for by the byte.
    pub fn between_nodes() -> Self {
        Self::of(SHARE_OF_NODES)
    }

    /// A voice's packet left: it pays for padding, too, but a probe measures nothing by it.
    pub fn voiced(&mut self, bytes: usize) {
        self.budget = (self.budget + bytes as u64).min(SAVED * self.share);
    }

    /// Anything but padding and voices left.
    pub fn sent(&mut self, bytes: usize) {
        self.voiced(bytes);
        if let Some(running) = &mut self.running {
            running.sent += bytes as u64;
        }
    }

    /// Bits per second of the probe that runs: what waits may leave as fast, instead of padding.
    pub fn bitrate(&self) -> Option<u32> {
        self.running.and_then(|running| u32::try_from(running.bitrate).ok())
    }

    /// A layer is blocked: it needs `wanted` bits per second of a link that is said to bear `estimate`, on which `flowing`
    /// bits per second flow. True when a probe begins.
    pub fn begin(&mut self, wanted: u32, estimate: u32, flowing: u32, now: Instant) -> bool {
        let estimate = u64::from(estimate);
        let bitrate = u64::from(wanted).clamp(estimate * LEAST / 100, estimate * MOST / 100);
        let padding = bitrate.saturating_sub(u64::from(flowing)).max(1);
        self.looks = false;
        self.run(bitrate, padding, SHORTEST..LONGEST, now)
    }

    /// Before any picture flows: `wanted` bits per second are needed of a link of which `estimate` is assumed, or known by
    /// an earlier look. True when a look begins.
    pub fn look(&mut self, wanted: u32, estimate: u32, is_known: bool, now: Instant) -> bool {
        if wanted <= estimate || self.failures >= LOOKS {
            return false;
        }
        let (bitrate, length) = match is_known {
            true => (u64::from(wanted).min(u64::from(estimate) * MOST / 100), LOOK),
            false => (u64::from(estimate), GLANCE),
        };
        let begins = self.run(bitrate, bitrate, length..length, now);
        self.looks |= begins;
        begins
    }

    /// Begins to fill up to `bitrate`, by `padding` bits per second, unless it is too early or costs too much.
    fn run(&mut self, bitrate: u64, padding: u64, length: Range<Duration>, now: Instant) -> bool {
        if self.running.is_some() || self.next.is_some_and(|next| now < next) {
            return false;
        }
        let affordable = Duration::from_millis(self.budget / self.share * 8_000 / padding);
        if affordable < length.start {
            return false;
        }
        let until = now + length.end.min(affordable);
        self.running = Some(Running { since: now, until, bitrate, sent: 0 });
        true
    }

    /// Bytes of padding to send now, so that the probe's rate is kept; `None` when it is over.
    pub fn poll(&mut self, now: Instant) -> Option<usize> {
        let running = self.running?;
        if now >= running.until || self.budget < self.share {
            self.running = None;
            self.ended = Some(now);
            // Until it is known what came of it.
            self.next = Some(now + FIRST_WAIT);
            return None;
        }
        let due = running.bitrate * (now - running.since).as_micros() as u64 / 8_000_000;
        Some(due.saturating_sub(running.sent).min(self.budget / self.share) as usize)
    }

    /// Some padding may be sent besides.
    pub fn may_pad(&self) -> bool {
        self.budget >= self.share * LEAST_LEFT
    }

    /// Padding left.
    pub fn padded(&mut self, bytes: usize) {
        self.budget = self.budget.saturating_sub(bytes as u64 * self.share);
        if let Some(running) = &mut self.running {
            running.sent += bytes as u64;
        }
    }

    /// Takes what a probe found.
    pub fn learned(&mut self, found: Found, now: Instant) {
        let wait = match found {
            Found::NoEnd => NEXT,
            Found::More => AGAIN,
            Found::Nothing => Duration::from_secs(WAITS[self.failures.min(WAITS.len() - 1)]),
        };
        self.failures = match found {
            Found::NoEnd => 0,
            Found::More => self.failures,
            Found::Nothing => self.failures + 1,
        };
        // What comes of a look is known before pictures flow, or it comes too late.
        let is_look = self.looks && found == Found::NoEnd;
        self.next = (!is_look).then_some(now + wait);
    }

    /// The link turned out to be far wider: a probe that is not due for long begins soon, but the queue of the one before has drained.
    pub fn hurry(&mut self, now: Instant) {
        let soon = self.ended.map_or(now, |ended| ended + AGAIN);
        self.next = self.next.map(|next| next.min(soon.max(now)));
    }

    /// The link bears more than when it was found full, then: waiting longer makes no sense, once.
    pub fn encourage(&mut self, fell: Instant, now: Instant) {
        if self.encouraged.replace(fell) != Some(fell) {
            self.next = self.next.map(|next| next.min(now + NEXT));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs one probe to its end; padding sent.
    fn run(prober: &mut Prober, mut now: Instant) -> usize {
        let mut sum = 0;
        loop {
            now += Duration::from_millis(5);
            let Some(bytes) = prober.poll(now) else { return sum };
            prober.padded(bytes);
            sum += bytes;
        }
    }

    #[test]
    fn a_probe_sends_what_is_missing_for_a_moment() {
        let (now, mut prober) = (Instant::now(), Prober::default());
        assert!(prober.begin(10_000_000, 300_000, 0, now));
        assert!(!prober.begin(10_000_000, 300_000, 0, now), "one at a time");
        let sent = run(&mut prober, now);
        assert!((8_000..=9_000).contains(&sent), "600 kbit/s for 115 ms: {sent}");
        assert_eq!(prober.bitrate(), None);
    }

    #[test]
    fn probes_that_do_not_help_become_seldom() {
        let (mut now, mut prober) = (Instant::now(), Prober::default());
        let start = now;
        let mut waits = Vec::new();
        for _ in 0..20 {
            prober.sent(10_000_000);
            let begun = now;
            while !prober.begin(400_000, 200_000, 200_000, now) {
                now += Duration::from_millis(100);
            }
            waits.push((now - begun).as_secs());
            run(&mut prober, now);
            prober.learned(Found::Nothing, now);
        }
        assert_eq!(waits, [0, 2, 3, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 15, 30, 30]);
        prober.learned(Found::More, start);
        prober.sent(10_000_000);
        assert!(!prober.begin(400_000, 200_000, 200_000, start + NEXT));
        assert!(prober.begin(400_000, 200_000, 200_000, start + AGAIN));
        run(&mut prober, start + AGAIN);
        prober.learned(Found::NoEnd, start);
        prober.sent(10_000_000);
        assert!(prober.begin(400_000, 200_000, 200_000, start + NEXT));
    }

    #[test]
    fn a_look_is_small_and_doubles_until_it_knows_enough() {
        let (mut now, mut prober) = (Instant::now(), Prober::default());
        let (mut estimate, mut sent) = (1_000_000, Vec::new());
        while prober.look(2_500_000, estimate, !sent.is_empty(), now) {
            sent.push(run(&mut prober, now));
            now += Duration::from_millis(200);
            estimate = estimate.max((2_500_000).min(estimate * sent.len() as u32));
            prober.learned(Found::NoEnd, now);
        }
        assert_eq!(sent, [1_250, 8_750, 10_937]);
        let mut narrow = Prober::default();
        let looks = (0..600).filter(|_| {
            now += Duration::from_millis(100);
            let begins = narrow.look(2_500_000, 80_000, true, now);
            if begins {
                run(&mut narrow, now);
                narrow.learned(Found::Nothing, now);
            }
            begins
        });
        assert_eq!(looks.count(), LOOKS, "in a minute");
    }

    #[test]
    fn a_voice_pays_for_seldom_feelers_without_end() {
        let mut prober = Prober::default();
        prober.padded(START as usize);
        assert!(!prober.may_pad());
        // Five minutes of a voice of 24 kbit/s, headers of RTP and SRTP included; a pair of feelers each 2.5 s.
        (0..300 * 50).for_each(|_| prober.voiced(88));
        (0..120).for_each(|_| prober.padded(2 * 86));
        assert!(prober.may_pad());
    }

    #[test]
    fn a_link_that_turned_out_wider_is_probed_soon() {
        let (start, mut prober) = (Instant::now(), Prober::default());
        (0..18).for_each(|_| prober.learned(Found::Nothing, start));
        prober.hurry(start);
        assert!(prober.begin(400_000, 200_000, 200_000, start));
        run(&mut prober, start);
        prober.learned(Found::Nothing, start + LONGEST);
        prober.hurry(start + LONGEST);
        assert!(!prober.begin(400_000, 200_000, 200_000, start + AGAIN), "the queue of the last one drains");
        assert!(prober.begin(400_000, 200_000, 200_000, start + LONGEST + AGAIN));
    }

    #[test]
    fn padding_is_a_fiftieth_of_what_flows() {
        let (mut now, mut prober) = (Instant::now(), Prober::default());
        let mut padding = 0;
        for _ in 0..600 {
            // A second at 500 kbit/s.
            prober.sent(62_500);
            if prober.begin(2_000_000, 1_000_000, 500_000, now) {
                padding += run(&mut prober, now);
                prober.learned(Found::NoEnd, now);
            }
            now += Duration::from_secs(1);
        }
        let most = 600 * 62_500 / 50 + START as usize;
        assert!((most * 8 / 10..=most).contains(&padding), "{padding} of {most}");
    }
}
