//! Reads a log without opening it, for tools: nothing is changed.

use crate::disk::{Access, Call, Disk, DiskError};
use crate::format::batch::Batch;
use crate::format::checkpoint::Root;
use crate::format::names::LOCK;
use crate::recovery::{
    OpenError, ReadError, Segments, Tail, Walk, judge, lost_checkpoint, read_root,
};
use crate::settings::Settings;
use crate::{Location, LogIndex};

/// The contents of a log in numbers.
#[derive(Debug)]
pub struct Inspection {
    /// The fields of its checkpoint.
    pub root: Root,
    /// The length of the checkpoint's state in bytes.
    pub state_bytes: u64,
    /// How many segments there are, ready and retired ones included.
    pub segments: usize,
    /// The index of the last record.
    pub last: LogIndex,
    /// How it ends.
    pub tail: Tail,
    /// Half-made files.
    pub drafts: Vec<String>,
}

/// Reads a log, verifies it, and shows each batch with its location to `visit`, also those that stand
/// before damage.
///
/// # Errors
/// There is no log, it is in use, it is damaged, or the disk fails.
pub fn inspect<D: Disk>(
    disk: &D,
    visit: &mut dyn FnMut(Location, &Batch<'_>),
) -> Result<Inspection, OpenError> {
    try_inspect(disk, &mut |location, batch| {
        visit(location, batch);
        Ok(())
    })
}

/// As [`inspect`], until `visit` returns an error.
///
/// # Errors
/// That of `visit`; or as [`inspect`].
pub fn try_inspect<D: Disk, E: From<OpenError>>(
    disk: &D,
    visit: &mut dyn FnMut(Location, &Batch<'_>) -> Result<(), E>,
) -> Result<Inspection, E> {
    let log = Unopened::lock(disk)?;
    let (last, tail) = log.walk(visit)?;
    Ok(Inspection {
        root: log.root,
        state_bytes: log.state.len() as u64,
        segments: log.segments.numbers.len(),
        last,
        tail,
        drafts: log.segments.drafts,
    })
}

/// Reads the checkpoint of a log that is not open: its fields and the state. Damage of the records is
/// not noticed.
///
/// # Errors
/// There is no log, it is in use, its checkpoint is lost or damaged, or the disk fails.
pub fn read_checkpoint<D: Disk>(disk: &D) -> Result<(Root, Vec<u8>), OpenError> {
    let log = Unopened::lock(disk)?;
    Ok((log.root, log.state))
}

/// A log that is read without being opened. It stays locked meanwhile.
pub(crate) struct Unopened<'a, D: Disk> {
    disk: &'a D,
    pub(crate) root: Root,
    pub(crate) state: Vec<u8>,
    segments: Segments,
    settings: Settings,
    _lock: Option<D::Lock>,
}

impl<'a, D: Disk> Unopened<'a, D> {
    /// Locks a log and reads its checkpoint.
    pub(crate) fn lock(disk: &'a D) -> Result<Unopened<'a, D>, OpenError> {
        let settings = Settings::default();
        let segments = Segments::list(disk)?;
        let lock = lock_for_reading(disk, &segments)?;
        if !segments.has_checkpoint {
            let directory = disk.directory();
            return Err(match lost_checkpoint(disk, settings, &segments)? {
                Some(damage) => OpenError::Damaged { directory, damage },
                None => OpenError::NoLog { directory },
            });
        }
        let (root, state) = read_root(disk, settings, &segments)?;
        let settings = Settings { block_bytes: root.block_bytes, ..settings };
        settings.validate()?;
        Ok(Unopened { disk, root, state, segments, settings, _lock: lock })
    }

    /// Shows each batch, and returns the last record and how the log ends.
    pub(crate) fn walk<E: From<OpenError>>(
        &self,
        visit: &mut dyn FnMut(Location, &Batch<'_>) -> Result<(), E>,
    ) -> Result<(LogIndex, Tail), E> {
        let failed = |error: ReadError| E::from(error.into_open_error(self.disk));
        let mut walk =
            Walk::asked(self.disk, self.settings, &self.root, &self.segments).map_err(failed)?;
        while let Some(found) = walk.next(self.disk).map_err(failed)? {
            visit(found.location, &walk.batch(&found))?;
        }
        Ok((walk.last_record(), judge(self.disk, &walk).map_err(failed)?.tail))
    }
}

/// Locks a log that is only looked at. One that was never locked is not given a lock file.
pub(crate) fn lock_for_reading<D: Disk>(
    disk: &D,
    segments: &Segments,
) -> Result<Option<D::Lock>, OpenError> {
    if !segments.has_lock {
        return Ok(None);
    }
    let lock = disk.lock(LOCK, Access::Read).map_err(DiskError::of(Call::Lock, LOCK))?;
    lock.ok_or_else(|| OpenError::in_use(disk)).map(Some)
}
