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

/// Seconds of processors that this process has used since its start. Asked each second: the kernel's own clock costs less than `/proc`.
pub fn cpu_seconds() -> Option<f64> {
    let mut used = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `used` is valid for writing for the whole call.
    let told = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut used) };
    (told == 0).then_some(used.tv_sec as f64 + used.tv_nsec as f64 / 1e9)
}

/// The second field of proc_pid_statm(5).
fn resident_pages(statm: &str) -> Option<u64> {
    statm.split_whitespace().nth(1)?.parse().ok()
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
    fn resident_pages_are_the_second_field() {
        assert_eq!(resident_pages("900 123 50 1 0 99 0"), Some(123));
        assert_eq!(resident_pages(""), None);
    }

    #[test]
    fn time_that_is_used_counts() {
        let before = cpu_seconds().expect("a clock");
        let mut sum = 0_u64;
        while cpu_seconds().expect("a clock") < before + 0.001 {
            sum = std::hint::black_box(sum + 1);
        }
    }

    #[test]
    fn this_process_uses_something_of_everything() {
        let samples = samples();
        assert_eq!(samples.len(), 4);
    }
}
