//! When a log is long enough to be shortened.

/// Decides when a node trims its log. Deterministic: it looks at lengths only.
///
/// Between two checkpoints the log holds at most the bytes of the state plus `slack_bytes`. A checkpoint is
/// written while the log goes on, so that for a moment the disk holds two of them, and the records that
/// arrive meanwhile.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrimPolicy {
    /// The bytes that the records behind the last checkpoint may have beyond those of the checkpoint.
    pub slack_bytes: u64,
}

impl Default for TrimPolicy {
    /// 16 MiB beyond the state.
    fn default() -> TrimPolicy {
        TrimPolicy { slack_bytes: 16 << 20 }
    }
}

impl TrimPolicy {
    /// Whether a log with this many bytes of records behind a checkpoint of `state_bytes` is to be shortened.
    #[must_use]
    pub fn is_due(&self, state_bytes: u64, tail_bytes: u64) -> bool {
        tail_bytes > state_bytes.saturating_add(self.slack_bytes)
    }
}
