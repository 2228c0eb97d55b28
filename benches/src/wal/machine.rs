//! What is measured on.

use std::path::Path;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde::Serialize;

/// The machine and its disk.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Machine {
    /// How many processors there are.
    pub(super) processors: usize,
    /// The model of the processor.
    pub(super) processor: String,
    /// Whether what is written gets to a disk at all.
    pub(super) has_disk: bool,
    /// The median time of a raw write and sync of 4 KiB before everything, in microseconds.
    pub(super) raw_sync_before_us: f64,
    /// The same after everything.
    pub(super) raw_sync_after_us: f64,
    /// The bandwidth of sequential writes, in bytes per second.
    pub(super) sequential_bytes_per_s: f64,
    /// Why nothing was judged, if so.
    pub(super) not_judged: Option<String>,
}

impl Machine {
    /// The machine that this runs on, with the disk below a directory.
    #[must_use]
    pub(super) fn of(directory: &Path) -> Machine {
        let information = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
        let model = information.lines().find_map(|it| it.strip_prefix("model name"));
        let model = model.unwrap_or_default().trim_start_matches([' ', '\t', ':']).to_owned();
        Machine {
            processors: std::thread::available_parallelism().map_or(1, usize::from),
            processor: model,
            has_disk: statfs(directory).is_ok_and(|it| it.filesystem_type() != TMPFS_MAGIC),
            raw_sync_before_us: 0.0,
            raw_sync_after_us: 0.0,
            sequential_bytes_per_s: 0.0,
            not_judged: None,
        }
    }

    /// Why nothing can be judged on it, if so.
    #[must_use]
    pub(super) fn why_not_judged(&self) -> Option<String> {
        if !self.has_disk {
            return Some("there is no real disk below this directory".to_owned());
        }
        let (before, after) = (self.raw_sync_before_us, self.raw_sync_after_us);
        let is_steady = before.max(after) <= 1.25 * before.min(after);
        (!is_steady).then(|| {
            format!(
                "the raw sync took {before:.0} us before and {after:.0} us after: the disk is busy"
            )
        })
    }
}
