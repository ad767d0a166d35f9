//! What a receiver's losses ask for: its voices go out with redundancy while it loses more than a little, and all its
//! pictures stop before so much is lost that the voice would suffer.

use std::time::{Duration, Instant};

use super::red::EARLIER;

/// Share lost, in 256ths, from which voices are protected: 5 %.
const PROTECT_FROM: u8 = 13;
/// The same of joined ones (see `opus`), on the average: 2 %. Each lost packet is three frames, of which the encoder's own error
/// correction would bring back one. One copy more is all that is spent for who counts every byte while little is lost.
const PROTECT_JOINED_FROM: f32 = 5.0;
/// From 7 % on joined ones need all the redundancy there is: with one copy, half a percent would be missing.
const PROTECT_JOINED_WHOLLY_FROM: f32 = 18.0;
/// Their losses are averaged over about so long: some reports tell of a few packets only.
const AVERAGED: Duration = Duration::from_secs(5);
/// The first report tells of about so long.
const FIRST: Duration = Duration::from_secs(1);
/// So long a voice stays protected after the last such loss: losses come in bouts.
const HOLD: Duration = Duration::from_secs(30);
/// When it turns out too early that it ended, twice as long. Who gets each packet again tells of no losses while they are mended.
const LONGEST_HOLD: Duration = Duration::from_secs(240);
/// So soon after the end.
const TOO_EARLY: Duration = Duration::from_secs(15);
/// Share lost from which pictures stop: 25 %, told twice in a row, since a few hundred packets scatter.
const STOP_FROM: u8 = 64;
/// Share lost up to which they may come back: 20 %.
const CALM_UNTIL: u8 = 51;
/// Bits per second below which a link carries no picture beside the voice.
pub const STOP_BELOW: u32 = 60_000;
/// So long it must be that narrow: estimates overshoot when a link gets worse.
const NARROW: Duration = Duration::from_secs(1);
/// So long the link must be calm before pictures come back; doubled each time that turns out too early.
const FIRST_WAIT: Duration = Duration::from_secs(5);
const LONGEST_WAIT: Duration = Duration::from_secs(40);
/// A stop so soon after the pictures came back: too early.
const RELAPSE: Duration = Duration::from_secs(30);

/// Pictures stop when losses above a quarter add up to so many packets: two seconds of a small picture at 40 % lost.
const TOO_MANY: f32 = 10.0;
/// One feedback adds no more: a black-out is told of at once, and over by then.
const AT_ONCE: f32 = 2.0;

/// The state of one receiver.
#[derive(Debug, Default)]
pub struct Protection {
    /// Packets lost beyond a quarter, added up; below zero counts as nothing.
    excess: f32,
    /// Of voices; of joined ones a little, and wholly.
    plain: Guard,
    joined: Guard,
    joined_wholly: Guard,
    /// Lost of voices on the average, in 256ths, and when that was last told.
    average: (f32, Option<Instant>),
    /// Too narrow for pictures since then.
    narrow: Option<Instant>,
    pictures: Pictures,
    wait: Option<Duration>,
    /// When pictures last came back.
    resumed: Option<Instant>,
}

/// Protection that ends a while after it was last called for.
#[derive(Clone, Copy, Debug, Default)]
struct Guard {
    until: Option<Instant>,
    hold: Duration,
}

impl Guard {
    fn call(&mut self, now: Instant) {
        if !self.is_on(now) {
            let is_relapse = self.until.is_some_and(|until| now < until + TOO_EARLY);
            self.hold = if is_relapse { (self.hold * 2).min(LONGEST_HOLD) } else { HOLD };
        }
        self.until = Some(now + self.hold);
    }

    fn is_on(self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }
}

#[derive(Clone, Copy, Debug, Default)]
enum Pictures {
    #[default]
    Flow,
    /// Too much was lost, told once.
    Doubted,
    Stopped {
        since: Instant,
        /// No loss that is too much was told since then.
        calm: Option<Instant>,
    },
}

impl Protection {
    /// The receiver lost this share of a picture's packets, in 256ths: told often, but of few packets. Voices are
    /// protected; that pictures stop takes more.
    pub fn lost_of_picture(&mut self, fraction: u8, now: Instant) {
        if fraction >= PROTECT_FROM {
            self.plain.call(now);
        }
    }

    /// So many of a few packets of pictures were lost, as told by one feedback.
    pub fn lost_packets(&mut self, lost: u32, told: u32, now: Instant) {
        let more = lost as f32 - told as f32 * f32::from(STOP_FROM) / 256.0;
        self.excess = (self.excess + more.min(AT_ONCE)).max(0.0);
        if self.excess > TOO_MANY && !self.pictures_stopped() {
            self.stop(now);
        }
    }

    /// The receiver lost this share of hundreds of packets, in 256ths.
    pub fn lost(&mut self, fraction: u8, now: Instant) {
        self.lost_of_picture(fraction, now);
        let average = self.average(fraction, now);
        if average >= PROTECT_JOINED_FROM {
            self.joined.call(now);
        }
        if average >= PROTECT_JOINED_WHOLLY_FROM {
            self.joined_wholly.call(now);
        }
        match &mut self.pictures {
            Pictures::Doubted if fraction >= STOP_FROM => self.stop(now),
            pictures @ Pictures::Flow if fraction >= STOP_FROM => *pictures = Pictures::Doubted,
            pictures @ (Pictures::Flow | Pictures::Doubted) => *pictures = Pictures::Flow,
            Pictures::Stopped { calm, .. } if fraction > CALM_UNTIL => *calm = None,
            Pictures::Stopped { calm, .. } => {
                calm.get_or_insert(now);
            }
        }
    }

    fn average(&mut self, fraction: u8, now: Instant) -> f32 {
        let (average, told) = &mut self.average;
        let since = told.replace(now).map_or(FIRST, |told| now.saturating_duration_since(told));
        let weight = since.as_secs_f32() / (since + AVERAGED).as_secs_f32();
        *average += (f32::from(fraction) - *average) * weight;
        *average
    }

    /// The link bears this many bits per second.
    pub fn bears(&mut self, bitrate: u32, now: Instant) {
        if bitrate >= STOP_BELOW {
            self.narrow = None;
            return;
        }
        let narrow = *self.narrow.get_or_insert(now);
        if now >= narrow + NARROW && !self.pictures_stopped() {
            self.stop(now);
        }
    }

    fn stop(&mut self, now: Instant) {
        let relapse = self.resumed.is_some_and(|resumed| now < resumed + RELAPSE);
        let wait = self.wait.filter(|_| relapse).map_or(FIRST_WAIT, |wait| (wait * 2).min(LONGEST_WAIT));
        self.wait = Some(wait);
        (self.narrow, self.excess) = (None, 0.0);
        // Nobody may be speaking, so that no loss is told any more: calm until told otherwise.
        self.pictures = Pictures::Stopped { since: now, calm: Some(now) };
    }

    /// True when pictures come back now: the link is to be measured anew. `is_fit`: what was felt of it lately, if anything;
    /// where nothing is, it is tried when nobody complains.
    pub fn poll_resume(&mut self, is_fit: Option<bool>, now: Instant) -> bool {
        let Pictures::Stopped { since, calm } = self.pictures else { return false };
        let from = match is_fit {
            Some(is_fit) => Some(since).filter(|_| is_fit),
            None => calm,
        };
        if from.is_none_or(|from| now < from + self.wait.unwrap_or(FIRST_WAIT)) {
            return false;
        }
        self.pictures = Pictures::Flow;
        self.resumed = Some(now);
        true
    }

    /// So many times more than once each frame of a voice goes out.
    pub fn copies(&self, is_joined: bool, now: Instant) -> usize {
        match is_joined {
            false if self.plain.is_on(now) => EARLIER,
            true if self.joined_wholly.is_on(now) => EARLIER,
            true if self.joined.is_on(now) => 1,
            _ => 0,
        }
    }

    /// No picture flows.
    pub fn pictures_stopped(&self) -> bool {
        matches!(self.pictures, Pictures::Stopped { .. })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn voices_are_protected_from_five_percent_on_and_a_while_after() {
        let (start, mut protection) = (Instant::now(), Protection::default());
        protection.lost(PROTECT_FROM - 1, start);
        assert_eq!(protection.copies(false, start), 0);
        protection.lost(PROTECT_FROM, start);
        assert_eq!(protection.copies(false, start + HOLD - SECOND), EARLIER);
        assert_eq!(protection.copies(false, start + HOLD), 0);
        (0..5).for_each(|_| protection.lost_of_picture(255, start + HOLD));
        assert_eq!(protection.copies(false, start + HOLD), EARLIER);
        assert!(!protection.pictures_stopped());
    }

    #[test]
    fn joined_voices_are_protected_earlier_and_step_by_step() {
        let (start, mut protection) = (Instant::now(), Protection::default());
        let mut now = start;
        let mut tell = |fraction: u8, times: u32| {
            let mut copies = Vec::new();
            for _ in 0..times {
                now += SECOND;
                protection.lost(fraction, now);
                copies.push(protection.copies(true, now));
            }
            copies
        };
        // One of the 17 packets of a second, now and then: chance.
        for _ in 0..10 {
            assert_eq!((tell(15, 1), tell(0, 9)), (vec![0], vec![0; 9]));
        }
        assert_eq!(tell(9, 20).last(), Some(&1));
        assert_eq!(tell(51, 3).last(), Some(&EARLIER));
        let after = tell(0, 60);
        assert_eq!((after[0], after[59]), (EARLIER, 0));
    }

    #[test]
    fn protection_that_ended_too_early_holds_longer() {
        let (mut now, mut guard) = (Instant::now(), Guard::default());
        let held: Vec<u64> = (0..5)
            .map(|_| {
                guard.call(now);
                let began = now;
                while guard.is_on(now) {
                    now += SECOND;
                }
                (now - began).as_secs()
            })
            .collect();
        assert_eq!(held, [30, 60, 120, 240, 240]);
        now += TOO_EARLY;
        guard.call(now);
        assert!(!guard.is_on(now + HOLD), "a new bout begins anew");
    }

    #[test]
    fn pictures_stop_at_a_quarter_lost_and_come_back_after_calm() {
        let (start, mut protection) = (Instant::now(), Protection::default());
        protection.lost(STOP_FROM, start);
        protection.lost(STOP_FROM - 1, start);
        protection.lost(STOP_FROM, start);
        assert!(!protection.pictures_stopped(), "chance");
        protection.lost(STOP_FROM, start);
        assert!(protection.pictures_stopped());
        protection.lost(CALM_UNTIL + 1, start + SECOND);
        assert!(!protection.poll_resume(None, start + SECOND * 20), "still losing");
        protection.lost(CALM_UNTIL, start + SECOND * 20);
        assert!(!protection.poll_resume(None, start + SECOND * 24));
        assert!(protection.poll_resume(None, start + SECOND * 25));
        assert!(!protection.pictures_stopped() && !protection.poll_resume(None, start + SECOND * 26));
    }

    #[test]
    fn what_is_felt_of_the_link_counts_more_than_what_its_voices_tell_seldom() {
        let (start, mut protection) = (Instant::now(), Protection::default());
        (0..2).for_each(|_| protection.lost(STOP_FROM, start));
        assert!(!protection.poll_resume(Some(true), start + SECOND * 4), "five seconds at least");
        assert!(!protection.poll_resume(Some(false), start + SECOND * 60), "nothing is tried on a bad link");
        // The report tells of the bad time, too.
        protection.lost(STOP_FROM, start + SECOND * 60);
        assert!(protection.poll_resume(Some(true), start + SECOND * 61));
    }

    #[test]
    fn pictures_stop_within_seconds_of_heavy_loss_and_not_for_a_black_out_or_a_bearable_one() {
        let stops_after = |lost_of_ten: fn(u64) -> u32| {
            let (start, mut protection) = (Instant::now(), Protection::default());
            (0..3_000).find(|&feedback| {
                protection.lost_packets(lost_of_ten(feedback), 10, start);
                protection.pictures_stopped()
            })
        };
        assert_eq!(stops_after(|_| 4), Some(6), "two thirds of a second");
        assert_eq!(stops_after(|feedback| if feedback % 2 == 0 { 1 } else { 3 }), None);
        let black_out = stops_after(|feedback| if feedback % 100 < 3 { 10 } else { 0 });
        assert_eq!(black_out, None);
    }

    #[test]
    fn on_a_narrow_link_they_try_ever_more_seldom() {
        let (mut now, mut protection) = (Instant::now(), Protection::default());
        let waits: Vec<u64> = (0..6)
            .map(|_| {
                protection.bears(STOP_BELOW - 1, now);
                assert!(!protection.pictures_stopped(), "it may overshoot");
                now += NARROW;
                protection.bears(STOP_BELOW - 1, now);
                let stopped = now;
                while !protection.poll_resume(None, now) {
                    now += SECOND;
                }
                (now - stopped).as_secs()
            })
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 40, 40]);
        (0..2).for_each(|_| protection.lost(STOP_FROM, now + RELAPSE));
        assert!(protection.poll_resume(None, now + RELAPSE + FIRST_WAIT), "a new bout begins anew");
    }
}
