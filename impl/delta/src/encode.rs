//! From segments to frames.

mod kept;
mod literals;

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use crate::compare::common_prefix;
use crate::diff::pair::Pair;
use crate::diff::segment::Segment;
use crate::diff::summing::Summing;
use crate::differing::{COMPARED, differing};
use crate::effort::Effort;
use crate::skipped::Skipped;
use crate::touched::TouchedSum;
use crate::wire::alignments::Alignments;
use crate::wire::frame::{Frame, STREAM_MAX};
use crate::wire::header::{Header, Trailer, VERSION};
use crate::wire::operations::{COLUMNS, column};
use crate::wire::packing::{Packer, is_text};
use crate::wire::reader::check;
use crate::wire::varint;
use kept::KeptLiterals;
use literals::Literals;

/// No operation adds more bytes to a stream of the operations than a varint has.
const OPERATIONS_FULL: usize = STREAM_MAX[0] - 16;
const CHANGES_FULL: usize = STREAM_MAX[3] - 16;
const LITERALS_MAX: usize = STREAM_MAX[5];
/// Longer literals get frames of their own and are not copied.
const OWN_FRAME_MIN: usize = 1 << 20;
/// So many literals are packed, checked, written and summed while they are in the cache.
const OWN_FRAME_MAX: usize = 512 << 10;

/// At default effort, longer literals that are no text are not packed a second time: a sample told which level to take.
const RETRIED_MIN: usize = 256 << 10;

/// A shorter stretch of a copy that was replaced is not worth an operation of its own.
const REPLACED_MIN: usize = 16;
/// A longer stretch is taken in parts, for which a frame has room.
const REPLACED_MAX: usize = 64 << 10;
/// So many equal bytes end a stretch that was replaced.
const REPLACED_END: usize = 4;

/// Writes a patch, segment by segment.
pub(crate) struct Encoder<'a, W> {
    pair: Pair<'a>,
    summing: Summing<'a>,
    touched: TouchedSum<'a>,
    effort: Effort,
    packer: Packer,
    out: W,
    written: u64,
    check: u64,
    streams: Streams,
    skipped: Skipped,
    alignments: Alignments,
    kept: KeptLiterals,
    /// Up to where the new content is in frames.
    framed: usize,
    /// Up to where the new content is described, the pending copy included.
    new_end: usize,
    /// The operation that may still grow.
    literal: usize,
    copy: Range<usize>,
    /// Unchanged bytes of copies since the last changed one of this frame.
    unchanged: usize,
    /// The column of the last changed byte of this frame.
    column: Option<usize>,
}

#[derive(Default)]
struct Streams {
    literal_lengths: Vec<u8>,
    copy_lengths: Vec<u8>,
    shifts: Vec<u8>,
    gaps: Vec<u8>,
    /// By column.
    differences: [Vec<u8>; COLUMNS],
    literals: Literals,
}

impl Streams {
    /// Leaves them empty, with the memory that they have.
    fn clear(&mut self) {
        let lengths = [&mut self.literal_lengths, &mut self.copy_lengths, &mut self.shifts];
        let changes = [&mut self.gaps].into_iter().chain(&mut self.differences);
        lengths.into_iter().chain(changes).for_each(Vec::clear);
        self.literals.clear();
    }
}

impl<'a, W: Write> Encoder<'a, W> {
    /// Writes the header. `sources` are the new bytes that are copied later, in ascending order.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn new(
        pair: Pair<'a>,
        mut summing: Summing<'a>,
        sources: Vec<Range<usize>>,
        effort: Effort,
        mut out: W,
    ) -> io::Result<Self> {
        let (old_length, new_length) = (pair.old.len() as u64, pair.new.len() as u64);
        let header = Header { version: VERSION, old_length, new_length }.to_bytes();
        out.write_all(&header)?;
        let (written, check) = (header.len() as u64, check(0, &[&header]));
        Ok(Encoder {
            pair,
            touched: TouchedSum::new(pair.old, summing.take_differing()),
            summing,
            effort,
            packer: Packer::with_columns(),
            framed: 0,
            out,
            written,
            check,
            streams: Streams::default(),
            skipped: Skipped::default(),
            alignments: Alignments::default(),
            kept: KeptLiterals::new(sources),
            new_end: 0,
            literal: 0,
            copy: 0..0,
            unchanged: 0,
            column: None,
        })
    }

    /// Sums no old block for an application in place: of patches that are only measured, none needs it.
    pub(crate) fn leave_old_blocks(&mut self) {
        self.touched.give_up();
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
            // What is not kept becomes literals.
            let source = segment.old_start - old;
            let Some((kept, length)) = self.kept.find(source..source + segment.length) else {
                return Ok(());
            };
            self.touched.touch(segment.new_start..segment.new_start + length);
            return self.copy(Segment { old_start: old + kept, length, ..segment });
        }
        self.copy(segment)
    }

    /// Describes a segment of the old content or of the kept literals, which begins where the last one
    /// ended.
    fn copy(&mut self, segment: Segment) -> io::Result<()> {
        if self.copy.is_empty() {
            self.copy = segment.old_start..segment.old_start;
        } else if self.copy.end != segment.old_start || self.copy.end == self.pair.old.len() {
            // The kept literals begin where the old content ends; no copy is of both.
            self.end_operation();
            self.make_room()?;
            self.copy = segment.old_start..segment.old_start;
        }
        if segment.exact {
            self.unchanged += segment.length;
            self.advance(segment.length);
            return Ok(());
        }
        self.changes(segment)
    }

    /// Describes what is left as literals, and writes the trailer.
    ///
    /// # Errors
    /// The patch cannot be written, or the new content has another sum by now.
    pub(crate) fn finish(mut self) -> io::Result<u64> {
        self.literals(self.pair.new.len())?;
        self.flush()?;
        let Pair { old, new } = self.pair;
        self.touched.touch(new.len()..old.len().max(new.len()));
        let touched = self.touched.finish();
        let bytes = Trailer { sum: self.summing.finish()?, touched }.to_bytes();
        self.out.write_all(&bytes)?;
        self.out.write_all(&check(self.check, &[&bytes]).to_le_bytes())?;
        Ok(self.written + bytes.len() as u64 + 8)
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
            let length = OWN_FRAME_MAX.min(end - self.new_end);
            let literals = &self.pair.new[self.new_end..self.new_end + length];
            let mut lengths = Vec::new();
            varint::put(&mut lengths, length as u64);
            let frame = Frame {
                literal_lengths: Cow::Owned(lengths),
                copy_lengths: Cow::Borrowed(&[0]),
                literals: Cow::Borrowed(literals),
                keeps: self.kept.push(self.new_end, 0, length),
                ..Frame::default()
            };
            self.write(&frame, &[])?;
            self.kept.end_frame(length);
            self.new_end += length;
            self.summing.advance(self.new_end);
        }
        let literals = &self.pair.new[self.new_end..end];
        if self.streams.literals.len() + literals.len() > LITERALS_MAX {
            self.flush()?;
        }
        self.kept.push(self.new_end, self.streams.literals.len(), literals.len());
        self.streams.literals.extend(literals)?;
        self.literal = literals.len();
        self.copy = 0..0;
        self.new_end = end;
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

    /// Describes what is equal up to the first stretch that was replaced, and this; returns how many
    /// bytes.
    fn replaced(&mut self, old: &[u8], new: &[u8]) -> io::Result<usize> {
        let equal = common_prefix(old, new);
        self.unchanged += equal;
        self.advance(equal);
        let replaced = replaced(&old[equal..], &new[equal..]);
        let end = equal + replaced;
        let (old, new) = (&old[equal..end], &new[equal..end]);
        if replaced < REPLACED_MIN || has_few_differences(old, new) {
            for (old, new) in old.chunks(COMPARED).zip(new.chunks(COMPARED)) {
                self.change(old, new, differing(old, new))?;
            }
        } else {
            let old_end = self.copy.end + replaced;
            self.literals(self.new_end + replaced)?;
            self.copy = old_end..old_end;
        }
        Ok(end)
    }

    /// Goes on with the copy over at most as many bytes as are compared at once, of which these
    /// differ.
    fn change(&mut self, old: &[u8], new: &[u8], mut differing: u64) -> io::Result<()> {
        if self.streams.gaps.len() + old.len() + 10 > CHANGES_FULL {
            let at = self.copy.end;
            self.end_operation();
            self.flush()?;
            self.copy = at..at;
        }
        let mut next = 0;
        while differing != 0 {
            let at = differing.trailing_zeros() as usize;
            if at >= old.len() {
                break;
            }
            differing &= differing - 1;
            self.touched.touch(self.new_end + at..self.new_end + at + 1);
            let gap = (self.unchanged + at - next) as u64;
            let column = column(gap, self.column);
            varint::put(&mut self.streams.gaps, gap);
            self.streams.differences[column].push(new[at].wrapping_sub(old[at]));
            (self.unchanged, self.column, next) = (0, Some(column), at + 1);
        }
        self.unchanged += old.len() - next;
        self.advance(old.len());
        Ok(())
    }

    fn advance(&mut self, length: usize) {
        self.copy.end += length;
        self.new_end += length;
    }

    /// Puts the pending operation into the streams.
    fn end_operation(&mut self) {
        if self.literal == 0 && self.copy.is_empty() {
            return;
        }
        varint::put(&mut self.streams.literal_lengths, self.literal as u64);
        varint::put(&mut self.streams.copy_lengths, self.copy.len() as u64);
        if !self.copy.is_empty() {
            let alignment = self.copy.end as i64 - self.new_end as i64;
            varint::put(&mut self.streams.shifts, self.alignments.encode(alignment));
            if self.copy.end <= self.pair.old.len() {
                if alignment != 0 {
                    self.touched.give_up();
                }
                self.skipped.copy(self.literal, self.copy.start as u64..self.copy.end as u64);
            }
        }
        self.literal = 0;
        self.copy = 0..0;
    }

    fn make_room(&mut self) -> io::Result<()> {
        let streams = &self.streams;
        let lengths = [&streams.literal_lengths, &streams.copy_lengths, &streams.shifts];
        if lengths.iter().any(|it| it.len() > OPERATIONS_FULL) { self.flush() } else { Ok(()) }
    }

    /// Writes the frame, if there is anything in it.
    fn flush(&mut self) -> io::Result<()> {
        self.end_operation();
        let ranges = self.skipped.take();
        (self.unchanged, self.column) = (0, None);
        if self.streams.literal_lengths.is_empty() {
            return Ok(());
        }
        let mut streams = std::mem::take(&mut self.streams);
        let frame = Frame {
            literal_lengths: Cow::Borrowed(&streams.literal_lengths),
            copy_lengths: Cow::Borrowed(&streams.copy_lengths),
            shifts: Cow::Borrowed(&streams.shifts),
            gaps: Cow::Borrowed(&streams.gaps),
            differences: Cow::Owned(streams.differences.concat()),
            literals: Cow::Borrowed(&streams.literals),
            keeps: self.kept.keeps(),
        };
        self.write(&frame, &ranges)?;
        self.kept.end_frame(streams.literals.len());
        streams.clear();
        self.streams = streams;
        Ok(())
    }

    /// Writes a frame; `skipped` are the ranges of its skipped old bytes.
    fn write(&mut self, frame: &Frame<'_>, skipped: &[Range<u64>]) -> io::Result<()> {
        let length = self.new_end - self.framed;
        let is_text = is_text(&frame.literals);
        let times = |effort: Effort| {
            let [others, literals] = effort.packing_times(length);
            let of_text = if is_text { effort.text_time() * frame.literals.len() } else { 0 };
            [others, literals.max(of_text)]
        };
        // More time does not always make a stream shorter: less is tried as well.
        let efforts = match frame.literals.len() {
            RETRIED_MIN.. if self.effort == Effort::Default && !is_text => &[Effort::Default],
            _ => self.effort.and_less(),
        };
        let mut times: Vec<_> = efforts.iter().map(|it| times(*it)).collect();
        times.dedup();
        self.framed = self.new_end;
        let old = self.pair.old;
        let skipped = skipped.iter().map(|it| &old[it.start as usize..it.end as usize]);
        let skipped: Vec<_> = skipped.collect();
        let (body, literals) = frame.to_body(&skipped, &times, &mut self.packer)?;
        let mut head = Vec::new();
        varint::put(&mut head, (body.len() + literals.len()) as u64);
        self.check = check(self.check, &[&body, &literals]);
        for part in [&head[..], &body, &literals, &self.check.to_le_bytes()] {
            self.out.write_all(part)?;
            self.written += part.len() as u64;
        }
        Ok(())
    }
}

/// How many of the bytes that were compared come before a stretch that may be long enough to be
/// replaced: up to behind the last [`REPLACED_END`] equal ones, if no stretch before is that long.
fn before_replaced(differing: u64) -> usize {
    let ends = !(differing | differing >> 1 | differing >> 2 | differing >> 3) & ENDS;
    let Some(last) = ends.checked_ilog2() else { return 0 };
    let before = differing & ((1 << last) - 1);
    // Stretches grow by the equal bytes that would not end them.
    let mut run = before | before << 1 | before << 2 | before << 3;
    for shift in [1, 2, 4, 8, REPLACED_END as u32 - 1] {
        run &= run >> shift;
    }
    if run == 0 { last as usize + REPLACED_END } else { 0 }
}

/// Where in a comparison [`REPLACED_END`] equal bytes may begin.
const ENDS: u64 = u64::MAX >> (REPLACED_END - 1);

/// The bytes at the front that were replaced by others, but for a few.
fn replaced(old: &[u8], new: &[u8]) -> usize {
    let (mut end, mut equal) = (0, 0);
    for (at, (old, new)) in old.iter().zip(new).enumerate().take(REPLACED_MAX) {
        if old != new {
            (end, equal) = (at + 1, 0);
        } else {
            equal += 1;
            if equal == REPLACED_END {
                break;
            }
        }
    }
    end
}

/// Whether there are fewer different differences than different new bytes, as in a table whose
/// entries all moved by the same amount: then the differences pack better than literals would.
fn has_few_differences(old: &[u8], new: &[u8]) -> bool {
    let (mut differences, mut bytes) = ([0u64; 4], [0u64; 4]);
    for (old, new) in old.iter().zip(new) {
        let difference = new.wrapping_sub(*old);
        differences[usize::from(difference / 64)] |= 1 << (difference % 64);
        bytes[usize::from(new / 64)] |= 1 << (new % 64);
    }
    let count = |set: [u64; 4]| set.iter().map(|it| it.count_ones()).sum::<u32>();
    // Of noise, either may have some fewer by chance.
    count(differences) * 8 < count(bytes) * 7
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    /// As [`before_replaced`], byte by byte.
    fn before_replaced_simply(differing: u64) -> usize {
        let differs: Vec<bool> = (0..COMPARED).map(|it| differing >> it & 1 == 1).collect();
        let mut ends = (0..=COMPARED - REPLACED_END).rev();
        let last = ends.find(|it| !differs[*it..*it + REPLACED_END].contains(&true));
        let Some(last) = last else { return 0 };
        let mut at = 0;
        while at < last {
            if !differs[at] {
                at += 1;
                continue;
            }
            let old: Vec<u8> = differs[at..].iter().map(|it| u8::from(*it)).collect();
            let replaced = replaced(&old, &[0; COMPARED][at..]);
            if replaced >= REPLACED_MIN {
                return 0;
            }
            at += replaced;
        }
        last + REPLACED_END
    }

    #[test]
    fn a_comparison_goes_on_up_to_what_may_be_replaced() {
        let words = noise(64 * 4096);
        for (index, words) in words.chunks_exact(64).enumerate() {
            // Bits that are set as often as not, more often, or seldom.
            let word = |at: usize| crate::compare::word(&words[at * 8..]);
            let some = (0..index % 8).fold(word(7), |bits, it| match index % 3 {
                0 => bits | word(it),
                1 => bits & word(it),
                _ => bits ^ word(it),
            });
            for differing in [some, some & word(3) << 32, some | 0xFFFF << (index % 50), 0] {
                let expected = before_replaced_simply(differing);
                assert_eq!(before_replaced(differing), expected, "{differing:b}");
            }
        }
    }
}
