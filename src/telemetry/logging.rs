//! Log lines on stderr, pretty for people or JSON for machines, each with the name of its node; traces to a collector, where one is named.

use std::io::{IsTerminal as _, stderr};

use tracing::{Event, Subscriber};
use tracing_subscriber::{
    EnvFilter, Layer,
    fmt::{
        self, FmtContext, FormatEvent, FormatFields,
        format::{Format, Writer},
    },
    layer::SubscriberExt as _,
    registry::LookupSpan,
    util::SubscriberInitExt as _,
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

/// What is not told unless the operator asks for it: PostgreSQL's notices of tables that are there already.
const QUIET: &str = "sqlx::postgres::notice=warn";

/// Starts logging and tracing for the whole process, which calls itself `node`. A second call changes nothing (tests start several servers).
pub fn start(log: &Log, traces: &Traces, node: &str) -> Result<Telemetry, TelemetryError> {
    let filter = EnvFilter::builder().parse(format!("{QUIET},{}", log.filter))?;
    let exporter =
        traces.endpoint.as_deref().map(|endpoint| traces::Exporter::start(endpoint, traces.share, node));
    let exporter = exporter.transpose()?;
    let started = tracing_subscriber::registry()
        .with(exporter.as_ref().map(traces::Exporter::layer))
        .with(lines(log.format, node).with_filter(filter))
        .try_init();
    drop(started);
    Ok(Telemetry { traces: exporter })
}

fn lines<S: Subscriber + for<'a> LookupSpan<'a>>(
    format: LogFormat,
    node: &str,
) -> Box<dyn Layer<S> + Send + Sync> {
    if pretty(format) {
        let named =
            Named { node: node.to_owned(), line: Format::default().with_ansi(stderr().is_terminal()) };
        return fmt::layer().with_writer(stderr).event_format(named).boxed();
    }
    let mut layer = json_subscriber::fmt::layer().with_writer(stderr).flatten_event(true);
    if !node.is_empty() {
        layer.inner_layer_mut().add_static_field("node", node.into());
    }
    layer.boxed()
}

/// A line for people, behind the name of the node.
struct Named {
    /// Empty: this server is alone.
    node: String,
    line: Format,
}

impl<S, N> FormatEvent<S, N> for Named
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        context: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> std::fmt::Result {
        if !self.node.is_empty() {
            write!(writer, "{} ", self.node)?;
        }
        self.line.format_event(context, writer, event)
    }
}

fn pretty(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    }
}
