//! What the log costs, for the operator.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Instant,
};

use qism_signaling::hub::ports::AppendError;

use crate::telemetry::metrics::{Durations, Sample};

/// Counts since the start.
#[derive(Debug, Default)]
pub struct LogMeter {
    committed: Durations,
    events: AtomicU64,
    conflicts: AtomicU64,
    failures: AtomicU64,
    reads: AtomicU64,
    packed_lessons: AtomicU64,
    packed_events: AtomicU64,
    packed_bytes: AtomicU64,
    not_packed: AtomicU64,
}

impl LogMeter {
    pub fn note(&self, events: usize, began: Instant, outcome: &Result<(), AppendError>) {
        let add = |counter: &AtomicU64, n: usize| counter.fetch_add(n as u64, Ordering::Relaxed);
        match outcome {
            Ok(()) => {
                self.committed.count(began.elapsed());
                add(&self.events, events);
            }
            Err(AppendError::Unavailable(_)) => drop(add(&self.failures, 1)),
            Err(_) => drop(add(&self.conflicts, 1)),
        }
    }

    /// Events of one lesson are read.
    pub fn note_read(&self) {
        self.reads.fetch_add(1, Ordering::Relaxed);
    }

    /// An old lesson was packed: so many events, which are so many bytes now, together with those packed before.
    pub fn note_packed(&self, events: u64, bytes: u64) {
        self.packed_lessons.fetch_add(1, Ordering::Relaxed);
        self.packed_events.fetch_add(events, Ordering::Relaxed);
        self.packed_bytes.fetch_add(bytes, Ordering::Relaxed);
    }

    pub fn note_not_packed(&self) {
        self.not_packed.fetch_add(1, Ordering::Relaxed);
    }

    pub fn failures(&self) -> u64 {
        self.failures.load(Ordering::Relaxed)
    }

    pub fn samples(&self) -> Vec<Sample> {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let took = "From a batch of events to its commit.";
        let mut samples = vec![Sample::durations("qism_append_seconds", took, self.committed.read())];
        samples.extend(Sample::counters([
            ("qism_appended_events_total", "Events committed.", read(&self.events)),
            (
                "qism_append_conflicts_total",
                "Batches that another server was before, or that were known.",
                read(&self.conflicts),
            ),
            ("qism_append_failures_total", "Batches that the database did not take.", read(&self.failures)),
            (
                "qism_log_reads_total",
                "Reads of a lesson's events: it opened, fell behind, or somebody came back from far.",
                read(&self.reads),
            ),
            ("qism_packed_lessons_total", "Old lessons packed.", read(&self.packed_lessons)),
            ("qism_packed_events_total", "Events in them.", read(&self.packed_events)),
            ("qism_packed_bytes_total", "What they became.", read(&self.packed_bytes)),
            (
                "qism_packing_failures_total",
                "Old lessons that could not be packed; their events stay as they are.",
                read(&self.not_packed),
            ),
        ]));
        samples
    }
}
