//! The log without threads: the calling thread does the writing.

use std::fmt;
use std::sync::Arc;

use crate::LogIndex;
use crate::disk::Disk;
use crate::errors::{AppendError, CheckpointError, LogFailure};
use crate::format::batch::Payload;
use crate::group_commit::{BatchWrite, Chore, GroupCommit};
use crate::operations;
use crate::parts::Parts;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};

/// A log that does everything in the calling thread, for simulators and tools. It decides and writes
/// with the same parts as [`Log`](crate::Log). [`Opening`](crate::Opening) makes one.
pub struct SerialLog<D: Disk> {
    disk: Arc<D>,
    commit: GroupCommit,
    store: Store<D>,
    writer: BatchWriter<D>,
    settings: Settings,
    /// Held for as long as the log is open.
    _lock: D::Lock,
}

impl<D: Disk> fmt::Debug for SerialLog<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SerialLog")
            .field("directory", &self.disk.directory())
            .field("durable", &self.durable())
            .field("last", &self.last())
            .field("failure", &self.commit.failure())
            .finish_non_exhaustive()
    }
}

impl<D: Disk> SerialLog<D> {
    pub(crate) fn of(parts: Parts<D>) -> SerialLog<D> {
        let Parts { disk, lock, settings, store, opened } = parts;
        SerialLog {
            commit: GroupCommit::new(settings, opened),
            store,
            writer: BatchWriter::new(Arc::clone(&disk), settings.decisions),
            disk,
            settings,
            _lock: lock,
        }
    }

    /// The index of the last durable record. All before it are durable, too.
    #[must_use]
    pub fn durable(&self) -> LogIndex {
        self.commit.durable()
    }

    /// The index of the last record that was accepted.
    #[must_use]
    pub fn last(&self) -> LogIndex {
        self.commit.last()
    }

    /// As [`Log::used_bytes`](crate::Log::used_bytes).
    #[must_use]
    pub fn used_bytes(&self) -> u64 {
        self.commit.used_bytes()
    }

    /// Accepts a record and returns its index. The record is durable after the next
    /// [`SerialLog::sync`]. When memory is full, the gathering batch is written first.
    ///
    /// # Errors
    /// The record is too long, the disk is full, or the log has failed.
    pub fn append(&mut self, record: &[u8]) -> Result<LogIndex, AppendError> {
        let payload = Payload::of(record);
        match self.commit.append(payload) {
            Err(AppendError::Busy) => {}
            result => return result,
        }
        let asked = self.commit.ask_for_space(payload);
        self.make_segments()?;
        match self.commit.append(payload) {
            Err(AppendError::Busy) => {}
            result => return result,
        }
        if let Some(error) = self.commit.out_of_space(asked) {
            return Err(error);
        }
        self.sync()?;
        let asked = self.commit.ask_for_space(payload);
        self.make_segments()?;
        let result = self.commit.append(payload);
        let is_busy = matches!(result, Err(AppendError::Busy));
        self.commit.out_of_space(asked).filter(|_| is_busy).map_or(result, Err)
    }

    /// Writes and syncs the accepted records. Returns the index of the last durable record.
    ///
    /// # Errors
    /// The disk fails. The log has failed then and must be opened again.
    pub fn sync(&mut self) -> Result<LogIndex, LogFailure> {
        while let Some(write) = self.commit.begin_write() {
            self.write_batch(write)?;
        }
        match self.commit.failure() {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.commit.durable()),
        }
    }

    fn write_batch(&mut self, write: BatchWrite) -> Result<(), LogFailure> {
        let result = operations::write_batch(&mut self.writer, &write, &mut self.commit);
        self.commit.on_batch(write, result)
    }

    /// Makes [`Settings::segments_ahead`] segments ready, so that a later append need not wait for one.
    ///
    /// # Errors
    /// The disk fails. A full disk is no failure; appends are refused then.
    pub fn make_segments(&mut self) -> Result<(), LogFailure> {
        while let Some(chore) = self.commit.begin_chore() {
            self.do_chore(chore)?;
        }
        Ok(())
    }

    fn do_chore(&mut self, chore: Chore) -> Result<(), LogFailure> {
        let (store, commit) = (&mut self.store, &mut self.commit);
        operations::do_chore(chore, &*self.disk, &self.settings, store, commit)
    }

    /// Writes a checkpoint: `state` stands for every record up to `through`, and from then on the log
    /// begins behind that record.
    ///
    /// # Errors
    /// Some of these records are not durable, an older checkpoint stands for later ones, or the disk
    /// fails.
    pub fn checkpoint(&mut self, through: LogIndex, state: &[u8]) -> Result<(), CheckpointError> {
        let result = operations::checkpoint(&mut self.store, &mut self.commit, through, state);
        while self.commit.lacks_reserve()
            && let Some(chore) = self.commit.begin_chore()
        {
            self.do_chore(chore)?;
        }
        result
    }

    /// Writes the accepted records and then a batch without records, which proves that the batch
    /// before it was durable. Returns the index of the last durable record.
    ///
    /// # Errors
    /// The disk fails.
    pub fn close(mut self) -> Result<LogIndex, LogFailure> {
        self.sync()?;
        if let Some(write) = self.commit.begin_closing() {
            self.write_batch(write)?;
        }
        Ok(self.commit.durable())
    }
}
