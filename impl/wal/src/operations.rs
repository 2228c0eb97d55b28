//! What a log does to its disk, in which order: written once, for the log with threads and the log
//! without.
//!
//! A driver says when: [`SerialLog`](crate::SerialLog) does one after the other in the thread that
//! calls it, [`Log`](crate::Log) from several threads. [`GroupCommit`] says what is to be done and
//! learns what became of it; a driver reaches it through [`Exclusive`], because only one of them has
//! to lock it.

use crate::SegmentNumber;
use crate::Sequence;
use crate::disk::{Disk, DiskError};
use crate::group_commit::{BatchWrite, Chore, Failure, GroupCommit};
use crate::recovery::CheckpointError;
use crate::settings::Settings;
use crate::store::{BatchWriter, Store, make_draft};

/// A way to something that one caller at a time may change.
pub(crate) trait Exclusive<T> {
    /// Changes it while nobody else sees it.
    fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R;
}

impl<T> Exclusive<T> for &mut T {
    fn with<R>(&mut self, change: impl FnOnce(&mut T) -> R) -> R {
        change(self)
    }
}

/// Writes and syncs a batch. [`GroupCommit::on_batch`] is told of the result.
pub(crate) fn write_batch<D: Disk>(
    writer: &mut BatchWriter<D>,
    write: &BatchWrite,
    mut commit: impl Exclusive<GroupCommit>,
) -> Result<(), DiskError> {
    writer.write(write)?;
    // The right log learns nothing from this, so its lock is not taken for it.
    if writer.announces_written() {
        commit.with(|it| it.on_written(write));
    }
    writer.sync()
}

/// Writes a checkpoint, and then gives up the segments that it needs no more.
pub(crate) fn checkpoint<D: Disk>(
    store: &mut Store<D>,
    mut commit: impl Exclusive<GroupCommit>,
    through: Sequence,
    state: &[u8],
) -> Result<(), CheckpointError> {
    let least = store.through;
    let root = commit.with(|it| it.root_for(least, through, state.len() as u64))?;
    let had_reserve = !store.lacks_reserve();
    let result = store.checkpoint(&root, state);
    let took_reserve = had_reserve && store.lacks_reserve();
    commit.with(|it| it.on_checkpoint(&root, result, took_reserve))
}

/// Does what must be ready before records need it. That the disk is full is no failure: appends are
/// refused then.
///
/// Chores are done by one thread at a time, because there is one draft.
pub(crate) fn perform_chore<D: Disk>(
    chore: Chore,
    disk: &D,
    settings: &Settings,
    mut store: impl Exclusive<Store<D>>,
    mut commit: impl Exclusive<GroupCommit>,
) -> Result<(), Failure> {
    let result = match chore {
        Chore::Reserve => store.with(Store::make_reserve).map(|()| None),
        Chore::Segment => make_segment(disk, settings, store).map(Some),
    };
    commit.with(|it| it.on_chore(result))
}

/// Makes the next segment ready: a retired one under a new number, or a new one full of zeros. Its
/// name is durable when this returns. While a new one is being written, checkpoints may go on.
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
