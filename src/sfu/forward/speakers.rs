//! Who speaks: audio levels of many microphones become a short list, loudest first, that does not flicker; and the moment
//! when a voice begins.
//!
//! Levels are the publishers' own word. One that tells none, or always the same, is judged by the size of its packets:
//! an encoder spends more bytes on speech than on a room. Such a voice comes after those whose levels can be believed.

use std::time::{Duration, Instant};

/// Levels quieter than this (−dBov) are breath and fans.
const VOICE: u8 = 50;
/// A voice begins with so much of it: two packets.
const BEGINNING: Duration = Duration::from_millis(15);
/// A voice must last this long to count, so that a cough or a pen does not.
const ONSET: Duration = Duration::from_millis(120);
/// A voice that paused for less is still speaking.
const HANGOVER: Duration = Duration::from_millis(900);
/// Shortest time between two lists.
const INTERVAL: Duration = Duration::from_millis(200);
/// Longest list.
const LISTED: usize = 8;
/// Packets in a row whose levels hardly differ are no measurement: a second of them.
const CONSTANT: u32 = 50;
const DIFFERENCE: u8 = 2;
/// Bytes of a packet of 20 ms from which it is speech, where nothing better is known.
const SPEECH_BYTES: usize = 28;
/// The level (−dBov) that such a packet counts as: below most voices.
const UNTOLD: u8 = 48;

/// What is known of one microphone.
#[derive(Clone, Copy, Debug)]
struct Voice<K> {
    key: K,
    since: Instant,
    heard: Instant,
    /// Smoothed loudness, 0 to 127, in sixteenths.
    loudness: u32,
    /// That it begins was told.
    has_begun: bool,
}

/// What is known of one microphone, whether it is heard or not.
#[derive(Clone, Copy, Debug)]
struct Microphone<K> {
    key: K,
    /// Of voices alike, the one who has the floor for a shorter time comes first.
    opened: Instant,
    /// The levels of the present run of packets whose levels hardly differ.
    least: u8,
    most: u8,
    packets: u32,
}

/// Ranks the microphones of one lesson.
#[derive(Debug)]
pub struct Speakers<K> {
    voices: Vec<Voice<K>>,
    /// Each until it is forgotten: as many as hold the floor.
    microphones: Vec<Microphone<K>>,
    listed: Vec<K>,
    told: Option<Instant>,
}

impl<K> Default for Speakers<K> {
    fn default() -> Self {
        Self { voices: Vec::new(), microphones: Vec::new(), listed: Vec::new(), told: None }
    }
}

impl<K: Copy + PartialEq> Speakers<K> {
    /// One packet of this microphone had this level (−dBov: 0 loud, 127 silent), where told, and so many bytes. True when a
    /// voice begins with it.
    pub fn heard(&mut self, key: K, level: Option<u8>, bytes: usize, now: Instant) -> bool {
        let level = self.believe(key, level, now).unwrap_or(if bytes >= SPEECH_BYTES { UNTOLD } else { 127 });
        if level > VOICE {
            return false;
        }
        let loudness = u32::from(127 - level) * 16;
        let Some(voice) = self.voices.iter_mut().find(|voice| voice.key == key) else {
            self.voices.push(Voice { key, since: now, heard: now, loudness, has_begun: false });
            return false;
        };
        if now >= voice.heard + HANGOVER {
            (voice.since, voice.has_begun) = (now, false);
        }
        voice.loudness = (voice.loudness * 7 + loudness) / 8;
        voice.heard = now;
        let begins = !voice.has_begun && now >= voice.since + BEGINNING;
        voice.has_begun |= begins;
        begins
    }

    /// The level, if it is one: told, and not the same all the time.
    fn believe(&mut self, key: K, level: Option<u8>, now: Instant) -> Option<u8> {
        let place = self.microphones.iter().position(|known| known.key == key).unwrap_or_else(|| {
            self.microphones.push(Microphone { key, opened: now, least: 127, most: 0, packets: 0 });
            self.microphones.len() - 1
        });
        let (known, level) = (&mut self.microphones[place], level?);
        (known.least, known.most) = (known.least.min(level), known.most.max(level));
        known.packets += 1;
        if known.most - known.least > DIFFERENCE {
            (known.least, known.most, known.packets) = (level, level, 1);
        }
        // Silence may be the same for as long as it likes.
        (known.packets < CONSTANT || level > VOICE).then_some(level)
    }

    /// This microphone is gone or not permitted any more.
    pub fn forget(&mut self, key: K) {
        self.voices.retain(|voice| voice.key != key);
        self.microphones.retain(|microphone| microphone.key != key);
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
        speaking.sort_by_key(|voice| {
            std::cmp::Reverse((voice.loudness + self.bonus(voice.key), self.opened(voice.key)))
        });
        speaking.iter().take(LISTED).map(|voice| voice.key).collect()
    }

    fn opened(&self, key: K) -> Option<Instant> {
        self.microphones.iter().find(|microphone| microphone.key == key).map(|microphone| microphone.opened)
    }

    fn bonus(&self, key: K) -> u32 {
        let place = self.listed.iter().position(|listed| *listed == key);
        place.map_or(0, |place| 6 * 16 * (LISTED - place.min(LISTED)) as u32)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PACKET: Duration = Duration::from_millis(20);

    /// `key` speaks at about `level` for `millis`, in packets of 20 ms.
    fn speak(speakers: &mut Speakers<u8>, key: u8, level: u8, from: Instant, millis: u64) -> Instant {
        let mut now = from;
        for count in 0..millis / 20 {
            now += PACKET;
            speakers.heard(key, Some(level + (count % 2) as u8 * 4), 60, now);
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
    fn a_voice_begins_with_its_second_packet_and_once_until_it_pauses() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        let mut told = Vec::new();
        for count in 0..200 {
            // Speech, a second of silence, speech.
            let level = if (50..100).contains(&count) { 90 } else { 20 + (count % 3) as u8 * 3 };
            if speakers.heard(1, Some(level), 60, start + PACKET * count) {
                told.push(count);
            }
            speakers.poll(start + PACKET * count);
        }
        assert_eq!(told, [1, 101]);
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

    #[test]
    fn who_always_says_zero_or_nothing_comes_after_honest_voices_and_by_what_is_sent() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        let mut now = start;
        for count in 0u8..100 {
            now += PACKET;
            speakers.heard(1, Some(0), 60, now);
            speakers.heard(2, None, 60, now);
            speakers.heard(3, Some(0), 8, now);
            speakers.heard(4, None, 8, now);
            speakers.heard(5, Some(35 + count % 5), 60, now);
        }
        let list = speakers.poll(now + HANGOVER / 2).expect("a list");
        assert_eq!(list[0], 5, "{list:?}");
        assert!(list.contains(&1) && list.contains(&2), "they send speech");
        let (mut now, mut list) = (now, list);
        for count in 0u8..100 {
            now += PACKET;
            speakers.heard(3, Some(0), 8, now);
            speakers.heard(5, Some(35 + count % 5), 60, now);
            list = speakers.poll(now).unwrap_or(list);
        }
        assert_eq!(list, [5], "a liar who is silent");
    }

    #[test]
    fn of_voices_alike_the_latest_to_get_the_floor_comes_first() {
        let (mut speakers, start) = (Speakers::default(), Instant::now());
        let mut now = start;
        for _ in 0..20 {
            now += PACKET;
            (1u8..=3).for_each(|key| {
                speakers.heard(key, None, 60, now + Duration::from_micros(u64::from(key)));
            });
        }
        assert_eq!(speakers.poll(now + PACKET), Some(vec![3, 2, 1]));
    }
}
