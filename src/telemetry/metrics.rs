//! Numbers for Prometheus, as text (exposition format 0.0.4). Base units, `_total` on counters, and no label that could tell
//! of a school, a class or a person.

use std::{
    fmt::Write as _,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// One number with what it means.
#[derive(Clone, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub help: &'static str,
    pub value: Value,
}

#[derive(Clone, Debug)]
pub enum Value {
    /// Only grows; its name ends in `_total`.
    Counter(f64),
    Gauge(f64),
    /// One for each value of a label: its name, and values with their numbers.
    Gauges(&'static str, Vec<(String, f64)>),
    /// Its name ends in `_seconds`.
    Durations(Counted),
    /// The same of counters.
    Counters(&'static str, Vec<(String, f64)>),
}

impl Sample {
    pub const fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, value: Value::Counter(value) }
    }

    /// Several of them: name, meaning, number.
    pub fn counters<const N: usize>(all: [(&'static str, &'static str, u64); N]) -> [Self; N] {
        all.map(|(name, help, value)| Self::counter(name, help, value as f64))
    }

    pub const fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, value: Value::Gauge(value) }
    }

    pub fn gauges(
        name: &'static str,
        help: &'static str,
        (label, values): (&'static str, Vec<(String, f64)>),
    ) -> Self {
        Self { name, help, value: Value::Gauges(label, values) }
    }

    pub const fn durations(name: &'static str, help: &'static str, counted: Counted) -> Self {
        Self { name, help, value: Value::Durations(counted) }
    }
}

/// Upper bounds of the steps of [`Durations`], seconds.
const BOUNDS: [f64; 12] = [0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0];

/// How long something took, each time; counted from any thread without waiting.
#[derive(Debug, Default)]
pub struct Durations {
    /// By the smallest bound that is not passed; the last: longer than all.
    steps: [AtomicU64; BOUNDS.len() + 1],
    sum_us: AtomicU64,
}

/// [`Durations`] at one moment.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counted {
    steps: [u64; BOUNDS.len() + 1],
    sum_us: u64,
}

impl Durations {
    pub fn count(&self, took: Duration) {
        let seconds = took.as_secs_f64();
        let step = BOUNDS.iter().position(|bound| seconds <= *bound).unwrap_or(BOUNDS.len());
        self.steps[step].fetch_add(1, Ordering::Relaxed);
        self.sum_us.fetch_add(took.as_micros() as u64, Ordering::Relaxed);
    }

    pub fn read(&self) -> Counted {
        Counted {
            steps: std::array::from_fn(|step| self.steps[step].load(Ordering::Relaxed)),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

/// All of them as one page.
pub fn page(samples: &[Sample]) -> String {
    let mut text = String::new();
    for Sample { name, help, value } in samples {
        let kind = match value {
            Value::Counter(_) | Value::Counters(..) => "counter",
            Value::Gauge(_) | Value::Gauges(..) => "gauge",
            Value::Durations(_) => "histogram",
        };
        // Invariant: writing into a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}");
        match value {
            Value::Counter(value) | Value::Gauge(value) => drop(writeln!(text, "{name} {value}")),
            Value::Gauges(label, values) | Value::Counters(label, values) => {
                for (of, value) in values {
                    let _ = writeln!(text, "{name}{{{label}=\"{of}\"}} {value}");
                }
            }
            Value::Durations(counted) => write_steps(&mut text, name, counted),
        }
    }
    text
}

/// Each step holds the ones below it too.
fn write_steps(text: &mut String, name: &str, counted: &Counted) {
    let mut so_far = 0;
    for (bound, count) in BOUNDS.iter().map(f64::to_string).chain(["+Inf".into()]).zip(counted.steps) {
        so_far += count;
        // Invariant: writing into a string does not fail.
        let _ = writeln!(text, "{name}_bucket{{le=\"{bound}\"}} {so_far}");
    }
    let sum = Duration::from_micros(counted.sum_us).as_secs_f64();
    let _ = writeln!(text, "{name}_sum {sum}\n{name}_count {so_far}");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let samples = [
            Sample::counter("qism_letters_total", "Letters.", 12.0),
            Sample::gauge("qism_age_seconds", "Age.", 0.25),
            Sample::gauges("qism_up", "Up.", ("of", vec![("0".into(), 1.0), ("1".into(), 0.0)])),
        ];
        assert_eq!(
            page(&samples),
            "# HELP qism_letters_total Letters.\n# TYPE qism_letters_total counter\nqism_letters_total 12\n\
             # HELP qism_age_seconds Age.\n# TYPE qism_age_seconds gauge\nqism_age_seconds 0.25\n\
             # HELP qism_up Up.\n# TYPE qism_up gauge\nqism_up{of=\"0\"} 1\nqism_up{of=\"1\"} 0\n"
        );
    }

    #[test]
    fn every_duration_is_in_its_step_and_in_all_above() {
        let durations = Durations::default();
        for ms in [1, 3, 3, 60_000] {
            durations.count(Duration::from_millis(ms));
        }
        let text = page(&[Sample::durations("qism_wait_seconds", "Waits.", durations.read())]);
        for line in [
            "# TYPE qism_wait_seconds histogram",
            "qism_wait_seconds_bucket{le=\"0.001\"} 1",
            "qism_wait_seconds_bucket{le=\"0.002\"} 1",
            "qism_wait_seconds_bucket{le=\"0.005\"} 3",
            "qism_wait_seconds_bucket{le=\"5\"} 3",
            "qism_wait_seconds_bucket{le=\"+Inf\"} 4",
            "qism_wait_seconds_sum 60.007",
            "qism_wait_seconds_count 4",
        ] {
            assert!(text.lines().any(|told| told == line), "{line} is not in\n{text}");
        }
    }
}
