//! Processor time and memory of processes.

use std::fs;

use nix::sys::resource::{UsageWho, getrusage};
use nix::sys::time::TimeValLike;

/// The CPU seconds that this process has used, or its children that it has waited for.
pub(crate) fn cpu_s(who: UsageWho) -> nix::Result<f64> {
    let usage = getrusage(who)?;
    let times = [usage.user_time(), usage.system_time()];
    Ok(times.iter().map(|it| it.num_microseconds() as f64 / 1e6).sum())
}

/// The most memory this process has had since it began to run its program, in bytes.
///
/// Not from `getrusage`, which goes back to before `exec` and so knows the parent's memory, too.
pub(crate) fn peak_rss_bytes() -> Option<u64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    peak.trim().strip_suffix(" kB")?.parse::<u64>().ok().map(|kib| kib << 10)
}

/// The most memory any one child has had that this process waited for, in bytes. Not below what
/// this process itself has had.
pub(crate) fn peak_rss_bytes_of_children() -> nix::Result<u64> {
    let kib: i64 = getrusage(UsageWho::RUSAGE_CHILDREN)?.max_rss();
    Ok(kib.unsigned_abs() << 10)
}
