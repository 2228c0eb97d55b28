//! The log without threads: whoever calls it does the writing.

use std::fmt;
use std::sync::Arc;

use crate::Sequence;
use crate::disk::Disk;
use crate::format::batch::Payload;
use crate::group_commit::{AppendError, BatchWrite, Chore, Failure, GroupCommit};
use crate::opening::Parts;
use crate::operations;
use crate::recovery::CheckpointError;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};

/// A log that does everything in the thread that calls it, for simulators and for tools. The same
/// parts as in [`Log`](crate::Log) decide and write. [`Opening`](crate::Opening) makes one.
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
            .field("place", &self.disk.place())
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

    /// Every record up to this number is durable.
    #[must_use]
    pub fn durable(&self) -> Sequence {
        self.commit.durable()
    }

    /// The number of the last record that was accepted.
    #[must_use]
    pub fn last(&self) -> Sequence {
        self.commit.last()
    }

    /// Accepts a record, and says its number. It is durable after the next [`SerialLog::sync`].
    /// When memory is full, what has gathered is written first.
    ///
    /// # Errors
    /// When it is not accepted.
    pub fn append(&mut self, record: &[u8]) -> Result<Sequence, AppendError> {
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

    /// Writes and syncs what was accepted. Says what is durable.
    ///
    /// # Errors
    /// When the disk fails. The log has failed then and must be opened again.
    pub fn sync(&mut self) -> Result<Sequence, Failure> {
        while let Some(write) = self.commit.begin_write() {
            self.perform(write)?;
        }
        match self.commit.failure() {
            Some(failure) => Err(failure.clone()),
            None => Ok(self.commit.durable()),
        }
    }

    fn perform(&mut self, write: BatchWrite) -> Result<(), Failure> {
        let result = operations::write_batch(&mut self.writer, &write, &mut self.commit);
        self.commit.on_batch(write, result)
    }

    /// Makes segments ready, as many as the settings say. Worth calling when there is time.
    ///
    /// # Errors
    /// When the disk fails. That it is full is no failure; appends are refused then.
    pub fn make_segments(&mut self) -> Result<(), Failure> {
        while let Some(chore) = self.commit.begin_chore() {
            self.perform_chore(chore)?;
        }
        Ok(())
    }

    fn perform_chore(&mut self, chore: Chore) -> Result<(), Failure> {
        let (store, commit) = (&mut self.store, &mut self.commit);
        operations::perform_chore(chore, &*self.disk, &self.settings, store, commit)
    }

    /// Writes a checkpoint: a state that stands for every record up to a number. The log begins
    /// behind it from then on.
    ///
    /// # Errors
    /// When these records are not durable or an older checkpoint stands for them already, or when
    /// the disk fails.
    pub fn checkpoint(&mut self, through: Sequence, state: &[u8]) -> Result<(), CheckpointError> {
        let result = operations::checkpoint(&mut self.store, &mut self.commit, through, state);
        while self.commit.lacks_reserve()
            && let Some(chore) = self.commit.begin_chore()
        {
            self.perform_chore(chore)?;
        }
        result
    }

    /// Writes what was accepted and then a batch without records, which proves the last one.
    ///
    /// # Errors
    /// When the disk fails.
    pub fn close(mut self) -> Result<Sequence, Failure> {
        self.sync()?;
        if let Some(write) = self.commit.begin_closing() {
            self.perform(write)?;
        }
        Ok(self.commit.durable())
    }
}
