//! Under which conditions is measured.

use std::path::Path;

use nix::sys::statfs::{TMPFS_MAGIC, statfs};
use serde::Serialize;

use crate::machine::Machine;

/// The machine, and what its disk does.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Conditions {
    #[serde(flatten)]
    pub(super) machine: Machine,
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

impl Conditions {
    /// The machine that this runs on, with the disk below a directory.
    #[must_use]
    pub(super) fn of(directory: &Path) -> Conditions {
        Conditions {
            machine: Machine::this(),
            has_disk: statfs(directory).is_ok_and(|it| it.filesystem_type() != TMPFS_MAGIC),
            raw_sync_before_us: 0.0,
            raw_sync_after_us: 0.0,
            sequential_bytes_per_s: 0.0,
            not_judged: None,
        }
    }

    /// Why nothing can be judged under them, if so.
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
