//! Which old blocks an application in place changes.

use std::collections::VecDeque;
use std::ops::Range;

use crate::sum::{SUM_BLOCK, Sum};

/// A patch that writes more bytes is not applied in place: a plan holds them in memory, and the bytes
/// that they replace. Each write counts as [`WRITE_COST`] more.
pub(crate) const IN_PLACE_MAX: u64 = 64 << 20;

/// A patch that changes blocks of more bytes is not applied in place: they are all read and summed.
pub(crate) const TOUCHED_MAX: u64 = 256 << 20;

/// The overhead of a planned write in bytes.
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

/// The sums of some blocks of an old content, in ascending order.
#[derive(Default)]
pub(crate) struct BlockSums(VecDeque<(u64, Sum)>);

impl BlockSums {
    /// Sums a block, unless there are too many for an application in place.
    pub(crate) fn push(&mut self, index: u64, block: &[u8]) {
        if (self.0.len() * SUM_BLOCK) < TOUCHED_MAX as usize {
            self.0.push_back((index, Sum::of(index, block)));
        }
    }

    /// The sum of a block, if it is known; those before it are forgotten.
    pub(crate) fn take(&mut self, index: u64) -> Option<Sum> {
        while self.0.front().is_some_and(|it| it.0 < index) {
            self.0.pop_front();
        }
        self.0.pop_front_if(|it| it.0 == index).map(|it| it.1)
    }
}

/// Gathers the touched blocks of an old content, as long as they are few.
pub(crate) struct Touched {
    old_length: usize,
    blocks: TouchedBlocks,
    /// The numbers of the touched blocks, in ascending order and apart.
    ranges: Vec<Range<u64>>,
    /// The bytes that are written, and the overhead of the writes.
    written: u64,
    /// The bytes of the touched blocks.
    touched: u64,
    given_up: bool,
}

impl Touched {
    /// Nothing touched yet.
    pub(crate) fn new(old_length: usize) -> Touched {
        Touched {
            old_length,
            blocks: TouchedBlocks::default(),
            ranges: Vec::new(),
            written: 0,
            touched: 0,
            given_up: false,
        }
    }

    /// Notes that the new bytes in this range are not the old ones.
    #[inline]
    pub(crate) fn touch(&mut self, bytes: Range<usize>) {
        if !self.given_up {
            self.add(bytes);
        }
    }

    fn add(&mut self, bytes: Range<usize>) {
        self.written += bytes.len() as u64 + WRITE_COST;
        let end = bytes.end.min(self.old_length);
        let blocks = self.blocks.touch(bytes.start.min(end) as u64..end as u64);
        self.touched += (blocks.end - blocks.start) * SUM_BLOCK as u64;
        if self.written > IN_PLACE_MAX || self.touched > TOUCHED_MAX {
            return self.give_up();
        }
        match self.ranges.last_mut() {
            _ if blocks.is_empty() => {}
            Some(last) if last.end == blocks.start => last.end = blocks.end,
            _ => self.ranges.push(blocks),
        }
    }

    /// Notes that the patch moves bytes.
    pub(crate) fn give_up(&mut self) {
        self.given_up = true;
        self.ranges = Vec::new();
    }

    /// The sum of the touched blocks of `old`, or `None` if the patch moves bytes or changes too many. Blocks
    /// in `known` are not read again.
    pub(crate) fn sum(self, old: &[u8], mut known: BlockSums) -> Option<Sum> {
        if self.given_up {
            return None;
        }
        let mut sum = Sum::default();
        for block in self.ranges.into_iter().flatten() {
            sum.merge(known.take(block).unwrap_or_else(|| {
                let start = block as usize * SUM_BLOCK;
                Sum::of(block, &old[start..old.len().min(start + SUM_BLOCK)])
            }));
        }
        Some(sum)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn a_block_that_is_known_is_not_summed_again() {
        let old = noise(5 * SUM_BLOCK + 7);
        let touched = |known: &[u64]| {
            let mut blocks = BlockSums::default();
            known.iter().for_each(|it| blocks.push(*it, b"another content"));
            let mut touched = Touched::new(old.len());
            for at in [SUM_BLOCK + 3, SUM_BLOCK + 9, 3 * SUM_BLOCK, old.len() - 1] {
                touched.touch(at..at + 1);
            }
            touched.sum(&old, blocks)
        };
        let sum = |known: &[u64]| {
            let mut sum = Sum::default();
            for index in [1, 3, 5] {
                let block = old.chunks(SUM_BLOCK).nth(index as usize).expect("there is one");
                sum.add(index, if known.contains(&index) { b"another content" } else { block });
            }
            Some(sum)
        };
        for known in [&[][..], &[0, 2, 3, 4], &[1, 5]] {
            assert_eq!(touched(known), sum(known), "{known:?}");
        }
    }
}
