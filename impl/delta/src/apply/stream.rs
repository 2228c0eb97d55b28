//! From an old content that is read piece by piece into whatever can be written to, in the memory
//! of one frame.

use std::io::{self, Read, Write};
use std::ops::Range;

use super::driver::{Failure, Target, judge, run};
use crate::copy::{FileBuffer, copy};
use crate::error::PatchError;
use crate::old_content::OldContent;
use crate::sum::{SUM_BLOCK, Sum};
use crate::wire::operations::Changes;
use crate::wire::reader::PatchReader;

/// Written at once.
const BUFFER: usize = 16 * SUM_BLOCK;

/// The result of applying a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Applied {
    /// The bytes of the new content.
    pub length: u64,
    /// Whether the patch carried a sum, so that the result was compared with it.
    pub verified: bool,
}

/// The destination of a new content, which is written front to back. Every [`Write`] is one. A type that can reuse
/// bytes of the old content `O` overrides [`NewContent::keep`].
pub trait NewContent<O: ?Sized> {
    /// Appends bytes.
    ///
    /// # Errors
    /// They cannot be written.
    fn append(&mut self, bytes: &[u8]) -> io::Result<()>;

    /// Appends bytes that were read from `old` at the same offset.
    ///
    /// # Errors
    /// They cannot be written.
    fn keep(&mut self, bytes: &[u8], old: &O) -> io::Result<()> {
        let _ = old;
        self.append(bytes)
    }

    /// Writes what is buffered.
    ///
    /// # Errors
    /// It cannot be written.
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<W: Write, O: ?Sized> NewContent<O> for W {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.write_all(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Write::flush(self)
    }
}

/// Makes the new content of at most `limit` bytes and writes it to `new`, front to back.
///
/// The output is the new content only if the result is `Ok`; on an error it must be thrown away.
///
/// # Errors
/// As [`apply`](crate::apply); also if the old content, the patch or `new` cannot be read or
/// written.
pub fn apply_stream<O: OldContent + ?Sized>(
    old: &O,
    patch: impl Read,
    new: impl NewContent<O>,
    limit: u64,
) -> Result<Applied, PatchError> {
    let mut reader = PatchReader::open(patch)?;
    judge(&mut reader, old.length()?, limit)?;
    let buffer = FileBuffer::zeroed(BUFFER);
    let (filled, kept, block, sum) = (0, 0, 0, Sum::default());
    let mut target = Stream { old, new, buffer, filled, kept, block, sum };
    let trailer = run(&mut reader, &mut target)?;
    let sum = target.finish()?;
    let applied = Applied { length: reader.header().new_length, verified: trailer.sum.is_some() };
    match trailer.sum {
        Some(expected) if expected != sum => Err(PatchError::OtherOld),
        _ => Ok(applied),
    }
}

struct Stream<'a, O: ?Sized, W> {
    old: &'a O,
    new: W,
    /// Begins with the bytes that were made but not written yet, from a block's start on.
    buffer: FileBuffer,
    /// The bytes of it.
    filled: usize,
    /// The length of the prefix of `buffer[..filled]` that the old content has at the same offset.
    kept: usize,
    /// The number of the block with which the buffer begins.
    block: u64,
    sum: Sum,
}

impl<O: OldContent + ?Sized, W: NewContent<O>> Stream<'_, O, W> {
    /// Room behind the bytes that were made, for at least one byte and at most `wanted`.
    fn room(&mut self, wanted: u64) -> io::Result<&mut [u8]> {
        if self.filled == BUFFER {
            self.flush()?;
        }
        let room = &mut self.buffer[self.filled..];
        let length = usize::try_from(wanted).map_or(room.len(), |it| it.min(room.len()));
        Ok(&mut room[..length])
    }

    fn flush(&mut self) -> io::Result<()> {
        let made = &self.buffer[..self.filled];
        for block in made.chunks(SUM_BLOCK) {
            self.sum.add(self.block, block);
            self.block += 1;
        }
        let (kept, others) = made.split_at(self.kept);
        if !kept.is_empty() {
            self.new.keep(kept, self.old)?;
        }
        if !others.is_empty() {
            self.new.append(others)?;
        }
        (self.filled, self.kept) = (0, 0);
        Ok(())
    }

    /// The number of bytes that were made.
    fn made(&self) -> u64 {
        self.block * SUM_BLOCK as u64 + self.filled as u64
    }

    fn finish(mut self) -> io::Result<Sum> {
        self.flush()?;
        self.new.flush()?;
        Ok(self.sum)
    }
}

impl<O: OldContent + ?Sized, W: NewContent<O>> Target for Stream<'_, O, W> {
    fn literals(&mut self, mut bytes: &[u8]) -> Result<(), Failure> {
        while !bytes.is_empty() {
            let room = self.room(bytes.len() as u64)?;
            let (now, rest) = bytes.split_at(room.len());
            copy(now, room);
            self.filled += now.len();
            bytes = rest;
        }
        Ok(())
    }

    fn copy(&mut self, mut old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure> {
        let content = self.old;
        while !old.is_empty() {
            let stays = old.start == self.made();
            let room = self.room(old.end - old.start)?;
            let length = room.len();
            content.read_exact_at(room, old.start)?;
            let is_kept = stays && changes.unchanged(length as u64) == length as u64;
            changes.apply(room)?;
            if is_kept && self.kept == self.filled {
                self.kept += length;
            }
            self.filled += length;
            old.start += length as u64;
        }
        Ok(())
    }

    fn read_old(&mut self, old: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let from = bytes.len();
        bytes.resize(from + (old.end - old.start) as usize, 0);
        Ok(self.old.read_exact_at(&mut bytes[from..], old.start)?)
    }
}
