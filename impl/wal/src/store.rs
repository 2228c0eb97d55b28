//! The files of a log: making segments ready, checkpoints, and giving segments up.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;

use crate::decisions::{Decisions, Stage};
use crate::disk::{Access, AlignedBuffer, Call, Disk, DiskError, DiskFile};
use crate::format::checkpoint::Root;
use crate::format::names::{CHECKPOINT, CHECKPOINT_DRAFT, RESERVE, SEGMENT_DRAFT, segment_name};
use crate::group_commit::BatchWrite;
use crate::settings::Settings;
use crate::{LogIndex, SegmentNumber};

/// How many zeros are written at once, in bytes: few enough that a batch does not wait long for them.
const ZEROS_BYTES: u64 = 128 << 10;

/// How much of a checkpoint is written before it is synced, in bytes: few enough that a batch, whose sync
/// waits for the disk as well, does not wait long.
const CHECKPOINT_PIECE_BYTES: usize = 1 << 20;

/// The files of a log.
pub(crate) struct Store<D> {
    disk: Arc<D>,
    settings: Settings,
    /// The segments that there are, with their lengths in bytes.
    lengths: BTreeMap<SegmentNumber, u64>,
    /// Segments of full length that are not needed any more, to be used again.
    retired: VecDeque<SegmentNumber>,
    /// Whether there is room for the next opening. A segment is made ready for records only then.
    has_reserve: bool,
    /// The last record that the last checkpoint stands for.
    pub(crate) through: LogIndex,
}

impl<D: Disk> Store<D> {
    pub(crate) fn new(
        disk: Arc<D>,
        settings: Settings,
        lengths: BTreeMap<SegmentNumber, u64>,
        through: LogIndex,
        has_reserve: bool,
    ) -> Store<D> {
        Store { disk, settings, lengths, retired: VecDeque::new(), has_reserve, through }
    }

    /// Makes a segment of this length, a new one.
    pub(crate) fn make_segment_of(&mut self, bytes: u64) -> Result<SegmentNumber, DiskError> {
        make_draft(&*self.disk, &self.settings, bytes)?;
        self.name_draft(bytes)
    }

    /// Keeps room for the next opening, if there is none: a file of zeros as long as the longest
    /// batch or, when the disk is full, a retired segment.
    pub(crate) fn make_reserve(&mut self) -> Result<(), DiskError> {
        if !self.lacks_reserve() {
            return Ok(());
        }
        match make_draft(&*self.disk, &self.settings, self.settings.reserve_bytes()) {
            Ok(()) => self.rename(SEGMENT_DRAFT, RESERVE)?,
            Err(error) if error.is_out_of_space() => match self.retired.pop_front() {
                Some(old) => self.rename(&segment_name(old), RESERVE)?,
                None => return Err(error),
            },
            Err(error) => return Err(error),
        }
        self.sync_directory()?;
        self.has_reserve = true;
        Ok(())
    }

    /// Makes a segment with room for this many bytes on a full disk, from a file that the log has: a
    /// retired segment or the reserve.
    pub(crate) fn make_segment_of_reserve(
        &mut self,
        bytes: u64,
        full: DiskError,
    ) -> Result<SegmentNumber, DiskError> {
        if let Some(segment) = self.recycle_segment()? {
            return Ok(segment);
        }
        let of = |call| DiskError::of(call, RESERVE);
        let is_missing = |it: &io::Error| it.kind() == io::ErrorKind::NotFound;
        let reserve = match self.disk.open(RESERVE, Access::Read) {
            Err(error) if is_missing(&error) => return Err(full),
            result => result.map_err(of(Call::Open))?,
        };
        let reserve_bytes = reserve.length().map_err(of(Call::Read))?;
        // It was made for shorter batches, or its space was given back.
        if reserve_bytes < bytes {
            return Err(full);
        }
        self.has_reserve = false;
        self.name(RESERVE, reserve_bytes)
    }

    /// Uses a retired segment again, if there is one.
    pub(crate) fn recycle_segment(&mut self) -> Result<Option<SegmentNumber>, DiskError> {
        match self.retired.pop_front() {
            Some(old) => self.name(&segment_name(old), self.settings.segment_bytes).map(Some),
            None => Ok(None),
        }
    }

    /// Makes the draft, which is of this length, the next segment.
    pub(crate) fn name_draft(&mut self, bytes: u64) -> Result<SegmentNumber, DiskError> {
        self.name(SEGMENT_DRAFT, bytes).inspect_err(|_| {
            // It may be there still, and would be in the way of the next.
            let _ = self.disk.remove(SEGMENT_DRAFT);
        })
    }

    /// Makes a file the next segment, durably.
    fn name(&mut self, file: &str, bytes: u64) -> Result<SegmentNumber, DiskError> {
        let number = self.newest().next();
        self.rename(file, &segment_name(number))?;
        self.lengths.insert(number, bytes);
        if self.settings.decisions.syncs_directory_for_segment() {
            self.sync_directory()?;
        }
        Ok(number)
    }

    /// Writes a checkpoint, and gives up the segments that it no longer needs.
    pub(crate) fn checkpoint(&mut self, root: &Root, state: &[u8]) -> Result<(), DiskError> {
        let needed = root.start.segment;
        if !self.settings.decisions.checkpoints_before_retiring() {
            self.retire_before(needed)?;
        }
        self.write_checkpoint(root, state)?;
        self.retire_before(needed)
    }

    /// Whether the room for the next opening was taken.
    pub(crate) fn lacks_reserve(&self) -> bool {
        !self.has_reserve && self.settings.decisions.keeps_reserve()
    }

    /// Writes a checkpoint: beside the one before, synced, then in its place, durably. On a full
    /// disk it takes the room of the reserve, if it frees as much: otherwise the log could no longer be
    /// opened. The reserve is to be made again then ([`Store::lacks_reserve`]).
    pub(crate) fn write_checkpoint(&mut self, root: &Root, state: &[u8]) -> Result<(), DiskError> {
        let frees_reserve = !self.retired.is_empty()
            || self.bytes_before(root.start.segment) >= self.settings.reserve_bytes();
        match self.try_checkpoint(root, state) {
            Err(error) if error.is_out_of_space() && self.has_reserve && frees_reserve => {
                self.has_reserve = false;
                remove_if_there(&*self.disk, RESERVE)?;
                self.try_checkpoint(root, state)
            }
            result => result,
        }
    }

    /// How many bytes the segments take that stand before this one.
    fn bytes_before(&self, segment: SegmentNumber) -> u64 {
        self.lengths.range(..segment).map(|it| it.1).sum()
    }

    fn try_checkpoint(&mut self, root: &Root, state: &[u8]) -> Result<(), DiskError> {
        self.write_root(root, state).inspect_err(|error| {
            if error.is_out_of_space() && self.settings.decisions.writes_checkpoint_beside() {
                // Its rest only takes space; opening the log removes it, too.
                let _ = self.disk.remove(CHECKPOINT_DRAFT);
            }
        })
    }

    fn write_root(&mut self, root: &Root, state: &[u8]) -> Result<(), DiskError> {
        let decisions = self.settings.decisions;
        let is_beside = decisions.writes_checkpoint_beside();
        let name = if is_beside { CHECKPOINT_DRAFT } else { CHECKPOINT };
        let of = |call| DiskError::of(call, name);
        remove_if_there(&*self.disk, name)?;
        let file = self.disk.create(name, Access::Write).map_err(of(Call::Create))?;
        let mut offset = 0;
        for piece in root.encode(state).chunks(CHECKPOINT_PIECE_BYTES) {
            write_full(&file, piece, offset, decisions).map_err(of(Call::Write))?;
            offset += piece.len() as u64;
            if decisions.syncs_checkpoint_before_rename() {
                file.sync().map_err(of(Call::Sync))?;
            }
        }
        if is_beside {
            self.rename(CHECKPOINT_DRAFT, CHECKPOINT)?;
        }
        if decisions.syncs_directory_for_checkpoint() {
            self.sync_directory()?;
        }
        self.through = root.through;
        Ok(())
    }

    /// Gives up the segments before this one: keeps some to use again, removes the others.
    pub(crate) fn retire_before(&mut self, needed: SegmentNumber) -> Result<(), DiskError> {
        let kept = self.settings.decisions.first_kept(needed);
        while let Some(segment) = self.lengths.first_entry().filter(|it| *it.key() < kept) {
            let (number, length) = segment.remove_entry();
            let is_useful = length == self.settings.segment_bytes
                && self.retired.len() <= self.settings.segments_ahead;
            if is_useful {
                self.retired.push_back(number);
            } else {
                let name = segment_name(number);
                self.disk.remove(&name).map_err(DiskError::of(Call::Remove, name))?;
            }
        }
        Ok(())
    }

    /// Gives back the space behind the last batch of a segment that is not written to any more.
    pub(crate) fn shorten(&mut self, number: SegmentNumber, bytes: u64) -> Result<(), DiskError> {
        if self.length(number) == bytes {
            return Ok(());
        }
        let name = segment_name(number);
        let file =
            self.disk.open(&name, Access::Write).map_err(DiskError::of(Call::Open, &name))?;
        file.set_length(bytes).map_err(DiskError::of(Call::SetLength, &name))?;
        self.lengths.insert(number, bytes);
        Ok(())
    }

    /// The newest segment that there is.
    pub(crate) fn newest(&self) -> SegmentNumber {
        self.lengths.keys().next_back().copied().unwrap_or_default()
    }

    /// The length of a segment in bytes.
    pub(crate) fn length(&self, number: SegmentNumber) -> u64 {
        self.lengths.get(&number).copied().unwrap_or(0)
    }

    fn rename(&self, from: &str, to: &str) -> Result<(), DiskError> {
        self.disk.rename(from, to).map_err(DiskError::of(Call::Rename, from))
    }

    pub(crate) fn sync_directory(&self) -> Result<(), DiskError> {
        self.disk
            .sync_directory()
            .map_err(DiskError::of(Call::SyncDirectory, self.disk.directory()))
    }
}

/// Writes a segment full of zeros, which has no number yet. Writing the zeros, instead of setting a
/// length, makes the file system allocate the space now, so that later syncs have no metadata to
/// write.
pub(crate) fn make_draft<D: Disk>(
    disk: &D,
    settings: &Settings,
    bytes: u64,
) -> Result<(), DiskError> {
    write_draft(disk, settings, bytes).inspect_err(|_| {
        // Its rest only takes space; opening the log removes it, too.
        let _ = disk.remove(SEGMENT_DRAFT);
    })
}

fn write_draft<D: Disk>(disk: &D, settings: &Settings, bytes: u64) -> Result<(), DiskError> {
    let of = |call| DiskError::of(call, SEGMENT_DRAFT);
    let file = disk.create(SEGMENT_DRAFT, Access::WriteBlocks).map_err(of(Call::Create))?;
    let zeros = AlignedBuffer::zeroed(usize::try_from(bytes.min(ZEROS_BYTES)).unwrap_or(0));
    let mut offset = 0;
    while offset < bytes {
        let left = usize::try_from(bytes - offset).unwrap_or(usize::MAX);
        let some = &zeros[..left.min(zeros.len())];
        write_full(&file, some, offset, settings.decisions).map_err(of(Call::Write))?;
        offset += some.len() as u64;
    }
    if settings.decisions.syncs_segment_before_rename() {
        file.sync().map_err(of(Call::Sync))?;
    }
    Ok(())
}

/// Removes a file that may not be there.
pub(crate) fn remove_if_there<D: Disk>(disk: &D, name: &str) -> Result<(), DiskError> {
    match disk.remove(name) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        result => result.map_err(DiskError::of(Call::Remove, name)),
    }
}

/// Writes batches where they belong.
pub(crate) struct BatchWriter<D: Disk> {
    disk: Arc<D>,
    decisions: &'static dyn Decisions,
    current: Option<(SegmentNumber, D::File)>,
}

impl<D: Disk> BatchWriter<D> {
    pub(crate) fn new(disk: Arc<D>, decisions: &'static dyn Decisions) -> BatchWriter<D> {
        BatchWriter { disk, decisions, current: None }
    }

    /// Whether records may be called durable when they are written and not synced.
    pub(crate) fn announces_written(&self) -> bool {
        self.decisions.is_durable(Stage::Written)
    }

    /// Writes a batch. It is not durable yet.
    pub(crate) fn write(&mut self, batch: &BatchWrite) -> Result<(), DiskError> {
        self.write_at(batch.location.segment, batch.location.offset, batch.bytes())
    }

    pub(crate) fn write_at(
        &mut self,
        segment: SegmentNumber,
        offset: u64,
        bytes: &[u8],
    ) -> Result<(), DiskError> {
        if self.current.as_ref().is_none_or(|it| it.0 != segment) {
            let name = segment_name(segment);
            let file = self
                .disk
                .open(&name, Access::WriteBlocks)
                .map_err(DiskError::of(Call::Open, &name))?;
            self.current = Some((segment, file));
        }
        let result = match &self.current {
            Some((_, file)) => write_full(file, bytes, offset, self.decisions),
            None => Ok(()),
        };
        match result {
            Err(_) if self.decisions.ignores_failed_writes() => Ok(()),
            result => result.map_err(|it| DiskError::of(Call::Write, segment_name(segment))(it)),
        }
    }

    /// Makes the written batch durable.
    pub(crate) fn sync(&self) -> Result<(), DiskError> {
        let Some((segment, file)) = &self.current else {
            return Ok(());
        };
        let mut result = file.sync();
        if result.is_err() && !self.decisions.failure_is_final() {
            result = file.sync();
        }
        result.map_err(|it| DiskError::of(Call::Sync, segment_name(*segment))(it))
    }
}

/// Writes all of these bytes. If the disk takes only some, the rest is written by further calls.
fn write_full(
    file: &impl DiskFile,
    bytes: &[u8],
    offset: u64,
    decisions: &dyn Decisions,
) -> io::Result<()> {
    let mut done = 0;
    while done < bytes.len() {
        match file.write_at(&bytes[done..], offset + done as u64) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => done += count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
        if !decisions.completes_short_writes() {
            break;
        }
    }
    Ok(())
}
