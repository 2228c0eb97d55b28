//! A sum over the blocks of a content, in any order.
//!
//! `sum = Σ XXH3-128(block i, seed i) mod 2^128` over blocks of 16 KiB, the last one shorter. The sums
//! in a patch show that it is applied to its own old content and that the result is the new one.
//! They protect against accidents only: an adversary that forges a patch forges its sums as well, so a
//! cryptographic hash inside the patch would protect no better. A caller that must trust a
//! content checks its name.
//!
//! Because addition knows no order, the sum is taken while a block is still in the cache from
//! being compared or written, from either end; and a change of a few blocks is checked by those.

mod compared;

use std::io;
use std::ops::Range;

use twox_hash::XxHash3_128;

use crate::cpu::Cpu;
use crate::old_content::OldContent;
use compared::Compared;
pub(crate) use compared::SUM_BLOCK;

/// The sum of some blocks of a content.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sum(u128);

impl Sum {
    /// The bytes that travel.
    pub(crate) const BYTES: usize = 16;

    /// The sum of block `index` alone.
    pub(crate) fn of(index: u64, block: &[u8]) -> Sum {
        Sum(XxHash3_128::oneshot_with_seed(index, block))
    }

    /// The sum of all of a content that is read block by block.
    pub(crate) fn of_content(content: &(impl OldContent + ?Sized)) -> io::Result<Sum> {
        let (length, mut sum, mut block) = (content.length()?, Sum::default(), Vec::new());
        for (index, start) in (0..length).step_by(SUM_BLOCK).enumerate() {
            block.resize((length - start).min(SUM_BLOCK as u64) as usize, 0);
            content.read_exact_at(&mut block, start)?;
            sum.add(index as u64, &block);
        }
        Ok(sum)
    }

    /// Adds block `index`.
    pub(crate) fn add(&mut self, index: u64, block: &[u8]) {
        self.merge(Sum::of(index, block));
    }

    /// Adds the blocks of another sum, which are others.
    pub(crate) fn merge(&mut self, other: Sum) {
        self.0 = self.0.wrapping_add(other.0);
    }

    /// Adds the blocks of `content` that lie in `bytes`, a range that begins at a block's start
    /// and ends at one's or at the content's end.
    pub(crate) fn add_blocks(&mut self, content: &[u8], bytes: Range<usize>) {
        debug_assert!(bytes.start.is_multiple_of(SUM_BLOCK));
        let first = (bytes.start / SUM_BLOCK) as u64;
        for (index, block) in (first..).zip(content[bytes].chunks(SUM_BLOCK)) {
            self.add(index, block);
        }
    }

    /// Adds block `index`, a whole one, and returns whether it equals `old`. Prefetches the bytes that the
    /// caller compares `next`.
    pub(crate) fn add_compared(
        &mut self,
        index: u64,
        [old, new]: [&[u8; SUM_BLOCK]; 2],
        next: [&[u8]; 2],
    ) -> bool {
        let (sum, are_equal) = Cpu::best().run(Compared { seed: index, old, new, next });
        self.merge(Sum(sum));
        are_equal
    }

    pub(crate) fn to_bytes(self) -> [u8; Sum::BYTES] {
        self.0.to_le_bytes()
    }

    pub(crate) fn from_bytes(bytes: [u8; Sum::BYTES]) -> Sum {
        Sum(u128::from_le_bytes(bytes))
    }
}
