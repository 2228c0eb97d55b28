//! From a patch to a plan.

use std::ops::Range;

use super::{InPlacePlan, PlannedWrite};
use crate::apply::driver::{Failure, Target};
use crate::error::PatchError;
use crate::old_content::OldContent;
use crate::sum::{SUM_BLOCK, Sum};
use crate::touched::{IN_PLACE_MAX, TOUCHED_MAX, TouchedBlocks, WRITE_COST};
use crate::wire::operations::Changes;

impl InPlacePlan {
    fn push(&mut self, offset: u64, new: &[u8], old: &[u8]) {
        match self.writes.last_mut() {
            Some(last) if last.end() == offset => {
                last.new.extend_from_slice(new);
                last.old.extend_from_slice(old);
            }
            _ => self.writes.push(PlannedWrite { offset, new: new.to_vec(), old: old.to_vec() }),
        }
    }
}

/// The touched old blocks, summed, and the last one.
#[derive(Default)]
pub(super) struct Touched {
    blocks: TouchedBlocks,
    pub(super) sum: Sum,
    /// The bytes of the blocks, which bound the time that a plan takes.
    bytes: u64,
    last: Vec<u8>,
    last_start: u64,
}

pub(super) struct Planner<'a, O: ?Sized> {
    old: &'a O,
    pub(super) plan: InPlacePlan,
    at: u64,
    /// The bytes of the writes and their overhead, which bound the memory of the plan.
    planned: u64,
    pub(super) touched: Touched,
}

impl<'a, O: OldContent + ?Sized> Planner<'a, O> {
    pub(super) fn new(old: &'a O, plan: InPlacePlan) -> Planner<'a, O> {
        Planner { old, plan, at: 0, planned: 0, touched: Touched::default() }
    }

    /// Reads and sums the old blocks of `bytes` that were not touched yet.
    pub(super) fn touch(&mut self, bytes: Range<u64>) -> Result<(), PatchError> {
        let end = bytes.end.min(self.plan.old_length);
        for block in self.touched.blocks.touch(bytes.start.min(end)..end) {
            self.touched.bytes += SUM_BLOCK as u64;
            if self.touched.bytes > TOUCHED_MAX {
                return Err(PatchError::NotInPlace);
            }
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
        let old = [self.touched.last[(at - self.touched.last_start) as usize]];
        let mut new = old;
        changes.apply(&mut new)?;
        self.plan(WRITE_COST).map_err(Failure::Patch)?;
        self.plan.push(at, &new, &old);
        Ok(())
    }
}

impl<O: OldContent + ?Sized> Target for Planner<'_, O> {
    fn literals(&mut self, bytes: &[u8]) -> Result<(), Failure> {
        let end = self.at + bytes.len() as u64;
        self.plan(bytes.len() as u64 + WRITE_COST).map_err(Failure::Patch)?;
        self.touch(self.at..end).map_err(Failure::Patch)?;
        let replaced = end.min(self.plan.old_length).saturating_sub(self.at);
        let mut old = vec![0; replaced as usize];
        self.old.read_exact_at(&mut old, self.at)?;
        self.plan.push(self.at, bytes, &old);
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
