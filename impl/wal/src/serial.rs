//! The log without threads: whoever calls it does the writing.

use crate::Sequence;
use crate::disk::{Disk, DiskError};
use crate::format::batch::Payload;
use crate::format::checkpoint::Root;
use crate::group_commit::{AppendError, BatchWrite, Failure, GroupCommit};
use crate::opening::Parts;
use crate::recovery::CheckpointError;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store};

/// A log that does everything in the thread that calls it, for simulators and for tools. The same
/// parts as in [`Log`](crate::Log) decide and write. [`Opening`](crate::Opening) makes one.
pub struct SerialLog<D: Disk> {
    commit: GroupCommit,
    store: Store<D>,
    writer: BatchWriter<D>,
    settings: Settings,
    /// Held for as long as the log is open.
    _lock: D::Lock,
}

impl<D: Disk> SerialLog<D> {
    pub(crate) fn of(parts: Parts<D>) -> SerialLog<D> {
        let Parts { disk, lock, settings, store, opened } = parts;
        SerialLog {
            commit: GroupCommit::new(settings, opened),
            store,
            writer: BatchWriter::new(disk, settings.decisions),
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
        self.make_segments()?;
        match self.commit.append(payload) {
            Err(AppendError::Busy) => {}
            result => return result,
        }
        self.sync()?;
        self.make_segments()?;
        self.commit.append(payload)
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
        if let Err(error) = self.writer.write(&write) {
            return Err(self.commit.on_failed(error));
        }
        self.commit.on_written(&write);
        if let Err(error) = self.writer.sync() {
            return Err(self.commit.on_failed(error));
        }
        self.commit.on_synced(write);
        Ok(())
    }

    /// Makes segments ready, as many as the settings say. Worth calling when there is time.
    ///
    /// # Errors
    /// When the disk fails. That it is full is no failure; appends are refused then.
    pub fn make_segments(&mut self) -> Result<(), Failure> {
        while self.commit.wants_segment() {
            match self.store.make_segment() {
                Ok(segment) => self.commit.on_segment_ready(segment),
                Err(error) if error.is_out_of_space() => self.commit.on_out_of_space(error),
                Err(error) => return Err(self.commit.on_failed(error)),
            }
        }
        Ok(())
    }

    /// Writes a checkpoint: a state that stands for every record up to a number. The log begins
    /// behind it from then on.
    ///
    /// # Errors
    /// When these records are not durable or an older checkpoint stands for them already, or when
    /// the disk fails.
    pub fn checkpoint(&mut self, through: Sequence, state: &[u8]) -> Result<(), CheckpointError> {
        let root = root(&self.commit, &self.settings, self.store.through, through)?;
        let needed = root.start.segment;
        let early = !self.settings.decisions.checkpoints_before_retiring();
        let mut result = if early { self.store.retire_before(needed) } else { Ok(()) };
        result = result.and_then(|()| self.store.write_checkpoint(&root, state));
        if !early {
            result = result.and_then(|()| self.store.retire_before(needed));
        }
        on_checkpoint(&mut self.commit, &root, result)
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

/// What a checkpoint through this record says, if there may be one.
pub(crate) fn root(
    commit: &GroupCommit,
    settings: &Settings,
    least: Sequence,
    through: Sequence,
) -> Result<Root, CheckpointError> {
    if let Some(failure) = commit.failure() {
        return Err(failure.clone().into());
    }
    let durable = commit.durable();
    let out_of_range = CheckpointError::OutOfRange { through, least, durable };
    if through < least || !settings.decisions.may_stand_for(through, durable) {
        return Err(out_of_range);
    }
    let Some(start) = commit.start_for(through) else {
        return Err(out_of_range);
    };
    let block_bytes = settings.block_bytes;
    Ok(Root { block_bytes, log: commit.log(), through, durable, start })
}

/// What became of a checkpoint.
pub(crate) fn on_checkpoint(
    commit: &mut GroupCommit,
    root: &Root,
    result: Result<(), DiskError>,
) -> Result<(), CheckpointError> {
    match result {
        Ok(()) => {
            commit.forget_before(root.start.segment);
            commit.on_space();
            Ok(())
        }
        Err(error) if error.is_out_of_space() => Err(CheckpointError::OutOfSpace(error)),
        Err(error) => Err(commit.on_failed(error).into()),
    }
}
