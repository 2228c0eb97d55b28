//! Comparing two contents from either end while summing the new one.

use std::hint::black_box;
use std::io;

use crate::compare::{common_prefix, common_suffix};
use crate::pair::Pair;
use crate::segment::Place;
use crate::sum::{SUM_BLOCK, Sum};
use crate::touched::BlockSums;

/// New bytes between two observations.
pub(crate) const OBSERVED: usize = 1 << 20;
/// The end of both contents is compared backward in stretches of this many bytes, and forward within each,
/// because memory is read faster forward.
const STRETCH: usize = 256 << 10;

/// Why a diff failed that read its new content twice: the source of its [`io::Error`].
#[derive(Clone, Copy, Debug, thiserror::Error)]
#[error("the new content changed while it was read")]
pub struct NewChanged;

/// The sum of the new content, taken on the way: blocks before `low` and from `high` on are in.
pub(crate) struct Summing<'a> {
    new: &'a [u8],
    low: usize,
    high: usize,
    sum: Option<Sum>,
    is_read_twice: bool,
    /// The old blocks that were seen to differ from the new ones in their place.
    differing: BlockSums,
    /// Told how far the comparison has come.
    observe: &'a dyn Fn(usize),
}

impl<'a> Summing<'a> {
    /// Nothing summed yet, and never anything unless `asked`.
    pub(crate) fn new(new: &'a [u8], asked: bool, observe: &'a dyn Fn(usize)) -> Summing<'a> {
        let high = new.len().next_multiple_of(SUM_BLOCK);
        let sum = asked.then(Sum::default);
        let differing = BlockSums::default();
        Summing { new, low: 0, high, sum, is_read_twice: false, differing, observe }
    }

    /// The new content is summed once more at the end, and must have the same sum.
    pub(crate) fn twice(self) -> Summing<'a> {
        Summing { is_read_twice: true, ..self }
    }

    /// The equal bytes from `place` on in `pair`, whose new content is a prefix of the summed one.
    pub(crate) fn equal_run(&mut self, pair: Pair<'_>, place: Place) -> usize {
        if self.sum.is_none() {
            return pair.equal_run(place);
        }
        (self.observe)(place.new);
        self.advance(place.new);
        let (old, new) = (&pair.old[place.old..], &pair.new[place.new..]);
        let both = old.len().min(new.len());
        let mut at = 0;
        while at < both {
            let here = place.new + at;
            let step = (SUM_BLOCK - here % SUM_BLOCK).min(both - at);
            let (old_part, new_part) = (&old[at..at + step], &new[at..at + step]);
            let next = [&old[at + step..], &new[at + step..]];
            let run = match self.sum_compared(here, [old_part, new_part], next) {
                Some(true) => step,
                Some(false) if place.old == place.new => {
                    self.differing.push((here / SUM_BLOCK) as u64, old_part);
                    common_prefix(old_part, new_part)
                }
                _ => common_prefix(old_part, new_part),
            };
            at += run;
            self.advance(place.new + at);
            if (place.new + at).is_multiple_of(OBSERVED) {
                (self.observe)(place.new + at);
            }
            if run < step {
                break;
            }
        }
        at
    }

    /// The equal bytes at the end of both, without the first `prefix`.
    pub(crate) fn equal_suffix(&mut self, pair: Pair<'_>, prefix: usize) -> usize {
        let Pair { old, new } = pair;
        if self.sum.is_none() {
            return common_suffix(&old[prefix..], &new[prefix..]);
        }
        let first = new.len() - (old.len().min(new.len()) - prefix);
        let mut end = new.len();
        while end > first {
            let part = ((end - 1) / SUM_BLOCK * SUM_BLOCK).max(first);
            let stretch = ((end - 1) / STRETCH * STRETCH).max(first.next_multiple_of(SUM_BLOCK));
            let stretch = stretch.max(self.low);
            let is_whole = end == self.high && stretch < end;
            let start = if is_whole { stretch } else { part };
            let old_end = old.len() - (new.len() - end);
            let parts = [&old[old_end - (end - start)..old_end], &new[start..end]];
            let run = match is_whole {
                true => self.equal_suffix_of_blocks(start, parts),
                false => common_suffix(parts[0], parts[1]),
            };
            end -= run;
            self.retreat(end);
            if end > start {
                break;
            }
        }
        new.len() - end
    }

    /// Sums the new bytes from `start` on, which are the last whole blocks that were not summed yet,
    /// and returns how many at their end equal the old ones.
    fn equal_suffix_of_blocks(&mut self, start: usize, [old, new]: [&[u8]; 2]) -> usize {
        let first = start / SUM_BLOCK;
        let blocks = old.as_chunks::<SUM_BLOCK>().0.iter().zip(new.as_chunks().0);
        let mut unlike = 0;
        for (index, (old_block, new_block)) in blocks.enumerate() {
            let end = (index + 1) * SUM_BLOCK;
            let next = [&old[end..], &new[end..]];
            let sum = self.sum.as_mut().expect("a sum is asked for");
            if !sum.add_compared((first + index) as u64, [old_block, new_block], next) {
                unlike = end;
            }
        }
        self.high = start;
        let last = unlike.saturating_sub(SUM_BLOCK)..unlike;
        new.len() - unlike + common_suffix(&old[last.clone()], &new[last])
    }

    /// The old blocks that were seen to differ in place, summed while they were in the cache.
    pub(crate) fn take_differing(&mut self) -> BlockSums {
        std::mem::take(&mut self.differing)
    }

    /// The sum, completed by the blocks that no comparison passed.
    ///
    /// # Errors
    /// The new content is to be read twice, and its second sum is another.
    pub(crate) fn finish(mut self) -> io::Result<Option<Sum>> {
        self.advance(self.new.len().next_multiple_of(SUM_BLOCK));
        let is_same = |sum: Sum| {
            let mut again = Sum::default();
            // The optimizer must not conclude that the bytes are those that it has seen.
            let new = black_box(self.new);
            again.add_blocks(new, 0..new.len());
            sum == again
        };
        match self.sum {
            Some(sum) if self.is_read_twice && !is_same(sum) => Err(io::Error::other(NewChanged)),
            sum => Ok(sum),
        }
    }

    /// Adds the whole blocks before `to`, while they are in the cache.
    pub(crate) fn advance(&mut self, to: usize) {
        let to = (to - to % SUM_BLOCK).min(self.high);
        if self.low < to {
            self.add(self.low..to);
            self.low = to;
        }
    }

    /// Sums the new bytes from `start` on, if they are the whole block that is next, and returns whether
    /// they equal the old ones. Prefetches the bytes that the caller compares `next`.
    fn sum_compared(
        &mut self,
        start: usize,
        [old, new]: [&[u8]; 2],
        next: [&[u8]; 2],
    ) -> Option<bool> {
        let sum = self.sum.as_mut()?;
        let (old, new) = (old.try_into().ok()?, new.try_into().ok()?);
        if start != self.low || self.low == self.high {
            return None;
        }
        self.low += SUM_BLOCK;
        Some(sum.add_compared((start / SUM_BLOCK) as u64, [old, new], next))
    }

    fn retreat(&mut self, to: usize) {
        let to = to.next_multiple_of(SUM_BLOCK).max(self.low);
        if to < self.high {
            self.add(to..self.high);
            self.high = to;
        }
    }

    fn add(&mut self, bytes: std::ops::Range<usize>) {
        if let Some(sum) = &mut self.sum {
            sum.add_blocks(self.new, bytes.start..bytes.end.min(self.new.len()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares from either end, and checks both runs and the sum.
    fn compare(old: &[u8], new: &[u8]) {
        let both = old.len().min(new.len());
        let alike = |(old, new): &(&u8, &u8)| old == new;
        let prefix = old.iter().zip(new).take_while(alike).count();
        let rest = old.iter().rev().zip(new.iter().rev()).take(both - prefix);
        let suffix = rest.take_while(alike).count();

        let pair = Pair { old, new };
        let mut summing = Summing::new(new, true, &|_| ());
        let found = summing.equal_run(pair, Place { old: 0, new: 0 });
        assert_eq!((found, summing.equal_suffix(pair, prefix)), (prefix, suffix));
        let mut whole = Sum::default();
        whole.add_blocks(new, 0..new.len());
        assert_eq!(summing.finish().expect("nothing changed"), Some(whole));
    }

    #[test]
    fn the_sum_is_that_of_the_whole_wherever_the_differences_lie() {
        for length in [0, 1, SUM_BLOCK - 1, SUM_BLOCK, 5 * SUM_BLOCK + 77, 3 * STRETCH + 5] {
            let old: Vec<u8> = (0..length).map(|it| (it * 31 % 251) as u8).collect();
            for at in [0, 100, SUM_BLOCK, 3 * SUM_BLOCK + 5, STRETCH, 2 * STRETCH - 1] {
                for other in [0, 1, 2 * SUM_BLOCK, STRETCH] {
                    let mut new = old.clone();
                    new.iter_mut().skip(at).step_by(other.max(1)).take(2).for_each(|it| *it ^= 1);
                    compare(&old, &new);
                    compare(&old, &[&new[..], b"more"].concat());
                    compare(&[b"more", &old[..]].concat(), &new);
                    compare(&old[..length / 3], &new);
                }
            }
        }
    }

    #[test]
    fn an_old_block_is_known_if_it_was_compared_in_its_place() {
        let old = crate::noise::noise(3 * SUM_BLOCK);
        for (moved, known) in [(0, Some(Sum::of(1, &old[SUM_BLOCK..2 * SUM_BLOCK]))), (8, None)] {
            let mut new = old[moved..].to_vec();
            new[2 * SUM_BLOCK - 1] ^= 1;
            let pair = Pair { old: &old, new: &new };
            let mut summing = Summing::new(&new, true, &|_| ());
            let run = summing.equal_run(pair, Place { old: moved, new: 0 });
            assert_eq!((run, summing.take_differing().take(1)), (2 * SUM_BLOCK - 1, known));
        }
    }
}
