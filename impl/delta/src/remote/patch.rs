//! A patch by an encoder that has no old content, only its manifest.

use std::borrow::Cow;
use std::io;
use std::ops::Range;

use super::literals::packing_time;
use crate::wire::alignments::Alignments;
use crate::wire::frame::{Frame, LITERALS_MAX, STREAM_MAX};
use crate::wire::header::{Header, Trailer, VERSION_FIRST};
use crate::wire::packing::Packer;
use crate::wire::reader::check;
use crate::wire::varint;

/// A stretch of the new content, in its order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Piece {
    /// These bytes of the old content.
    Old(Range<u64>),
    /// These bytes of the new content.
    New(Range<usize>),
}

/// No operation adds more than a varint to a stream of operations.
const OPERATIONS_FULL: usize = STREAM_MAX[0] - varint::BYTES_MAX;

/// The patch without a sum that makes `content` of these pieces.
pub(crate) fn write(pieces: &[Piece], content: &[u8], old_length: u64) -> io::Result<Vec<u8>> {
    let mut writer = Writer::new(old_length, content.len() as u64);
    for piece in pieces {
        match piece {
            Piece::New(range) => {
                for part in content[range.clone()].chunks(LITERALS_MAX) {
                    writer.literal(Cow::Borrowed(part))?;
                }
            }
            Piece::Old(range) => writer.copy(range)?,
        }
    }
    writer.finish()
}

/// Writes operations as they come.
pub(super) struct Writer<'a> {
    out: Vec<u8>,
    check: u64,
    frame: Frame<'a>,
    alignments: Alignments,
    packer: Packer,
    /// The length of the literal that waits for its copy.
    literal: usize,
    new_end: u64,
}

impl<'a> Writer<'a> {
    pub(super) fn new(old_length: u64, new_length: u64) -> Writer<'a> {
        // Nothing in it is new in version 2, so that every receiver of the exchange reads it.
        let header = Header { version: VERSION_FIRST, old_length, new_length }.to_bytes();
        Writer {
            check: check(0, &[&header]),
            out: header,
            frame: Frame::default(),
            alignments: Alignments::default(),
            packer: Packer::default(),
            literal: 0,
            new_end: 0,
        }
    }

    /// Appends a part of the new content of at most [`LITERALS_MAX`] bytes.
    pub(super) fn literal(&mut self, part: Cow<'a, [u8]>) -> io::Result<()> {
        self.end_literal();
        if self.frame.literals.len() + part.len() > LITERALS_MAX {
            self.flush()?;
        }
        self.literal = part.len();
        self.new_end += part.len() as u64;
        match &mut self.frame.literals {
            literals if literals.is_empty() => *literals = part,
            literals => literals.to_mut().extend_from_slice(&part),
        }
        Ok(())
    }

    /// Whether something of the patch is complete.
    pub(super) fn has_output(&self) -> bool {
        !self.out.is_empty()
    }

    /// What is complete of the patch and was not taken before.
    pub(super) fn take_output(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.out)
    }

    /// Appends a part of the old content.
    pub(super) fn copy(&mut self, old: &Range<u64>) -> io::Result<()> {
        if self.frame.literal_lengths.len().max(self.frame.shifts.len()) > OPERATIONS_FULL {
            self.end_literal();
            self.flush()?;
        }
        let length = old.end - old.start;
        let alignment = old.start.wrapping_sub(self.new_end).cast_signed();
        let shift = self.alignments.encode(alignment);
        self.operation(length);
        varint::put(self.frame.shifts.to_mut(), shift);
        self.new_end += length;
        Ok(())
    }

    /// An operation without a copy for a literal that no copy follows.
    fn end_literal(&mut self) {
        if self.literal > 0 {
            self.operation(0);
        }
    }

    fn operation(&mut self, copy_length: u64) {
        let literal = std::mem::take(&mut self.literal) as u64;
        varint::put(self.frame.literal_lengths.to_mut(), literal);
        varint::put(self.frame.copy_lengths.to_mut(), copy_length);
    }

    fn flush(&mut self) -> io::Result<()> {
        let frame = std::mem::take(&mut self.frame);
        if frame.literal_lengths.is_empty() {
            return Ok(());
        }
        let (body, literals) =
            frame.to_body(&[], &[[packing_time(frame.literals.len()); 2]], &mut self.packer)?;
        varint::put(&mut self.out, (body.len() + literals.len()) as u64);
        self.out.extend_from_slice(&body);
        self.out.extend_from_slice(&literals);
        self.check = check(self.check, &[&body, &literals]);
        self.out.extend_from_slice(&self.check.to_le_bytes());
        Ok(())
    }

    /// The rest of the patch.
    pub(super) fn finish(mut self) -> io::Result<Vec<u8>> {
        self.end_literal();
        self.flush()?;
        let trailer = Trailer::default().to_bytes();
        self.out.extend_from_slice(&trailer);
        self.out.extend_from_slice(&check(self.check, &[&trailer]).to_le_bytes());
        Ok(self.out)
    }
}
