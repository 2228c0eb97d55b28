//! The twins of the log: logs with one wrong decision, which must be caught. And logs
//! that lack one of several defences that back each other up, which must not be.

use std::fmt;

use steadfast_wal::{Checksum, Decisions, LogId, LogIndex, SegmentNumber, Stage, WriterEpoch};

/// A log whose decisions differ from the right ones.
pub struct Variant {
    /// Its name in reports.
    pub name: &'static str,
    /// The difference, in one clause.
    pub about: &'static str,
    /// Its decisions.
    pub decisions: &'static dyn Decisions,
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variant")
            .field("name", &self.name)
            .field("about", &self.about)
            .finish_non_exhaustive()
    }
}

macro_rules! variants {
    ($(#[$doc:meta])* $list:ident $($constant:ident $type:ident $name:literal $about:literal { $($body:tt)* })*) => {
        $(
            struct $type;
            impl Decisions for $type { $($body)* }
            static $constant: Variant =
                Variant { name: $name, about: $about, decisions: &$type };
        )*

        $(#[$doc])*
        pub static $list: &[&Variant] = &[$(&$constant),*];
    };
}

variants! {
    /// Each decides one thing wrongly, and must be caught. The last, `any-batch`, lacks at once all the
    /// defences; each of [`WEAKENED`] lacks one of them.
    TWINS
    NO_BODY_CHECKSUM NoBodyChecksum "no-body-checksum"
    "a batch is believed without its checksum" {
        fn body_is_intact(&self, _: &dyn Fn() -> Checksum, _: Checksum) -> bool { true }
    }
    NO_HEADER_CHECKSUM NoHeaderChecksum "length-trusted-before-checksum"
    "a header is believed without its checksum" {
        fn header_is_intact(&self, _: Checksum, _: Checksum) -> bool { true }
    }
    ANY_LOG AnyLog "any-log"
    "batches and checkpoints of another log are believed" {
        fn is_of_log(&self, _: LogId, _: LogId) -> bool { true }
    }
    NO_CHECKPOINT_CHECKSUM NoCheckpointChecksum "no-checkpoint-checksum"
    "a checkpoint is believed without its checksum" {
        fn checkpoint_is_intact(&self, _: Checksum, _: Checksum) -> bool { true }
    }
    ANY_SEGMENT AnySegment "recycled-without-a-check"
    "old bytes of a recycled file are taken for new ones" {
        fn is_of_segment(&self, _: SegmentNumber, _: SegmentNumber) -> bool { true }
    }
    CUT_SEGMENT_TRUSTED CutSegmentTrusted "cut-segment-trusted"
    "a segment is believed to be as long as it was made" {
        fn is_whole_segment(&self, _: u64, _: u64) -> bool { true }
    }
    MISPLACED_IS_OLD MisplacedIsOld "misplaced-taken-for-recycled"
    "a segment's batches in the file of another are taken for remains of recycling" {
        fn may_be_recycled(&self, _: SegmentNumber, _: SegmentNumber) -> bool { true }
    }
    OTHER_LOG_IS_OLD OtherLogIsOld "other-log-taken-for-recycled"
    "another log's segment is taken for remains of recycling" {
        fn may_be_of_other_log(&self) -> bool { true }
    }
    NEWEST_NOT_MISSED NewestNotMissed "newest-not-missed"
    "newest segments that batches before them know are not missed" {
        fn is_newest_missing(&self, _: SegmentNumber, _: SegmentNumber) -> bool { false }
    }
    NO_OPENING_RESERVE NoOpeningReserve "no-reserve-for-opening"
    "no room is kept to open the log on a full disk" {
        fn keeps_reserve(&self) -> bool { false }
    }
    CUTS_DAMAGE CutsDamage "damage-is-cut"
    "the log ends where the batches break off, even if later ones were durable" {
        fn is_damage(&self, _: LogIndex, _: LogIndex) -> bool { false }
    }
    BLIND_BEHIND_BREAK BlindBehindBreak "blind-behind-the-break"
    "newer batches behind a broken one are not looked for" {
        fn looks_behind_the_break(&self) -> bool { false }
    }
    ACK_BEFORE_SYNC AckBeforeSync "ack-before-sync"
    "records are called durable when the disk has taken them" {
        fn is_durable(&self, _: Stage) -> bool { true }
    }
    RETRY_AFTER_FAILURE RetryAfterFailure "retry-after-failure"
    "a failed sync is tried again, and the second answer is believed" {
        fn failure_is_final(&self) -> bool { false }
    }
    IGNORES_FAILED_WRITES IgnoresFailedWrites "failed-write-ignored"
    "a failed write is taken for a success" {
        fn ignores_failed_writes(&self) -> bool { true }
    }
    SHORT_WRITE_IS_WHOLE ShortWriteIsWhole "short-write-is-whole"
    "a write that took some of the bytes is taken for one that took all" {
        fn completes_short_writes(&self) -> bool { false }
    }
    NO_PADDING NoPadding "no-padding"
    "a batch begins in the sector in which the one before ends" {
        fn padding(&self, _: u64) -> u64 { 1 }
    }
    NO_RESERVE NoReserve "no-space-reserved"
    "records are accepted for which there may be no space" {
        fn reserves_space(&self) -> bool { false }
    }
    NAMES_TRUSTED NamesTrusted "no-directory-sync-on-opening"
    "names that a dead process has left are relied on, durable or not" {
        fn syncs_directory_when_opening(&self) -> bool { false }
    }
    OPENING_NOT_SYNCED OpeningNotSynced "recovery-not-synced"
    "recovery hands out the last batch before it has synced its copy" {
        fn syncs_opening(&self) -> bool { false }
    }
    LAST_BATCH_TRUSTED LastBatchTrusted "last-batch-trusted"
    "the last batch is handed out although nothing proves it durable" {
        fn rewrites_last_batch(&self) -> bool { false }
    }
    SHOWS_EARLY ShowsEarly "last-batch-shown-early"
    "the last batch is shown while the log is read, before it is written again" {
        fn waits_for_proof(&self) -> bool { false }
    }
    SEGMENT_NOT_SYNCED SegmentNotSynced "segment-rename-before-sync"
    "a segment gets its name before it is synced" {
        fn syncs_segment_before_rename(&self) -> bool { false }
    }
    SEGMENT_NAME_NOT_SYNCED SegmentNameNotSynced "no-directory-sync-for-segments"
    "batches are written to a segment whose name is not durable" {
        fn syncs_directory_for_segment(&self) -> bool { false }
    }
    CHECKPOINT_NOT_SYNCED CheckpointNotSynced "checkpoint-rename-before-sync"
    "a checkpoint replaces the one before, before it is synced" {
        fn syncs_checkpoint_before_rename(&self) -> bool { false }
    }
    CHECKPOINT_IN_PLACE CheckpointInPlace "checkpoint-in-place"
    "a checkpoint is written over the one before" {
        fn writes_checkpoint_beside(&self) -> bool { false }
    }
    CHECKPOINT_NAME_NOT_SYNCED CheckpointNameNotSynced "no-directory-sync-for-checkpoints"
    "segments are given up although the name of the checkpoint is not durable" {
        fn syncs_directory_for_checkpoint(&self) -> bool { false }
    }
    RETIRES_EARLY RetiresEarly "delete-before-checkpoint"
    "segments are given up before the checkpoint is durable" {
        fn checkpoints_before_retiring(&self) -> bool { false }
    }
    RETIRES_TOO_MUCH RetiresTooMuch "delete-one-too-many"
    "a segment is given up that the checkpoint needs" {
        fn first_kept(&self, needed: SegmentNumber) -> SegmentNumber { needed.next() }
    }
    CHECKPOINT_AHEAD CheckpointAhead "checkpoint-ahead-of-log"
    "a checkpoint stands for records that are not durable" {
        fn may_stand_for(&self, _: LogIndex, _: LogIndex) -> bool { true }
    }
    CHECKPOINT_FIRST CheckpointFirst "checkpoint-before-segment"
    "a new log has its checkpoint before its first segment" {
        fn begins_segment_before_checkpoint(&self) -> bool { false }
    }
    ANY_BATCH AnyBatch "any-batch"
    "a batch of this log is believed wherever it stands" {
        fn is_next(&self, _: LogIndex, _: LogIndex) -> bool { true }
        fn continues(&self, _: Checksum, _: Checksum) -> bool { true }
        fn may_follow(&self, _: WriterEpoch, _: WriterEpoch) -> bool { true }
    }
}

variants! {
    /// Each lacks one of the three checks that reject a batch in a wrong place. The other two reject it
    /// all the same, so these must not be caught.
    WEAKENED
    ANY_INDEX AnyIndex "any-index"
    "a batch is believed whatever number it begins with" {
        fn is_next(&self, _: LogIndex, _: LogIndex) -> bool { true }
    }
    ANY_PREDECESSOR AnyPredecessor "any-predecessor"
    "a batch is believed whatever batch it was written after" {
        fn continues(&self, _: Checksum, _: Checksum) -> bool { true }
    }
    ANY_EPOCH AnyEpoch "any-epoch"
    "a batch of an older opening may come after one of a newer" {
        fn may_follow(&self, _: WriterEpoch, _: WriterEpoch) -> bool { true }
    }
}
