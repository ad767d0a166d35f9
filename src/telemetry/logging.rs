//! Log lines on stderr: pretty for people, JSON for machines.

use std::io::{IsTerminal as _, stderr};

use tracing_subscriber::{EnvFilter, fmt};

use crate::config::{Log, LogFormat};

/// `log.filter` cannot be read.
#[derive(Debug, thiserror::Error)]
#[error("log.filter: {0}")]
pub struct LogFilterError(tracing_subscriber::filter::ParseError);

/// Starts logging for the whole process. A second call changes nothing (tests start several servers).
pub fn start_logging(log: &Log) -> Result<(), LogFilterError> {
    let filter = EnvFilter::builder().parse(&log.filter).map_err(LogFilterError)?;
    let started = if pretty(log.format) {
        fmt().with_env_filter(filter).with_writer(stderr).with_ansi(stderr().is_terminal()).try_init()
    } else {
        fmt().with_env_filter(filter).with_writer(stderr).json().flatten_event(true).try_init()
    };
    drop(started);
    Ok(())
}

fn pretty(format: LogFormat) -> bool {
    match format {
        LogFormat::Auto => stderr().is_terminal(),
        LogFormat::Pretty => true,
        LogFormat::Json => false,
    }
}
