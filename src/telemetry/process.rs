//! What the kernel knows of this process, under the names that dashboards expect of every program.

use std::fs;

use super::metrics::Sample;

/// Nothing where there is no `/proc`.
pub fn samples() -> Vec<Sample> {
    let memory = fs::read_to_string("/proc/self/statm").ok().and_then(|text| resident_pages(&text));
    let files = fs::read_dir("/proc/self/fd").map(Iterator::count).ok();
    let gauge = |name, help, value: Option<f64>| value.map(|value| Sample::gauge(name, help, value));
    [
        gauge(
            "process_resident_memory_bytes",
            "Memory in use.",
            memory.map(|pages| pages as f64 * setting(libc::_SC_PAGESIZE)),
        ),
        gauge("process_open_fds", "Open file descriptors.", files.map(|files| files as f64)),
        gauge("process_max_fds", "File descriptors that may be open.", max_files()),
        cpu_seconds().map(|seconds| Sample::counter("process_cpu_seconds_total", "CPU time used.", seconds)),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Seconds of processors that this process has used since its start; nothing where there is no `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let ticks = cpu_ticks(&fs::read_to_string("/proc/self/stat").ok()?)?;
    Some(ticks as f64 / setting(libc::_SC_CLK_TCK))
}

/// The second field of proc_pid_statm(5).
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
}

/// `utime` and `stime` of proc_pid_stat(5): the 14th and 15th field, counted behind the name, which may hold spaces.
fn cpu_ticks(stat: &str) -> Option<u64> {
    let (_, behind_name) = stat.rsplit_once(')')?;
    let mut fields = behind_name.split_whitespace().skip(11);
    let user: u64 = fields.next()?.parse().ok()?;
    let system: u64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

fn setting(name: libc::c_int) -> f64 {
    // SAFETY: sysconf reads no memory of ours.
    unsafe { libc::sysconf(name) as f64 }
}

fn max_files() -> Option<f64> {
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: `limit` is valid for writing for the whole call.
    let told = unsafe { libc::getrlimit(libc::RLIMIT_NOFILE, &raw mut limit) };
    (told == 0).then_some(limit.rlim_cur as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fields_are_counted_behind_the_name() {
        let stat = "1 (a name) with) S 1 1 1 0 -1 4194560 1 2 3 4 70 30 0 0 20 0 9 0 5 6 7";
        assert_eq!(cpu_ticks(stat), Some(100));
        assert_eq!(cpu_ticks("1 no name"), None);
        assert_eq!(resident_pages("900 123 50 1 0 99 0"), Some(123));
    }

    #[test]
    fn this_process_uses_something_of_everything() {
        let samples = samples();
        assert_eq!(samples.len(), 4);
    }
}
