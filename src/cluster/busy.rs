//! How much of its processors' time this server uses, smoothed: whoever places lessons asks about the last half minute, not about
//! the last picture.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// A change shows to two thirds after this.
const SMOOTHING: Duration = Duration::from_secs(10);

/// The use of processors between two looks.
#[derive(Debug)]
pub struct Busy {
    processors: f64,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// The time of the last look, and the seconds of processors used until then.
    last: Option<(Instant, f64)>,
    /// Share of all processors: 0 to 1.
    smoothed: f64,
}

impl Busy {
    /// On so many processors.
    pub fn new(processors: usize) -> Self {
        let state = State { last: None, smoothed: 0.0 };
        Self { processors: processors.max(1) as f64, state: Mutex::new(state) }
    }

    /// Takes a look: seconds of processors used since the start. Per mille of all, of late.
    pub fn look(&self, used: f64, now: Instant) -> u16 {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((last, before)) = state.last {
            let passed = now.saturating_duration_since(last).as_secs_f64();
            if passed <= 0.0 {
                return per_mille(state.smoothed);
            }
            let share = ((used - before) / passed / self.processors).clamp(0.0, 1.0);
            let part = 1.0 - (-passed / SMOOTHING.as_secs_f64()).exp();
            state.smoothed += (share - state.smoothed) * part;
        }
        state.last = Some((now, used));
        per_mille(state.smoothed)
    }
}

fn per_mille(share: f64) -> u16 {
    (share * 1_000.0).round() as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_of_work_counts_little_and_lasting_work_counts_whole() {
        let (start, busy) = (Instant::now(), Busy::new(4));
        let at = |seconds: u64| start + Duration::from_secs(seconds);
        assert_eq!(busy.look(100.0, at(0)), 0, "what was used before the first look is nobody's load");
        // All four for a second.
        assert_eq!(busy.look(104.0, at(1)), 95);
        for second in 2..=60 {
            busy.look(104.0 + 2.0 * (second - 1) as f64, at(second));
        }
        assert_eq!(busy.look(104.0 + 2.0 * 60.0, at(61)), 499, "two of four");
        assert_eq!(busy.look(0.0, at(61)), 499, "a clock that stands");
    }
}
