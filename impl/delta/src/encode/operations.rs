//! The operations of a frame while they are gathered.

use std::ops::Range;

use crate::skipped::Skipped;
use crate::wire::alignments::Alignments;
use crate::wire::frame::STREAM_MAX;
use crate::wire::varint;

/// No operation adds more bytes to a stream than a varint has.
const FULL: usize = STREAM_MAX[0] - varint::BYTES_MAX;

/// The operations of a frame, and the one that may still grow.
#[derive(Default)]
pub(super) struct Operations {
    pub literal_lengths: Vec<u8>,
    pub copy_lengths: Vec<u8>,
    pub shifts: Vec<u8>,
    /// The old bytes between the copies of the frame.
    skipped: Skipped,
    /// Those of the copies of the whole patch.
    alignments: Alignments,
    /// The literals of the operation that may still grow.
    literal: usize,
    /// The copy behind them, which ends where the new content is described.
    copy: Range<usize>,
}

impl Operations {
    /// Begins an operation with these bytes of literals. The last one has ended.
    pub(super) fn begin(&mut self, literal: usize) {
        debug_assert!(self.literal == 0 && self.copy.is_empty(), "the last operation has ended");
        self.literal = literal;
        self.copy = 0..0;
    }

    /// The copy that may still grow.
    pub(super) fn copy(&self) -> Range<usize> {
        self.copy.clone()
    }

    /// Lets the copy, which is empty, begin there.
    pub(super) fn copy_from(&mut self, old: usize) {
        debug_assert!(self.copy.is_empty(), "the last copy has ended");
        self.copy = old..old;
    }

    /// Makes the copy longer.
    pub(super) fn grow(&mut self, length: usize) {
        self.copy.end += length;
    }

    /// Puts the operation that may still grow into the streams; the new content is described up to
    /// `new_end`. Tells whether its copy moves old bytes.
    pub(super) fn end(&mut self, new_end: usize, old_length: usize) -> bool {
        let (literal, copy) = (self.literal, self.copy.clone());
        (self.literal, self.copy) = (0, 0..0);
        if literal == 0 && copy.is_empty() {
            return false;
        }
        varint::put(&mut self.literal_lengths, literal as u64);
        varint::put(&mut self.copy_lengths, copy.len() as u64);
        if copy.is_empty() {
            return false;
        }
        let alignment = copy.end as i64 - new_end as i64;
        varint::put(&mut self.shifts, self.alignments.encode(alignment));
        let is_old = copy.end <= old_length;
        if is_old {
            self.skipped.copy(literal, copy.start as u64..copy.end as u64);
        }
        is_old && alignment != 0
    }

    /// Whether none has ended in this frame.
    pub(super) fn is_empty(&self) -> bool {
        self.literal_lengths.is_empty()
    }

    /// Whether the frame may have no room for one more.
    pub(super) fn is_full(&self) -> bool {
        let lengths = [&self.literal_lengths, &self.copy_lengths, &self.shifts];
        lengths.iter().any(|it| it.len() > FULL)
    }

    /// The skipped old bytes of the frame, which ends.
    pub(super) fn take_skipped(&mut self) -> Vec<Range<u64>> {
        self.skipped.take()
    }

    /// Begins a frame, with the memory of the last one.
    pub(super) fn clear(&mut self) {
        [&mut self.literal_lengths, &mut self.copy_lengths, &mut self.shifts]
            .into_iter()
            .for_each(Vec::clear);
    }
}
