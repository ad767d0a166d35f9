//! The server under load: a demonstration school in a folder of its own, on free loopback ports.

use std::{
    io::{BufRead as _, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};

use crate::process::Process;

/// Everybody's password in the demonstration.
pub const PASSWORD: &str = "qism-demo";

/// After so long without sign-ins the threads that check passwords have ended and given their memory back.
pub const SETTLED: Duration = Duration::from_secs(12);

/// Stopped, and its folder removed, when dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:port`
    pub url: String,
}

impl Server {
    pub fn start(program: &Path, students_per_class: usize) -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("qism-bench-{}-{}", std::process::id(), rand::random::<u32>()));
        let mut child = Command::new(program)
            .args(["demo", "--listen", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .args(["--students-per-class", &students_per_class.to_string()])
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        // Invariant: stdout was piped one line above.
        let output = BufReader::new(child.stdout.take().expect("piped"));
        for line in output.lines() {
            if let Some(url) = line?.strip_prefix("ready ") {
                return Ok(Self { child, folder, url: url.trim().to_owned() });
            }
        }
        let status = child.wait()?;
        bail!("the server ended before it was ready: {status}")
    }

    pub fn process(&self) -> Process {
        Process(self.child.id())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}
