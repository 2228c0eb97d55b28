//! Which old blocks an application in place changes.

use std::ops::Range;

use crate::sum::{SUM_BLOCK, Sum};

/// A patch that changes more of the old content, or brings more literals, is not applied in place.
pub(crate) const IN_PLACE_MAX: u64 = 16 << 20;

/// What a planned write takes besides its bytes.
pub(crate) const WRITE_COST: u64 = 32;

/// Names the blocks that the old bytes in ascending ranges lie in, each once.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TouchedBlocks {
    next: u64,
}

impl TouchedBlocks {
    /// The blocks of `bytes`, which begins no earlier than the last ones did, that are new.
    pub(crate) fn touch(&mut self, bytes: Range<u64>) -> Range<u64> {
        if bytes.is_empty() {
            return self.next..self.next;
        }
        let block = SUM_BLOCK as u64;
        let blocks = (bytes.start / block).max(self.next)..bytes.end.div_ceil(block);
        self.next = self.next.max(blocks.end);
        blocks
    }
}

/// Sums the touched blocks of an old content in memory, as long as they are few.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TouchedSum {
    blocks: TouchedBlocks,
    sum: Sum,
    touched: u64,
    given_up: bool,
}

impl TouchedSum {
    /// Notes that the new bytes in this range are not the old ones.
    #[inline]
    pub(crate) fn touch(&mut self, old: &[u8], bytes: Range<usize>) {
        if !self.given_up {
            self.add(old, bytes);
        }
    }

    fn add(&mut self, old: &[u8], bytes: Range<usize>) {
        self.touched += bytes.len() as u64 + WRITE_COST;
        if self.touched > IN_PLACE_MAX {
            return self.give_up();
        }
        let end = bytes.end.min(old.len());
        for block in self.blocks.touch(bytes.start.min(end) as u64..end as u64) {
            self.touched += SUM_BLOCK as u64;
            let start = block as usize * SUM_BLOCK;
            self.sum.add(block, &old[start..old.len().min(start + SUM_BLOCK)]);
        }
    }

    /// Notes that the patch moves bytes.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
    }

    /// The sum, unless the patch moves bytes or changes too much.
    pub(crate) fn finish(self) -> Option<Sum> {
        (!self.given_up && self.touched <= IN_PLACE_MAX).then_some(self.sum)
    }
}
