//! Which batch is written next and which records are durable: the log without a disk and without
//! threads.
//!
//! Records gather in one buffer while the other is being written and synced. The driver asks for the
//! gathered batch ([`GroupCommit::begin_write`]), writes it, and reports the result
//! ([`GroupCommit::on_batch`]). A batch holds the records that came during the sync of the batch
//! before, so there is no timer.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::checksum::Checksum;
use crate::decisions::Stage;
use crate::disk::DiskError;
use crate::errors::{AppendError, CheckpointError, LogFailure};
use crate::format::batch::{BatchBuffer, Payload, Placement};
use crate::format::checkpoint::{Root, STATE_BYTES_MAX, Start};
use crate::settings::Settings;
use crate::{Location, LogId, LogIndex, SegmentNumber, WriterEpoch};

/// Work that is done before records need it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Chore {
    /// Room for the next opening, which a checkpoint has taken.
    Reserve,
    /// The next segment.
    Segment,
}

/// A batch on its way to the disk.
pub(crate) struct BatchWrite {
    /// Where it is to be written.
    pub(crate) location: Location,
    buffer: BatchBuffer,
    start: Start,
    last: LogIndex,
}

impl BatchWrite {
    /// The bytes to write: whole blocks in aligned memory.
    pub(crate) fn bytes(&self) -> &[u8] {
        self.buffer.bytes()
    }

    /// Its last record.
    #[cfg(test)]
    pub(crate) fn last(&self) -> LogIndex {
        self.last
    }
}

/// Where a log goes on after it has been opened.
#[derive(Debug)]
pub(crate) struct Opened {
    pub(crate) log: LogId,
    pub(crate) epoch: WriterEpoch,
    /// Where the next batch goes.
    pub(crate) tail: Location,
    /// The header checksum of the last batch.
    pub(crate) previous: Checksum,
    /// The number of the next record.
    pub(crate) next: LogIndex,
    /// Where the segments in use begin, in order.
    pub(crate) starts: VecDeque<Start>,
    /// The segments that are ready, in order.
    pub(crate) ready: VecDeque<SegmentNumber>,
    /// The newest segment that there is.
    pub(crate) newest: SegmentNumber,
}

/// Group commit as a state machine.
pub(crate) struct GroupCommit {
    settings: Settings,
    log: LogId,
    epoch: WriterEpoch,
    /// The gathering batch.
    filling: BatchBuffer,
    /// The other buffer; with the [`BatchWrite`] while a batch is on its way.
    idle: Option<BatchBuffer>,
    /// Where the next batch goes, if it fits into the segment.
    tail: Location,
    /// Segments that are ready for when the current one is full.
    ready: VecDeque<SegmentNumber>,
    /// The newest segment whose name is durable.
    newest: SegmentNumber,
    /// The header checksum of the last batch that was handed out.
    previous: Checksum,
    /// The number of the next record.
    next: LogIndex,
    durable: LogIndex,
    /// Where the segments in use begin whose first batch is durable, in order.
    starts: VecDeque<Start>,
    /// Whether a checkpoint has taken the room for the next opening.
    lacks_reserve: bool,
    /// How many chores were begun.
    chores: u64,
    /// Why the last chore found no space. Chores rest then, until an append asks for space or a
    /// checkpoint may have freed some.
    out_of_space: Option<Arc<DiskError>>,
    failure: Option<LogFailure>,
}

impl GroupCommit {
    /// Goes on where opening the log ended.
    pub(crate) fn new(settings: Settings, opened: Opened) -> GroupCommit {
        let buffer = || BatchBuffer::new(settings.batch_bytes, settings.padding());
        GroupCommit {
            log: opened.log,
            epoch: opened.epoch,
            filling: buffer(),
            idle: Some(buffer()),
            tail: opened.tail,
            ready: opened.ready,
            newest: opened.newest,
            previous: opened.previous,
            next: opened.next,
            durable: opened.next.previous(),
            starts: opened.starts,
            lacks_reserve: false,
            chores: 0,
            out_of_space: None,
            failure: None,
            settings,
        }
    }

    /// The index of the last durable record.
    pub(crate) fn durable(&self) -> LogIndex {
        self.durable
    }

    /// The index of the last record that was accepted.
    pub(crate) fn last(&self) -> LogIndex {
        self.next.previous()
    }

    /// How many bytes the batch that gathers would take on disk.
    pub(crate) fn gathered_bytes(&self) -> u64 {
        self.filling.padded_bytes()
    }

    /// The failure of the log, if it has failed.
    pub(crate) fn failure(&self) -> Option<&LogFailure> {
        self.failure.as_ref()
    }

    /// Accepts a record into the gathering batch and returns its index. On an error nothing has changed.
    pub(crate) fn append(&mut self, payload: Payload<'_>) -> Result<LogIndex, AppendError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        let bytes_max = self.settings.record_bytes_max();
        let bytes = payload.bytes.len();
        if bytes > bytes_max {
            return Err(AppendError::TooLong { bytes, bytes_max });
        }
        if !self.filling.has_room(bytes) {
            return Err(AppendError::Busy);
        }
        if !self.has_space(self.filling.padded_bytes_with(bytes)) {
            return Err(AppendError::Busy);
        }
        let index = self.next;
        self.filling.push(payload);
        self.next = index.next();
        Ok(index)
    }

    /// Whether a record is not accepted for lack of space, and not for lack of memory.
    fn lacks_space(&self, payload: Payload<'_>) -> bool {
        let bytes = payload.bytes.len();
        self.filling.has_room(bytes) && !self.has_space(self.filling.padded_bytes_with(bytes))
    }

    /// Called for a record that was not accepted because the log is busy. If space on disk is lacking,
    /// chores rest no longer, and the number of the chore that will find out whether there is some is
    /// returned.
    pub(crate) fn ask_for_space(&mut self, payload: Payload<'_>) -> Option<u64> {
        if !self.lacks_space(payload) {
            return None;
        }
        self.out_of_space = None;
        Some(self.chores + 1)
    }

    /// The error for a full disk, if this chore or a later one has found no space. Earlier chores say
    /// nothing about the present.
    pub(crate) fn out_of_space(&self, asked: Option<u64>) -> Option<AppendError> {
        let is_answered = asked.is_some_and(|it| self.chores >= it);
        let error = self.out_of_space.as_ref().filter(|_| is_answered)?;
        Some(AppendError::OutOfSpace(Arc::clone(error)))
    }

    /// Whether a checkpoint has taken the room for the next opening.
    pub(crate) fn lacks_reserve(&self) -> bool {
        self.lacks_reserve
    }

    /// Whether the disk has given the space for a batch of this length already.
    fn has_space(&self, padded_bytes: u64) -> bool {
        self.fits(padded_bytes)
            || !self.ready.is_empty()
            || !self.settings.decisions.reserves_space()
    }

    fn fits(&self, padded_bytes: u64) -> bool {
        self.tail.offset + padded_bytes <= self.settings.segment_bytes
    }

    /// Whether there is a batch to write and no other on its way.
    pub(crate) fn has_work(&self) -> bool {
        self.filling.count() > 0 && self.idle.is_some() && self.failure.is_none()
    }

    /// Whether a batch is on its way.
    pub(crate) fn is_writing(&self) -> bool {
        self.idle.is_none()
    }

    /// Hands out the gathering batch for writing. `None` when it is empty, when another batch is on its
    /// way, or when the log has failed.
    pub(crate) fn begin_write(&mut self) -> Option<BatchWrite> {
        if self.has_work() { self.hand_out() } else { None }
    }

    /// Hands out a batch without records. Once it is synced, it proves that all before it was
    /// durable: recovery then distinguishes rot in the last records from a tear. `None` when there is no space
    /// for it, when records wait or a batch is on its way, or when the log has failed.
    pub(crate) fn begin_closing(&mut self) -> Option<BatchWrite> {
        let is_idle = self.filling.count() == 0 && self.idle.is_some() && self.failure.is_none();
        let has_space = self.has_space(self.filling.padded_bytes());
        if is_idle && has_space { self.hand_out() } else { None }
    }

    fn hand_out(&mut self) -> Option<BatchWrite> {
        let padded_bytes = self.filling.padded_bytes();
        if !self.fits(padded_bytes) {
            // The space was reserved when the records were accepted.
            let segment = self.ready.pop_front()?;
            self.tail = Location { segment, offset: 0 };
        }
        let idle = self.idle.take()?;
        let mut buffer = std::mem::replace(&mut self.filling, idle);
        let location = self.tail;
        let first = LogIndex(self.next.0 - u64::from(buffer.count()));
        let start = Start { segment: location.segment, first, previous: self.previous };
        let (_, checksum) = buffer.seal(Placement {
            log: self.log,
            segment: location.segment,
            epoch: self.epoch,
            first,
            durable: self.durable,
            segment_bytes: self.settings.segment_bytes,
            newest: self.newest,
            previous: self.previous,
        });
        self.previous = checksum;
        self.tail.offset += padded_bytes;
        Some(BatchWrite { location, buffer, start, last: self.next.previous() })
    }

    /// The disk has taken a batch but not synced it.
    pub(crate) fn on_written(&mut self, write: &BatchWrite) {
        self.advance(write.last, Stage::Written);
    }

    /// A batch is synced.
    pub(crate) fn on_synced(&mut self, mut write: BatchWrite) {
        self.advance(write.last, Stage::Synced);
        if write.location.offset == 0 {
            self.starts.push_back(write.start);
        }
        write.buffer.clear();
        if self.filling.count() == 0 {
            // The memory that was used last is nearer to the processor.
            std::mem::swap(&mut self.filling, &mut write.buffer);
        }
        self.idle = Some(write.buffer);
    }

    fn advance(&mut self, last: LogIndex, stage: Stage) {
        if self.settings.decisions.is_durable(stage) {
            self.durable = self.durable.max(last);
        }
    }

    /// Lets the next batch be handed out while another is on its way, which is wrong.
    #[cfg(test)]
    pub(crate) fn forget_batch_on_its_way(&mut self) {
        self.idle = Some(BatchBuffer::new(self.settings.batch_bytes, self.settings.padding()));
    }

    /// Notes the result of a batch that was handed out.
    pub(crate) fn on_batch(
        &mut self,
        write: BatchWrite,
        result: Result<(), DiskError>,
    ) -> Result<(), LogFailure> {
        match result {
            Ok(()) => {
                self.on_synced(write);
                Ok(())
            }
            Err(error) => Err(self.on_failed(error)),
        }
    }

    /// Notes that the disk has failed: no record is accepted or becomes durable any more. The first
    /// failure is kept and reported.
    pub(crate) fn on_failed(&mut self, error: DiskError) -> LogFailure {
        self.failure.get_or_insert_with(|| LogFailure(Arc::new(error))).clone()
    }

    /// Whether there is a chore to do.
    pub(crate) fn has_chore(&self) -> bool {
        self.chore().is_some()
    }

    fn chore(&self) -> Option<Chore> {
        if self.failure.is_some() || self.out_of_space.is_some() {
            None
        } else if self.lacks_reserve {
            Some(Chore::Reserve)
        } else {
            (self.ready.len() < self.settings.segments_ahead).then_some(Chore::Segment)
        }
    }

    /// Hands out the next chore. One chore is done at a time.
    pub(crate) fn begin_chore(&mut self) -> Option<Chore> {
        let chore = self.chore()?;
        self.chores += 1;
        Some(chore)
    }

    /// Notes the result of a chore: the segment that is ready, if the chore was to make one.
    pub(crate) fn on_chore(
        &mut self,
        result: Result<Option<SegmentNumber>, DiskError>,
    ) -> Result<(), LogFailure> {
        match result {
            Ok(segment) => {
                // There is a reserve whenever a segment is made, too.
                self.lacks_reserve = false;
                self.ready.extend(segment);
                self.newest = self.newest.max(segment.unwrap_or_default());
            }
            Err(error) if error.is_out_of_space() => self.out_of_space = Some(Arc::new(error)),
            Err(error) => return Err(self.on_failed(error)),
        }
        Ok(())
    }

    /// The fields of a checkpoint through this record with a state of this length, if it is allowed.
    pub(crate) fn root_for(
        &self,
        least: LogIndex,
        through: LogIndex,
        state_bytes: u64,
    ) -> Result<Root, CheckpointError> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone().into());
        }
        let durable = self.durable;
        let out_of_range = CheckpointError::OutOfRange { through, least, durable };
        if through < least || !self.settings.decisions.may_stand_for(through, durable) {
            return Err(out_of_range);
        }
        if state_bytes > STATE_BYTES_MAX {
            let bytes_max = STATE_BYTES_MAX;
            return Err(CheckpointError::TooLong { bytes: state_bytes, bytes_max });
        }
        let Some(start) = self.start_for(through) else {
            return Err(out_of_range);
        };
        let block_bytes = self.settings.block_bytes;
        Ok(Root { block_bytes, log: self.log, through, durable, start })
    }

    /// Notes the result of a checkpoint, and whether it has taken the room for the next opening.
    pub(crate) fn on_checkpoint(
        &mut self,
        root: &Root,
        result: Result<(), DiskError>,
        took_reserve: bool,
    ) -> Result<(), CheckpointError> {
        self.lacks_reserve |= took_reserve;
        if took_reserve || result.is_ok() {
            // There may be space again: segments were retired, or the reserve was removed.
            self.out_of_space = None;
        }
        match result {
            Ok(()) => {
                self.starts.retain(|it| it.segment >= root.start.segment);
                Ok(())
            }
            Err(error) if error.is_out_of_space() => Err(CheckpointError::OutOfSpace(error)),
            Err(error) => Err(self.on_failed(error).into()),
        }
    }

    /// Where the log must begin so that every record after this one is in it.
    fn start_for(&self, through: LogIndex) -> Option<Start> {
        let needed = through.next();
        self.starts.iter().rev().find(|it| it.first <= needed).or(self.starts.front()).copied()
    }

    /// Whose log this is.
    pub(crate) fn log(&self) -> LogId {
        self.log
    }

    /// Where the next batch goes. All before it in its segment was handed out for writing.
    pub(crate) fn tail(&self) -> Location {
        self.tail
    }

    /// The bytes from the beginning of the first segment that the log needs to the end of the last batch.
    pub(crate) fn used_bytes(&self) -> u64 {
        let segments = self.tail.segment.0.saturating_sub(self.first_segment().0);
        segments.saturating_mul(self.settings.segment_bytes).saturating_add(self.tail.offset)
    }

    /// The first segment that the log needs.
    pub(crate) fn first_segment(&self) -> SegmentNumber {
        self.starts.front().map_or(self.tail.segment, |it| it.segment)
    }

    /// The first record in the segments of the log.
    pub(crate) fn first(&self) -> LogIndex {
        self.starts.front().map_or(self.next, |it| it.first)
    }

    /// The beginning of the segment with this record, or of the last one if no segment has it yet;
    /// `None` if the segment was given up.
    pub(crate) fn start_of(&self, index: LogIndex) -> Option<Start> {
        let count = self.starts.partition_point(|it| it.first <= index);
        self.starts.get(count.checked_sub(1)?).copied()
    }

    /// The beginning of the next segment behind this one.
    pub(crate) fn start_behind(&self, segment: SegmentNumber) -> Option<Start> {
        self.starts.get(self.starts.partition_point(|it| it.segment <= segment)).copied()
    }
}
