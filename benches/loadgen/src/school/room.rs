//! What the readers of a lesson count together.

use std::{
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

/// Counts of the whole school.
#[derive(Debug)]
pub struct Counts {
    pub start: Instant,
    /// Sockets that were welcomed and are open.
    pub inside: AtomicUsize,
    /// Chat lines that arrived.
    pub lines: AtomicU64,
    /// Commands acknowledged.
    pub accepted: AtomicU64,
    /// Events that did not follow the one before, and histories that were reset.
    pub broken: AtomicU64,
    delays_ms: Mutex<Vec<f64>>,
}

impl Counts {
    pub fn new(start: Instant) -> Self {
        Self {
            start,
            inside: AtomicUsize::new(0),
            lines: AtomicU64::new(0),
            accepted: AtomicU64::new(0),
            broken: AtomicU64::new(0),
            delays_ms: Mutex::default(),
        }
    }

    /// A line's text, which tells when it was sent.
    pub fn line(&self) -> String {
        format!("at {} هل يمكن إعادة الشرح من فضلك؟", self.start.elapsed().as_nanos())
    }

    /// A line arrived at somebody whose delays count.
    pub fn arrived(&self, text: &str) {
        let sent = text.strip_prefix("at ").and_then(|rest| rest.split(' ').next()?.parse().ok());
        if let Some(sent) = sent.map(Duration::from_nanos) {
            let delay = self.start.elapsed().saturating_sub(sent).as_secs_f64() * 1_000.0;
            self.delays().push(delay);
        }
    }

    /// Sorted; forgotten here.
    pub fn take_delays(&self) -> Vec<f64> {
        let mut delays = std::mem::take(&mut *self.delays());
        delays.sort_by(f64::total_cmp);
        delays
    }

    fn delays(&self) -> std::sync::MutexGuard<'_, Vec<f64>> {
        self.delays_ms.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn read(counter: &AtomicU64) -> u64 {
        counter.load(Ordering::Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_tells_its_own_delay() {
        let counts = Counts::new(Instant::now());
        counts.arrived(&counts.line());
        counts.arrived("something else");
        let delays = counts.take_delays();
        assert!(delays.len() == 1 && delays[0] < 1_000.0, "{delays:?}");
        assert!(counts.take_delays().is_empty());
    }
}
