//! The program in a process of its own.

use std::{
    ffi::OsString,
    io::{BufRead as _, BufReader},
    path::Path,
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::server::SOON;

/// Ends when dropped.
pub struct Program {
    process: Child,
    pub url: String,
}

impl Program {
    /// Waits for its `ready`.
    pub fn start(arguments: impl IntoIterator<Item = OsString>) -> Self {
        Self::start_with(arguments, Stdio::null())
    }

    fn start_with(arguments: impl IntoIterator<Item = OsString>, log: Stdio) -> Self {
        let mut process = Command::new(env!("CARGO_BIN_EXE_qism"))
            .args(arguments)
            .stdout(Stdio::piped())
            .stderr(log)
            .spawn()
            .expect("the program runs");
        let lines = BufReader::new(process.stdout.take().expect("piped")).lines();
        let ready =
            lines.map_while(Result::ok).find_map(|line| line.strip_prefix("ready ").map(str::to_owned));
        Self { process, url: ready.expect("it becomes ready") }
    }

    /// A demonstration by a configuration file.
    pub fn of_file(file: &Path) -> Self {
        Self::start(Self::demo(file))
    }

    fn demo(file: &Path) -> [OsString; 3] {
        ["demo".into(), "--config".into(), file.as_os_str().to_owned()]
    }

    /// The same, whose log lines go to a file.
    pub fn logging(file: &Path, log: &Path) -> Self {
        let log = std::fs::File::create(log).expect("created");
        Self::start_with(Self::demo(file), log.into())
    }

    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// The exit code, once it has ended.
    pub fn ended(&mut self) -> Option<Option<i32>> {
        self.process.try_wait().expect("it is ours").map(|status| status.code())
    }

    pub fn kill(&mut self) {
        self.process.kill().expect("it ran");
        let _ = self.process.wait();
    }

    /// Asks it to end, and waits until it has.
    pub async fn terminate(&mut self) {
        let id = libc::pid_t::try_from(self.id()).expect("a process id");
        // SAFETY: a signal to a child that was not waited for, so that its id is still its own.
        assert_eq!(unsafe { libc::kill(id, libc::SIGTERM) }, 0, "it runs");
        let end = tokio::time::Instant::now() + SOON;
        while self.ended().is_none() {
            assert!(tokio::time::Instant::now() < end, "it does not end");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
