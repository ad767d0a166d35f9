//! Rounds of one measurement: which count, which are made again, and when there are too few for a figure.

use crate::figures::median;

/// A void round is made again, so often at most in one measurement: a load that the machine does not bear has no figure.
const MOST_VOID: usize = 3;

/// Valid rounds of one side.
#[derive(Debug)]
pub struct Rounds<T> {
    valid: Vec<T>,
    void: usize,
    wanted: usize,
}

impl<T> Rounds<T> {
    /// Of a side that is measured so often; 0: it is not there.
    pub fn wanting(wanted: usize) -> Self {
        Self { valid: Vec::with_capacity(wanted), void: 0, wanted }
    }

    /// One more is to be made.
    pub fn is_due(&self) -> bool {
        self.valid.len() < self.wanted && self.void <= MOST_VOID
    }

    /// A round is over; `None`: it was void.
    pub fn take(&mut self, round: Option<T>) {
        match round {
            Some(round) => self.valid.push(round),
            None => self.void += 1,
        }
    }

    pub fn valid(&self) -> &[T] {
        &self.valid
    }

    /// `None` where fewer rounds are valid than were wanted: a median of them would look like one of all.
    pub fn median(&self, figure: impl Fn(&T) -> f64) -> Option<f64> {
        let is_whole = self.wanted > 0 && self.valid.len() >= self.wanted;
        is_whole.then(|| median(self.valid.iter().map(figure).collect()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn made(wanted: usize, rounds: &[Option<f64>]) -> Rounds<f64> {
        let mut made = Rounds::wanting(wanted);
        for round in rounds {
            assert!(made.is_due());
            made.take(*round);
        }
        made
    }

    #[test]
    fn a_void_round_is_made_again() {
        let rounds = made(3, &[Some(1.0), None, Some(9.0), None, Some(2.0)]);
        assert!(!rounds.is_due());
        assert_eq!((rounds.median(|cost| *cost), rounds.valid().len()), (Some(2.0), 3));
    }

    #[test]
    fn who_is_void_again_and_again_has_no_figure() {
        let rounds = made(3, &[Some(1.0), None, None, Some(2.0), None, None]);
        assert!(!rounds.is_due());
        assert_eq!(rounds.median(|cost| *cost), None);
    }

    #[test]
    fn who_is_not_there_has_no_figure_either() {
        let rounds = made(0, &[]);
        assert!(!rounds.is_due());
        assert_eq!(rounds.median(|cost| *cost), None);
    }
}
