//! The chain of batches: which one comes next.

use crate::checksum::Checksum;
use crate::decisions::Decisions;
use crate::format::batch::Batch;
use crate::format::checkpoint::Start;
use crate::format::header::Header;
use crate::{LogId, LogIndex, SegmentNumber, WriterEpoch};

/// The fields by which the next batch is recognised.
#[derive(Clone, Copy)]
pub(crate) struct Chain {
    pub(crate) log: LogId,
    /// The number of the next record.
    pub(crate) next: LogIndex,
    /// The header checksum of the last batch.
    pub(crate) previous: Checksum,
    /// The epoch of the last batch.
    pub(crate) epoch: WriterEpoch,
    decisions: &'static dyn Decisions,
}

impl Chain {
    /// The chain of a log that begins here.
    pub(crate) fn new(log: LogId, start: Start, decisions: &'static dyn Decisions) -> Chain {
        let epoch = WriterEpoch::default();
        Chain { log, next: start.first, previous: start.previous, epoch, decisions }
    }

    /// Whether a batch was written to this segment of this log.
    pub(crate) fn is_at_home(&self, header: &Header, segment: SegmentNumber) -> bool {
        self.decisions.is_of_log(header.log, self.log)
            && self.decisions.is_of_segment(header.segment, segment)
    }

    /// Whether a batch was written to this log.
    pub(crate) fn is_of_log(&self, header: &Header) -> bool {
        self.decisions.is_of_log(header.log, self.log)
    }

    /// Whether recycling may have left a batch of this log in the file of another segment.
    pub(crate) fn may_be_recycled(&self, header: &Header, needed: SegmentNumber) -> bool {
        self.decisions.may_be_recycled(header.segment, needed)
    }

    /// Whether a batch that was read from this segment is the next one.
    pub(crate) fn accepts(&self, header: &Header, segment: SegmentNumber) -> bool {
        self.is_at_home(header, segment)
            && self.decisions.is_next(header.first, self.next)
            && self.decisions.continues(header.previous, self.previous)
            && self.decisions.may_follow(header.epoch, self.epoch)
            && header.end().is_some()
    }

    /// Whether a segment goes on from here that begins with this record, written after the batch with
    /// this header checksum.
    pub(crate) fn goes_on_at(&self, first: LogIndex, previous: Checksum) -> bool {
        self.decisions.is_next(first, self.next)
            && self.decisions.continues(previous, self.previous)
    }

    /// Goes on behind a batch that was accepted.
    pub(crate) fn push(&mut self, batch: &Batch<'_>) {
        self.next = batch.header.end().unwrap_or(self.next);
        self.previous = batch.checksum;
        self.epoch = batch.header.epoch;
    }
}
