//! The server under load: a demonstration school in a folder of its own, on free loopback ports.

use std::{
    io::{BufRead as _, BufReader},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    os::unix::process::CommandExt as _,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use qism_backing::{Postgres, Redis};

use crate::process::{self, Process};

/// After so long without sign-ins the threads that check passwords have ended and given their memory back.
pub const SETTLED: Duration = Duration::from_secs(12);

/// Here a whole school has one address.
const LIMITS: &str = "[limits]\nconnections = 20000\nconnections_per_address = 20000\n";

/// Of clusters that nobody else reaches.
const KEY: &str = "a key that the nodes of a bench share";

/// Stopped, and its folder removed, when dropped.
pub struct Server {
    child: Child,
    folder: PathBuf,
    /// `http://127.0.0.1:port`
    pub url: String,
    /// Where it tells its metrics.
    metrics: Option<SocketAddr>,
}

/// Where a server keeps what it knows.
#[derive(Clone, Copy)]
pub enum Stored<'s> {
    /// SQLite, in its own folder.
    Files,
    /// One of several nodes of this name, or the only one.
    Shared { postgres: &'s Postgres, redis: &'s Redis, node: &'s str },
}

/// Who teaches a class of the demonstration, the first of which is 0.
pub fn teacher_of(class: usize) -> String {
    // The fourth teacher has no lesson now.
    format!("teacher{}", if class < 3 { class + 1 } else { class + 2 })
}

impl Stored<'_> {
    fn config(self) -> String {
        let Stored::Shared { postgres, redis, node } = self else { return String::new() };
        format!(
            "[server]\nlisten = \"127.0.0.1:0\"\n[storage]\nurl = \"{}\"\n\
             [cluster]\nredis = \"{}\"\nkey = \"{KEY}\"\nnode = \"{node}\"\n\
             [media]\nudp_port = 0\nlisten_addresses = [\"127.0.0.1\"]\n",
            postgres.url(),
            redis.url(),
        )
    }
}

/// How large its school is.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub classes: usize,
    pub students_per_class: usize,
}

impl Server {
    pub fn start(program: &Path, students_per_class: usize) -> anyhow::Result<Self> {
        Self::start_with(program, None, &[("--students-per-class", students_per_class)], Stored::Files)
    }

    /// A lesson in each class now, everybody from one address, with metrics.
    pub fn start_school(program: &Path, size: Size, stored: Stored<'_>) -> anyhow::Result<Self> {
        let metrics = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?;
        let size = [("--classes", size.classes), ("--students-per-class", size.students_per_class)];
        Self::start_with(program, Some(metrics), &size, stored)
    }

    fn start_with(
        program: &Path,
        metrics: Option<SocketAddr>,
        size: &[(&str, usize)],
        stored: Stored<'_>,
    ) -> anyhow::Result<Self> {
        let folder =
            std::env::temp_dir().join(format!("qism-bench-{}-{}", std::process::id(), rand::random::<u32>()));
        std::fs::create_dir_all(&folder)?;
        let config = folder.join("qism.toml");
        let listen = metrics.map_or(String::new(), |address| address.to_string());
        let text = format!(
            "{LIMITS}[metrics]\nlisten = \"{listen}\"\n[log]\nfilter = \"warn\"\n{}",
            stored.config()
        );
        std::fs::write(&config, text)?;
        let mut command = Command::new(program);
        if process::is_pinned() {
            // SAFETY: between fork and exec only a system call on a local value is made.
            unsafe { command.pre_exec(|| process::pin(process::SERVER_CORE)) };
        }
        let mut child = command
            .args(["demo", "--listen", "127.0.0.1:0", "--data"])
            .arg(&folder)
            .arg("--config")
            .arg(&config)
            .args(size.iter().flat_map(|(option, value)| [(*option).to_owned(), value.to_string()]))
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", program.display()))?;
        // Invariant: stdout was piped one line above.
        let output = BufReader::new(child.stdout.take().expect("piped"));
        for line in output.lines() {
            if let Some(url) = line?.strip_prefix("ready ") {
                return Ok(Self { child, folder, url: url.trim().to_owned(), metrics });
            }
        }
        let status = child.wait()?;
        bail!("the server ended before it was ready: {status}")
    }

    /// What its metrics tell under this name; `None` where it has none.
    pub async fn metric(&self, name: &str) -> Option<f64> {
        let url = format!("http://{}/metrics", self.metrics?);
        let page = reqwest::get(url).await.ok()?.text().await.ok()?;
        page.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' ')?.parse().ok())
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
