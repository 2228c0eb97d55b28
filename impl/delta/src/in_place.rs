//! Changing a file into the new content, so that a crash leaves the old one or the new one.
//!
//! A patch whose copies all stay where they are is turned into a list of writes. The list is made
//! durable in a journal beside the file before the first of them:
//!
//! | step | what is done | after a crash |
//! |---|---|---|
//! | 1 | the plan is made; what it changes of the old content is verified | old |
//! | 2 | the journal is written and synced | old: a torn journal is thrown away |
//! | 3 | the writes are made and synced | new: a whole journal is replayed |
//! | 4 | the journal is removed | new: replaying it again changes nothing |
//!
//! This crate makes the plan, the bytes of the journal, and the writes; whoever calls it owns the
//! files, syncs the directory, and replays a journal that it finds ([`InPlacePlan::from_journal`])
//! before the file is used.

use std::io::{self, Read};
use std::ops::Range;

use twox_hash::XxHash3_128;

use crate::apply::driver::{Failure, Target, judge, run};
use crate::apply::stream::OldContent;
use crate::error::PatchError;
use crate::sum::{SUM_BLOCK, Sum};
use crate::touched::{IN_PLACE_MAX, TouchedBlocks, WRITE_COST};
use crate::wire::operations::Changes;
use crate::wire::reader::PatchReader;
use crate::wire::varint;

const JOURNAL_MAGIC: [u8; 4] = *b"SfJ\x01";
/// No journal is longer: the bytes of the writes, and what is said of them.
pub const JOURNAL_MAX: usize = 2 * IN_PLACE_MAX as usize;

/// A file that is changed in place.
pub trait PatchedFile: OldContent {
    /// Writes all of `bytes` from `offset` on.
    ///
    /// # Errors
    /// The file cannot be written to.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file this long.
    ///
    /// # Errors
    /// The file cannot be changed.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Returns when all of the above would survive a crash.
    ///
    /// # Errors
    /// The file cannot be synced.
    fn sync(&mut self) -> io::Result<()>;
}

/// What is verified before a file is changed in place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verify {
    /// The blocks of 16 KiB that are changed: costs what the change costs. The rest of the file is
    /// not looked at.
    Touched,
    /// The whole result, by the sum in the patch: costs reading the file.
    Whole,
}

/// The writes that turn an old content into the new one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InPlacePlan {
    old_length: u64,
    new_length: u64,
    /// In ascending order, without overlap.
    writes: Vec<PlannedWrite>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct PlannedWrite {
    offset: u64,
    bytes: Vec<u8>,
}

impl InPlacePlan {
    /// Plans the writes that `patch` makes of `old`, and verifies that it is the content that the
    /// patch was made for. Nothing is changed.
    ///
    /// # Errors
    /// The patch is damaged, made for another old content, moves bytes, or changes more than
    /// 16 MiB; [`Verify::Whole`] is asked of a patch without a sum.
    pub fn new(
        old: &impl OldContent,
        patch: impl Read,
        verify: Verify,
    ) -> Result<InPlacePlan, PatchError> {
        let mut reader = PatchReader::open(patch)?;
        let header = reader.header();
        judge(&mut reader, old.length()?, u64::MAX)?;
        let plan = InPlacePlan {
            old_length: header.old_length,
            new_length: header.new_length,
            writes: Vec::new(),
        };
        let mut planner = Planner { old, plan, at: 0, planned: 0, touched: Touched::default() };
        let trailer = run(&mut reader, &mut planner)?;
        planner.touch(header.new_length..header.old_length)?;
        let expected = trailer.touched.ok_or(PatchError::NotInPlace)?;
        let Planner { plan, touched, .. } = planner;
        if touched.sum != expected {
            return Err(PatchError::OtherOld);
        }
        if verify == Verify::Whole {
            let expected = trailer.sum.ok_or(PatchError::NotSummed)?;
            if plan.sum(old)? != expected {
                return Err(PatchError::OtherOld);
            }
        }
        Ok(plan)
    }

    /// How many bytes are written.
    #[must_use]
    pub fn written(&self) -> u64 {
        self.writes.iter().map(|it| it.bytes.len() as u64).sum()
    }

    /// Makes the writes. To do so again, also after only some of them were made, is harmless.
    ///
    /// # Errors
    /// The file cannot be written to; then the journal must be kept and replayed.
    pub fn apply(&self, file: &mut impl PatchedFile) -> io::Result<()> {
        for write in &self.writes {
            file.write_all_at(&write.bytes, write.offset)?;
        }
        file.set_length(self.new_length)?;
        file.sync()
    }

    /// The plan as the bytes of a journal.
    #[must_use]
    pub fn to_journal(&self) -> Vec<u8> {
        let mut bytes = JOURNAL_MAGIC.to_vec();
        varint::put(&mut bytes, self.old_length);
        varint::put(&mut bytes, self.new_length);
        varint::put(&mut bytes, self.writes.len() as u64);
        for write in &self.writes {
            varint::put(&mut bytes, write.offset);
            varint::put(&mut bytes, write.bytes.len() as u64);
            bytes.extend(&write.bytes);
        }
        bytes.extend(XxHash3_128::oneshot(&bytes).to_le_bytes());
        bytes
    }

    /// The plan in a journal, or `None` if the journal is torn, so that nothing of it was done, or
    /// holds what no plan does.
    #[must_use]
    pub fn from_journal(journal: &[u8]) -> Option<InPlacePlan> {
        let (mut rest, check) = journal.split_last_chunk::<16>()?;
        if journal.len() > JOURNAL_MAX
            || XxHash3_128::oneshot(rest).to_le_bytes() != *check
            || *rest.split_off(..JOURNAL_MAGIC.len())? != JOURNAL_MAGIC
        {
            return None;
        }
        let old_length = varint::take(&mut rest)?;
        let new_length = varint::take(&mut rest)?;
        let mut writes = Vec::new();
        let mut end = 0;
        for _ in 0..varint::take(&mut rest)? {
            let offset = varint::take(&mut rest).filter(|it| *it >= end)?;
            let length = varint::take(&mut rest)?;
            end = offset.checked_add(length).filter(|it| *it <= new_length)?;
            let bytes = rest.split_off(..usize::try_from(length).ok()?)?.to_vec();
            writes.push(PlannedWrite { offset, bytes });
        }
        rest.is_empty().then_some(InPlacePlan { old_length, new_length, writes })
    }

    /// Whether a file of this length can be one that the plan was made for, before, amid or after
    /// its writes.
    #[must_use]
    pub fn fits(&self, length: u64) -> bool {
        (self.old_length.min(self.new_length)..=self.old_length.max(self.new_length))
            .contains(&length)
    }

    /// The sum of the result.
    fn sum(&self, old: &impl OldContent) -> io::Result<Sum> {
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

    fn push(&mut self, offset: u64, bytes: &[u8]) {
        match self.writes.last_mut() {
            Some(last) if last.end() == offset => last.bytes.extend_from_slice(bytes),
            _ => self.writes.push(PlannedWrite { offset, bytes: bytes.to_vec() }),
        }
    }
}

impl PlannedWrite {
    fn end(&self) -> u64 {
        self.offset + self.bytes.len() as u64
    }

    /// Writes what lies in `block`, which begins at `start`.
    fn overlay(&self, block: &mut [u8], start: u64) {
        let block_end = start + block.len() as u64;
        let (from, to) = (self.offset.max(start), self.end().min(block_end));
        if from < to {
            let bytes = &self.bytes[(from - self.offset) as usize..(to - self.offset) as usize];
            block[(from - start) as usize..(to - start) as usize].copy_from_slice(bytes);
        }
    }
}

/// The touched old blocks, summed, and the last one.
#[derive(Default)]
struct Touched {
    blocks: TouchedBlocks,
    sum: Sum,
    last: Vec<u8>,
    last_start: u64,
}

struct Planner<'a, O> {
    old: &'a O,
    plan: InPlacePlan,
    at: u64,
    /// Bounds the memory of the plan.
    planned: u64,
    touched: Touched,
}

impl<O: OldContent> Planner<'_, O> {
    /// Reads and sums the old blocks of `bytes` that were not touched yet.
    fn touch(&mut self, bytes: Range<u64>) -> Result<(), PatchError> {
        let end = bytes.end.min(self.plan.old_length);
        for block in self.touched.blocks.touch(bytes.start.min(end)..end) {
            self.plan(SUM_BLOCK as u64)?;
            let start = block * SUM_BLOCK as u64;
            let length = (self.plan.old_length - start).min(SUM_BLOCK as u64);
            self.touched.last.resize(length as usize, 0);
            self.touched.last_start = start;
            self.old.read_exact_at(&mut self.touched.last, start)?;
            self.touched.sum.add(block, &self.touched.last);
        }
        Ok(())
    }

    fn plan(&mut self, bytes: u64) -> Result<(), PatchError> {
        self.planned += bytes;
        if self.planned > IN_PLACE_MAX { Err(PatchError::NotInPlace) } else { Ok(()) }
    }

    /// Changes the old byte at `at`, which its block, the last touched one, holds.
    fn change(&mut self, at: u64, changes: &mut Changes<'_>) -> Result<(), Failure> {
        self.touch(at..at + 1).map_err(Failure::Patch)?;
        let mut byte = [self.touched.last[(at - self.touched.last_start) as usize]];
        changes.apply(&mut byte)?;
        self.plan(WRITE_COST).map_err(Failure::Patch)?;
        self.plan.push(at, &byte);
        Ok(())
    }
}

impl<O: OldContent> Target for Planner<'_, O> {
    fn literals(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let end = self.at + bytes.len() as u64;
        self.plan(bytes.len() as u64 + WRITE_COST).map_err(Failure::Patch)?;
        self.touch(self.at..end).map_err(Failure::Patch)?;
        self.plan.push(self.at, bytes);
        self.at = end;
        Ok(())
    }

    fn copy(&mut self, old: Range<u64>, changes: &mut Changes<'_>) -> Result<(), Failure> {
        if old.start != self.at {
            return Err(Failure::Patch(PatchError::NotInPlace));
        }
        while self.at < old.end {
            let unchanged = changes.unchanged(old.end - self.at);
            changes.pass(unchanged);
            self.at += unchanged;
            if self.at < old.end {
                self.change(self.at, changes)?;
                self.at += 1;
            }
        }
        Ok(())
    }

    fn read_old(&mut self, old: Range<u64>, bytes: &mut Vec<u8>) -> Result<(), Failure> {
        let from = bytes.len();
        bytes.resize(from + (old.end - old.start) as usize, 0);
        Ok(self.old.read_exact_at(&mut bytes[from..], old.start)?)
    }
}
