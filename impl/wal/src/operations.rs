//! The operations of a log on its disk and their order, written once for the log with threads and the
//! log without.
//!
//! A driver decides when: [`SerialLog`](crate::SerialLog) does one operation after the other in the
//! calling thread, [`Log`](crate::Log) runs them on several threads. [`GroupCommit`] decides which
//! operation comes next and learns its result. A driver reaches it through [`Exclusive`], because only
//! one of the two has to lock it.

use crate::LogIndex;
use crate::SegmentNumber;
use crate::disk::{Disk, DiskError};
use crate::errors::{CheckpointError, LogFailure};
use crate::group_commit::{BatchWrite, Chore, GroupCommit};
use crate::settings::Settings;
use crate::store::{BatchWriter, Store, make_draft};

/// A value that one caller at a time may change.
pub(crate) trait Exclusive<T> {
    /// Changes the value while no other thread sees it.
    fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R;
}

impl<T> Exclusive<T> for &mut T {
    fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        change(self)
    }
}

/// Writes and syncs a batch. The caller passes the result to [`GroupCommit::on_batch`].
pub(crate) fn write_batch<D: Disk>(
    writer: &mut BatchWriter<D>,
    write: &BatchWrite,
    mut commit: impl Exclusive<GroupCommit>,
) -> Result<(), DiskError> {
    writer.write(write)?;
    // With the right decisions nothing follows from this, so the lock is not taken for it.
    if writer.announces_written() {
        commit.with(|it| it.on_written(write));
    }
    writer.sync()
}

/// Writes a checkpoint, and then gives up the segments that it no longer needs.
pub(crate) fn checkpoint<D: Disk>(
    store: &mut Store<D>,
    mut commit: impl Exclusive<GroupCommit>,
    through: LogIndex,
    state: &[u8],
) -> Result<(), CheckpointError> {
    let least = store.through;
    let root = commit.with(|it| it.root_for(least, through, state.len() as u64))?;
    let had_reserve = !store.lacks_reserve();
    let result = store.checkpoint(&root, state);
    let took_reserve = had_reserve && store.lacks_reserve();
    commit.with(|it| it.on_checkpoint(&root, result, took_reserve))
}

/// Makes ready what later records need: the reserve or a segment. A full disk is no failure: appends
/// are refused then.
///
/// One thread at a time does chores, because there is one draft.
pub(crate) fn do_chore<D: Disk>(
    chore: Chore,
    disk: &D,
    settings: &Settings,
    mut store: impl Exclusive<Store<D>>,
    mut commit: impl Exclusive<GroupCommit>,
) -> Result<(), LogFailure> {
    let result = match chore {
        Chore::Reserve => store.with(Store::make_reserve).map(|()| None),
        Chore::Segment => make_segment(disk, settings, store).map(Some),
    };
    commit.with(|it| it.on_chore(result))
}

/// Makes the next segment ready: a retired one under a new number, or a new one full of zeros. Its
/// name is durable when this returns. Checkpoints may go on while a new one is being written.
fn make_segment<D: Disk>(
    disk: &D,
    settings: &Settings,
    mut store: impl Exclusive<Store<D>>,
) -> Result<SegmentNumber, DiskError> {
    let recycled = store.with(|it| it.make_reserve().and_then(|()| it.recycle_segment()))?;
    if let Some(segment) = recycled {
        return Ok(segment);
    }
    make_draft(disk, settings, settings.segment_bytes)?;
    store.with(|it| it.name_draft(settings.segment_bytes))
}
