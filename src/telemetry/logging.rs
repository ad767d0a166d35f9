//! Log lines on stderr, pretty for people or JSON for machines; traces to a collector, where one is named.

use std::io::{IsTerminal as _, stderr};

use tracing::Subscriber;
use tracing_subscriber::{
    EnvFilter, Layer, fmt, layer::SubscriberExt as _, registry::LookupSpan, util::SubscriberInitExt as _,
};

use super::traces;
use crate::config::{Log, LogFormat, Traces};

/// Why telemetry does not start.
#[derive(Debug, thiserror::Error)]
pub enum TelemetryError {
    #[error("log.filter: {0}")]
    Filter(#[from] tracing_subscriber::filter::ParseError),
    #[error("traces.endpoint: {0}")]
    Traces(#[from] traces::TracesError),
}

/// What was started, for the end.
#[must_use]
pub struct Telemetry {
    traces: Option<traces::Exporter>,
}

impl Telemetry {
    /// Sends the last traces.
    pub async fn stop(self) {
        let Some(traces) = self.traces else { return };
        // Waits for the collector.
        if tokio::task::spawn_blocking(move || traces.stop()).await.is_err() {
            tracing::error!("the exporter of traces panicked");
        }
    }
}

/// Starts logging and tracing for the whole process, which calls itself `node`. A second call changes nothing (tests start several servers).
pub fn start(log: &Log, traces: &Traces, node: &str) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::builder().parse(&log.filter)?;
    let exporter =
        traces.endpoint.as_deref().map(|endpoint| traces::Exporter::start(endpoint, traces.share, node));
    let exporter = exporter.transpose()?;
    let started = tracing_subscriber::registry()
        .with(exporter.as_ref().map(traces::Exporter::layer))
        .with(lines(log.format).with_filter(filter))
        .try_init();
    drop(started);
    Ok(Telemetry { traces: exporter })
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(format: LogFormat) -> Box<dyn Layer<S> + Send + Sync> {
    if pretty(format) {
        fmt::layer().with_writer(stderr).with_ansi(stderr().is_terminal()).boxed()
    } else {
        fmt::layer().with_writer(stderr).json().flatten_event(true).boxed()
    }
}

fn pretty(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    }
}
