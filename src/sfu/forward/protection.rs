//! What a receiver's losses ask for: its voices go out with redundancy while it loses more than a little, and all its
//! pictures stop before so much is lost that the voice would suffer.

use std::time::{Duration, Instant};

/// Share lost, in 256ths, from which voices are protected: 5 %.
const PROTECT_FROM: u8 = 13;
/// So long a voice stays protected after the last such loss: losses come in bouts.
const HOLD: Duration = Duration::from_secs(30);
/// Share lost from which pictures stop: 25 %, told twice in a row, since a few hundred packets scatter.
const STOP_FROM: u8 = 64;
/// Share lost up to which they may come back: 20 %.
const CALM_UNTIL: u8 = 51;
/// Bits per second below which a link carries no picture beside the voice.
const STOP_BELOW: u32 = 60_000;
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
    /// Voices are protected until then.
    until: Option<Instant>,
    /// Too narrow for pictures since then.
    narrow: Option<Instant>,
    pictures: Pictures,
    wait: Option<Duration>,
    /// When pictures last came back.
    resumed: Option<Instant>,
}

#[derive(Clone, Copy, Debug, Default)]
enum Pictures {
    #[default]
    Flow,
    /// Too much was lost, told once.
    Doubted,
    /// Stopped; calm since then, if it is.
    Stopped(Option<Instant>),
}

impl Protection {
    /// The receiver lost this share of a picture's packets, in 256ths: told often, but of few packets. Voices are
    /// protected; that pictures stop takes more.
    pub fn lost_of_picture(&mut self, fraction: u8, now: Instant) {
        if fraction >= PROTECT_FROM {
            self.until = Some(now + HOLD);
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
        match &mut self.pictures {
            Pictures::Doubted if fraction >= STOP_FROM => self.stop(now),
            pictures @ Pictures::Flow if fraction >= STOP_FROM => *pictures = Pictures::Doubted,
            pictures @ (Pictures::Flow | Pictures::Doubted) => *pictures = Pictures::Flow,
            Pictures::Stopped(calm) if fraction > CALM_UNTIL => *calm = None,
            Pictures::Stopped(calm) => {
                calm.get_or_insert(now);
            }
        }
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
        self.pictures = Pictures::Stopped(Some(now));
    }

    /// True when pictures come back now: the link is to be measured anew.
    pub fn poll_resume(&mut self, now: Instant) -> bool {
        let Pictures::Stopped(Some(calm)) = self.pictures else { return false };
        if now < calm + self.wait.unwrap_or(FIRST_WAIT) {
            return false;
        }
        self.pictures = Pictures::Flow;
        self.resumed = Some(now);
        true
    }

    /// Voices go out with redundancy.
    pub fn is_on(&self, now: Instant) -> bool {
        self.until.is_some_and(|until| now < until)
    }

    /// No picture flows.
    pub fn pictures_stopped(&self) -> bool {
        matches!(self.pictures, Pictures::Stopped(_))
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
        assert!(!protection.is_on(start));
        protection.lost(PROTECT_FROM, start);
        assert!(protection.is_on(start + HOLD - SECOND));
        assert!(!protection.is_on(start + HOLD));
        (0..5).for_each(|_| protection.lost_of_picture(255, start + HOLD));
        assert!(protection.is_on(start + HOLD));
        assert!(!protection.pictures_stopped());
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
        assert!(!protection.poll_resume(start + SECOND * 20), "still losing");
        protection.lost(CALM_UNTIL, start + SECOND * 20);
        assert!(!protection.poll_resume(start + SECOND * 24));
        assert!(protection.poll_resume(start + SECOND * 25));
        assert!(!protection.pictures_stopped() && !protection.poll_resume(start + SECOND * 26));
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
                while !protection.poll_resume(now) {
                    now += SECOND;
                }
                (now - stopped).as_secs()
            })
            .collect();
        assert_eq!(waits, [5, 10, 20, 40, 40, 40]);
        (0..2).for_each(|_| protection.lost(STOP_FROM, now + RELAPSE));
        assert!(protection.poll_resume(now + RELAPSE + FIRST_WAIT), "a new bout begins anew");
    }
}
