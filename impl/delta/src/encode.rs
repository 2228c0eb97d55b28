//! From segments to frames.
//!
//! The segments of the new content become operations, changes and literals, each gathered by a part of its
//! own until a frame is full.

mod changes;
mod frames;
mod kept;
mod literals;
mod operations;
mod times;

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use crate::compare::common_prefix;
use crate::differing::{COMPARED, differing};
use crate::effort::Effort;
use crate::pair::Pair;
use crate::segment::Segment;
use crate::summing::Summing;
use crate::touched::Touched;
use crate::wire::frame::{Frame, LITERALS_MAX};
use crate::wire::varint;
use changes::{Changes, REPLACED_MIN, before_replaced, has_few_differences, replaced};
use frames::Frames;
pub(crate) use frames::Unsealed;
use kept::KeptLiterals;
use literals::Literals;
use operations::Operations;

/// Longer literals get frames of their own and are not copied.
const OWN_FRAME_MIN: usize = 1 << 20;
/// This number of literals is packed, checked, written and summed while they are in the cache.
const OWN_FRAME_MAX: usize = 512 << 10;

/// Writes a patch, segment by segment.
///
/// Invariants: the streams, the literals and the open operation together describe the new content from the end
/// of the last frame up to `new_end`. Before `new_end`, `touched` holds every new byte that is no copy of the old
/// byte in the same place.
pub(crate) struct Encoder<'a, 's, W> {
    pair: Pair<'a>,
    summing: &'s mut Summing<'a>,
    touched: Touched,
    kept: KeptLiterals,
    operations: Operations,
    changes: Changes,
    literals: Literals,
    frames: Frames<W>,
    /// Up to where the new content is described, the operation that may still grow included.
    new_end: usize,
}

impl<'a, 's, W: Write> Encoder<'a, 's, W> {
    /// Writes the header of the patch that these segments make. `sources` are the new bytes that are copied
    /// later, in ascending order.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn new(
        pair: Pair<'a>,
        summing: &'s mut Summing<'a>,
        segments: &[Segment],
        sources: Vec<Range<usize>>,
        effort: Effort,
        out: W,
    ) -> io::Result<Self> {
        let matched: usize = segments.iter().map(|it| it.length).sum();
        let literals = pair.new.len() - matched;
        Ok(Encoder {
            pair,
            summing,
            touched: Touched::new(pair.old.len()),
            kept: KeptLiterals::new(sources),
            operations: Operations::default(),
            changes: Changes::default(),
            literals: Literals::default(),
            frames: Frames::new(pair, literals, effort, out)?,
            new_end: 0,
        })
    }

    /// Describes the new content up to the end of `segment`, which begins no earlier than the
    /// last one ended.
    ///
    /// # Errors
    /// The patch cannot be written.
    pub(crate) fn segment(&mut self, segment: Segment) -> io::Result<()> {
        self.literals(segment.new_start)?;
        let old = self.pair.old.len();
        if segment.old_start >= old && segment.length > 0 {
            // New bytes that were not kept become literals.
            let source = segment.old_start - old;
            let Some((kept, length)) = self.kept.find(source..source + segment.length) else {
                return Ok(());
            };
            self.touched.touch(segment.new_start..segment.new_start + length);
            return self.copy(Segment { old_start: old + kept, length, ..segment });
        }
        self.copy(segment)
    }

    /// Describes the rest of the new content as literals.
    ///
    /// # Errors
    /// The patch cannot be written.
    pub(crate) fn finish(mut self) -> io::Result<Unsealed<W>> {
        self.literals(self.pair.new.len())?;
        self.flush()?;
        let Pair { old, new } = self.pair;
        self.touched.touch(new.len()..old.len().max(new.len()));
        Ok(Unsealed::new(self.frames, self.touched))
    }

    /// Describes a segment of the old content or of the kept literals, which begins where the last one
    /// ended.
    fn copy(&mut self, segment: Segment) -> io::Result<()> {
        let copy = self.operations.copy();
        if copy.is_empty() {
            self.operations.copy_from(segment.old_start);
        } else if copy.end != segment.old_start || copy.end == self.pair.old.len() {
            // The kept literals begin where the old content ends; no copy is of both.
            self.end_operation();
            self.make_room()?;
            self.operations.copy_from(segment.old_start);
        }
        if segment.exact {
            self.equal(segment.length);
            return Ok(());
        }
        self.changes(segment)
    }

    /// Describes the new bytes from the end of the last copy to `end` as literals.
    fn literals(&mut self, end: usize) -> io::Result<()> {
        if self.new_end == end {
            return Ok(());
        }
        self.touched.touch(self.new_end..end);
        self.end_operation();
        self.make_room()?;
        while end - self.new_end >= OWN_FRAME_MIN {
            self.flush()?;
            self.own_frame(OWN_FRAME_MAX.min(end - self.new_end))?;
        }
        let literals = &self.pair.new[self.new_end..end];
        if self.literals.len() + literals.len() > LITERALS_MAX {
            self.flush()?;
        }
        self.kept.push(self.new_end, self.literals.len(), literals.len());
        self.literals.extend(literals)?;
        self.operations.begin(literals.len());
        self.new_end = end;
        Ok(())
    }

    /// Writes a frame of nothing but the next literals.
    fn own_frame(&mut self, length: usize) -> io::Result<()> {
        let new_end = self.new_end + length;
        let mut lengths = Vec::new();
        varint::put(&mut lengths, length as u64);
        let frame = Frame {
            literal_lengths: Cow::Owned(lengths),
            copy_lengths: Cow::Borrowed(&[0]),
            literals: Cow::Borrowed(&self.pair.new[self.new_end..new_end]),
            keeps: self.kept.push(self.new_end, 0, length),
            ..Frame::default()
        };
        self.frames.write(&frame, &[], new_end)?;
        self.kept.end_frame(length);
        self.new_end = new_end;
        self.summing.advance(new_end);
        Ok(())
    }

    /// Describes a segment that is not equal throughout.
    fn changes(&mut self, segment: Segment) -> io::Result<()> {
        let Pair { old, new } = self.pair;
        let mut at = segment.start();
        while at.new < segment.new_end() {
            let left = segment.new_end() - at.new;
            let (old, new) = (&old[at.old..at.old + left], &new[at.new..at.new + left]);
            let block = left.min(COMPARED);
            let differing = differing(&old[..block], &new[..block]);
            let described = match before_replaced(differing) {
                0 => self.replaced(old, new)?,
                length => {
                    let length = length.min(block);
                    self.change(&old[..length], &new[..length], differing)?;
                    length
                }
            };
            at = at + described;
        }
        Ok(())
    }

    /// Describes the equal bytes up to the first replaced stretch, and this stretch; returns the number of
    /// bytes described.
    fn replaced(&mut self, old: &[u8], new: &[u8]) -> io::Result<usize> {
        let equal = common_prefix(old, new);
        self.equal(equal);
        let replaced = replaced(&old[equal..], &new[equal..]);
        let end = equal + replaced;
        let (old, new) = (&old[equal..end], &new[equal..end]);
        if replaced < REPLACED_MIN || has_few_differences(old, new) {
            for (old, new) in old.chunks(COMPARED).zip(new.chunks(COMPARED)) {
                self.change(old, new, differing(old, new))?;
            }
        } else {
            let old_end = self.operations.copy().end + replaced;
            self.literals(self.new_end + replaced)?;
            self.operations.copy_from(old_end);
        }
        Ok(end)
    }

    /// Continues the copy over up to [`COMPARED`] bytes. Bit `i` of `differing` says that byte `i` differs.
    fn change(&mut self, old: &[u8], new: &[u8], differing: u64) -> io::Result<()> {
        if self.changes.is_full(old.len()) {
            let at = self.operations.copy().end;
            self.flush()?;
            self.operations.copy_from(at);
        }
        let (new_end, touched) = (self.new_end, &mut self.touched);
        self.changes.add(old, new, differing, |at| touched.touch(new_end + at..new_end + at + 1));
        self.advance(old.len());
        Ok(())
    }

    /// Goes on with the copy over equal bytes.
    fn equal(&mut self, length: usize) {
        self.changes.pass(length);
        self.advance(length);
    }

    fn advance(&mut self, length: usize) {
        self.operations.grow(length);
        self.new_end += length;
    }

    fn end_operation(&mut self) {
        if self.operations.end(self.new_end, self.pair.old.len()) {
            self.touched.give_up();
        }
    }

    fn make_room(&mut self) -> io::Result<()> {
        if self.operations.is_full() { self.flush() } else { Ok(()) }
    }

    /// Writes the frame, if there is anything in it.
    fn flush(&mut self) -> io::Result<()> {
        self.end_operation();
        let skipped = self.operations.take_skipped();
        if !self.operations.is_empty() {
            let frame = Frame {
                literal_lengths: Cow::Borrowed(&self.operations.literal_lengths),
                copy_lengths: Cow::Borrowed(&self.operations.copy_lengths),
                shifts: Cow::Borrowed(&self.operations.shifts),
                gaps: Cow::Borrowed(&self.changes.gaps),
                differences: Cow::Owned(self.changes.differences.concat()),
                literals: Cow::Borrowed(&self.literals),
                keeps: self.kept.keeps(),
            };
            let old = |it: &Range<u64>| &self.pair.old[it.start as usize..it.end as usize];
            let skipped: Vec<_> = skipped.iter().map(old).collect();
            self.frames.write(&frame, &skipped, self.new_end)?;
            self.kept.end_frame(self.literals.len());
        }
        self.operations.clear();
        self.changes.clear();
        self.literals.clear();
        Ok(())
    }
}
