//! Small pieces, wherever they are in the old content.
//!
//! Both contents are cut down to their anchors, which are alike wherever the bytes are. The new
//! content's unmatched stretches say first which anchors are wanted at all, so that the table
//! grows with the unmatched bytes, and most old anchors are passed over within the cache.

use std::ops::Range;

use super::gaps::total;
use super::search::{Search, WAYS};
use crate::anchors::{ANCHOR_BYTES, Anchors, Rarity};
use crate::compare::{are_equal_words, word};
use crate::pair::Pair;
use crate::primes::{GOLDEN_RATIO, PRIMES_64};
use crate::segment::Place;

/// The buckets of the smallest and of the largest table.
const BUCKETS_LOG2_MIN: u32 = 6;
const BUCKETS_LOG2_MAX: u32 = 20;
/// For fewer unmatched bytes a closer look takes hardly any time.
const LITTLE: usize = 256 << 10;
/// From this number of unmatched bytes on, a closer look takes more time than it saves bytes.
const MUCH: usize = 8 << 20;
/// Bits of the filter for every wanted anchor.
const FILTER_BITS_LOG2: u32 = 3;
/// The bits of the smallest filter: a word.
const FILTER_LOG2_MIN: u32 = u64::BITS.ilog2();
/// The bits of the largest filter, which stays in the second-level cache.
const FILTER_LOG2_MAX: u32 = 23;
/// No position.
pub(super) const NONE: u32 = u32::MAX;
/// Anchors taken at once.
const BATCH: usize = 64;
/// The bits of a hash from here on, up to those of the largest table's bucket, mark a position.
const MARK_SHIFT: u32 = 64 - BUCKETS_LOG2_MAX - u32::BITS;

/// The wanted anchors of the old content, by the bytes that follow them.
pub(crate) struct Dense {
    rarity: Rarity,
    /// The equal bytes from an anchor on that make a candidate: whole words.
    key: usize,
    keeps_first: bool,
    /// The candidates that are tried for an anchor.
    ways: usize,
    filter: Vec<u64>,
    filter_log2: u32,
    buckets: Vec<[u32; WAYS]>,
    buckets_log2: u32,
    /// The number of lowest bits that a kept position lacks: 0 for an old content of less than 4 GiB.
    dropped_bits: u32,
    /// The bits of a kept position. Those above are some of its key's hash: to look at the old
    /// content in vain would cost a cache miss.
    position_mask: u32,
}

impl Dense {
    /// Indexes the old anchors that also occur in `gaps` of the new content. Of many that are alike it keeps
    /// the last ones, or the first ones where both are one content: only earlier bytes can be copied there.
    pub(crate) fn new(
        pair: Pair<'_>,
        gaps: &[Range<usize>],
        places: &[Range<usize>],
        search: Search,
    ) -> Dense {
        let unmatched = gaps.iter().map(|it| it.len()).sum::<usize>().max(1);
        let unmatched_log2 = unmatched.ilog2() + 1;
        let [of_little, of_some, of_much] = search.rarities_log2;
        let asked = match unmatched {
            ..LITTLE => of_little,
            LITTLE..MUCH => of_some,
            _ => of_much,
        };
        let full = unmatched_log2.saturating_sub(BUCKETS_LOG2_MAX + 1);
        let rarity_log2 = asked.max(full);
        let wanted_log2 = unmatched_log2.saturating_sub(rarity_log2);
        let buckets_log2 = wanted_log2.saturating_sub(WAYS.ilog2());
        let buckets_log2 = buckets_log2.clamp(BUCKETS_LOG2_MIN, BUCKETS_LOG2_MAX);
        // No more unwanted old anchors may pass the filter than there are wanted ones: the table has no room
        // for more.
        let searched = total(places).max(1).ilog2().saturating_sub(rarity_log2);
        let filter_log2 = (wanted_log2 + FILTER_BITS_LOG2).max(searched + 1);
        let filter_log2 = filter_log2.clamp(FILTER_LOG2_MIN, FILTER_LOG2_MAX);
        let dropped_bits = (pair.old.len() as u64 >> 32).checked_ilog2().map_or(0, |it| it + 1);
        let position_bits = (pair.old.len() >> dropped_bits).checked_ilog2().map_or(0, |it| it + 1);
        let mut dense = Dense {
            rarity: Rarity::one_in(rarity_log2),
            key: search.key,
            keeps_first: std::ptr::eq(pair.old, pair.new),
            ways: search.ways,
            filter: vec![0; 1 << (filter_log2 - FILTER_LOG2_MIN)],
            filter_log2,
            buckets: vec![[NONE; WAYS]; 1 << buckets_log2],
            buckets_log2,
            dropped_bits,
            position_mask: ((1u64 << position_bits) - 1) as u32,
        };
        gaps.iter().for_each(|gap| dense.want(pair.new, gap.clone()));
        places.iter().for_each(|place| dense.index(pair.old, place.clone()));
        dense
    }

    fn want(&mut self, new: &[u8], gap: Range<usize>) {
        let new = &new[..gap.end];
        let mut anchors = self.anchors(new, gap.start);
        let mut batch = [0; BATCH];
        while let count @ 1.. = anchors.take(&mut batch) {
            for at in &batch[..count] {
                let bit = self.filter_bit(hash(&new[*at..*at + self.key]));
                self.filter[bit / 64] |= 1 << (bit % 64);
            }
        }
    }

    fn index(&mut self, old: &[u8], place: Range<usize>) {
        let old = &old[..(place.end + self.key).min(old.len())];
        let mut anchors = self.anchors(old, place.start);
        let mut batch = [0; BATCH];
        while let count @ 1.. = anchors.take(&mut batch) {
            // Which ones are wanted is hard to guess.
            let (mut wanted, mut end) = ([(0, 0); BATCH], 0);
            for at in &batch[..count] {
                let hash = hash(&old[*at..*at + self.key]);
                let bit = self.filter_bit(hash);
                wanted[end] = (hash, *at);
                end += (self.filter[bit / 64] >> (bit % 64) & 1) as usize;
            }
            wanted[..end].iter().for_each(|(hash, at)| self.keep(*hash, *at));
        }
    }

    fn keep(&mut self, hash: u64, at: usize) {
        let position = (at >> self.dropped_bits) as u32 | self.mark(hash);
        let bucket = self.bucket(hash);
        let bucket = &mut self.buckets[bucket];
        if self.keeps_first {
            if let Some(free) = bucket.iter_mut().find(|it| **it == NONE) {
                *free = position;
            }
        } else if bucket[0] != position {
            bucket.copy_within(..WAYS - 1, 1);
            bucket[0] = position;
        }
    }

    /// The anchors of `bytes` from `at` on that a whole key follows.
    pub(super) fn anchors<'a>(&self, bytes: &'a [u8], at: usize) -> Anchors<'a> {
        let bytes = &bytes[..bytes.len().saturating_sub(self.key - ANCHOR_BYTES)];
        Anchors::new(bytes, at, self.rarity)
    }

    /// The kept positions for the key at `at`, most recent first.
    pub(super) fn kept(&self, new: &[u8], at: usize) -> [u32; WAYS] {
        let hash = hash(&new[at..at + self.key]);
        let (bucket, mark) = (self.buckets[self.bucket(hash)], self.mark(hash));
        let kept = bucket.map(|it| it ^ mark);
        kept.map(|it| if it <= self.position_mask { it } else { NONE })
    }

    /// Whether positions are kept whole.
    pub(super) fn is_exact(&self) -> bool {
        self.dropped_bits == 0
    }

    /// The places that a kept position stands for, if these bytes are equal for a key's length.
    pub(super) fn places<'a>(
        &self,
        pair: Pair<'a>,
        at: usize,
        kept: u32,
    ) -> impl Iterator<Item = Place> + 'a {
        let first = (kept as usize) << self.dropped_bits;
        let last = first + (1 << self.dropped_bits);
        let length = self.key;
        let key = pair.new.get(at..at + length);
        let equal = move |old: &usize| {
            let old = pair.old.get(*old..*old + length);
            old.zip(key).is_some_and(|(old, key)| are_equal_words(old, key))
        };
        (first..last).filter(equal).map(move |old| Place { old, new: at })
    }

    pub(super) fn ways(&self) -> usize {
        self.ways
    }

    fn bucket(&self, hash: u64) -> usize {
        (hash >> (64 - self.buckets_log2)) as usize
    }

    /// The mark above a position whose key has this hash.
    fn mark(&self, hash: u64) -> u32 {
        (hash >> MARK_SHIFT) as u32 & !self.position_mask
    }

    fn filter_bit(&self, hash: u64) -> usize {
        (hash & ((1 << self.filter_log2) - 1)) as usize
    }
}

/// Each word is multiplied on its own, so that the CPU does all at once.
fn hash(key: &[u8]) -> u64 {
    let mixed = key.chunks_exact(8).zip(FACTORS).map(|(it, factor)| {
        let product = word(it).wrapping_mul(factor);
        product ^ product >> 29
    });
    let hash = mixed.fold(0, u64::wrapping_add).wrapping_mul(GOLDEN_RATIO);
    hash ^ hash >> 32
}

/// Odd numbers without a pattern, one for each word of the longest key.
const FACTORS: [u64; 3] = [PRIMES_64[1], PRIMES_64[2], PRIMES_64[3]];
