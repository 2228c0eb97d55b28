//! What this process has used, and whether that is more than it may.

use std::time::Duration;

use nix::sys::resource::{UsageWho, getrusage};

use crate::job::{Limits, Stopped};

/// The limit that this process has reached.
pub(crate) fn exceeded(limits: Limits, elapsed: Duration) -> Option<Stopped> {
    if elapsed >= limits.time {
        return Some(Stopped::Time);
    }
    (usage().1 > limits.memory_bytes).then_some(Stopped::Memory)
}

/// CPU seconds and the peak of resident memory of this process.
pub(crate) fn usage() -> (f64, u64) {
    let Ok(usage) = getrusage(UsageWho::RUSAGE_SELF) else {
        return (0.0, 0);
    };
    let seconds = |it: nix::sys::time::TimeVal| it.tv_sec() as f64 + it.tv_usec() as f64 / 1e6;
    let unit = if cfg!(target_os = "macos") { 1 } else { 1024 };
    let peak = u64::try_from(usage.max_rss()).unwrap_or(0) * unit;
    (seconds(usage.user_time()) + seconds(usage.system_time()), peak)
}
