//! The findings of recovery, in words.

use std::fmt;

use crate::disk::{Disk, DiskError};
use crate::format::VERSION;
use crate::format::names::LOCK;
use crate::settings::SettingsError;
use crate::{Location, LogId, LogIndex};

/// A case of recovery.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Case {
    /// Zeros behind the last batch, or the end of the segment.
    CleanEnd,
    /// Old bytes of a recycled file.
    StaleBytes,
    /// A header without its body.
    TornBatch,
    /// Neither zeros nor a header.
    TornHeader,
    /// Nothing where a batch must be.
    Hole,
    /// Wrong bytes where a batch must be.
    Rot,
    /// A segment without a file.
    MissingSegment,
    /// A segment of zero bytes.
    EmptySegment,
    /// A segment that is shorter than when it got its name.
    CutSegment,
    /// A segment whose file holds the batches of another.
    MisplacedSegment,
    /// A segment whose file is another log's.
    OtherLogSegment,
    /// A segment that was never started.
    EntryLost,
    /// A half-made file.
    DraftLeft,
    /// A segment that is no longer needed.
    RetiredLeft,
    /// A log that was being created.
    HalfBorn,
    /// Records without a checkpoint.
    LostCheckpoint,
    /// A checkpoint with wrong checksums, or other bytes in its place.
    DamagedCheckpoint,
}

/// Every case, with its label and a sentence about it.
pub const CASES: [(Case, &str, &str); 17] = [
    (Case::CleanEnd, "clean-end", "the batches end where nothing was written: nothing is lost"),
    (Case::StaleBytes, "stale-bytes", "a recycled file's old batch follows: nothing is lost"),
    (
        Case::TornBatch,
        "torn-batch",
        "a batch has its header and not its body: a crash tore it, or the last batch rotted",
    ),
    (
        Case::TornHeader,
        "torn-header",
        "bytes that are no header follow: a torn or rotted last batch, or an old file's bytes",
    ),
    (Case::Hole, "hole", "nothing stands where a durable batch must be"),
    (Case::Rot, "rot", "wrong bytes stand where a durable batch must be"),
    (Case::MissingSegment, "missing-segment", "a segment that must be there has no file"),
    (Case::EmptySegment, "empty-segment", "a segment has no bytes, which no crash brings about"),
    (
        Case::CutSegment,
        "cut-segment",
        "a segment is not as long as it was made, or no whole number of blocks: no crash does that",
    ),
    (
        Case::MisplacedSegment,
        "misplaced-segment",
        "a segment's file holds batches of another segment that is still needed",
    ),
    (Case::OtherLogSegment, "other-log-segment", "a segment's file is that of another log"),
    (Case::EntryLost, "entry-lost", "a segment made ready was never started: nothing is lost"),
    (Case::DraftLeft, "draft-left", "a half-made file is left: it means nothing and is removed"),
    (Case::RetiredLeft, "retired-left", "a segment is left that the checkpoint needs no more"),
    (Case::HalfBorn, "half-born", "the log was being created: it is created again"),
    (Case::LostCheckpoint, "lost-checkpoint", "there are records and no checkpoint"),
    (
        Case::DamagedCheckpoint,
        "damaged-checkpoint",
        "the checkpoint has other bytes than the log wrote",
    ),
];

impl Case {
    /// A short name.
    #[must_use]
    pub fn label(self) -> &'static str {
        self.row().1
    }

    /// The case in one sentence.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> &'static (Case, &'static str, &'static str) {
        CASES.iter().find(|it| it.0 == self).expect("every case has a row")
    }
}

/// Durable bytes are gone or wrong. Found by recovery, which has changed nothing then.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{}: {} ({part}{})", case.label(), case.sentence(), lost_text(*lost))]
pub struct Damage {
    /// The kind of damage.
    pub case: Case,
    /// The part of the log that is damaged.
    pub part: DamagedPart,
    /// The first and the last record that cannot be read for certain, as far as known.
    pub lost: Option<(LogIndex, LogIndex)>,
}

/// The part of a log that is damaged.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum DamagedPart {
    /// A segment, at this location.
    Segment(Location),
    /// A file as a whole.
    File(String),
}

impl fmt::Display for DamagedPart {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            DamagedPart::Segment(location) => location.fmt(f),
            DamagedPart::File(name) => f.write_str(name),
        }
    }
}

fn lost_text(lost: Option<(LogIndex, LogIndex)>) -> String {
    match lost {
        Some((first, last)) if first > last => String::new(),
        Some((first, last)) if first == last => format!("; record {first} is lost"),
        Some((first, last)) => format!("; records {first} to {last} are lost"),
        None => String::new(),
    }
}

/// How the batches of a log end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tail {
    /// Whether something was cut off.
    pub case: Case,
    /// Where the next batch would have been.
    pub location: Location,
    /// The first and the last record of the batch that is not whole, where its header is whole.
    pub cut: Option<(LogIndex, LogIndex)>,
}

impl Tail {
    /// Whether the bytes there may once have been a synced batch. A crash during a write explains them;
    /// without a crash they are rot, and records are lost.
    #[must_use]
    pub fn is_uncertain(&self) -> bool {
        matches!(self.case, Case::TornBatch | Case::TornHeader)
    }
}

/// Why a log cannot be opened. Nothing was changed, unless the disk failed during the opening.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The settings make no log.
    #[error(transparent)]
    Settings(#[from] SettingsError),
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The directory is empty, or no more than the creation of a log was begun in it.
    #[error("{directory} holds no log")]
    NoLog {
        /// The directory.
        directory: String,
    },
    /// It is open already.
    #[error("{directory} is in use: {}", if *is_by_this_process {
        "this process has the log open already; use that one, or close it first"
    } else {
        "another process has the log open"
    })]
    InUse {
        /// The directory.
        directory: String,
        /// Whether this process has it open, and not another.
        is_by_this_process: bool,
    },
    /// The directory holds a file that does not belong to a log.
    #[error(
        "{directory} holds {name:?}, which is no file of a log: a log needs a directory of its own"
    )]
    ForeignFile {
        /// The directory.
        directory: String,
        /// The file.
        name: String,
    },
    /// The file called `checkpoint` is something else.
    #[error(
        "{directory} is not a log: its file \"checkpoint\" does not begin as a checkpoint does"
    )]
    NotALog {
        /// The directory.
        directory: String,
    },
    /// The log is of a format that this code does not know.
    #[error("{directory} is of format version {version}: this program reads version {VERSION}")]
    OtherVersion {
        /// The directory.
        directory: String,
        /// Its version.
        version: u32,
    },
    /// It is another log than the one that was to be opened.
    #[error("{directory} is the log {found}: the log {wanted} was to be opened")]
    OtherLog {
        /// The directory.
        directory: String,
        /// The log that is there.
        found: LogId,
        /// The log that was asked for.
        wanted: LogId,
    },
    /// Durable bytes are gone or wrong.
    #[error("{directory} is damaged: {damage}")]
    Damaged {
        /// The directory.
        directory: String,
        /// The damage.
        damage: Damage,
    },
    /// Opening it has failed before.
    #[error("{directory} could not be opened: it must be opened again from the beginning")]
    Failed {
        /// The directory.
        directory: String,
    },
}

impl OpenError {
    /// The log is locked.
    pub(crate) fn in_use<D: Disk>(disk: &D) -> OpenError {
        let is_by_this_process = disk.is_locked_by_this_process(LOCK);
        OpenError::InUse { directory: disk.directory(), is_by_this_process }
    }
}

/// Why batches cannot be read.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    /// The disk failed.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// Durable bytes are gone or wrong.
    #[error(transparent)]
    Damaged(#[from] Damage),
}

impl ReadError {
    /// Says which log it was.
    pub(crate) fn into_open_error<D: Disk>(self, disk: &D) -> OpenError {
        match self {
            ReadError::Disk(error) => OpenError::Disk(error),
            ReadError::Damaged(damage) => {
                OpenError::Damaged { directory: disk.directory(), damage }
            }
        }
    }
}
