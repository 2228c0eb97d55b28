//! Why an open log refuses a record or a checkpoint, and its failure.

use std::sync::Arc;

use crate::LogIndex;
use crate::disk::DiskError;

/// Why a record was not accepted.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// It is longer than a batch.
    #[error("a record of {bytes} bytes: this log takes records of up to {bytes_max} bytes")]
    TooLong {
        /// Its length.
        bytes: usize,
        /// The longest that is accepted.
        bytes_max: usize,
    },
    /// The buffer is full until the batch on its way is synced or a segment is ready.
    #[error("the log is busy: its memory is full of records that wait for the disk")]
    Busy,
    /// The disk is full. The record was not accepted; records accepted before are not affected.
    #[error(
        "the record was not accepted because the disk is full: {0}. The log has not failed and \
         keeps what it accepted: make room or write a checkpoint, and append it again"
    )]
    OutOfSpace(#[source] Arc<DiskError>),
    /// The log has failed.
    #[error(transparent)]
    Failed(#[from] LogFailure),
}

/// The disk failed the log. This opening of the log is over; which records are durable is known only
/// after opening it again.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the log has failed and must be opened again: {0}")]
pub struct LogFailure(#[source] pub Arc<DiskError>);

/// Why a checkpoint was not written.
#[derive(Debug, thiserror::Error)]
pub enum CheckpointError {
    /// It would stand for records that are not durable, or that an older checkpoint stands for.
    #[error(
        "a checkpoint through record {through}: it may stand for records from {least} to {durable}"
    )]
    OutOfRange {
        /// The last record that it was to stand for.
        through: LogIndex,
        /// The last record that the checkpoint before stands for.
        least: LogIndex,
        /// The last durable record.
        durable: LogIndex,
    },
    /// Its state is longer than a checkpoint may hold. Nothing was written.
    #[error("a checkpoint with a state of {bytes} bytes: a state takes up to {bytes_max} bytes")]
    TooLong {
        /// The length of the state.
        bytes: u64,
        /// The longest that is accepted.
        bytes_max: u64,
    },
    /// The disk is full. The log goes on with the checkpoint it had.
    #[error(
        "no checkpoint was written because the disk is full: {0}. The log has not failed and keeps \
         the checkpoint before: make room, and write it again"
    )]
    OutOfSpace(DiskError),
    /// The log has failed.
    #[error(transparent)]
    Failed(#[from] LogFailure),
}
