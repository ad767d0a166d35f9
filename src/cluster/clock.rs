//! What time it is. With SQLite the database's time is this machine's; with PostgreSQL each beat measures it.

use std::{
    sync::{
        Mutex,
        atomic::{AtomicU64, Ordering},
    },
    time::{Instant, SystemTime, UNIX_EPOCH},
};

use qism_signaling::hub::ports::Clock;

/// Never goes back, whatever the administrator does to the machine's time: `at` of events must not.
#[derive(Debug, Default)]
pub struct SystemClock {
    latest_ms: AtomicU64,
}

impl Clock for SystemClock {
    fn now_ms(&self) -> u64 {
        // Before 1970 counts as 1970: the clock then stands still until it is set.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis() as u64;
        self.latest_ms.fetch_max(now, Ordering::Relaxed).max(now)
    }
}

/// The database's time, carried on from the last measurement by the clock that nobody can set. All nodes agree within the
/// way of a query.
#[derive(Debug)]
pub struct DatabaseClock {
    measured: Mutex<(u64, Instant)>,
}

impl DatabaseClock {
    pub fn new(now_ms: u64, at: Instant) -> Self {
        Self { measured: Mutex::new((now_ms, at)) }
    }

    /// The database said `now_ms` to a question that was asked at `asked` and answered at `answered`.
    pub fn measure(&self, now_ms: u64, asked: Instant, answered: Instant) {
        let halfway = asked + (answered - asked) / 2;
        *self.measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = (now_ms, halfway);
    }

    fn at(&self, now: Instant) -> u64 {
        let (measured, at) = *self.measured.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        measured + u64::try_from(now.saturating_duration_since(at).as_millis()).unwrap_or(u64::MAX)
    }
}

impl Clock for DatabaseClock {
    fn now_ms(&self) -> u64 {
        self.at(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_stands_still_while_the_machine_goes_back() {
        let clock = SystemClock::default();
        let now = clock.now_ms();
        assert!(now > 1_700_000_000_000);
        clock.latest_ms.store(now + 60_000, Ordering::Relaxed);
        assert_eq!(clock.now_ms(), now + 60_000);
    }

    #[test]
    fn the_databases_time_goes_on_between_measurements_and_halves_the_way() {
        let start = Instant::now();
        let after = |ms| start + Duration::from_millis(ms);
        let clock = DatabaseClock::new(1_000, start);
        assert_eq!(clock.at(after(250)), 1_250);
        clock.measure(7_000, after(300), after(340));
        assert_eq!(clock.at(after(320)), 7_000);
        assert_eq!(clock.at(after(1_320)), 8_000);
    }
}
