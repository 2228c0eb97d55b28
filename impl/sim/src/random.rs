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
        usize::try_from(self.bits() % below.max(1) as u64).unwrap_or(0)
    }

    /// A number in a range.
    pub fn within(&mut self, range: RangeInclusive<u64>) -> u64 {
        let count = range.end().saturating_sub(*range.start()).saturating_add(1);
        range.start() + self.bits() % count.max(1)
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

/// What is left to chance in a run.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Chance {
    /// How fast a node's clock runs.
    Clock,
    /// How long a message takes.
    Delay,
    /// Whether a message is lost or doubled.
    Loss,
    /// How long it takes until an end of a connection hears what became of it.
    LinkNews,
    /// How long a sync takes, and when in it a doomed node crashes.
    Sync,
    /// How long it takes to store a content.
    Store,
    /// How long an election timeout is.
    ElectionTimeout,
    /// What a crash leaves.
    Crash,
    /// Which copy goes bad.
    Rot,
    /// Which bit of it.
    Flip,
    /// How long a bad copy is not found.
    Scrub,
    /// Whom a client asks, and for what.
    Client,
    /// Whether and when a log is rolled back, and what the copy of a disk holds that was taken while
    /// the node ran.
    Rollback,
    /// Whether elections are guarded, and how narrow the limits are.
    Rules,
    /// Which links and disks fail for long, and how fast links are.
    Lasting,
    /// Whether, when and which copy of a content gets lost.
    LoseContent,
}
