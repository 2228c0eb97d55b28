//! Random numbers that are the same on every machine.

use std::ops::RangeInclusive;
use std::time::Duration;

use crate::time::micros;

/// A stream of random numbers (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014: SplitMix64).
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    /// The stream of a seed.
    #[must_use]
    pub fn new(seed: u64) -> Random {
        Random(seed)
    }

    /// The next 64 bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// A number below `below`; 0 if there is none.
    pub fn below(&mut self, below: usize) -> usize {
        usize::try_from(self.bits() % below.max(1) as u64)
            .unwrap_or_else(|_| unreachable!("a number below a usize is one"))
    }

    /// A number below `below`; 0 if there is none.
    pub(crate) fn below_u8(&mut self, below: u8) -> u8 {
        // The lowest byte of a number below 256 is the number.
        (self.bits() % u64::from(below.max(1))).to_le_bytes()[0]
    }

    /// A number in a range; the first one of an empty range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let (bits, first) = (self.bits(), *range.start());
        match range.end().checked_sub(first).map(|it| it.checked_add(1)) {
            Some(Some(count)) => first + bits % count,
            // Every number is in the range.
            Some(None) => bits,
            None => first,
        }
    }

    /// A length of time in a range, to the microsecond.
    pub fn duration(&mut self, range: &RangeInclusive<Duration>) -> Duration {
        Duration::from_micros(self.within(micros(*range.start())..=micros(*range.end())))
    }

    /// True with a chance of this many in a thousand.
    pub fn chance(&mut self, per_mille: u16) -> bool {
        self.bits() % 1_000 < u64::from(per_mille)
    }

    /// One of these.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> Option<&'a T> {
        let at = self.below(items.len());
        items.get(at)
    }

    /// A stream that depends on all of these and on nothing else.
    #[must_use]
    pub fn of(seed: u64, key: impl IntoIterator<Item = u64>) -> Random {
        let absorb = |mut random: Random, word| Random(random.bits() ^ word);
        let mut random = key.into_iter().fold(Random(seed), absorb);
        Random(random.bits())
    }
}

/// The respects in which chance decides.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chance {
    /// How fast a node's clock runs.
    Clock,
    /// How long a message takes.
    Delay,
    /// Whether a message is lost or doubled.
    Loss,
    /// How long it takes until an end of a connection hears that it began or ended.
    LinkNews,
    /// How long a sync takes, and when in it a doomed node crashes.
    Sync,
    /// How long it takes to store a content.
    Store,
    /// How long an election timeout is.
    ElectionTimeout,
    /// The disk that a crash leaves.
    Crash,
    /// Which copy goes bad.
    Rot,
    /// Which bit of it.
    Flip,
    /// How long a bad copy is not found.
    Scrub,
    /// The node that a client asks, and its request.
    Client,
    /// Whether and when a log is rolled back, and the content of a disk copied while its node ran.
    Rollback,
    /// Whether elections are guarded, and how narrow the limits are.
    Rules,
    /// Which links and disks fail for long, and how fast links are.
    Lasting,
    /// Whether, when and which copy of a content gets lost.
    LoseContent,
    /// Whether, when and where clients read stale versions.
    StaleReads,
    /// Whether, when and where logs are trimmed.
    Trims,
    /// How long bytes of contents take.
    Bytes,
    /// Whether, when and where a disk is lost.
    Replacement,
    /// How long it takes to write a checkpoint.
    Checkpoint,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_lies_in_its_range_whatever_the_range() {
        let random = &mut Random::new(1);
        let mut drawn = |range: RangeInclusive<u64>| random.within(range);
        assert!((0..100).all(|_| (3..=5).contains(&drawn(3..=5))));
        assert_eq!(drawn(7..=7), 7);
        let empty = RangeInclusive::new(9, 8);
        assert_eq!(drawn(empty), 9);
        assert!((0..100).any(|_| drawn(0..=u64::MAX) > u64::MAX / 2));
    }

    #[test]
    fn small_numbers_are_the_same_as_large_ones() {
        let (mut one, mut other) = (Random::new(2), Random::new(2));
        for below in 0..=255 {
            assert_eq!(usize::from(one.below_u8(below)), other.below(usize::from(below)));
        }
    }
}
