//! One server of the cluster: a real process in its place, with everything that can happen to a process.

use std::{
    fs::File,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context as _;

use crate::network::{self, FRONT, Place};

pub const PORT: u16 = 7880;
/// Where browsers find the school.
pub const FRONT_PORT: u16 = 8000;
/// Longer than any promise.
const LONGEST_END: Duration = Duration::from_secs(60);
const KEY: &str = "a key that the nodes of this bed share";

/// What a node needs to know of its surroundings.
pub struct Surroundings {
    pub program: PathBuf,
    pub folder: PathBuf,
    /// `storage.url`, as a configuration has it.
    pub storage: String,
    pub redis: String,
    pub sentinels: Vec<(String, u16)>,
    pub students_per_class: usize,
}

/// How it is started.
#[derive(Clone, Copy, Debug, Default)]
pub struct Circumstances {
    /// Its clock is off by so many hours.
    pub hours_off: i32,
    /// It may open so many files.
    pub files: Option<u32>,
}

/// A node. Dropping it ends it.
pub struct Node {
    number: usize,
    place: Place,
    process: Option<Child>,
    circumstances: Circumstances,
}

impl Node {
    pub fn new(number: usize) -> anyhow::Result<Self> {
        let place = Place::make(number)?;
        Ok(Self { number, place, process: None, circumstances: Circumstances::default() })
    }

    pub fn with(mut self, circumstances: Circumstances) -> Self {
        self.circumstances = circumstances;
        self
    }

    /// Told to end, as an upgrade does it: how long that took.
    pub async fn end_in_order(&mut self) -> anyhow::Result<Duration> {
        let begun = Instant::now();
        self.signal("-TERM")?;
        let process = self.process.as_mut().context("it runs")?;
        loop {
            if let Some(status) = process.try_wait()? {
                anyhow::ensure!(status.success(), "node{} ended with {status}", self.number);
                self.process = None;
                return Ok(begun.elapsed());
            }
            anyhow::ensure!(begun.elapsed() < LONGEST_END, "node{} does not end", self.number);
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub fn name(&self) -> String {
        format!("node{}", self.number)
    }

    /// Starts the process; it is ready a moment later.
    pub fn start(&mut self, around: &Surroundings) -> anyhow::Result<()> {
        let file = self.configure(around)?;
        let log = File::options().create(true).append(true).open(self.log(&around.folder))?;
        let mut command = self.place.command();
        if let Some(files) = self.circumstances.files {
            command.args(["prlimit", &format!("--nofile={files}")]);
        }
        if self.circumstances.hours_off != 0 {
            // Not by the program of that name: it stands between us and the process that is to be killed.
            command.env("LD_PRELOAD", "/usr/$LIB/faketime/libfaketime.so.1");
            command.env("FAKETIME", format!("{:+}h", self.circumstances.hours_off));
        }
        command.arg(&around.program).args(["demo", "--config"]).arg(file);
        command.args(["--students-per-class", &around.students_per_class.to_string()]);
        let process = command.stdout(log.try_clone()?).stderr(log).stdin(Stdio::null()).spawn();
        self.process = Some(process.with_context(|| format!("cannot start {}", around.program.display()))?);
        Ok(())
    }

    fn log(&self, folder: &Path) -> PathBuf {
        folder.join(format!("node{}.log", self.number))
    }

    fn configure(&self, around: &Surroundings) -> anyhow::Result<PathBuf> {
        let address = network::address(self.number);
        let sentinels: Vec<String> =
            around.sentinels.iter().map(|(host, port)| format!("\"{host}:{port}\"")).collect();
        let text = format!(
            "[server]\nlisten = \"{address}:{PORT}\"\npublic_origins = [\"http://{FRONT}:{FRONT_PORT}\", \"http://{address}:{PORT}\"]\n\
             trusted_proxies = [\"{}/32\"]\n[storage]\nurl = {}\nstandby = \"none\"\n\
             [cluster]\nredis = \"{}\"\nsentinels = [{}]\nkey = \"{KEY}\"\nnode = \"node{}\"\n\
             [media]\nlisten_addresses = [\"{address}\"]\n[log]\nfilter = \"info\"\n",
            network::gateway(self.number),
            around.storage,
            around.redis,
            sentinels.join(", "),
            self.number,
        );
        let file = around.folder.join(format!("node{}.toml", self.number));
        std::fs::write(&file, text)?;
        Ok(file)
    }

    /// Waits until it takes people.
    pub async fn is_ready(&mut self) -> anyhow::Result<()> {
        let url = format!("http://{}:{PORT}/readyz", network::address(self.number));
        let http = reqwest::Client::builder().timeout(Duration::from_secs(1)).build()?;
        for _ in 0..600 {
            if http.get(&url).send().await.is_ok_and(|answer| answer.status().is_success()) {
                return Ok(());
            }
            if let Some(status) = self.process.as_mut().map(Child::try_wait).transpose()?.flatten() {
                anyhow::bail!("{} ended: {status}", self.name());
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        anyhow::bail!("{} does not become ready", self.name())
    }

    /// As `kill -9` does.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            let _ = process.kill();
            let _ = process.wait();
        }
    }

    /// Nothing passes any more between it and this address, or anybody; nobody is told.
    pub fn part_from(&self, other: Option<Ipv4Addr>) -> anyhow::Result<()> {
        self.place.part_from(other)
    }

    pub fn heal(&self) -> anyhow::Result<()> {
        self.place.heal()
    }

    /// See [`Place::narrow_to`].
    pub fn narrow_to(&self, other: Ipv4Addr, kbps: Option<u32>) -> anyhow::Result<()> {
        self.place.narrow_to(other, kbps)
    }

    /// Does nothing any more, until it goes on.
    pub fn pause(&self) -> anyhow::Result<()> {
        self.signal("-STOP")
    }

    pub fn go_on(&self) -> anyhow::Result<()> {
        self.signal("-CONT")
    }

    fn signal(&self, name: &str) -> anyhow::Result<()> {
        let process = self.process.as_ref().context("it runs")?;
        network::run("kill", &format!("{name} {}", process.id()))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        self.kill();
    }
}
