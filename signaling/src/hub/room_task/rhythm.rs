//! When what was told is written. A line into a quiet class goes out at once; in a busy large one what comes within a
//! few milliseconds is written to each socket together: the system calls, not the bytes, are the cost of a fan-out.

use std::time::Duration;

use tokio::time::Instant;

use crate::protocol::limits;

#[derive(Debug, Default)]
pub(super) struct Rhythm {
    /// When the seats were last woken.
    last: Option<Instant>,
    /// When to wake them for what was told since; `None` = nothing was told.
    due: Option<Instant>,
}

impl Rhythm {
    /// Something was put into the outboxes.
    pub(super) fn told(&mut self) {
        self.due.get_or_insert_with(Instant::now);
    }

    /// True when the seats are to be woken now.
    pub(super) fn strikes(&mut self, seats: usize) -> bool {
        let now = Instant::now();
        let free = self.last.map_or(now, |last| last + gap(seats));
        match &mut self.due {
            None => false,
            Some(due) if free > now => {
                *due = free;
                false
            }
            Some(_) => {
                self.due = None;
                self.last = Some(now);
                true
            }
        }
    }

    /// Waits for the next time; for ever when nothing was told.
    pub(super) async fn next(&self) {
        match self.due {
            Some(due) => tokio::time::sleep_until(due).await,
            None => std::future::pending().await,
        }
    }
}

/// The time between two writes to everybody: none to notice in a class, [`limits::FAN_OUT_GAP`] in a crowd.
fn gap(seats: usize) -> Duration {
    let seats = u32::try_from(seats).unwrap_or(u32::MAX);
    (limits::FAN_OUT_GAP_PER_SEAT * seats).min(limits::FAN_OUT_GAP)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_first_line_goes_at_once_and_a_busy_crowd_is_written_to_together() {
        let mut rhythm = Rhythm::default();
        assert!(!rhythm.strikes(1_000), "nothing was told");
        rhythm.told();
        assert!(rhythm.strikes(5_000));
        for _ in 0..10 {
            rhythm.told();
            assert!(!rhythm.strikes(5_000));
        }
        let before = Instant::now();
        rhythm.next().await;
        assert!(rhythm.strikes(5_000));
        assert_eq!(before.elapsed(), limits::FAN_OUT_GAP);
        assert!(!rhythm.strikes(5_000), "all of it is written");
    }

    #[tokio::test(start_paused = true)]
    async fn a_class_waits_for_nothing_that_it_could_notice() {
        assert!(gap(40) <= Duration::from_millis(1));
        assert_eq!(gap(usize::MAX), limits::FAN_OUT_GAP);
    }
}
