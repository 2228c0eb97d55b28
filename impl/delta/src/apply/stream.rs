//! From an old content that is read piece by piece into whatever can be written to, in the memory
//! of one frame.

use std::io::{self, Read, Write};
use std::ops::Range;

use super::driver::{Failure, Target, judge, run};
use crate::error::PatchError;
use crate::sum::{SUM_BLOCK, Sum};
use crate::wire::operations::Changes;
use crate::wire::reader::PatchReader;

/// Written at once.
const BUFFER: usize = 16 * SUM_BLOCK;

/// An old content that can be read anywhere.
pub trait OldContent {
    /// Its bytes.
    ///
    /// # Errors
    /// The length cannot be told.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The content cannot be read, or ends before.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// What was made by a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The bytes of the new content.
    pub length: u64,
    /// Whether the patch carried a sum, so that the result was compared with it.
    pub verified: bool,
}

/// Makes the new content of at most `limit` bytes and writes it to `new`, front to back.
///
/// Only an `Ok` says that what was written is the new content; on an error it must be thrown away.
///
/// # Errors
/// As [`apply`](crate::apply); also if the old content, the patch or `new` cannot be read or
/// written.
pub fn apply_stream(
    old: &impl OldContent,
    patch: impl Read,
    new: impl Write,
    limit: u64,
) -> Result<Applied, PatchError> {
    let mut reader = PatchReader::open(patch)?;
    judge(&mut reader, old.length()?, limit)?;
    let buffer = Vec::with_capacity(BUFFER);
    let mut target = Stream { old, new, buffer, block: 0, sum: Sum::default() };
    let trailer = run(&mut reader, &mut target)?;
    let sum = target.finish()?;
    let applied = Applied { length: reader.header().new_length, verified: trailer.sum.is_some() };
    match trailer.sum {
        Some(expected) if expected != sum => Err(PatchError::OtherOld),
        _ => Ok(applied),
    }
}

struct Stream<'a, O, W> {
    old: &'a O,
    new: W,
    /// What was made and not yet written: from a block's start on, at most [`BUFFER`] bytes.
    buffer: Vec<u8>,
    /// The number of the block with which the buffer begins.
    block: u64,
    sum: Sum,
}

impl<O: OldContent, W: Write> Stream<'_, O, W> {
    /// Room in the buffer, at least a byte and at most `wanted`.
    fn room(&mut self, wanted: u64) -> io::Result<usize> {
        if self.buffer.len() == BUFFER {
            self.flush()?;
        }
        let room = BUFFER - self.buffer.len();
        Ok(usize::try_from(wanted).map_or(room, |it| it.min(room)))
    }

    fn flush(&mut self) -> io::Result<()> {
        for block in self.buffer.chunks(SUM_BLOCK) {
            self.sum.add(self.block, block);
            self.block += 1;
        }
        self.new.write_all(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }

    fn finish(mut self) -> io::Result<Sum> {
        self.flush()?;
        self.new.flush()?;
        Ok(self.sum)
    }
}

impl<O: OldContent, W: Write> Target for Stream<'_, O, W> {
    fn literals(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len() as u64)?;
            let (now, rest) = bytes.split_at(room);
            self.buffer.extend_from_slice(now);
            bytes = rest;
        }
        Ok(())
    }

    fn copy(&mut self, mut old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure> {
        while !old.is_empty() {
            let room = self.room(old.end - old.start)?;
            let from = self.buffer.len();
            self.buffer.resize(from + room, 0);
            self.old.read_exact_at(&mut self.buffer[from..], old.start)?;
            changes.apply(&mut self.buffer[from..])?;
            old.start += room as u64;
        }
        Ok(())
    }

    fn read_old(&mut self, old: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let from = bytes.len();
        bytes.resize(from + (old.end - old.start) as usize, 0);
        Ok(self.old.read_exact_at(&mut bytes[from..], old.start)?)
    }
}
