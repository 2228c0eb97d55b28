//! When a log is long enough to be shortened, and how it is laid out on the disk.

use steadfast_wal::Settings;

/// Decides when a node trims its log. It looks at numbers of bytes and records only, so that equal logs are trimmed
/// at equal moments.
///
/// Between two checkpoints the log has at most half the bytes of the state plus `slack_bytes`. The node holds its
/// records in memory: as many as have half the bytes of the state, and beyond these as many as take
/// `memory_slack_bytes` of memory. So each byte of the log causes at most two bytes of checkpoints, and the
/// directory, with [`log_settings`] and the default slack, stays below twice the state plus 64 MiB: the checkpoint
/// is one state, the log half of one, and the other half is for the records that arrive while the next checkpoint is
/// written. For that time the disk holds two checkpoints.
///
/// Two slacks are needed because a batch takes whole blocks of the disk: records that are synced one by one
/// fill the disk, and those that are synced together fill the memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimPolicy {
    /// The bytes that a log may have although the state is empty. At least those of two segments, because
    /// a checkpoint leaves up to one segment of records for which it stands.
    pub slack_bytes: u64,
    /// The memory that the records behind the checkpoint may take although the state is empty.
    pub memory_slack_bytes: u64,
}

/// An estimate of the memory in bytes that a record of an entry takes beyond its own bytes.
const RECORD_OVERHEAD_BYTES: u64 = 300;

/// The records of a log behind its checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TailSize {
    /// Their number.
    pub records: u64,
    /// Their encoded bytes.
    pub bytes: u64,
}

impl TailSize {
    /// The memory in bytes of the records beyond the first `bytes`, if all records are of one length.
    fn memory_beyond(self, bytes: u64) -> u64 {
        let beyond = self.bytes.saturating_sub(bytes);
        let records = u128::from(self.records) * u128::from(beyond) / u128::from(self.bytes.max(1));
        let records = u64::try_from(records).unwrap_or(u64::MAX);
        records.saturating_mul(RECORD_OVERHEAD_BYTES).saturating_add(beyond)
    }
}

impl Default for TrimPolicy {
    /// 24 MiB of the disk, three segments of [`log_settings`], and 5 MiB of memory.
    fn default() -> TrimPolicy {
        TrimPolicy { slack_bytes: 24 << 20, memory_slack_bytes: 5 << 20 }
    }
}

impl TrimPolicy {
    /// Whether a log that takes `log_bytes` of the disk for the records behind a checkpoint of `state_bytes` is to be
    /// shortened.
    #[must_use]
    pub fn is_due(&self, state_bytes: u64, log_bytes: u64, tail: TailSize) -> bool {
        let half = state_bytes / 2;
        log_bytes > half.saturating_add(self.slack_bytes)
            || tail.memory_beyond(half) > self.memory_slack_bytes
    }
}

/// The layout of a node's log: segments of 8 MiB. Up to three of them are ready or wait to be used again, so
/// that an idle node takes little of the disk.
#[must_use]
pub fn log_settings() -> Settings {
    Settings { segment_bytes: 8 << 20, ..Settings::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn records_take_memory_by_their_number_and_their_bytes() {
        let policy = TrimPolicy { slack_bytes: u64::MAX, memory_slack_bytes: 10_000 };
        let is_due = |state_bytes, records, bytes| {
            policy.is_due(state_bytes, 0, TailSize { records, bytes })
        };
        assert_eq!(
            (is_due(0, 0, 0), is_due(0, 25, 2_500), is_due(0, 25, 2_501)),
            (false, false, true)
        );
        assert!(is_due(0, 1, 10_000) && !is_due(0, 1, 9_700));
        // Half of the state, and 25 records of 100 bytes.
        assert!(!is_due(20_000, 125, 12_500) && is_due(20_000, 126, 12_600));
        assert!(!is_due(u64::MAX, u64::MAX, u64::MAX / 4) && is_due(0, u64::MAX, u64::MAX));
    }
}
