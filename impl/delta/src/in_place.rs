//! Changing a file into the new content, so that a crash leaves the old one or the new one.
//!
//! A patch whose copies all stay where they are is turned into a list of writes. The list is made
//! durable in a journal beside the file before the first of them:
//!
//! | step | action | a crash leaves |
//! |---|---|---|
//! | 1 | the plan is made; the old blocks that it changes are verified | the old content |
//! | 2 | the journal is written under another name, synced, and renamed | the old content; an unfinished journal has another name and is ignored |
//! | 3 | the writes are made and synced | a mixture, from which the journal makes the new content |
//! | 4 | the journal is removed | the new content; replaying the journal again changes nothing |
//!
//! This crate makes the plan, the bytes of the journal, and the writes. The caller owns the files,
//! syncs the directory, and before it uses the file replays a journal that it finds
//! ([`InPlacePlan::read_journal`]), provided that the journal belongs to the file:
//! [`InPlacePlan::recognises`] is true of the old content, the new one, and every mixture of the two
//! that an interrupted replay leaves, and false of all other contents. A journal that belongs to another file
//! must be kept and not replayed.

mod files;
mod journal;
mod planner;

use std::io::{self, Read};
use std::ops::Range;

use crate::apply::driver::{judge, run};
use crate::error::PatchError;
use crate::old_content::OldContent;
use crate::sum::{SUM_BLOCK, Sum};
use crate::touched::TouchedBlocks;
use crate::wire::reader::PatchReader;

pub use files::PatchedFile;
pub use journal::JournalError;
use planner::Planner;

/// The bytes that are verified before a file is changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// The blocks of 16 KiB that are changed: takes time in proportion to the change. The rest of the file is
    /// not read.
    Touched,
    /// The whole result, by the sum in the patch: costs reading the file.
    Whole,
}

/// The writes that turn an old content into the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlacePlan {
    old_length: u64,
    new_length: u64,
    /// The identity of the patch, as [`Stats::identity`](crate::Stats) has it.
    patch: u64,
    /// The sum of the bytes around the writes: see [`InPlacePlan::sum_kept`].
    kept: Sum,
    /// The sum of the old bytes behind the end of the new content.
    cut_off: Sum,
    /// The sum of the new content, if all of it was verified.
    result: Option<Sum>,
    /// In ascending order, without overlap.
    writes: Vec<PlannedWrite>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PlannedWrite {
    offset: u64,
    new: Vec<u8>,
    /// The old bytes in its place. Shorter than `new` where the content grows.
    old: Vec<u8>,
}

impl InPlacePlan {
    /// Plans the writes that `patch` makes of `old`, and verifies that it is the content that the
    /// patch was made for. Nothing is changed.
    ///
    /// # Errors
    /// The patch is damaged, made for another old content, moves bytes, or changes more than
    /// 64 MiB or blocks of more than 256 MiB; [`Verify::Whole`] is asked of a patch without a sum.
    pub fn new(
        old: &(impl OldContent + ?Sized),
        patch: impl Read,
        verify: Verify,
    ) -> Result<InPlacePlan, PatchError> {
        let mut reader = PatchReader::open(patch)?;
        let header = reader.header();
        judge(&mut reader, old.length()?, u64::MAX)?;
        let plan = InPlacePlan {
            old_length: header.old_length,
            new_length: header.new_length,
            patch: 0,
            kept: Sum::default(),
            cut_off: Sum::default(),
            result: None,
            writes: Vec::new(),
        };
        let mut planner = Planner::new(old, plan);
        let trailer = run(&mut reader, &mut planner)?;
        planner.touch(header.new_length..header.old_length)?;
        let expected = trailer.touched.ok_or(PatchError::NotInPlace)?;
        let Planner { mut plan, touched, .. } = planner;
        if touched.sum != expected {
            return Err(PatchError::OtherOld);
        }
        if verify == Verify::Whole {
            let expected = trailer.sum.ok_or(PatchError::NotSummed)?;
            if plan.sum_result(old)? != expected {
                return Err(PatchError::OtherOld);
            }
            plan.result = Some(expected);
        }
        plan.patch = reader.identity();
        plan.kept = plan.sum_kept(old)?;
        plan.cut_off = plan.sum_cut_off(old)?;
        Ok(plan)
    }

    /// The identity of the patch that the plan was made from: that of its
    /// [`Stats`](crate::Stats::identity).
    #[must_use]
    pub fn patch(&self) -> u64 {
        self.patch
    }

    /// The bytes of the new content.
    #[must_use]
    pub fn new_length(&self) -> u64 {
        self.new_length
    }

    /// The places that are written, each with its length in bytes, in ascending order.
    pub fn places(&self) -> impl Iterator<Item = (u64, u64)> {
        self.writes.iter().map(|it| (it.offset, it.new.len() as u64))
    }

    /// How many bytes are written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.writes.iter().map(|it| it.new.len() as u64).sum()
    }

    /// Makes the writes. To do so again, also after only some of them were made, is harmless.
    ///
    /// # Errors
    /// The file cannot be written to; then the journal must be kept and replayed.
    pub fn apply(&self, file: &mut (impl PatchedFile + ?Sized)) -> io::Result<()> {
        for write in &self.writes {
            file.write_all_at(&write.new, write.offset)?;
        }
        file.set_length(self.new_length)?;
        file.sync()
    }

    /// Whether a file holds the old content, the new content, or a mixture that an interrupted
    /// [`apply`](InPlacePlan::apply) leaves: around the writes it is the old content, and under them
    /// each byte is the old or the new one. Reads the blocks that are changed; all of the file if the
    /// plan was made with [`Verify::Whole`].
    ///
    /// # Errors
    /// The file cannot be read.
    pub fn recognises(&self, file: &(impl OldContent + ?Sized)) -> io::Result<bool> {
        let length = file.length()?;
        let is_possible = match self.new_length < self.old_length {
            // A file is cut off at once, and grows as it is written.
            true => length == self.old_length || length == self.new_length,
            false => (self.old_length..=self.new_length).contains(&length),
        };
        Ok(is_possible
            && self.sum_kept(file)? == self.kept
            && (length <= self.new_length || self.sum_cut_off(file)? == self.cut_off)
            && self.is_written_or_not(file, length)?
            && match self.result {
                Some(expected) => self.sum_result(file)? == expected,
                None => true,
            })
    }

    /// Whether each byte under the writes is the old or the new one. Behind the end of the old
    /// content the old one is 0, which a file reads where it has grown and nothing was written.
    fn is_written_or_not(
        &self,
        file: &(impl OldContent + ?Sized),
        length: u64,
    ) -> io::Result<bool> {
        let mut found = Vec::new();
        for write in &self.writes {
            let end = write.end().min(length);
            found.resize(end.saturating_sub(write.offset) as usize, 0);
            file.read_exact_at(&mut found, write.offset)?;
            let old = write.old.iter().chain(std::iter::repeat(&0));
            let mut bytes = found.iter().zip(&write.new).zip(old);
            if !bytes.all(|((found, new), old)| found == new || found == old) {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// The sum of the blocks that the writes touch, with 0 in place of the bytes under the writes, as
    /// far as both contents reach.
    fn sum_kept(&self, file: &(impl OldContent + ?Sized)) -> io::Result<Sum> {
        let (mut sum, mut touched) = (Sum::default(), TouchedBlocks::default());
        let common = self.old_length.min(self.new_length);
        let mut block = Vec::new();
        for (at, write) in self.writes.iter().enumerate() {
            let end = write.end().min(common);
            for index in touched.touch(write.offset.min(end)..end) {
                let start = index * SUM_BLOCK as u64;
                block.resize((common - start).min(SUM_BLOCK as u64) as usize, 0);
                file.read_exact_at(&mut block, start)?;
                let of_block = self.writes[at..].iter();
                for write in of_block.take_while(|it| it.offset < start + SUM_BLOCK as u64) {
                    write.blank(&mut block, start);
                }
                sum.add(index, &block);
            }
        }
        Ok(sum)
    }

    /// The sum of the bytes behind the end of the new content.
    fn sum_cut_off(&self, file: &(impl OldContent + ?Sized)) -> io::Result<Sum> {
        let mut sum = Sum::default();
        let mut block = Vec::new();
        for (index, start) in (self.new_length..self.old_length).step_by(SUM_BLOCK).enumerate() {
            block.resize((self.old_length - start).min(SUM_BLOCK as u64) as usize, 0);
            file.read_exact_at(&mut block, start)?;
            sum.add(index as u64, &block);
        }
        Ok(sum)
    }

    /// The sum of the result.
    fn sum_result(&self, old: &(impl OldContent + ?Sized)) -> io::Result<Sum> {
        let mut sum = Sum::default();
        let mut writes = &self.writes[..];
        let mut block = Vec::new();
        for (index, start) in (0..self.new_length).step_by(SUM_BLOCK).enumerate() {
            let end = self.new_length.min(start + SUM_BLOCK as u64);
            block.resize((end - start) as usize, 0);
            if start < self.old_length {
                let length = (self.old_length.min(end) - start) as usize;
                old.read_exact_at(&mut block[..length], start)?;
            }
            while let Some((write, rest)) = writes.split_first() {
                write.overlay(&mut block, start);
                if write.end() > end {
                    break;
                }
                writes = rest;
            }
            sum.add(index as u64, &block);
        }
        Ok(sum)
    }
}

impl PlannedWrite {
    fn end(&self) -> u64 {
        self.offset + self.new.len() as u64
    }

    /// Writes the bytes that lie in `block`, which begins at `start`.
    fn overlay(&self, block: &mut [u8], start: u64) {
        if let Some((place, bytes)) = self.within(block.len(), start) {
            block[place].copy_from_slice(&self.new[bytes]);
        }
    }

    /// Writes 0 in place of the bytes that lie in `block`, which begins at `start`.
    fn blank(&self, block: &mut [u8], start: u64) {
        if let Some((place, _)) = self.within(block.len(), start) {
            block[place].fill(0);
        }
    }

    /// The places in a block of this length that begins at `start`, and in the write, of the bytes
    /// that lie in both.
    fn within(&self, length: usize, start: u64) -> Option<(Range<usize>, Range<usize>)> {
        let from = self.offset.max(start);
        let to = self.end().min(start + length as u64);
        let within = |base: u64| (from - base) as usize..(to - base) as usize;
        (from < to).then(|| (within(start), within(self.offset)))
    }
}
