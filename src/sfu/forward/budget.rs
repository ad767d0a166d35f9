//! A byte budget as a rate: what is left is spread evenly over the rest of the lesson. The voice comes first and is never
//! cut; pictures get what it leaves, and stop before it would run short.
//!
//! A camera costs all the time, so it flows only at what can be kept up. A shared screen costs when it changes: it may
//! spend what was saved, and rests when the savings are gone.

use std::time::{Duration, Instant};

use qism_signaling::protocol::media::Pictures;

/// Bytes a second that are kept for voice and control messages, joined (see `opus`) and as they come: measured, with
/// everything, 11 and 21 MB an hour.
const SAVER_VOICE: u64 = 3_100;
const PLAIN_VOICE: u64 = 6_000;
/// What control messages take beside voices that need more than that: redundant ones, or several at once.
const CONTROL: u64 = 500;
/// What voices take is averaged over about so long: pictures should not come and go with each word.
const VOICES: Duration = Duration::from_secs(20);
/// Savings are at most this share of what pictures have left, within bounds: a first page, and some seconds of video.
const SAVED_SHARE: i64 = 20;
const SAVED: std::ops::RangeInclusive<i64> = 100_000..=1_000_000;
/// Savings are spent over so long.
const SPEND: i64 = 5;
/// Pictures count as spared for so long after the last time they were: what is told should not flicker.
const SPARED: Duration = Duration::from_secs(30);
/// With so much more left than a moment ago somebody has raised the budget, by at least 1,000,000 bytes; the hub's account and the leg's differ by less.
const RAISED: u64 = 500_000;
/// Nothing is reckoned with less time than this.
const LEAST_TIME: Duration = Duration::from_secs(1);

/// What pictures may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Allowance {
    /// Bits per second that can be kept up to the end of the lesson.
    pub sustained: u32,
    /// Bits per second for now: with what was saved; 0 while there is nothing.
    pub burst: u32,
}

/// The budget of one receiver.
#[derive(Clone, Copy, Debug)]
pub struct DataBudget {
    left: u64,
    ends: Instant,
    /// Voices come joined.
    saver: bool,
    /// Bytes a second that voices take on the average.
    voices: f32,
    /// Bytes saved against the even rate; negative: overdrawn.
    saved: i64,
    /// Nothing but voice until there are savings again.
    rests: bool,
    reckoned: Instant,
    /// When pictures last had to be smaller than wanted, and when nothing was left of them.
    spared: Option<Instant>,
    stopped: Option<Instant>,
}

impl DataBudget {
    /// A budget of so many bytes for so long; it begins with savings, so that there is a picture at once.
    pub fn new(left: u64, time: Duration, saver: bool, now: Instant) -> Self {
        let mut budget = Self {
            left,
            ends: now + time,
            saver,
            voices: 0.0,
            saved: 0,
            rests: false,
            reckoned: now,
            spared: None,
            stopped: None,
        };
        budget.saved = budget.most_saved(now);
        budget
    }

    /// The hub's account, which knows more than this leg. A budget that was raised begins anew: what was told of the smaller one would hide
    /// pictures that come.
    pub fn set(&mut self, left: u64, time: Duration, saver: bool, now: Instant) {
        if left > self.left + RAISED {
            let voices = self.voices;
            *self = Self { voices, ..Self::new(left, time, saver, now) };
        }
        (self.left, self.ends, self.saver) = (left, now + time, saver);
    }

    /// So many bytes went over the leg since this was last told; so many bits per second are voices at the moment, with all headers
    /// and what is sent of them more than once.
    pub fn spent(&mut self, bytes: u64, voices: u32, now: Instant) {
        let elapsed = now.saturating_duration_since(self.reckoned);
        let earned = self.even(now) * elapsed.as_micros() as u64 / 1_000_000;
        self.reckoned = now;
        let weight = elapsed.as_secs_f32() / (elapsed + VOICES).as_secs_f32();
        self.voices += (voices as f32 / 8.0 - self.voices) * weight;
        self.saved = (self.saved + earned as i64 - bytes as i64).min(self.most_saved(now));
        self.left = self.left.saturating_sub(bytes);
        let half = self.most_saved(now) / 2;
        self.rests = if self.rests { self.saved < half } else { self.saved < -half };
    }

    /// What pictures may take now.
    pub fn allowance(&self, now: Instant) -> Allowance {
        let sustained = self.for_pictures(now) / self.time(now).as_secs().max(1);
        if sustained == 0 {
            return Allowance { sustained: 0, burst: 0 };
        }
        let burst = if self.rests { 0 } else { sustained + (self.saved.max(0) / SPEND) as u64 };
        let bits = |bytes: u64| u32::try_from(bytes * 8).unwrap_or(u32::MAX);
        Allowance { sustained: bits(sustained), burst: bits(burst) }
    }

    /// What this budget leaves of pictures that would take `wanted` bits per second; `no_camera`: one that is wanted cannot be
    /// kept up.
    pub fn pictures(&mut self, wanted: u32, no_camera: bool, now: Instant) -> Pictures {
        let Allowance { sustained, burst } = self.allowance(now);
        if wanted > sustained || burst == 0 {
            self.spared = Some(now);
        }
        if sustained == 0 {
            self.stopped = Some(now);
        }
        match self.spared {
            _ if self.stopped.is_some_and(|stopped| now < stopped + SPARED) => Pictures::None,
            _ if no_camera => Pictures::Screen,
            Some(spared) if now < spared + SPARED => Pictures::Spared,
            _ => Pictures::Full,
        }
    }

    fn time(&self, now: Instant) -> Duration {
        self.ends.saturating_duration_since(now).max(LEAST_TIME)
    }

    /// Bytes a second, voice included.
    fn even(&self, now: Instant) -> u64 {
        self.left * 1_000 / self.time(now).as_millis().max(1) as u64
    }

    /// Bytes left when the voice has what it needs to the end.
    fn for_pictures(&self, now: Instant) -> u64 {
        let usual = if self.saver { SAVER_VOICE } else { PLAIN_VOICE };
        let voice = usual.max(self.voices as u64 + CONTROL);
        self.left.saturating_sub(voice * self.time(now).as_secs())
    }

    fn most_saved(&self, now: Instant) -> i64 {
        (self.for_pictures(now) as i64 / SAVED_SHARE).clamp(*SAVED.start(), *SAVED.end())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MB: u64 = 1_000_000;
    const LESSON: Duration = Duration::from_secs(3_300);
    const STEP: Duration = Duration::from_millis(100);

    /// What a lesson ended up with.
    struct Lesson {
        used: u64,
        /// Bits per second of camera, minute by minute.
        camera: Vec<u64>,
        /// Seconds in which the screen flowed.
        screen: u64,
    }

    /// A lesson in which somebody speaks all the time, a camera has three layers, and a screen costs `screen` bits per
    /// second while it may flow.
    fn run(budget: u64, screen: u32) -> Lesson {
        const CAMERA: [u32; 3] = [120_000, 400_000, 1_200_000];
        let start = Instant::now();
        let saver = budget < 2 * PLAIN_VOICE * LESSON.as_secs();
        let mut data = DataBudget::new(budget, LESSON, saver, start);
        let mut lesson = Lesson { used: 0, camera: vec![0; 56], screen: 0 };
        let mut tenths = 0;
        let mut now = start;
        while now < start + LESSON {
            now += STEP;
            let allowance = data.allowance(now);
            let voice = if saver { SAVER_VOICE } else { PLAIN_VOICE };
            let may = if screen <= allowance.burst { screen } else { 0 };
            tenths += u64::from(may > 0);
            let camera = CAMERA.into_iter().rev().find(|rate| *rate <= allowance.sustained).unwrap_or(0);
            let bytes = voice / 10 + u64::from(may + camera) / 80;
            data.spent(bytes, voice as u32 * 8, now);
            lesson.used += bytes;
            lesson.camera[((now - start).as_secs() / 60) as usize] += u64::from(camera) / 600;
        }
        lesson.screen = tenths / 10;
        lesson
    }

    #[test]
    fn twenty_five_megabytes_carry_the_voice_and_some_pages_but_no_camera() {
        let lesson = run(25 * MB, 200_000);
        assert!((20 * MB..=25 * MB).contains(&lesson.used), "{}", lesson.used);
        assert!(lesson.camera.iter().all(|rate| *rate == 0));
        assert!((200..1_000).contains(&lesson.screen), "{}", lesson.screen);
    }

    #[test]
    fn a_camera_steps_down_and_what_flows_fits() {
        let lesson = run(300 * MB, 0);
        assert!((200 * MB..=300 * MB).contains(&lesson.used), "{}", lesson.used);
        assert!(lesson.camera[..54].iter().all(|rate| *rate > 0), "{:?}", lesson.camera);
    }

    #[test]
    fn less_than_the_voice_needs_shows_nothing_and_cuts_nothing() {
        let lesson = run(8 * MB, 200_000);
        assert_eq!((lesson.screen, lesson.camera.iter().sum::<u64>()), (0, 0));
        assert_eq!(lesson.used, SAVER_VOICE * LESSON.as_secs(), "the voice goes on over the budget");
    }

    #[test]
    fn there_is_a_picture_at_once_and_savings_end() {
        let (start, mut data) = (Instant::now(), DataBudget::new(25 * MB, LESSON, true, Instant::now()));
        assert!(data.allowance(start).burst > 100_000);
        data.spent(2 * MB, 0, start + STEP);
        assert_eq!(data.allowance(start + STEP).burst, 0, "overdrawn");
        assert!(data.allowance(start + STEP).sustained > 0);
        let mut now = start + STEP;
        while data.allowance(now).burst == 0 {
            now += STEP;
            data.spent(SAVER_VOICE / 10, 0, now);
        }
        assert!(now < start + Duration::from_secs(900), "{:?}", now - start);
    }

    #[test]
    fn what_is_told_of_pictures_does_not_flicker() {
        let start = Instant::now();
        let mut data = DataBudget::new(100 * MB, LESSON, false, start);
        let allowed = data.allowance(start).sustained;
        assert_eq!(data.pictures(allowed, false, start), Pictures::Full);
        assert_eq!(data.pictures(allowed + 1, false, start), Pictures::Spared);
        assert_eq!(data.pictures(0, false, start + SPARED / 2), Pictures::Spared);
        assert_eq!(data.pictures(0, false, start + SPARED), Pictures::Full);
        assert_eq!(data.pictures(allowed, true, start), Pictures::Screen);
        data.set(MB, LESSON, true, start);
        assert_eq!(data.pictures(0, true, start), Pictures::None);
    }

    #[test]
    fn who_raises_the_budget_is_told_at_once_that_pictures_come() {
        let start = Instant::now();
        let mut data = DataBudget::new(MB, LESSON, true, start);
        assert_eq!(data.pictures(0, true, start), Pictures::None);
        let later = start + Duration::from_secs(2);
        data.spent(10_000, 0, later);
        data.set(MB - 12_000, LESSON, true, later);
        assert_eq!(data.pictures(0, true, later), Pictures::None, "an account is no new wish");
        data.set(100 * MB, LESSON, false, later);
        assert_eq!(data.pictures(100_000, false, later), Pictures::Full);
        assert!(data.allowance(later).burst > 0);
    }

    #[test]
    fn what_redundancy_takes_is_left_to_the_voice() {
        let (start, mut data) = (Instant::now(), DataBudget::new(50 * MB, LESSON, true, Instant::now()));
        let later = start + VOICES * 5;
        let mut after = |voices: u32| {
            (1..=500).for_each(|step| data.spent(u64::from(voices) / 80, voices, start + STEP * 2 * step));
            data = DataBudget { left: 50 * MB, ends: later + LESSON, reckoned: start, ..data };
            data.allowance(later).sustained
        };
        let (usual, redundant) = (after(16_000), after(60_000));
        let more = 60_000 + CONTROL as u32 * 8 - SAVER_VOICE as u32 * 8;
        assert!(redundant.abs_diff(usual - more) < more / 50, "{redundant} of {usual}");
        assert!(usual.abs_diff(after(0)) < 500, "forgotten after a while");
    }

    proptest! {
        /// Whatever pictures cost, they never eat what the voice needs: at the end of any lesson at most the savings of a
        /// moment are missing.
        #[test]
        fn the_voice_is_always_left(budget in 15u64..500, screen in 10_000u32..2_000_000) {
            let lesson = run(budget * MB, screen);
            prop_assert!(lesson.used <= budget * MB + MB, "{} of {budget}", lesson.used);
        }
    }
}
