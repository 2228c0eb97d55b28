//! Large pieces that moved.
//!
//! The old content is sampled at a fixed stride, the new one is searched at every position, as
//! rsync does it (A. Tridgell, "Efficient Algorithms for Sorting and Synchronization", 1999,
//! section 3). A piece is found when it is longer than the stride; to fill the table costs one
//! cache miss per stride instead of a pass over the old content.

use std::ops::Range;
use std::slice;

use crate::compare::word;
use crate::pair::Pair;
use crate::primes::{GOLDEN_RATIO, PRIMES_64};
use crate::segment::Place;

/// The bytes of a key.
const KEY: usize = 32;
/// A table below its largest size has room for two to the power of this times the keys, so that keys seldom
/// share a slot.
pub(super) const SPARE_LOG2: u32 = 4;
/// The bits of the filter for an entry.
const FILTER_BITS_LOG2: u32 = 4;
/// No sample.
const NONE: u32 = u32::MAX;

/// The most entries of a table of large pieces, and their least distance in bytes. The table stays in the
/// second-level cache.
const LARGE_ENTRIES_LOG2: u32 = 16;
const LARGE_STRIDE_MIN: usize = 256;
/// The same for records.
const SMALL_ENTRIES_LOG2: u32 = 20;
const SMALL_STRIDE_MIN: usize = 32;

/// How closely the old content is sampled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Grain {
    /// The most entries of a table.
    entries_log2_max: u32,
    stride_min: usize,
}

impl Grain {
    /// For pieces of some kilobytes: the table stays in the second-level cache.
    pub(crate) const LARGE: Grain =
        Grain { entries_log2_max: LARGE_ENTRIES_LOG2, stride_min: LARGE_STRIDE_MIN };
    /// For records.
    pub(crate) const SMALL: Grain =
        Grain { entries_log2_max: SMALL_ENTRIES_LOG2, stride_min: SMALL_STRIDE_MIN };

    /// The new bytes that must be searched to find a piece, wherever it was sampled.
    pub(crate) fn stride_of(self, old: &[u8]) -> usize {
        (old.len() >> self.entries_log2_max).next_power_of_two().max(self.stride_min)
    }

    /// The bits of a slot that hold a sample's number; the stride keeps the samples about as few as
    /// the entries may be.
    fn sample_bits(self) -> u32 {
        self.entries_log2_max + 1
    }

    /// The bits of a slot above the sample's number: bits of the hash that the filter does not use.
    fn tag(self, hash: u64) -> u32 {
        ((hash >> (self.entries_log2_max + FILTER_BITS_LOG2)) as u32) << self.sample_bits()
    }
}

/// Samples of the old content.
pub(crate) struct Coarse {
    grain: Grain,
    stride: usize,
    entries_log2: u32,
    /// By hash the sample's number and, above it, other bits of the hash: to look at the old content
    /// in vain would cost a cache miss.
    slots: Vec<u32>,
    /// One bit per hash, so that most positions miss within the second-level cache.
    filter: Vec<u64>,
}

impl Coarse {
    /// Samples of the whole content.
    pub(crate) fn new(old: &[u8], grain: Grain) -> Coarse {
        Coarse::of(old, slice::from_ref(&(0..old.len())), grain)
    }

    /// Samples of some ranges of a content, as close as those of the whole.
    pub(crate) fn of(old: &[u8], ranges: &[Range<usize>], grain: Grain) -> Coarse {
        let stride = grain.stride_of(old);
        let samples = old.len().saturating_sub(KEY - 1).div_ceil(stride);
        let needed_log2 = samples.next_power_of_two().ilog2() + SPARE_LOG2;
        let entries_log2 = needed_log2.min(grain.entries_log2_max);
        let mut coarse = Coarse {
            grain,
            stride,
            entries_log2,
            slots: vec![NONE; 2 << entries_log2],
            filter: vec![0; 1 << (entries_log2 + FILTER_BITS_LOG2 - 6)],
        };
        for sample in ranges.iter().flat_map(|it| samples_of(it, stride)) {
            let key = &old[sample * stride..][..KEY];
            if key.iter().all(|it| *it == key[0]) {
                continue;
            }
            let hash = hash(key);
            let (word, slot) = (coarse.filter_word(hash), coarse.slot(hash));
            coarse.filter[word] |= filter_bit(hash);
            coarse.slots[slot] = grain.tag(hash) | sample as u32;
        }
        coarse
    }

    /// The distance of two samples.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The first place in `new[from..from + span]` where a sample of the old content begins, unless both
    /// are the same content and the place is itself.
    pub(crate) fn search(&self, pair: Pair<'_>, from: usize, span: usize) -> Option<Place> {
        let is_one = std::ptr::eq(pair.old, pair.new);
        let end = (from + span).min(pair.new.len().saturating_sub(KEY - 1));
        for at in from..end {
            let hash = hash(&pair.new[at..]);
            if self.filter[self.filter_word(hash)] & filter_bit(hash) == 0 {
                continue;
            }
            let sample = self.slots[self.slot(hash)] ^ self.grain.tag(hash);
            if sample >> self.grain.sample_bits() != 0 {
                continue;
            }
            let place = Place { old: sample as usize * self.stride, new: at };
            if place.old + KEY <= pair.old.len()
                && !(is_one && place.old == at)
                && pair.old[place.old..place.old + KEY] == pair.new[at..at + KEY]
            {
                return Some(place);
            }
        }
        None
    }

    fn slot(&self, hash: u64) -> usize {
        (hash >> (63 - self.entries_log2)) as usize
    }

    fn filter_word(&self, hash: u64) -> usize {
        (hash >> 6) as usize & (self.filter.len() - 1)
    }
}

/// The numbers of the samples whose keys lie in a range.
fn samples_of(range: &Range<usize>, stride: usize) -> Range<usize> {
    let end = (range.end + 1).saturating_sub(KEY);
    range.start.div_ceil(stride)..end.div_ceil(stride)
}

/// Mixes 16 of the 32 bytes of a key: eight at either end.
fn hash(bytes: &[u8]) -> u64 {
    let mixed = word(bytes).wrapping_mul(GOLDEN_RATIO)
        ^ word(&bytes[KEY - 8..]).rotate_left(29).wrapping_mul(PRIMES_64[1]);
    mixed ^ (mixed >> 31)
}

fn filter_bit(hash: u64) -> u64 {
    1 << (hash & 63)
}
