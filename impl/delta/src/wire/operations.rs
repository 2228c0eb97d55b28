//! The operations of a frame, checked one by one while they are read.

use std::ops::Range;

use super::frame::{Broken, Frame};
use super::header::Header;
use super::progress::Progress;
use super::varint;

/// Some literals, then a piece of the old content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Operation {
    /// The literals' bytes.
    pub literal: usize,
    /// The bytes that are copied; may be empty. They lie in the old content or, from its end on, in the
    /// kept literals, never in both.
    pub copy: Range<u64>,
}

/// Reads the operations of a frame in order.
pub(crate) struct Operations<'a> {
    header: Header,
    progress: Progress,
    literals: usize,
    literal_lengths: &'a [u8],
    copy_lengths: &'a [u8],
    shifts: &'a [u8],
}

impl<'a> Operations<'a> {
    /// The operations of `frame`, which has `literals` bytes of literals; `progress` counts them among
    /// the kept ones if they are.
    pub(crate) fn new(
        frame: &'a Frame<'_>,
        literals: usize,
        header: Header,
        progress: Progress,
    ) -> Operations<'a> {
        Operations {
            header,
            progress,
            literals,
            literal_lengths: &frame.literal_lengths,
            copy_lengths: &frame.copy_lengths,
            shifts: &frame.shifts,
        }
    }

    /// The next operation, or `None` behind the last.
    ///
    /// # Errors
    /// It breaks a rule of the format.
    pub(crate) fn next(&mut self) -> Result<Option<Operation>, Broken> {
        if self.literal_lengths.is_empty() {
            return Ok(None);
        }
        let bad = "a number is cut short or exceeds 64 bits";
        let literal = varint::take(&mut self.literal_lengths).ok_or(bad)?;
        let length = varint::take(&mut self.copy_lengths).ok_or(bad)?;
        let literal = usize::try_from(literal).ok().filter(|it| *it <= self.literals);
        let literal = literal.ok_or("the operations need more literals than there are")?;
        self.literals -= literal;
        if literal == 0 && length == 0 {
            return Err("an operation does nothing");
        }
        self.describe(literal as u64)?;
        let copy = if length == 0 { 0..0 } else { self.copy(length)? };
        self.describe(length)?;
        Ok(Some(Operation { literal, copy }))
    }

    /// How far the frame has come; nothing may be left of it.
    ///
    /// # Errors
    /// Something is left.
    pub(crate) fn finish(self) -> Result<Progress, Broken> {
        let left = [self.literal_lengths, self.copy_lengths, self.shifts];
        if self.literals > 0 || left.iter().any(|it| !it.is_empty()) {
            return Err("its streams do not end together");
        }
        Ok(self.progress)
    }

    fn copy(&mut self, length: u64) -> Result<Range<u64>, Broken> {
        let shift = varint::take(&mut self.shifts).ok_or("a copy has no shift")?;
        let alignment = self.progress.alignments.decode(shift).ok_or(OUTSIDE)?;
        let start = self.progress.new.checked_add_signed(alignment).ok_or(OUTSIDE)?;
        let end = start.checked_add(length).ok_or(OUTSIDE)?;
        let old = self.header.old_length;
        let is_kept = start >= old && end - old <= self.progress.kept;
        if end <= old || is_kept { Ok(start..end) } else { Err(OUTSIDE) }
    }

    fn describe(&mut self, bytes: u64) -> Result<(), Broken> {
        let end = self.progress.new.checked_add(bytes);
        let end = end.filter(|it| *it <= self.header.new_length);
        self.progress.new = end.ok_or("it makes more than the new content")?;
        Ok(())
    }
}

const OUTSIDE: Broken = "a copy lies outside the old content and the kept literals";

/// The differences of changed bytes are kept apart by whether the byte before was changed, too,
/// and the one before that: the bytes of a number that moved are unlike each other.
pub(crate) const COLUMNS: usize = 3;

/// The column of a changed byte behind one of column `last`, or of the first one in a frame.
#[inline]
pub(crate) fn column(gap: u64, last: Option<usize>) -> usize {
    match last {
        Some(last) if gap == 0 => (last + 1).min(COLUMNS - 1),
        _ => 0,
    }
}

/// The changed bytes of a frame's copies.
pub(crate) struct Changes<'a> {
    gaps: &'a [u8],
    columns: [&'a [u8]; COLUMNS],
    /// The column of the next changed byte.
    column: Option<usize>,
    /// Unchanged bytes until the next changed one, if there is one.
    until_next: Option<u64>,
}

impl<'a> Changes<'a> {
    /// The changes of `frame`.
    ///
    /// # Errors
    /// The numbers of gaps and of differences are not equal, or a gap is malformed.
    pub(crate) fn new(frame: &'a Frame<'_>) -> Result<Changes<'a>, Broken> {
        let columns = columns(&frame.gaps, &frame.differences)?;
        let mut changes = Changes { gaps: &frame.gaps, columns, column: None, until_next: None };
        changes.take_gap()?;
        Ok(changes)
    }

    /// Makes the changes that lie in the next `bytes` of the copies.
    ///
    /// # Errors
    /// The streams of changes are malformed.
    pub(crate) fn apply(&mut self, bytes: &mut [u8]) -> Result<(), Broken> {
        let mut at = 0;
        while let Some(gap) = self.until_next {
            let left = (bytes.len() - at) as u64;
            if gap >= left {
                self.until_next = Some(gap - left);
                break;
            }
            at += gap as usize;
            let column = &mut self.columns[self.column.unwrap_or(0)];
            let difference = column.split_off_first().ok_or(APART)?;
            bytes[at] = bytes[at].wrapping_add(*difference);
            at += 1;
            self.take_gap()?;
        }
        Ok(())
    }

    /// How many of the next `length` bytes come before the next change, if any follows.
    pub(crate) fn unchanged(&self, length: u64) -> u64 {
        self.until_next.unwrap_or(length).min(length)
    }

    /// Passes over bytes that [`Changes::unchanged`] counted.
    pub(crate) fn pass(&mut self, bytes: u64) {
        self.until_next = self.until_next.map(|it| it - bytes);
    }

    /// Nothing may be left.
    ///
    /// # Errors
    /// Something is left.
    pub(crate) fn finish(self) -> Result<(), Broken> {
        self.until_next.is_none().then_some(()).ok_or(APART)
    }

    fn take_gap(&mut self) -> Result<(), Broken> {
        self.until_next = match self.gaps {
            [] => None,
            _ => Some(varint::take(&mut self.gaps).ok_or(GAP)?),
        };
        if let Some(gap) = self.until_next {
            self.column = Some(column(gap, self.column));
        }
        Ok(())
    }
}

/// The differences, column by column.
fn columns<'a>(mut gaps: &[u8], mut differences: &'a [u8]) -> Result<[&'a [u8]; COLUMNS], Broken> {
    let mut counts = [0; COLUMNS];
    let mut last = None;
    while !gaps.is_empty() {
        let column = column(varint::take(&mut gaps).ok_or(GAP)?, last);
        counts[column] += 1;
        last = Some(column);
    }
    let mut columns = [&[][..]; COLUMNS];
    for (column, count) in columns.iter_mut().zip(counts) {
        *column = differences.split_off(..count).ok_or(APART)?;
    }
    if differences.is_empty() { Ok(columns) } else { Err(APART) }
}

const GAP: Broken = "a gap is cut short or exceeds 64 bits";
const APART: Broken = "the changes do not fit the copies";
