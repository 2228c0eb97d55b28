//! Opening a log: its records are read and verified in one pass, and then it goes on.

use std::fmt;
use std::sync::Arc;

use crate::disk::{Access, Call, Disk, DiskError};
use crate::format::batch::{Record, Records};
use crate::format::checkpoint::Root;
use crate::format::names::LOCK;
use crate::group_commit::Opened;
use crate::log::Log;
use crate::parts::Parts;
use crate::recovery::{
    OpenError, Origin, ReadError, Segments, Tail, Verified, Walk, create, go_on, judge, read_root,
    refuse_what_is_no_log,
};
use crate::serial::SerialLog;
use crate::settings::Settings;
use crate::store::Store;
use crate::threads::{SystemThreads, Threads};
use crate::{LogId, LogIndex, WriterEpoch};

/// A log that is being opened.
///
/// It lends the records behind the last checkpoint, batch by batch, each verified and known to be
/// durable: a batch is shown when the one after it was verified, too, because a batch is written
/// only when the one before is durable. Until then nothing on the disk has changed, except that the
/// log is locked (and created, if there was none).
///
/// When all batches but the last are read, the log starts a fresh segment with the last batch, which
/// nothing proves durable, and syncs it; then it shows that one, too. [`Opening::into_log`] and
/// [`Opening::into_serial_log`] go on from there; they read records that the caller left unread.
///
/// An opening that is dropped before the end, or that reports damage, has changed nothing: dropping it
/// only unlocks the log. Records that it showed before it reported damage are as they were written.
pub struct Opening<D: Disk> {
    /// The state of the last checkpoint; empty if there was none.
    pub state: Vec<u8>,
    disk: Arc<D>,
    lock: D::Lock,
    root: Root,
    segments: Segments,
    walk: Walk<D::File>,
    /// The last batch that was verified, if it is not proven yet.
    held: Option<Verified>,
    phase: Phase<D>,
}

enum Phase<D: Disk> {
    Reading,
    /// All was verified, and a fresh segment was started.
    Resumed(Box<Resumed<D>>),
    Failed,
}

/// A log that can go on.
pub(crate) struct Resumed<D: Disk> {
    pub(crate) store: Store<D>,
    pub(crate) opened: Opened,
    tail: Tail,
}

/// The result of a recovery. All of it is durable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recovered {
    /// The checkpoint's state stands for every record up to this number.
    pub through: LogIndex,
    /// The index of the last record.
    pub last: LogIndex,
    /// Which opening of the log this is, counted from 1.
    pub epoch: WriterEpoch,
    /// How the log ended, and whether something was cut off.
    pub tail: Tail,
}

impl<D: Disk> fmt::Debug for Opening<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Opening")
            .field("directory", &self.disk.directory())
            .field("log", &self.root.log)
            .field("through", &self.root.through)
            .field("state_bytes", &self.state.len())
            .field("verified", &self.walk.last_record())
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Opening<D> {
    /// Begins to open the log in a directory; creates it if the directory is empty or does not
    /// exist.
    ///
    /// # Errors
    /// There is no log that can be opened; see [`OpenError`].
    pub fn begin(disk: Arc<D>, log: LogId, settings: Settings) -> Result<Opening<D>, OpenError> {
        Opening::begin_behind(disk, log, settings, Origin::default())
    }

    /// Begins to open the log in a directory. If it is created, it begins with this state.
    pub(crate) fn begin_behind(
        disk: Arc<D>,
        log: LogId,
        mut settings: Settings,
        origin: Origin<'_>,
    ) -> Result<Opening<D>, OpenError> {
        settings.validate()?;
        refuse_what_is_no_log(&*disk, log, settings)?;
        let lock = disk
            .lock(LOCK, Access::Write)
            .map_err(DiskError::of(Call::Lock, LOCK))?
            .ok_or_else(|| OpenError::in_use(&*disk))?;
        // A process that died may have left names that are seen and not durable.
        if settings.decisions.syncs_directory_when_opening() {
            disk.sync_directory().map_err(DiskError::of(Call::SyncDirectory, disk.directory()))?;
        }
        let mut segments = Segments::list(&*disk)?;
        if !segments.has_checkpoint {
            create(&disk, log, settings, &segments, origin)?;
            segments = Segments::list(&*disk)?;
        }
        let (root, state) = read_root(&*disk, settings, &segments)?;
        settings.block_bytes = root.block_bytes;
        settings.validate()?;
        let walk = Walk::ahead(&disk, settings, &root, &segments)
            .map_err(|error| error.into_open_error(&*disk))?;
        let phase = Phase::Reading;
        Ok(Opening { state, disk, lock, root, segments, walk, held: None, phase })
    }

    /// The checkpoint's state stands for every record up to this number.
    #[must_use]
    pub fn through(&self) -> LogIndex {
        self.root.through
    }

    /// The records of the next batch, those left out that the checkpoint stands for; `None` at the
    /// end. They lie in memory that is used again for later batches.
    ///
    /// # Errors
    /// The disk fails or the log is damaged. The log must be opened again then.
    pub fn next_batch(&mut self) -> Result<Option<Records<'_>>, OpenError> {
        let Some(batch) = self.next_proven()? else {
            return Ok(None);
        };
        let mut records = self.walk.records(&batch);
        if let Some(known) = self.root.through.0.checked_sub(batch.header.first.0) {
            records.nth(usize::try_from(known).unwrap_or(usize::MAX));
        }
        Ok(Some(records))
    }

    /// Shows every record that is left to a function.
    ///
    /// # Errors
    /// As [`Opening::next_batch`]; the records before have been shown then.
    pub fn for_each(&mut self, mut show: impl FnMut(Record<'_>)) -> Result<(), OpenError> {
        self.try_for_each(|record| {
            show(record);
            Ok(())
        })
    }

    /// Shows every record that is left to a function, until the function returns an error. Nothing on
    /// the disk has changed then, unless all records but those of the last batch were shown.
    ///
    /// # Errors
    /// The function's; or as [`Opening::next_batch`], the records before have been shown then.
    pub fn try_for_each<E: From<OpenError>>(
        &mut self,
        mut show: impl FnMut(Record<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        while let Some(mut records) = self.next_batch()? {
            records.try_for_each(&mut show)?;
        }
        Ok(())
    }

    /// The log, with its threads, and the result of its recovery.
    ///
    /// # Errors
    /// As [`Opening::next_batch`], or the system starts no more threads.
    pub fn into_log(self) -> Result<(Log<D>, Recovered), OpenError> {
        self.into_log_on(&SystemThreads)
    }

    /// The log, with threads of this kind, and the result of its recovery.
    ///
    /// # Errors
    /// As [`Opening::into_log`].
    pub fn into_log_on<T: Threads>(self, threads: &T) -> Result<(Log<D, T>, Recovered), OpenError> {
        let (parts, recovered) = self.into_parts()?;
        Ok((Log::of(parts, threads)?, recovered))
    }

    /// The log without threads, and the result of its recovery.
    ///
    /// # Errors
    /// As [`Opening::next_batch`].
    pub fn into_serial_log(self) -> Result<(SerialLog<D>, Recovered), OpenError> {
        let (parts, recovered) = self.into_parts()?;
        Ok((SerialLog::of(parts), recovered))
    }

    fn into_parts(mut self) -> Result<(Parts<D>, Recovered), OpenError> {
        while self.next_proven()?.is_some() {}
        let Phase::Resumed(resumed) = self.phase else {
            return Err(OpenError::Failed { directory: self.disk.directory() });
        };
        let Resumed { store, opened, tail } = *resumed;
        let recovered = Recovered {
            through: self.root.through,
            last: opened.next.previous(),
            epoch: opened.epoch,
            tail,
        };
        let settings = self.walk.settings();
        Ok((Parts { disk: self.disk, lock: self.lock, settings, store, opened }, recovered))
    }

    /// The next batch that is known to be durable.
    fn next_proven(&mut self) -> Result<Option<Verified>, OpenError> {
        match self.phase {
            Phase::Reading => {}
            Phase::Resumed(_) => return Ok(None),
            Phase::Failed => return Err(OpenError::Failed { directory: self.disk.directory() }),
        }
        self.prove().map_err(|error| {
            self.phase = Phase::Failed;
            error.into_open_error(&*self.disk)
        })
    }

    fn prove(&mut self) -> Result<Option<Verified>, ReadError> {
        while let Some(found) = self.walk.next(&*self.disk)? {
            let waits = self.walk.settings().decisions.waits_for_proof();
            let is_proven = self.walk.is_followed() || !waits;
            let proven = if is_proven { Some(found) } else { self.held.replace(found) };
            if proven.is_some() {
                return Ok(proven);
            }
        }
        let end = judge(&*self.disk, &self.walk)?;
        let (store, opened) = go_on(&self.disk, &self.root, &self.segments, &self.walk, &end)?;
        self.phase = Phase::Resumed(Box::new(Resumed { store, opened, tail: end.tail }));
        Ok(self.held.take())
    }
}
