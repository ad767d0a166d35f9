//! The numbers of one layer on its way to another node: without the holes that a pause makes, so that nobody there asks for
//! what was never meant to come.

use super::sequence::nearest;

/// Holes up to this long keep their place: what is missing in them may still come.
const KEPT: u64 = 200;
/// A pause shows as a hole of this length: too long to be asked for, so that the far side begins anew at a key frame.
pub const JUMP: u64 = 1_000;
/// The first number. Low, so that both ends count the turns of the 16-bit number alike (RFC 3711 section 3.3.1).
const FIRST: u64 = 1;

/// One stretch without a pause.
#[derive(Clone, Copy, Debug)]
struct Run {
    /// Numbers as they came: the first and the highest.
    first: u64,
    highest: u64,
    /// The number that the first left with.
    out: u64,
}

impl Run {
    fn leaves(&self, sequence: u64) -> u64 {
        self.out + (sequence - self.first)
    }
}

/// Renumbers one layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Renumberer {
    run: Option<Run>,
    pauses: bool,
}

impl Renumberer {
    /// What was left out until the next packet is a pause, however short it was.
    pub fn pause(&mut self) {
        self.pauses = true;
    }

    /// The number that a packet leaves with; `None` for one from before the last pause.
    pub fn forward(&mut self, sequence: u64) -> Option<u64> {
        let run = match self.run {
            Some(run) if sequence < run.first || (self.pauses && sequence <= run.highest) => return None,
            Some(run) if sequence <= run.highest + KEPT && !self.pauses => {
                Run { highest: run.highest.max(sequence), ..run }
            }
            Some(run) => Run { first: sequence, highest: sequence, out: run.leaves(run.highest) + JUMP },
            None => Run { first: sequence, highest: sequence, out: FIRST },
        };
        (self.run, self.pauses) = (Some(run), false);
        Some(run.leaves(sequence))
    }

    /// The packet that left with this number, and the whole number; `None` when none did since the last pause.
    pub fn origin(&self, wrapped: u16) -> Option<(u64, u64)> {
        let run = self.run?;
        let out = nearest(run.leaves(run.highest), wrapped);
        let sequence = run.first + out.checked_sub(run.out)?;
        (sequence <= run.highest).then_some((sequence, out))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_short_hole_keeps_its_place_and_a_pause_is_one_long_jump() {
        let mut numbers = Renumberer::default();
        assert_eq!(numbers.forward(70_000), Some(1));
        assert_eq!(numbers.forward(70_003), Some(4));
        assert_eq!(numbers.forward(70_001), Some(2), "late");
        assert_eq!(numbers.forward(90_000), Some(4 + JUMP));
        assert_eq!(numbers.forward(70_002), None, "from before the pause");
        assert_eq!(numbers.origin(4), None);
        assert_eq!(numbers.origin(4 + JUMP as u16), Some((90_000, 4 + JUMP)));
        assert_eq!(numbers.origin(5 + JUMP as u16), None, "has not left");
    }

    #[test]
    fn a_pause_that_is_told_is_one_however_short() {
        let mut numbers = Renumberer::default();
        assert_eq!((numbers.forward(10), numbers.forward(11)), (Some(1), Some(2)));
        numbers.pause();
        assert_eq!(numbers.forward(11), None);
        assert_eq!((numbers.forward(14), numbers.forward(15)), (Some(2 + JUMP), Some(3 + JUMP)));
        assert_eq!(numbers.forward(12), None, "left out");
    }

    proptest! {
        #[test]
        fn numbers_grow_with_the_packets_and_lead_back_to_them(steps in proptest::collection::vec(1u64..400, 1..300)) {
            let (mut numbers, mut sequence, mut before) = (Renumberer::default(), 65_536, 0);
            for step in steps {
                sequence += step;
                let out = numbers.forward(sequence).expect("not late");
                prop_assert!(out > before);
                prop_assert_eq!(numbers.origin(out as u16), Some((sequence, out)));
                before = out;
            }
        }
    }
}
