//! What the kernel counts about a process: CPU time by thread, memory, system calls.

use std::{collections::BTreeMap, fs, io, ops::Range, process::Command, time::Duration};

/// Nanoseconds on a CPU since the thread's start, by thread: name and id (threads of a pool come and go).
pub type CpuByThread = BTreeMap<(String, u64), u64>;

/// A process to look at.
#[derive(Clone, Copy, Debug)]
pub struct Process(pub u32);

impl Process {
    pub fn own() -> Self {
        Self(std::process::id())
    }

    /// Keeps its threads, and those that they start from now on, on some cores.
    fn keep_on(self, cores: Range<usize>) -> io::Result<()> {
        for task in fs::read_dir(format!("/proc/{}/task", self.0))?.flatten() {
            let thread = task.file_name().to_string_lossy().parse().unwrap_or(0);
            match keep_thread(thread, cores.clone()) {
                // It has ended meanwhile.
                Err(error) if error.raw_os_error() == Some(libc::ESRCH) => {}
                kept => kept?,
            }
        }
        Ok(())
    }

    /// CPU nanoseconds of all threads. `schedstat` counts in nanoseconds, `stat` only in ticks
    /// of 10 ms.
    pub fn cpu(self) -> CpuByThread {
        let mut threads = CpuByThread::new();
        let Ok(tasks) = fs::read_dir(format!("/proc/{}/task", self.0)) else { return threads };
        for task in tasks.flatten() {
            let name = fs::read_to_string(task.path().join("comm")).unwrap_or_default();
            let times = fs::read_to_string(task.path().join("schedstat")).unwrap_or_default();
            let on_cpu = times.split(' ').next().and_then(|time| time.parse::<u64>().ok()).unwrap_or(0);
            let id = task.file_name().to_string_lossy().parse().unwrap_or(0);
            threads.insert((name.trim().to_owned(), id), on_cpu);
        }
        threads
    }

    /// Resident bytes that are the process's own.
    pub fn memory(self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.0)).unwrap_or_default();
        let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:"));
        let kilobytes =
            line.and_then(|line| line.split_whitespace().next()).and_then(|n| n.parse::<u64>().ok());
        kilobytes.unwrap_or(0) * 1_024
    }

    /// System calls within `during`, counted by `strace -c`, which slows the process: for ratios only. `None` where
    /// strace is missing or not allowed.
    pub async fn system_calls(self, during: Duration) -> Option<u64> {
        let pid = self.0.to_string();
        let seconds = during.as_secs().to_string();
        let counted = tokio::task::spawn_blocking(move || {
            Command::new("timeout")
                .args(["--signal=INT", &seconds, "strace", "-f", "-c", "-p", &pid])
                .output()
        });
        let output = counted.await.ok()?.ok()?;
        total_calls(&String::from_utf8_lossy(&output.stderr))
    }
}

/// The `total` line of strace: its column `calls` is the fourth.
fn total_calls(table: &str) -> Option<u64> {
    let line = table.lines().rev().find(|line| line.trim_end().ends_with(" total"))?;
    line.split_whitespace().nth(3)?.parse().ok()
}

/// What each thread that is still there spent between two readings.
fn spent<'a>(before: &'a CpuByThread, after: &'a CpuByThread) -> impl Iterator<Item = (&'a str, u64)> {
    after.iter().map(|(thread, time)| {
        let earlier = before.get(thread).copied().unwrap_or(0);
        (thread.0.as_str(), time.saturating_sub(earlier))
    })
}

/// Seconds of CPU between two readings.
pub fn seconds_between(before: &CpuByThread, after: &CpuByThread) -> f64 {
    spent(before, after).map(|(_, time)| time).sum::<u64>() as f64 / 1e9
}

/// The threads of a media plane of ours among others.
pub fn media_threads(threads: &CpuByThread) -> CpuByThread {
    let named = threads.iter().filter(|((name, _), _)| name.starts_with("qism-sfu"));
    named.map(|(thread, time)| (thread.clone(), *time)).collect()
}

/// Which threads it went to.
pub fn tell_threads(before: &CpuByThread, after: &CpuByThread) {
    let mut by_name = BTreeMap::<&str, u64>::new();
    for (name, time) in spent(before, after) {
        *by_name.entry(name).or_default() += time;
    }
    for (name, time) in by_name.into_iter().filter(|(_, time)| *time > 1_000_000) {
        println!("    {name:<20}{:>10.1} ms", time as f64 / 1e6);
    }
}

/// The core of servers and of the floor, and that of the load, where they are kept apart.
pub const SERVER_CORE: usize = 0;
pub const LOAD_CORE: usize = 1;

/// CPU time of this thread.
pub fn thread_cpu() -> Duration {
    // SAFETY: a plain call on a local struct.
    unsafe {
        let mut time: libc::timespec = std::mem::zeroed();
        libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &raw mut time);
        Duration::new(time.tv_sec as u64, time.tv_nsec as u32)
    }
}

/// Keeps this thread, and those that it starts from now on, on one core.
pub fn pin(core: usize) -> io::Result<()> {
    keep_thread(0, core..core + 1)
}

/// The same of any thread (0: this one) and some cores.
fn keep_thread(thread: libc::pid_t, cores: Range<usize>) -> io::Result<()> {
    // SAFETY: all zeros is an empty set; the calls work on a local one.
    let done = unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        cores.for_each(|core| libc::CPU_SET(core, &mut set));
        libc::sched_setaffinity(thread, size_of_val(&set), &raw const set)
    };
    if done < 0 { Err(io::Error::last_os_error()) } else { Ok(()) }
}

/// As long as it lives a server is on one core and the load on another. Where the scheduler places them as it likes, whoever reads may share
/// the core of one side and not of the other, and costs either another sum.
pub struct Apart {
    server: Process,
    /// Cores there are; none: they were apart already.
    cores: Range<usize>,
}

impl Apart {
    pub fn keep(server: Process) -> io::Result<Self> {
        if is_pinned() {
            return Ok(Self { server, cores: 0..0 });
        }
        let apart = Self { server, cores: 0..std::thread::available_parallelism()?.get() };
        server.keep_on(SERVER_CORE..SERVER_CORE + 1)?;
        Process::own().keep_on(LOAD_CORE..LOAD_CORE + 1)?;
        Ok(apart)
    }
}

impl Drop for Apart {
    fn drop(&mut self) {
        for process in [self.server, Process::own()] {
            if !self.cores.is_empty()
                && let Err(error) = process.keep_on(self.cores.clone())
            {
                eprintln!("cores: {error}");
            }
        }
    }
}

/// True where the load is kept on a core of its own.
pub fn is_pinned() -> bool {
    // SAFETY: all zeros is an empty set; the calls work on a local one.
    unsafe {
        let mut set: libc::cpu_set_t = std::mem::zeroed();
        libc::sched_getaffinity(0, size_of_val(&set), &raw mut set) == 0 && libc::CPU_COUNT(&set) == 1
    }
}

/// A thousand sockets need more than the usual 1,024 files.
pub fn raise_file_limit() {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: plain calls on a local struct.
    unsafe {
        if libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit) == 0 {
            limit.rlim_cur = limit.rlim_max.min(65_536);
            if libc::setrlimit(libc::RLIMIT_NOFILE, &limit) != 0 {
                eprintln!("file limit: {}", io::Error::last_os_error());
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calls_of_strace_are_in_the_total() {
        let table = "% time seconds usecs/call calls errors syscall\n 60.00 0.1 10 5 write\n\
                     100.00    0.201    12     1234        56 total\n";
        assert_eq!(total_calls(table), Some(1234));
        assert_eq!(total_calls("strace: not permitted"), None);
    }

    #[test]
    fn a_thread_that_ended_takes_nothing_away() {
        let thread = |name: &str, id, time| ((name.to_owned(), id), time);
        let before = CpuByThread::from([thread("pool", 1, 5_000_000_000), thread("pool", 2, 1_000_000_000)]);
        let after = CpuByThread::from([thread("pool", 2, 3_000_000_000), thread("pool", 3, 500_000_000)]);
        assert_eq!(seconds_between(&before, &after), 2.5);
    }

    #[test]
    fn this_very_process_has_memory_and_time() {
        let me = Process::own();
        assert!(me.memory() > 0 && me.cpu().values().sum::<u64>() > 0);
    }
}
