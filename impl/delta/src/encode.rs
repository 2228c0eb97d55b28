//! From segments to frames.

use std::borrow::Cow;
use std::io::{self, Write};
use std::ops::Range;

use crate::compare::WINDOW;
use crate::diff::pair::Pair;
use crate::diff::segment::Segment;
use crate::effort::Effort;
use crate::skipped::Skipped;
use crate::wire::frame::{Frame, STREAM_MAX};
use crate::wire::header::{Header, Trailer};
use crate::wire::reader::check;
use crate::wire::varint;

/// No operation adds more bytes to a stream of the operations than a varint has.
const OPERATIONS_FULL: usize = STREAM_MAX[0] - 16;
const CHANGES_FULL: usize = STREAM_MAX[3] - 16;
const LITERALS_MAX: usize = STREAM_MAX[5];
/// Longer literals get frames of their own and are not copied.
const OWN_FRAME_MIN: usize = 1 << 20;

/// Writes a patch, segment by segment.
pub(crate) struct Encoder<'a, W> {
    pair: Pair<'a>,
    effort: Effort,
    out: W,
    written: u64,
    check: u64,
    streams: Streams,
    skipped: Skipped,
    /// Where the last copy ended in the old content.
    old_end: usize,
    /// Up to where the new content is described, the pending copy included.
    new_end: usize,
    /// The operation that may still grow.
    literal: usize,
    copy: Range<usize>,
    /// Unchanged bytes of copies since the last changed one of this frame.
    unchanged: usize,
}

#[derive(Default)]
struct Streams {
    literal_lengths: Vec<u8>,
    copy_lengths: Vec<u8>,
    shifts: Vec<u8>,
    gaps: Vec<u8>,
    differences: Vec<u8>,
    literals: Vec<u8>,
}

impl<'a, W: Write> Encoder<'a, W> {
    /// Writes the header.
    ///
    /// # Errors
    /// `out` cannot be written to.
    pub(crate) fn new(pair: Pair<'a>, effort: Effort, mut out: W) -> io::Result<Self> {
        let (old_length, new_length) = (pair.old.len() as u64, pair.new.len() as u64);
        let header = Header { old_length, new_length }.to_bytes();
        out.write_all(&header)?;
        let (written, check) = (header.len() as u64, check(0, &[&header]));
        Ok(Encoder {
            pair,
            effort,
            out,
            written,
            check,
            streams: Streams::default(),
            skipped: Skipped::default(),
            old_end: 0,
            new_end: 0,
            literal: 0,
            copy: 0..0,
            unchanged: 0,
        })
    }

    /// Describes the new content up to the end of `segment`, which begins no earlier than the
    /// last one ended.
    ///
    /// # Errors
    /// The patch cannot be written.
    pub(crate) fn segment(&mut self, segment: Segment) -> io::Result<()> {
        self.literals(segment.new_start)?;
        if self.copy.is_empty() {
            self.copy = segment.old_start..segment.old_start;
        } else if self.copy.end != segment.old_start {
            self.end_operation();
            self.make_room()?;
            self.copy = segment.old_start..segment.old_start;
        }
        if segment.exact {
            self.unchanged += segment.length;
            self.copy.end = segment.old_end();
            self.new_end = segment.new_end();
            return Ok(());
        }
        self.changes(segment)
    }

    /// Describes what is left as literals, and writes the trailer.
    ///
    /// # Errors
    /// The patch cannot be written.
    pub(crate) fn finish(mut self, trailer: Trailer) -> io::Result<u64> {
        self.literals(self.pair.new.len())?;
        self.flush()?;
        let bytes = trailer.to_bytes();
        self.out.write_all(&bytes)?;
        self.out.write_all(&check(self.check, &[&bytes]).to_le_bytes())?;
        Ok(self.written + bytes.len() as u64 + 8)
    }

    /// Describes the new bytes from the end of the last copy to `end` as literals.
    fn literals(&mut self, end: usize) -> io::Result<()> {
        if self.new_end == end {
            return Ok(());
        }
        self.end_operation();
        self.make_room()?;
        while end - self.new_end >= OWN_FRAME_MIN {
            self.flush()?;
            let length = LITERALS_MAX.min(end - self.new_end);
            let literals = &self.pair.new[self.new_end..self.new_end + length];
            let mut lengths = Vec::new();
            varint::put(&mut lengths, length as u64);
            let frame = Frame {
                literal_lengths: Cow::Owned(lengths),
                copy_lengths: Cow::Borrowed(&[0]),
                literals: Cow::Borrowed(literals),
                ..Frame::default()
            };
            self.write(&frame, &[])?;
            self.old_end += length;
            self.new_end += length;
        }
        let literals = &self.pair.new[self.new_end..end];
        if self.streams.literals.len() + literals.len() > LITERALS_MAX {
            self.flush()?;
        }
        self.streams.literals.extend(literals);
        self.literal = literals.len();
        self.copy = 0..0;
        self.new_end = end;
        Ok(())
    }

    fn changes(&mut self, segment: Segment) -> io::Result<()> {
        let Pair { old, new } = self.pair;
        let old = &old[segment.old_start..segment.old_end()];
        let new = &new[segment.new_start..segment.new_end()];
        for (old, new) in old.chunks(WINDOW).zip(new.chunks(WINDOW)) {
            if self.streams.gaps.len() > CHANGES_FULL - 10 * WINDOW {
                let at = self.copy.end;
                self.end_operation();
                self.flush()?;
                self.copy = at..at;
            }
            if old == new {
                self.unchanged += old.len();
            } else {
                self.changes_in_window(old, new);
            }
            self.copy.end += old.len();
            self.new_end += old.len();
        }
        Ok(())
    }

    fn changes_in_window(&mut self, old: &[u8], new: &[u8]) {
        for (old, new) in old.iter().zip(new) {
            if old == new {
                self.unchanged += 1;
            } else {
                varint::put(&mut self.streams.gaps, self.unchanged as u64);
                self.streams.differences.push(new.wrapping_sub(*old));
                self.unchanged = 0;
            }
        }
    }

    /// Puts the pending operation into the streams.
    fn end_operation(&mut self) {
        if self.literal == 0 && self.copy.is_empty() {
            return;
        }
        varint::put(&mut self.streams.literal_lengths, self.literal as u64);
        varint::put(&mut self.streams.copy_lengths, self.copy.len() as u64);
        if self.copy.is_empty() {
            self.old_end += self.literal;
        } else {
            let expected = self.old_end + self.literal;
            let shift = self.copy.start as i64 - expected as i64;
            varint::put(&mut self.streams.shifts, varint::zigzag(shift));
            self.skipped.copy(self.copy.start as u64..self.copy.end as u64);
            self.old_end = self.copy.end;
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
        let streams = std::mem::take(&mut self.streams);
        let ranges = self.skipped.take();
        self.unchanged = 0;
        if streams.literal_lengths.is_empty() {
            return Ok(());
        }
        let old = self.pair.old;
        let mut skipped = Vec::new();
        for range in ranges {
            skipped.extend_from_slice(&old[range.start as usize..range.end as usize]);
        }
        let frame = Frame {
            literal_lengths: Cow::Owned(streams.literal_lengths),
            copy_lengths: Cow::Owned(streams.copy_lengths),
            shifts: Cow::Owned(streams.shifts),
            gaps: Cow::Owned(streams.gaps),
            differences: Cow::Owned(streams.differences),
            literals: Cow::Owned(streams.literals),
        };
        self.write(&frame, &skipped)
    }

    fn write(&mut self, frame: &Frame<'_>, skipped: &[u8]) -> io::Result<()> {
        let (body, literals) = frame.to_body(skipped, self.effort)?;
        let mut head = Vec::new();
        varint::put(&mut head, (body.len() + literals.len()) as u64);
        self.check = check(self.check, &[&body, literals]);
        for part in [&head[..], &body, literals, &self.check.to_le_bytes()] {
            self.out.write_all(part)?;
            self.written += part.len() as u64;
        }
        Ok(())
    }
}
