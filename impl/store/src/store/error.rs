//! Why a store is not made, not opened, or fails.

use steadfast_protocol::{Identity, LogIndex};
use steadfast_wal::disk::DiskError;
use steadfast_wal::{AppendError, CheckpointError, LogFailure};

use crate::ContentError;
use crate::codec::CodecError;

/// Why no new node was made in a directory.
#[derive(Debug, thiserror::Error)]
pub enum CreateError {
    /// A node has its log there.
    #[error(
        "{directory} holds the log of a node already: nothing was changed. Start that node, or name \
         an empty directory"
    )]
    InUse {
        /// The directory.
        directory: String,
    },
    /// The directory above log and contents cannot be made.
    #[error("cannot make the directory {directory}")]
    Directory {
        /// The directory.
        directory: String,
        /// The reason.
        source: std::io::Error,
    },
    /// Other contents are there.
    #[error(
        "{directory} holds {count} contents although it has no log: nothing was changed. Name an empty \
         directory"
    )]
    HasContents {
        /// The directory of the contents.
        directory: String,
        /// How many there are.
        count: usize,
    },
    /// The log cannot be made.
    #[error(transparent)]
    Log(#[from] steadfast_wal::OpenError),
    /// The first record was not accepted.
    #[error("the first record of the log was not written: {0}")]
    Append(#[from] AppendError),
    /// The first record was not written.
    #[error("the first record of the log was not written: {0}")]
    Sync(#[from] LogFailure),
    /// The checkpoint with which the log begins was not written.
    #[error("the checkpoint at the beginning of the log was not written: {0}")]
    Checkpoint(#[from] CheckpointError),
    /// The directory of the contents cannot be made.
    #[error(transparent)]
    Contents(#[from] ContentError),
}

/// Why a node's directory cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// There is no log.
    #[error(
        "{directory} holds no log. If this is a new node, initialise it first. If the node took part in \
         its cluster before, its log is lost: replace it by one that is made from those of all other \
         nodes, because a node that has forgotten its promises and acknowledgements must not start again"
    )]
    NoLog {
        /// The directory.
        directory: String,
    },
    /// The log belongs to another node, or to a cluster with other settings.
    #[error(
        "the log in {directory} belongs to {} of a cluster with {:?}, not to {} of a cluster with {:?}",
        .found.node, .found.settings, .expected.node, .expected.settings
    )]
    OtherIdentity {
        /// The directory.
        directory: String,
        /// The identity in the log.
        found: Identity,
        /// The identity that was expected.
        expected: Identity,
    },
    /// The log does not begin with an identity.
    #[error("the log in {directory} does not say which node owns it: no node wrote it")]
    NoIdentity {
        /// The directory.
        directory: String,
    },
    /// The log is damaged, in use, of another node, or the disk fails.
    #[error(transparent)]
    Log(#[from] steadfast_wal::OpenError),
    /// A record cannot be read although its bytes are as they were written.
    #[error("record {index} of the log in {directory}: {why}")]
    Record {
        /// The directory.
        directory: String,
        /// Its place in the log.
        index: LogIndex,
        /// Why it cannot be read.
        why: CodecError,
    },
    /// The checkpoint cannot be read although its bytes are as they were written.
    #[error("the checkpoint of the log in {directory}: {why}")]
    Checkpoint {
        /// The directory.
        directory: String,
        /// Why it cannot be read.
        why: CodecError,
    },
    /// The checkpoint stands for other records than the log says.
    #[error(
        "the checkpoint of the log in {directory} stands for {found} records, and the log dropped {expected}"
    )]
    CheckpointLength {
        /// The directory.
        directory: String,
        /// The records that the checkpoint stands for.
        found: LogIndex,
        /// The records that the log dropped.
        expected: LogIndex,
    },
    /// The log was written to while it was read.
    #[error("the log in {directory} was changed while it was read: a node runs on it")]
    Changed {
        /// The directory.
        directory: String,
    },
    /// The disk fails.
    #[error(transparent)]
    Disk(#[from] DiskError),
    /// The contents cannot be opened.
    #[error(transparent)]
    Contents(#[from] ContentError),
}

/// Why a store accepts no more records.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreFailure {
    /// The disk failed the log.
    #[error(transparent)]
    Log(#[from] LogFailure),
    /// A record is longer than a log takes.
    #[error("{0}: the log cannot go on without this record")]
    TooLong(AppendError),
}

impl StoreFailure {
    pub(super) fn of(error: AppendError) -> StoreFailure {
        match error {
            AppendError::Failed(failure) => StoreFailure::Log(failure),
            other => StoreFailure::TooLong(other),
        }
    }
}
