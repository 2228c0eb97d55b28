//! How a log is laid out and how much memory it takes.

use std::fmt;

use crate::decisions::{Decisions, DefaultDecisions};
use crate::format::batch::{BODY_BYTES_MAX, RECORD_OVERHEAD_BYTES};
use crate::format::header::{HEADER_BYTES, padded};

/// The smallest block: the smallest sector of any disk.
const BLOCK_BYTES_MIN: u32 = 512;
/// The largest block.
const BLOCK_BYTES_MAX: u32 = 65_536;
/// The smallest bound on the body of a batch.
pub(crate) const BATCH_BYTES_MIN: u32 = 64;
/// The most segments that are kept ready.
const SEGMENTS_AHEAD_MAX: usize = 1_024;

/// How a log is laid out and how much memory it takes.
#[derive(Clone, Copy)]
pub struct Settings {
    /// The size of a block in bytes, a power of two from 512 to 65536. Should not be less than the
    /// sector of the disk (4096 for nearly every disk of today). Fixed for a log's life: the size that
    /// a log was created with wins.
    pub block_bytes: u32,
    /// The size of a segment in bytes, a multiple of the block size.
    pub segment_bytes: u64,
    /// The longest body of a batch in bytes, which bounds the length of a record. The log holds two
    /// of these in memory.
    pub batch_bytes: u32,
    /// How many segments are made ready before they are needed, at least one.
    pub segments_ahead: usize,
    /// The decisions of the log.
    pub decisions: &'static dyn Decisions,
}

impl Default for Settings {
    /// Blocks of 4 KiB, segments of 64 MiB, batches of up to 5 MiB, one segment ahead.
    fn default() -> Settings {
        Settings {
            block_bytes: 4096,
            segment_bytes: 64 << 20,
            batch_bytes: 5 << 20,
            segments_ahead: 1,
            decisions: &DefaultDecisions,
        }
    }
}

impl fmt::Debug for Settings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Settings")
            .field("block_bytes", &self.block_bytes)
            .field("segment_bytes", &self.segment_bytes)
            .field("batch_bytes", &self.batch_bytes)
            .field("segments_ahead", &self.segments_ahead)
            .finish_non_exhaustive()
    }
}

/// Why settings are refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SettingsError {
    /// The block size.
    #[error("blocks of {0} bytes: a block is a power of two from 512 to 65536 bytes")]
    Block(u32),
    /// The size of a batch.
    #[error("batches of {0} bytes: a batch takes {BATCH_BYTES_MIN} to {BODY_BYTES_MAX} bytes")]
    Batch(u32),
    /// The size of a segment.
    #[error(
        "segments of {segment_bytes} bytes: a segment is a whole number of blocks and has room \
         for the longest batch, so at least {least_bytes} bytes"
    )]
    Segment {
        /// The size that was asked for.
        segment_bytes: u64,
        /// The smallest size that is accepted.
        least_bytes: u64,
    },
    /// The number of segments ahead.
    #[error("{0} segments ahead: 1 to {SEGMENTS_AHEAD_MAX} are accepted")]
    Ahead(usize),
}

impl Settings {
    /// Whether these settings make a log.
    ///
    /// # Errors
    /// They do not; the error names the value and the values that are accepted.
    pub fn validate(&self) -> Result<(), SettingsError> {
        let is_block = self.block_bytes.is_power_of_two()
            && (BLOCK_BYTES_MIN..=BLOCK_BYTES_MAX).contains(&self.block_bytes);
        if !is_block {
            return Err(SettingsError::Block(self.block_bytes));
        }
        if !(BATCH_BYTES_MIN..=BODY_BYTES_MAX).contains(&self.batch_bytes) {
            return Err(SettingsError::Batch(self.batch_bytes));
        }
        let block_bytes = u64::from(self.block_bytes);
        let least_bytes = padded(HEADER_BYTES as u64 + u64::from(self.batch_bytes), block_bytes);
        let segment_bytes = self.segment_bytes;
        if segment_bytes < least_bytes || !segment_bytes.is_multiple_of(block_bytes) {
            return Err(SettingsError::Segment { segment_bytes, least_bytes });
        }
        if !(1..=SEGMENTS_AHEAD_MAX).contains(&self.segments_ahead) {
            return Err(SettingsError::Ahead(self.segments_ahead));
        }
        Ok(())
    }

    /// The length of the longest record in bytes.
    #[must_use]
    pub fn record_bytes_max(&self) -> usize {
        self.batch_bytes as usize - RECORD_OVERHEAD_BYTES
    }

    /// The length of the longest batch on disk, in bytes: an opening may have to write one.
    pub(crate) fn reserve_bytes(&self) -> u64 {
        padded(HEADER_BYTES as u64 + u64::from(self.batch_bytes), self.padding())
    }

    /// The size to whose multiples batches are padded, in bytes.
    pub(crate) fn padding(&self) -> u64 {
        self.decisions.padding(u64::from(self.block_bytes))
    }
}
