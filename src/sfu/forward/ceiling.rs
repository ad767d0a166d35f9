//! How many bits per second the encoder of a screen is asked to stay below: what the widest link takes of those who receive it. A
//! screen has one size only, so on narrow links its key frames and whole pages take seconds; where nobody has a wide one, smaller
//! ones help everybody.

use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

/// A link that bears so many bits per second of pictures takes a screen as it comes.
const WIDE: u32 = 500_000;
/// No encoder is asked for less, in bits per second.
const LEAST: u32 = 40_000;
/// Share of what the widest link takes, in percent: headers, and what is sent again, have room beside it.
const SHARE: u64 = 80;
/// While pictures come, all must have been narrow for so long, and then as long between two words.
const SETTLED: Duration = Duration::from_secs(2);
/// Told is what changes by more than this, in percent of what was told.
const LOWER: u64 = 80;
const HIGHER: u64 = 125;

/// What receivers take of a screen, merged by the maximum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Takes {
    /// Nobody receives it, or nothing is known yet of the links of those who do.
    #[default]
    Nothing,
    /// Bits per second.
    UpTo(u32),
    /// As much as comes.
    All,
}

impl Takes {
    /// What a link takes that bears so many bits per second of pictures, of which `room` are for the screen.
    pub fn of(bears: Option<u32>, room: u32) -> Self {
        match bears {
            Some(bears) if bears < WIDE => Self::UpTo(room),
            _ => Self::All,
        }
    }
}

/// What the encoder was last asked for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Ceiling {
    told: Option<u32>,
    narrow: Option<Instant>,
    told_at: Option<Instant>,
}

impl Ceiling {
    /// What to tell the publisher now, if anything: a limit in bits per second, or that there is none. One wide link lifts it at
    /// once. While nobody receives the screen it stays.
    pub fn follow(&mut self, takes: Takes, flows: bool, now: Instant) -> Option<Option<u32>> {
        let room = match takes {
            Takes::Nothing => return None,
            Takes::All => {
                self.narrow = None;
                return self.told.take().map(|_| None);
            }
            Takes::UpTo(room) => room,
        };
        let since = self.told_at.max(Some(*self.narrow.get_or_insert(now)));
        let is_settled = !flows || since.is_none_or(|since| now >= since + SETTLED);
        let bitrate = ((u64::from(room) * SHARE / 100) as u32).max(LEAST);
        let share = self.told.map_or(0, |told| u64::from(bitrate) * 100 / u64::from(told));
        if !is_settled || (LOWER..=HIGHER).contains(&share) {
            return None;
        }
        (self.told, self.told_at) = (Some(bitrate), Some(now));
        Some(self.told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn the_widest_of_all_counts_and_who_receives_nothing_says_nothing() {
        let narrow = [Takes::of(Some(60_000), 50_000), Takes::of(Some(200_000), 180_000), Takes::Nothing];
        assert_eq!(narrow.into_iter().max(), Some(Takes::UpTo(180_000)));
        let wide = [Takes::of(Some(WIDE), 400_000), Takes::of(None, 0)];
        assert_eq!(wide, [Takes::All; 2]);
        assert!(narrow.into_iter().all(|takes| takes < Takes::All));
    }

    #[test]
    fn one_wide_link_lifts_it_at_once_and_a_moment_lowers_nothing() {
        let (start, mut ceiling) = (Instant::now(), Ceiling::default());
        let mut follow = |takes, at| ceiling.follow(takes, true, start + at);
        assert_eq!(follow(Takes::All, Duration::ZERO), None, "nothing was asked for");
        assert_eq!(follow(Takes::UpTo(100_000), SECOND), None, "a moment");
        assert_eq!(follow(Takes::All, SECOND * 2), None);
        assert_eq!(follow(Takes::UpTo(100_000), SECOND * 3), None);
        assert_eq!(follow(Takes::UpTo(100_000), SECOND * 5), Some(Some(80_000)));
        assert_eq!(follow(Takes::Nothing, SECOND * 6), None, "it stays");
        assert_eq!(follow(Takes::All, SECOND * 6), Some(None));
        assert_eq!(follow(Takes::All, SECOND * 7), None, "it was told");
    }

    #[test]
    fn it_follows_what_the_links_take_in_steps() {
        let (start, mut ceiling) = (Instant::now(), Ceiling::default());
        let rooms = (0..200).map(|tenth| 60_000 + 2_000 * tenth);
        let told: Vec<u32> = (0u32..)
            .zip(rooms)
            .filter_map(|(tenth, room)| {
                ceiling.follow(Takes::UpTo(room), true, start + SECOND / 10 * tenth)?
            })
            .collect();
        assert_eq!(told.first(), Some(&80_000), "after two seconds");
        assert!(told.len() <= 8 && told.windows(2).all(|pair| pair[1] > pair[0] * 5 / 4), "{told:?}");
        assert_eq!(ceiling.follow(Takes::UpTo(1_000), true, start + SECOND * 30), Some(Some(LEAST)));
    }

    #[test]
    fn where_all_are_narrow_already_the_first_page_is_small() {
        let mut ceiling = Ceiling::default();
        assert_eq!(ceiling.follow(Takes::UpTo(60_000), false, Instant::now()), Some(Some(48_000)));
    }
}
