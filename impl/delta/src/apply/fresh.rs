//! Into fresh memory.

use std::io;
use std::ops::{Deref, Range};

use steadfast_huge_pages::HugePages;

use super::driver::{Failure, Target, judge, run};
use crate::copy::copy;
use crate::error::PatchError;
use crate::sum::{SUM_BLOCK, Sum};
use crate::wire::operations::Changes;
use crate::wire::reader::PatchReader;
use crate::wire::source::InMemory;

/// Shorter contents are not worth a mapping.
const HUGE_MIN: usize = 4 << 20;
/// Copied before it is changed and summed, so that both work in the cache.
const STEP: usize = 8 * SUM_BLOCK;

/// A content in memory of its own. A long one lies in huge pages where the system has them:
/// page faults would take longer than copying.
#[derive(Debug)]
pub struct Content {
    memory: Memory,
}

#[derive(Debug)]
enum Memory {
    Heap(Vec<u8>),
    Huge(HugePages),
}

impl Content {
    fn zeroed(length: usize) -> io::Result<Content> {
        let memory = match length {
            0..HUGE_MIN => Memory::Heap(vec![0; length]),
            _ => Memory::Huge(HugePages::zeroed(length)?),
        };
        Ok(Content { memory })
    }

    fn bytes(&mut self) -> &mut [u8] {
        match &mut self.memory {
            Memory::Heap(bytes) => bytes,
            Memory::Huge(bytes) => bytes,
        }
    }
}

impl Deref for Content {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        match &self.memory {
            Memory::Heap(bytes) => bytes,
            Memory::Huge(bytes) => bytes,
        }
    }
}

/// Makes the new content of at most `limit` bytes from the old one and a patch.
///
/// If the patch carries a sum, the result has that sum. It guards against accidents, as another
/// old content or rot; a caller that must trust a content checks its name.
///
/// # Errors
/// The patch is damaged, made for another old content, or makes more than `limit` bytes.
pub fn apply(old: &[u8], patch: &[u8], limit: u64) -> Result<Content, PatchError> {
    let mut reader = PatchReader::open(InMemory(patch))?;
    let header = reader.header();
    judge(&mut reader, old.len() as u64, limit)?;
    let found = header.new_length;
    let length = usize::try_from(found).map_err(|_| PatchError::TooLarge { found, limit })?;
    let mut content = match Content::zeroed(length) {
        Ok(content) => content,
        Err(error) => {
            // A damaged header may ask for any length.
            reader.vouch_for_header()?;
            return Err(error.into());
        }
    };
    let mut target = Fresh { old, new: content.bytes(), filled: 0, summed: 0, sum: Sum::default() };
    let trailer = run(&mut reader, &mut target)?;
    let sum = target.finish();
    match trailer.sum {
        Some(expected) if expected != sum => Err(PatchError::OtherOld),
        _ => Ok(content),
    }
}

struct Fresh<'a> {
    old: &'a [u8],
    new: &'a mut [u8],
    /// The bytes made so far.
    filled: usize,
    /// The bytes summed so far: whole blocks.
    summed: usize,
    sum: Sum,
}

impl Fresh<'_> {
    /// Moves on by `length` bytes that were just made.
    fn advance(&mut self, length: usize) {
        self.filled += length;
        let whole = self.filled - self.filled % SUM_BLOCK;
        if whole > self.summed {
            self.sum.add_blocks(self.new, self.summed..whole);
            self.summed = whole;
        }
    }

    fn finish(mut self) -> Sum {
        self.sum.add_blocks(self.new, self.summed..self.filled);
        self.sum
    }
}

impl Target for Fresh<'_> {
    fn literals(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        for bytes in bytes.chunks(STEP) {
            copy(bytes, &mut self.new[self.filled..self.filled + bytes.len()]);
            self.advance(bytes.len());
        }
        Ok(())
    }

    fn copy(&mut self, old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure> {
        for old in self.old[old.start as usize..old.end as usize].chunks(STEP) {
            let new = &mut self.new[self.filled..self.filled + old.len()];
            copy(old, new);
            changes.apply(new)?;
            self.advance(old.len());
        }
        Ok(())
    }

    fn read_old(&mut self, old: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        bytes.extend_from_slice(&self.old[old.start as usize..old.end as usize]);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use steadfast_huge_pages::HUGE_PAGE_BYTES;

    use super::*;

    #[test]
    fn contents_of_every_length_begin_as_zeros_and_long_ones_with_a_huge_page() {
        for length in [0, 1, HUGE_MIN - 1, HUGE_MIN, HUGE_MIN + 4097] {
            let mut content = Content::zeroed(length).expect("there is memory");
            assert_eq!(content.bytes().len(), length);
            assert!(content.iter().all(|it| *it == 0));
            let begins_with_one = content.as_ptr().addr().is_multiple_of(HUGE_PAGE_BYTES);
            assert!(length < HUGE_MIN || begins_with_one);
        }
        assert!(Content::zeroed(usize::MAX).is_err());
    }
}
