//! When a log is long enough to be shortened, and how it is laid out on the disk.

use steadfast_wal::Settings;

/// Decides when a node trims its log. It looks at numbers of bytes only, so that equal logs are trimmed at
/// equal moments.
///
/// Between two checkpoints the log has at most half the bytes of the state more than `slack_bytes`, and its
/// records, which the node holds in memory, at most half more than `memory_slack_bytes`. So each byte of the
/// log causes at most two bytes of checkpoints, and the directory, with [`log_settings`] and the default slack,
/// stays below twice the state plus 64 MiB: the checkpoint is one state, the log half of one, and the other
/// half is for the records that arrive while the next checkpoint is written. For that time the disk holds two
/// checkpoints.
///
/// Two slacks are needed because a batch takes whole blocks of the disk: records that are synced one by one
/// fill the disk, and those that are synced together fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimPolicy {
    /// The bytes that a log may have although the state is empty. At least those of two segments, because
    /// a checkpoint leaves up to one segment of records for which it stands.
    pub slack_bytes: u64,
    /// The bytes that the records behind the checkpoint may have although the state is empty. In memory a
    /// record of an entry takes some 300 bytes beyond its own.
    pub memory_slack_bytes: u64,
}

impl Default for TrimPolicy {
    /// 24 MiB of the disk, three segments of [`log_settings`], and 5 MiB of records.
    fn default() -> TrimPolicy {
        TrimPolicy { slack_bytes: 24 << 20, memory_slack_bytes: 5 << 20 }
    }
}

impl TrimPolicy {
    /// Whether a log that takes `log_bytes` of the disk for `record_bytes` of records, behind a checkpoint of
    /// `state_bytes`, is to be shortened.
    #[must_use]
    pub fn is_due(&self, state_bytes: u64, log_bytes: u64, record_bytes: u64) -> bool {
        let half = state_bytes / 2;
        log_bytes > half.saturating_add(self.slack_bytes)
            || record_bytes > half.saturating_add(self.memory_slack_bytes)
    }
}

/// The layout of a node's log: segments of 8 MiB. Up to three of them are ready or wait to be used again, so
/// that an idle node takes little of the disk.
#[must_use]
pub fn log_settings() -> Settings {
    Settings { segment_bytes: 8 << 20, ..Settings::default() }
}
