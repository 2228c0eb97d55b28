//! A new log from the intact part of a damaged one.

use std::io::ErrorKind;
use std::sync::Arc;

use crate::disk::{Call, Disk, DiskError};
use crate::errors::{AppendError, LogFailure};
use crate::format::batch::Batch;
use crate::format::header::{HEADER_BYTES, Header, padded};
use crate::inspect::Unopened;
use crate::opening::Opening;
use crate::recovery::{Damage, OpenError, Origin, Tail};
use crate::serial::SerialLog;
use crate::settings::{BATCH_BYTES_MIN, Settings};
use crate::{LogId, LogIndex};

/// The contents of a log that [`salvage_into`] has made.
#[derive(Debug)]
pub struct Rescued {
    /// Whose log it is: the same as the damaged one.
    pub log: LogId,
    /// The checkpoint's state stands for every record up to this one.
    pub through: LogIndex,
    /// The last record.
    pub last: LogIndex,
    /// Why no record follows: the end of the old log, or its damage.
    pub end: Result<Tail, Damage>,
}

/// Why a log was not copied.
#[derive(Debug, thiserror::Error)]
pub enum SalvageError {
    /// The old log cannot be read, or its checkpoint is lost or damaged.
    #[error(transparent)]
    Unreadable(#[from] OpenError),
    /// The new log would stand where files are.
    #[error("{directory} is not empty: a new log needs a directory of its own")]
    NotEmpty {
        /// The directory of the new log.
        directory: String,
    },
    /// The new log cannot be created.
    #[error("the new log cannot be created: {0}")]
    Uncreated(#[source] OpenError),
    /// The new log cannot be written.
    #[error("the new log cannot be written: {0}")]
    Unwritten(#[from] AppendError),
}

impl From<LogFailure> for SalvageError {
    fn from(failure: LogFailure) -> SalvageError {
        SalvageError::Unwritten(failure.into())
    }
}

/// Copies the part of a log that [`inspect`](crate::inspect) calls intact into a new one: the state of
/// the checkpoint, and the records behind it up to the damage. They keep their numbers, and the new log
/// has the same [`LogId`] and can be opened. Nothing of the old log is changed.
///
/// Records behind the damage are not copied, because records of a log have no gaps;
/// [`salvage`](fn@crate::salvage) shows them. A new log that was not copied to its end can be opened,
/// too, so use it only after this has returned.
///
/// # Errors
/// See [`SalvageError`]. Damage of the old log is no error, unless it is that of the checkpoint.
pub fn salvage_into<D: Disk, N: Disk>(old: &D, new: Arc<N>) -> Result<Rescued, SalvageError> {
    refuse_files(&*new)?;
    let old = Unopened::lock(old)?;
    let mut sizes = Sizes::default();
    let _ = end_of(old.walk(&mut |_, batch| {
        sizes.note(&batch.header);
        Ok(())
    }))?;
    let origin = Origin { through: old.root.through, state: &old.state };
    let settings = sizes.settings(old.root.block_bytes);
    let (mut log, _) = Opening::begin_behind(new, old.root.log, settings, origin)
        .and_then(Opening::into_serial_log)
        .map_err(SalvageError::Uncreated)?;
    let end = end_of(old.walk(&mut |_, batch| copy(batch, &mut log)))?;
    let last = log.close()?;
    Ok(Rescued { log: old.root.log, through: old.root.through, last, end })
}

fn refuse_files<D: Disk>(new: &D) -> Result<(), SalvageError> {
    match new.list() {
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => {
            let error = DiskError::of(Call::List, new.directory())(error);
            Err(SalvageError::Uncreated(error.into()))
        }
        Ok(names) if names.is_empty() => Ok(()),
        Ok(_) => Err(SalvageError::NotEmpty { directory: new.directory() }),
    }
}

/// How a walk ended, if it was not cut off by an error.
fn end_of(
    walked: Result<(LogIndex, Tail), SalvageError>,
) -> Result<Result<Tail, Damage>, SalvageError> {
    match walked {
        Ok((_, tail)) => Ok(Ok(tail)),
        Err(SalvageError::Unreadable(OpenError::Damaged { damage, .. })) => Ok(Err(damage)),
        Err(error) => Err(error),
    }
}

fn copy<D: Disk>(batch: &Batch<'_>, log: &mut SerialLog<D>) -> Result<(), SalvageError> {
    let copied = log.last();
    for record in batch.records().filter(|it| it.index > copied) {
        let index = log.append(record.payload)?;
        assert_eq!(index, record.index, "verified batches have no gaps, so records keep numbers");
    }
    Ok(())
}

/// The sizes of a log's batches, which the new log is laid out by.
#[derive(Default)]
struct Sizes {
    longest_batch: u32,
    all_batches: u64,
}

impl Sizes {
    fn note(&mut self, header: &Header) {
        self.longest_batch = self.longest_batch.max(header.length);
        self.all_batches += u64::from(header.length);
    }

    /// Settings by which every batch has room and a short log takes little: the next opening may choose
    /// others.
    fn settings(&self, block_bytes: u32) -> Settings {
        let usual = Settings::default();
        let wanted = u32::try_from(self.all_batches).unwrap_or(u32::MAX).min(usual.batch_bytes);
        let batch_bytes = wanted.max(self.longest_batch).max(BATCH_BYTES_MIN);
        let block = u64::from(block_bytes);
        let one_batch = padded(HEADER_BYTES as u64 + u64::from(batch_bytes), block);
        let all = padded(self.all_batches + HEADER_BYTES as u64, block);
        let segment_bytes = all.min(usual.segment_bytes).max(one_batch);
        Settings { block_bytes, batch_bytes, segment_bytes, ..usual }
    }
}
