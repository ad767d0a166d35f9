//! The command line of the probe: reads the password, runs the examination, prints the report.

use std::{io::BufRead as _, path::Path, time::Duration};

use qism_signaling::protocol::Source;

use super::{Examination, ProbeError, Report, Trust, examine};
use crate::config::cli::{PasswordSource, Probe, Published};

/// Prints the report; true when all is well.
pub async fn run(options: Probe) -> Result<bool, ProbeError> {
    let examination = Examination {
        password: password(&options.password)?,
        trust: trust(&options),
        address: options.address,
        login: options.login,
        lesson: options.lesson,
        listen_for: Duration::from_secs(options.seconds.into()),
        publish: options.publish.into_iter().map(source).collect(),
    };
    let report = examine(&examination).await?;
    println!("{}", text(&report, options.json));
    Ok(report.is_well())
}

fn text(report: &Report, json: bool) -> String {
    if !json {
        return report.to_string();
    }
    // Invariant: plain numbers and strings always serialize.
    serde_json::to_string_pretty(report).expect("a report is JSON")
}

fn trust(options: &Probe) -> Trust {
    match &options.ca_file {
        Some(path) => Trust::File(path.clone()),
        None if options.insecure => Trust::Anything,
        None => Trust::System,
    }
}

fn source(what: Published) -> Source {
    match what {
        Published::Tone => Source::Microphone,
        Published::Color => Source::Camera,
        Published::Screen => Source::Screen,
    }
}

fn password(from: &PasswordSource) -> Result<String, ProbeError> {
    match (&from.password, &from.password_file) {
        (Some(password), _) => Ok(password.clone()),
        (None, Some(path)) => in_file(path),
        (None, None) => in_stdin(),
    }
}

fn in_file(path: &Path) -> Result<String, ProbeError> {
    let text = std::fs::read_to_string(path)
        .map_err(|error| ProbeError::Password(format!("{}: {error}", path.display())))?;
    first_line(&text)
}

fn in_stdin() -> Result<String, ProbeError> {
    let mut line = String::new();
    let read = std::io::stdin().lock().read_line(&mut line);
    read.map_err(|error| ProbeError::Password(format!("standard input: {error}")))?;
    first_line(&line)
}

fn first_line(text: &str) -> Result<String, ProbeError> {
    let line = text.lines().next().filter(|line| !line.is_empty());
    line.map(str::to_owned).ok_or(ProbeError::Password("the first line is empty".into()))
}
