//! Every point at which the log decides to believe something that it read, or to wait for the disk.
//!
//! The default methods are the right answers, so this file is the shortest explanation of why the
//! log survives crashes. A *twin* overrides one of them, and the enumeration of crash states must
//! catch it. The code of the log itself has no branch for a wrong answer.

use crate::checksum::Checksum;
use crate::{LogId, LogIndex, SegmentNumber, WriterEpoch};

/// How far a batch has come on its way to the disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// The disk has taken it, and a crash may take it back.
    Written,
    /// The disk has synced it.
    Synced,
}

/// The decisions of the log.
pub trait Decisions: Send + Sync {
    // Bytes that were read.

    /// Whether a header is as it was written.
    fn header_is_intact(&self, computed: Checksum, stored: Checksum) -> bool {
        computed == stored
    }

    /// Whether the body and the padding of a batch are as they were written.
    fn body_is_intact(&self, computed: &dyn Fn() -> Checksum, stored: Checksum) -> bool {
        computed() == stored
    }

    /// Whether a checkpoint is as it was written. Asked for its fields and for its state.
    fn checkpoint_is_intact(&self, computed: Checksum, stored: Checksum) -> bool {
        computed == stored
    }

    /// Whether a batch was written to this log.
    fn is_of_log(&self, found: LogId, log: LogId) -> bool {
        found == log
    }

    /// Whether a batch was written to this segment, and not to the one whose file it was before.
    fn is_of_segment(&self, found: SegmentNumber, segment: SegmentNumber) -> bool {
        found == segment
    }

    /// Whether a batch begins with the record that comes next.
    fn is_next(&self, found: LogIndex, expected: LogIndex) -> bool {
        found == expected
    }

    /// Whether a batch was written after exactly the batches before it.
    fn continues(&self, found: Checksum, expected: Checksum) -> bool {
        found == expected
    }

    /// Whether a batch of this epoch may come after one of that.
    fn may_follow(&self, found: WriterEpoch, last: WriterEpoch) -> bool {
        found >= last
    }

    // Recovery.

    /// Whether something is damaged, given the record expected where the batches break off and the
    /// last record that is known to have been durable.
    fn is_damage(&self, expected: LogIndex, known_durable: LogIndex) -> bool {
        known_durable >= expected
    }

    /// Whether the file of a segment may be of this length, given the length that it had when it got
    /// its name. Only a segment behind which another was started is ever made shorter.
    fn is_whole_segment(&self, found_bytes: u64, recorded_bytes: u64) -> bool {
        found_bytes >= recorded_bytes
    }

    /// Whether recycling may have left a batch of this segment in the file of another, given the
    /// first segment that is needed: only files of segments before that one are used again.
    fn may_be_recycled(&self, found: SegmentNumber, needed: SegmentNumber) -> bool {
        found < needed
    }

    /// Whether the file of a segment may begin with a batch of another log. Recycling never brings
    /// one: a log uses only its own files again.
    fn may_be_of_other_log(&self) -> bool {
        false
    }

    /// Whether the newest segments are missing, given the newest that there is and the newest whose
    /// name was durable when some batch was written.
    fn is_newest_missing(&self, found: SegmentNumber, known: SegmentNumber) -> bool {
        found < known
    }

    /// Whether recovery looks for newer batches behind the place where the batches break off.
    fn looks_behind_the_break(&self) -> bool {
        true
    }

    /// Whether the names that a process that died has left are made durable before they are relied
    /// on.
    fn syncs_directory_when_opening(&self) -> bool {
        true
    }

    /// Whether recovery syncs its writes before it hands out the last records.
    fn syncs_opening(&self) -> bool {
        true
    }

    /// Whether the last batch, which nothing proves durable, is written again when the log is
    /// opened.
    fn rewrites_last_batch(&self) -> bool {
        true
    }

    /// Whether a batch is shown only when one that was written after it is there, or it was written
    /// again.
    fn waits_for_proof(&self) -> bool {
        true
    }

    // Batches.

    /// Whether the records of a batch may be called durable.
    fn is_durable(&self, stage: Stage) -> bool {
        stage == Stage::Synced
    }

    /// Whether a failed write or sync is the end of this opening of the log, instead of something
    /// to try again.
    fn failure_is_final(&self) -> bool {
        true
    }

    /// Whether a failed write may be taken for a success.
    fn ignores_failed_writes(&self) -> bool {
        false
    }

    /// Whether a write that took only some of the bytes is continued.
    fn completes_short_writes(&self) -> bool {
        true
    }

    /// The size to whose multiples batches are padded, given the block size. No block that holds synced
    /// records is written again.
    fn padding(&self, block_bytes: u64) -> u64 {
        block_bytes
    }

    /// Whether a record is accepted only if the disk has already given space for it.
    fn reserves_space(&self) -> bool {
        true
    }

    // Files.

    /// Whether the log keeps room to be opened with when its disk is full.
    fn keeps_reserve(&self) -> bool {
        true
    }

    /// Whether a new segment is synced before it gets its name.
    fn syncs_segment_before_rename(&self) -> bool {
        true
    }

    /// Whether the name of a segment is durable before a batch is written to it.
    fn syncs_directory_for_segment(&self) -> bool {
        true
    }

    /// Whether a checkpoint is synced before it replaces the one before.
    fn syncs_checkpoint_before_rename(&self) -> bool {
        true
    }

    /// Whether a checkpoint is written beside the one before, and not over it.
    fn writes_checkpoint_beside(&self) -> bool {
        true
    }

    /// Whether the name of a checkpoint is durable before anything relies on it.
    fn syncs_directory_for_checkpoint(&self) -> bool {
        true
    }

    /// Whether segments are given up only when the checkpoint that no longer needs them is durable.
    fn checkpoints_before_retiring(&self) -> bool {
        true
    }

    /// The first segment that is kept, given the first that the checkpoint needs.
    fn first_kept(&self, needed: SegmentNumber) -> SegmentNumber {
        needed
    }

    /// Whether a checkpoint may stand for these records only.
    fn may_stand_for(&self, through: LogIndex, durable: LogIndex) -> bool {
        through <= durable
    }

    /// Whether a new log is a log only when its first segment is durable.
    fn begins_segment_before_checkpoint(&self) -> bool {
        true
    }
}

/// The decisions of the right log: every default.
#[derive(Clone, Copy, Debug, Default)]
pub struct DefaultDecisions;

impl Decisions for DefaultDecisions {}
