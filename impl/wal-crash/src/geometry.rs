//! Disks and logs small enough that all their states can be gone through.

use serde::Serialize;
use steadfast_simulated_disk::CrashModel;
use steadfast_wal::{Decisions, Settings};

/// The sizes of blocks, sectors, segments and records.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Geometry {
    /// Its name in reports.
    pub name: &'static str,
    /// The block of the log, in bytes.
    pub block_bytes: u32,
    /// The sector of the disk, which it writes as one, in bytes.
    pub sector_bytes: usize,
    /// The segment of the log, in bytes.
    pub segment_bytes: u64,
    /// How many segments are made ready before they are needed.
    pub segments_ahead: usize,
    /// A record that fits into a block.
    pub short_bytes: usize,
    /// A record of several blocks.
    pub long_bytes: usize,
    /// Unsynced sectors up to this many survive in every combination.
    pub combined_sectors_max: usize,
}

/// Blocks of one sector of 512 bytes.
pub const SMALL: Geometry = Geometry {
    name: "blocks of 512, sectors of 512",
    block_bytes: 512,
    sector_bytes: 512,
    segment_bytes: 4096,
    segments_ahead: 1,
    short_bytes: 40,
    long_bytes: 1100,
    combined_sectors_max: 4,
};

/// Two segments ready, so that each segment is known to batches before it.
pub const SEGMENTS_AHEAD: Geometry =
    Geometry { name: "blocks of 512, two segments ahead", segments_ahead: 2, ..SMALL };

/// Blocks that tear in the middle.
pub const TORN_BLOCKS: Geometry = Geometry {
    name: "blocks of 1024, sectors of 512",
    block_bytes: 1024,
    segment_bytes: 8192,
    short_bytes: 600,
    long_bytes: 1500,
    ..SMALL
};

/// The default block of a log, on a disk with sectors of 4 KiB.
pub const LARGE: Geometry = Geometry {
    name: "blocks of 4096, sectors of 4096",
    block_bytes: 4096,
    sector_bytes: 4096,
    segment_bytes: 16_384,
    segments_ahead: 1,
    short_bytes: 40,
    long_bytes: 4500,
    combined_sectors_max: 4,
};

/// The default block of a log, on a disk that tears at 512 bytes.
pub const LARGE_TORN: Geometry =
    Geometry { name: "blocks of 4096, sectors of 512", sector_bytes: 512, ..LARGE };

impl Geometry {
    /// The settings of a log of this size.
    #[must_use]
    pub fn settings(&self, decisions: &'static dyn Decisions) -> Settings {
        let batch_bytes = u32::try_from(self.long_bytes + 400).unwrap_or(u32::MAX);
        Settings {
            block_bytes: self.block_bytes,
            segment_bytes: self.segment_bytes,
            batch_bytes,
            segments_ahead: self.segments_ahead,
            decisions,
        }
    }

    /// The model of crashes of a disk of this size.
    #[must_use]
    pub fn crash_model(&self) -> CrashModel {
        CrashModel {
            sector_bytes: self.sector_bytes,
            tears_sectors: true,
            has_garbage_in_fresh_space: true,
            combined_sectors_max: self.combined_sectors_max,
        }
    }
}
