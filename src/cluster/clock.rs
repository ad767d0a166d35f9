//! The single node's clock: with SQLite, the database's time is this machine's.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::{SystemTime, UNIX_EPOCH},
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_stands_still_while_the_machine_goes_back() {
        let clock = SystemClock::default();
        let now = clock.now_ms();
        assert!(now > 1_700_000_000_000);
        clock.latest_ms.store(now + 60_000, Ordering::Relaxed);
        assert_eq!(clock.now_ms(), now + 60_000);
    }
}
