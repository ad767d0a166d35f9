//! What a receiver lost on its own link. Its reports count what is missing in the numbers of a stream, and under some of them
//! nothing ever left for it: what its publisher's uplink lost, or what waited too long here. That is taken off.

/// A receiver's word on one stream (RFC 3550 section 6.4.1).
#[derive(Clone, Copy, Debug)]
pub struct Told {
    /// The highest number that came, unwrapped.
    pub highest: u64,
    /// Since the stream began; below zero where packets came twice.
    pub total_lost: i32,
    /// Since the report before, in 256ths.
    pub fraction: u8,
}

/// What got lost of what left for a receiver.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Lost {
    pub lost: u32,
    pub left: u32,
}

impl Lost {
    /// In 256ths.
    pub fn fraction(self) -> u8 {
        (u64::from(self.lost) * 256 / u64::from(self.left.max(1))).min(255) as u8
    }
}

/// As a report says it, whose packets are not known.
impl From<u8> for Lost {
    fn from(fraction: u8) -> Self {
        Self { lost: fraction.into(), left: 256 }
    }
}

/// How a stream stood at a report.
#[derive(Clone, Copy, Debug)]
struct Standing {
    /// The number after the highest that came.
    next: u64,
    /// Packets that left with a number before that.
    left: u64,
    total_lost: i32,
}

/// One stream: under which numbers something left.
#[derive(Clone, Copy, Debug, Default)]
pub struct OwnLoss {
    /// The number after the highest that left.
    next: u64,
    /// Whether something left under each of the newest numbers, the highest in the lowest bit. Of a voice that is two and a half
    /// seconds: who reports about older ones is believed as it stands.
    newest: u128,
    /// Packets that left.
    left: u64,
    reported: Option<Standing>,
}

impl OwnLoss {
    /// A packet left with this number for the first time, also one that came late.
    pub fn left(&mut self, sequence: u64) {
        if self.left == 0 {
            self.next = sequence;
            self.reported = Some(Standing { next: sequence, left: 0, total_lost: 0 });
        }
        self.left += 1;
        if sequence >= self.next {
            self.newest = older(self.newest, sequence + 1 - self.next);
            self.next = sequence + 1;
        }
        self.newest |= older_bit(self.next - 1 - sequence);
    }

    /// What a receiver lost of what left for it since its last report.
    pub fn told(&mut self, told: Told) -> Lost {
        let Some(now) = self.standing(told) else {
            self.reported = None;
            return told.fraction.into();
        };
        let Some(before) = self.reported.replace(now) else { return told.fraction.into() };
        if now.next <= before.next {
            // A report that was overtaken, or about nothing new.
            self.reported = Some(before);
            return Lost::default();
        }
        let left = now.left.saturating_sub(before.left);
        let never_left = (now.next - before.next) as i64 - left as i64;
        let lost = i64::from(now.total_lost) - i64::from(before.total_lost) - never_left;
        Lost { lost: lost.clamp(0, left as i64) as u32, left: left as u32 }
    }

    /// `None` when it is not known any more what had left by then.
    fn standing(&self, told: Told) -> Option<Standing> {
        let next = told.highest + 1;
        let on_the_way = self.next.checked_sub(next).filter(|since| *since < u64::from(u128::BITS))?;
        let later = self.newest & !(u128::MAX << on_the_way);
        Some(Standing { next, left: self.left - u64::from(later.count_ones()), total_lost: told.total_lost })
    }
}

/// The same packets when so many numbers later are the newest.
fn older(newest: u128, numbers: u64) -> u128 {
    u32::try_from(numbers).ok().and_then(|numbers| newest.checked_shl(numbers)).unwrap_or(0)
}

fn older_bit(age: u64) -> u128 {
    older(1, age)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use proptest::prelude::*;
    use rand::{RngExt, SeedableRng, rngs::StdRng};

    use super::*;
    use crate::sfu::forward::reception::Reception;

    /// A stream with gaps, a lossy link, and a receiver who counts as the RFC says.
    struct Rig {
        random: StdRng,
        own: OwnLoss,
        reception: Reception,
        sequence: u64,
        start: Instant,
        /// What really left and got lost.
        truth: Lost,
        /// Missing for now, to leave later.
        late: Vec<u64>,
    }

    /// Packets on their way when the receiver reports.
    const TRAVELING: u64 = 6;

    impl Rig {
        fn new(seed: u64) -> Self {
            Self {
                random: StdRng::seed_from_u64(seed),
                own: OwnLoss::default(),
                reception: Reception::default(),
                sequence: 20_000,
                start: Instant::now(),
                truth: Lost::default(),
                late: Vec::new(),
            }
        }

        fn chance(&mut self, percent: u32) -> bool {
            self.random.random_range(0..100) < percent
        }

        fn arrive(&mut self, sequence: u64) {
            self.reception.received(sequence, 0, 48_000, self.start, self.start);
        }

        fn leave(&mut self, sequence: u64, down: u32) {
            self.own.left(sequence);
            self.truth.left += 1;
            match self.chance(down) {
                true => self.truth.lost += 1,
                false => self.arrive(sequence),
            }
        }

        /// So many numbers, of which `up` in a hundred are missing, `late` in a hundred of those for a while only, and `down` get lost.
        fn run(&mut self, numbers: u32, up: u32, late: u32, down: u32) {
            for _ in 0..numbers {
                self.sequence += 1;
                match self.chance(up) {
                    true if self.chance(late) => self.late.push(self.sequence),
                    true => {}
                    false => self.leave(self.sequence, down),
                }
                if self.late.first().is_some_and(|first| first + 10 < self.sequence) {
                    let late = self.late.remove(0);
                    self.leave(late, down);
                }
            }
        }

        /// What is judged of a report.
        fn report(&mut self) -> Lost {
            let figures = self.reception.report().expect("packets came");
            let traveling = self.sequence + 1..=self.sequence + TRAVELING;
            self.sequence += TRAVELING;
            traveling.clone().for_each(|sequence| self.own.left(sequence));
            let judged = self.own.told(Told {
                highest: u64::from(figures.highest),
                total_lost: figures.total_lost as i32,
                fraction: figures.fraction_lost,
            });
            traveling.for_each(|sequence| self.arrive(sequence));
            self.truth.left += TRAVELING as u32;
            judged
        }
    }

    #[test]
    fn what_the_speaker_lost_is_no_loss_of_the_listener() {
        let mut rig = Rig::new(1);
        for _ in 0..60 {
            rig.run(50, 30, 0, 0);
            assert_eq!(rig.report().lost, 0);
        }
    }

    #[test]
    fn a_silence_longer_than_what_is_remembered_is_no_loss_either() {
        let mut rig = Rig::new(1);
        rig.run(50, 0, 0, 0);
        assert_eq!(rig.report().lost, 0);
        rig.sequence += 1_000;
        rig.run(50, 0, 0, 0);
        assert_eq!(rig.report().lost, 0);
    }

    #[test]
    fn a_report_about_what_is_not_remembered_is_believed_and_the_next_one_is_judged_again() {
        let mut own = OwnLoss::default();
        (0..1_000u64).filter(|it| it % 2 == 0).for_each(|sequence| own.left(sequence));
        let mut told = |highest, total_lost| own.told(Told { highest, total_lost, fraction: 100 }).fraction();
        assert_eq!(told(700, 350), 100);
        assert_eq!(told(900, 450), 100);
        assert_eq!(told(998, 499), 0);
        assert_eq!(told(998, 499), 0, "nothing new");
        assert_eq!(told(5_000, 499), 100, "a number that never left");
    }

    proptest! {
        #[test]
        fn each_link_is_judged_for_itself(
            seed in 0u64..1_000,
            (up, late, down) in (0u32..60, 0u32..=100, 0u32..60),
            lengths in proptest::collection::vec(30u32..300, 1..20),
        ) {
            let mut rig = Rig::new(seed);
            // A receiver counts from the first packet on that it got.
            rig.run(1, 0, 0, 0);
            let mut judged = Lost::default();
            for length in &lengths {
                rig.run(*length, up, late, down);
                let Lost { lost, left } = rig.report();
                judged = Lost { lost: judged.lost + lost, left: judged.left + left };
            }
            // At the end of each some are late, or lost before anything that tells so.
            let truth = rig.truth;
            prop_assert!(judged.lost.abs_diff(truth.lost) <= 8 * lengths.len() as u32, "{judged:?} of {truth:?}");
            prop_assert!(judged.left.abs_diff(truth.left) <= 40, "{judged:?} of {truth:?}");
        }
    }
}
