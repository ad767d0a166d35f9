//! Numbers for Prometheus, as text (exposition format 0.0.4). Base units, `_total` on counters, and no label that could tell
//! of a school, a class or a person.

use std::fmt::Write as _;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Only grows; its name ends in `_total`.
    Counter,
    Gauge,
}

/// One number with what it means.
#[derive(Clone, Copy, Debug)]
pub struct Sample {
    pub name: &'static str,
    pub help: &'static str,
    pub kind: Kind,
    pub value: f64,
}

impl Sample {
    pub const fn counter(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: Kind::Counter, value }
    }

    pub const fn gauge(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, kind: Kind::Gauge, value }
    }
}

/// All of them as one page.
pub fn page(samples: &[Sample]) -> String {
    let mut text = String::new();
    for Sample { name, help, kind, value } in samples {
        let kind = if *kind == Kind::Counter { "counter" } else { "gauge" };
        // Invariant: writing into a string does not fail.
        let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} {kind}\n{name} {value}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_what_prometheus_reads() {
        let samples = [
            Sample::counter("qism_letters_total", "Letters.", 12.0),
            Sample::gauge("qism_age_seconds", "Age.", 0.25),
        ];
        assert_eq!(
            page(&samples),
            "# HELP qism_letters_total Letters.\n# TYPE qism_letters_total counter\nqism_letters_total 12\n\
             # HELP qism_age_seconds Age.\n# TYPE qism_age_seconds gauge\nqism_age_seconds 0.25\n"
        );
    }
}
