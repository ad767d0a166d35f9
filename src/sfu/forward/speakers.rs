//! Who speaks: audio levels of many microphones become a short list, loudest first, that does not flicker.

use std::time::{Duration, Instant};

/// Levels quieter than this (−dBov) are breath and fans.
const VOICE: u8 = 50;
/// A voice must last this long to count, so that a cough or a pen does not.
const ONSET: Duration = Duration::from_millis(120);
/// A voice that paused for less is still speaking.
const HANGOVER: Duration = Duration::from_millis(900);
/// Shortest time between two lists.
const INTERVAL: Duration = Duration::from_millis(200);
/// Longest list.
const LISTED: usize = 8;

/// What is known of one microphone.
#[derive(Clone, Copy, Debug)]
struct Voice<K> {
    key: K,
    since: Instant,
    heard: Instant,
    /// Smoothed loudness, 0 to 127, in sixteenths.
    loudness: u32,
}

/// Ranks the microphones of one lesson.
#[derive(Debug)]
pub struct Speakers<K> {
    voices: Vec<Voice<K>>,
    listed: Vec<K>,
    told: Option<Instant>,
}

impl<K> Default for Speakers<K> {
    fn default() -> Self {
        Self { voices: Vec::new(), listed: Vec::new(), told: None }
    }
}

impl<K: Copy + PartialEq> Speakers<K> {
    /// One packet of this microphone had this level (−dBov: 0 loud, 127 silent).
    pub fn heard(&mut self, key: K, level: u8, now: Instant) {
        if level > VOICE {
            return;
        }
        let loudness = u32::from(127 - level) * 16;
        match self.voices.iter_mut().find(|voice| voice.key == key) {
            Some(voice) => {
                voice.loudness = (voice.loudness * 7 + loudness) / 8;
                voice.heard = now;
            }
            None => self.voices.push(Voice { key, since: now, heard: now, loudness }),
        }
    }

    /// This microphone is gone or not permitted any more.
    pub fn forget(&mut self, key: K) {
        self.voices.retain(|voice| voice.key != key);
    }

    /// The list when it changed since it was last told, at most five times a second.
    pub fn poll(&mut self, now: Instant) -> Option<Vec<K>> {
        if self.told.is_some_and(|told| now < told + INTERVAL) {
            return None;
        }
        self.voices.retain(|voice| now < voice.heard + HANGOVER);
        let list = self.rank();
        if list == self.listed {
            return None;
        }
        self.told = Some(now);
        self.listed.clone_from(&list);
        Some(list)
    }

    /// True when no list is owed and nobody was heard lately.
    pub fn is_quiet(&self) -> bool {
        self.voices.is_empty() && self.listed.is_empty()
    }

    /// Loudest first; somebody listed gives way only to a clearly louder voice.
    fn rank(&self) -> Vec<K> {
        let mut speaking: Vec<&Voice<K>> =
            self.voices.iter().filter(|voice| voice.heard >= voice.since + ONSET).collect();
        speaking.sort_by_key(|voice| std::cmp::Reverse(voice.loudness + self.bonus(voice.key)));
        speaking.iter().take(LISTED).map(|voice| voice.key).collect()
    }

    fn bonus(&self, key: K) -> u32 {
        let place = self.listed.iter().position(|listed| *listed == key);
        place.map_or(0, |place| 6 * 16 * (LISTED - place.min(LISTED)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `key` speaks at `level` for `millis`, in packets of 20 ms.
    fn speak(speakers: &mut Speakers<u8>, key: u8, level: u8, from: Instant, millis: u64) -> Instant {
        let mut now = from;
        for _ in 0..millis / 20 {
            now += Duration::from_millis(20);
            speakers.heard(key, level, now);
        }
        now
    }

    #[test]
    fn a_voice_is_listed_and_a_cough_is_not() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        let now = speak(&mut speakers, 1, 20, start, 60);
        assert_eq!(speakers.poll(now), None);
        let now = speak(&mut speakers, 1, 20, now, 200);
        assert_eq!(speakers.poll(now), Some(vec![1]));
        assert_eq!(speakers.poll(now + INTERVAL), None, "told once");
    }

    #[test]
    fn a_pause_is_bridged_and_silence_empties_the_list() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        let now = speak(&mut speakers, 1, 20, start, 300);
        assert_eq!(speakers.poll(now), Some(vec![1]));
        assert_eq!(speakers.poll(now + HANGOVER / 2), None);
        assert_eq!(speakers.poll(now + HANGOVER), Some(vec![]));
        assert!(speakers.is_quiet());
    }

    #[test]
    fn the_louder_voice_comes_first() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        speak(&mut speakers, 1, 45, start, 400);
        let now = speak(&mut speakers, 2, 10, start, 400);
        assert_eq!(speakers.poll(now), Some(vec![2, 1]));
    }
}
