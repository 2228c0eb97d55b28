//! Comparing two contents from either end while summing the new one.

use super::pair::{Pair, Place};
use crate::compare::{common_prefix, common_suffix};
use crate::sum::{SUM_BLOCK, Sum};
use crate::touched::OldBlocks;

/// Equal bytes between two observations.
const OBSERVED: usize = 1 << 20;

/// The sum of the new content, taken on the way: blocks before `low` and from `high` on are in.
pub(crate) struct Summing<'a> {
    new: &'a [u8],
    low: usize,
    high: usize,
    sum: Option<Sum>,
    /// The old blocks that were seen to differ from the new ones in their place.
    differing: OldBlocks,
    /// Told how far the comparison has come.
    observe: &'a dyn Fn(usize),
}

impl<'a> Summing<'a> {
    /// Nothing summed yet, and never anything unless `asked`.
    pub(crate) fn new(new: &'a [u8], asked: bool, observe: &'a dyn Fn(usize)) -> Summing<'a> {
        let high = new.len().next_multiple_of(SUM_BLOCK);
        let sum = asked.then(Sum::default);
        Summing { new, low: 0, high, sum, differing: OldBlocks::default(), observe }
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
        let (old, new) = (&pair.old[prefix..], &pair.new[prefix..]);
        if self.sum.is_none() {
            return common_suffix(old, new);
        }
        let both = old.len().min(new.len());
        let (old, new) = (&old[old.len() - both..], &new[new.len() - both..]);
        let mut left = both;
        while left > 0 {
            let here = pair.new.len() - both + left;
            let step = (here - (here - 1) / SUM_BLOCK * SUM_BLOCK).min(left);
            let (old_part, new_part) = (&old[left - step..left], &new[left - step..left]);
            let next = left.saturating_sub(2 * step)..left - step;
            let next = [&old[next.clone()], &new[next]];
            let run = match self.sum_compared(here - step, [old_part, new_part], next) {
                Some(true) => step,
                _ => common_suffix(old_part, new_part),
            };
            left -= run;
            self.retreat(pair.new.len() - both + left);
            if run < step {
                break;
            }
        }
        both - left
    }

    /// The old blocks that were seen to differ in place, summed while they were in the cache.
    pub(crate) fn take_differing(&mut self) -> OldBlocks {
        std::mem::take(&mut self.differing)
    }

    /// The sum, with the blocks added that nobody passed.
    pub(crate) fn finish(mut self) -> Option<Sum> {
        self.advance(self.new.len().next_multiple_of(SUM_BLOCK));
        self.sum
    }

    /// Adds the whole blocks before `to`, while they are in the cache.
    pub(crate) fn advance(&mut self, to: usize) {
        let to = (to - to % SUM_BLOCK).min(self.high);
        if self.low < to {
            self.add(self.low..to);
            self.low = to;
        }
    }

    /// Sums the new bytes from `start` on, if they are the whole block that is next at either end, and
    /// tells whether they equal the old ones. What is compared `next` is asked for.
    fn sum_compared(
        &mut self,
        start: usize,
        [old, new]: [&[u8]; 2],
        next: [&[u8]; 2],
    ) -> Option<bool> {
        let sum = self.sum.as_mut()?;
        let (old, new) = (old.try_into().ok()?, new.try_into().ok()?);
        if self.low == self.high {
            return None;
        } else if start == self.low {
            self.low += SUM_BLOCK;
        } else if start + SUM_BLOCK == self.high {
            self.high -= SUM_BLOCK;
        } else {
            return None;
        }
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

    #[test]
    fn the_sum_is_that_of_the_whole_wherever_the_difference_lies() {
        for length in [0, 1, SUM_BLOCK - 1, SUM_BLOCK, 5 * SUM_BLOCK + 77] {
            let old: Vec<u8> = (0..length).map(|it| (it * 31 % 251) as u8).collect();
            for at in [0, 100, SUM_BLOCK, 3 * SUM_BLOCK + 5].into_iter().filter(|it| *it < length) {
                let mut new = old.clone();
                new[at] ^= 1;
                let pair = Pair { old: &old, new: &new };
                let mut summing = Summing::new(&new, true, &|_| ());
                let prefix = summing.equal_run(pair, Place { old: 0, new: 0 });
                let suffix = summing.equal_suffix(pair, prefix);
                assert_eq!((prefix, suffix), (at, length - at - 1));
                let mut whole = Sum::default();
                whole.add_blocks(&new, 0..length);
                assert_eq!(summing.finish(), Some(whole));
            }
        }
    }
}
