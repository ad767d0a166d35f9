//! The run second by second, for the plots.

use std::{
    sync::{Arc, Mutex, PoisonError, atomic::Ordering},
    time::Duration,
};

use tokio::task::JoinHandle;

use super::room::Counts;
use crate::process::{Process, seconds_between};

const EVERY: Duration = Duration::from_secs(1);

/// One second.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    /// Seconds since the start.
    pub at: f64,
    pub inside: f64,
    /// Of the server; NaN where it is another machine's or several.
    pub cores: f64,
    pub megabytes: f64,
    pub lines_per_s: f64,
    pub accepted_per_s: f64,
}

/// Samples until dropped.
pub struct Sampler {
    samples: Arc<Mutex<Vec<Sample>>>,
    task: JoinHandle<()>,
}

impl Sampler {
    pub fn start(counts: Arc<Counts>, process: Option<Process>) -> Self {
        let samples = Arc::<Mutex<Vec<Sample>>>::default();
        let task = tokio::spawn(sample(counts, process, samples.clone()));
        Self { samples, task }
    }

    pub fn samples(&self) -> Vec<Sample> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Sampler {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn sample(counts: Arc<Counts>, process: Option<Process>, samples: Arc<Mutex<Vec<Sample>>>) {
    let mut timer = tokio::time::interval(EVERY);
    timer.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let cpu = || process.map(Process::cpu);
    let (mut at, mut before) = (counts.start.elapsed(), cpu());
    let (mut lines, mut accepted) = (Counts::read(&counts.lines), Counts::read(&counts.accepted));
    loop {
        timer.tick().await;
        let (now, after) = (counts.start.elapsed(), cpu());
        let seconds = (now - at).as_secs_f64().max(1e-3);
        let used = before.as_ref().zip(after.as_ref()).map(|(before, after)| seconds_between(before, after));
        let (said, taken) = (Counts::read(&counts.lines), Counts::read(&counts.accepted));
        samples.lock().unwrap_or_else(PoisonError::into_inner).push(Sample {
            at: now.as_secs_f64(),
            inside: counts.inside.load(Ordering::Relaxed) as f64,
            cores: used.map_or(f64::NAN, |used| used / seconds),
            megabytes: process.map_or(f64::NAN, |process| process.memory() as f64 / 1e6),
            lines_per_s: (said - lines) as f64 / seconds,
            accepted_per_s: (taken - accepted) as f64 / seconds,
        });
        (at, before, lines, accepted) = (now, after, said, taken);
    }
}
