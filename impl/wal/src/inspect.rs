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
    let settings = Settings::default();
    let segments = Segments::list(disk)?;
    let _lock = lock_for_reading(disk, &segments)?;
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
    let (last, tail) = walk(disk, settings, &root, &segments, visit)
        .map_err(|error| error.into_open_error(disk))?;
    Ok(Inspection {
        root,
        state_bytes: state.len() as u64,
        segments: segments.numbers.len(),
        last,
        tail,
        drafts: segments.drafts,
    })
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

fn walk<D: Disk>(
    disk: &D,
    settings: Settings,
    root: &Root,
    segments: &Segments,
    visit: &mut dyn FnMut(Location, &Batch<'_>),
) -> Result<(LogIndex, Tail), ReadError> {
    let mut walk = Walk::asked(disk, settings, root, segments)?;
    while let Some(found) = walk.next(disk)? {
        visit(found.location, &walk.batch(&found));
    }
    Ok((walk.last_record(), judge(disk, &walk)?.tail))
}
