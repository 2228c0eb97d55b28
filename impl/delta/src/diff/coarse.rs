//! Large pieces that moved.
//!
//! The old content is sampled at a fixed stride, the new one is searched at every position, as
//! rsync does it (A. Tridgell, "Efficient Algorithms for Sorting and Synchronization", 1999,
//! section 3). A piece is found when it is longer than the stride; to fill the table costs one
//! cache miss per stride instead of a pass over the old content.

use super::pair::{Pair, Place};
use crate::compare::word;

/// The bytes of a key.
const KEY: usize = 32;
const ENTRIES_LOG2_MAX: u32 = 16;
/// A table that could be larger has room for so many times the samples, so that they seldom share
/// a slot.
const SPARE_LOG2: u32 = 4;
const STRIDE_MIN: usize = 256;
/// The bits of the filter for an entry.
const FILTER_BITS_LOG2: u32 = 4;
const FILTER_LOG2_MAX: u32 = ENTRIES_LOG2_MAX + FILTER_BITS_LOG2;
const NONE: u32 = u32::MAX;
/// The bits of a slot that hold a sample's number; the stride keeps the samples about as few as the
/// entries may be.
const SAMPLE_BITS: u32 = ENTRIES_LOG2_MAX + 1;

/// Samples of the old content.
pub(crate) struct Coarse {
    stride: usize,
    entries_log2: u32,
    /// By hash the sample's number and, above it, other bits of the hash: to look at the old content
    /// in vain would cost a cache miss.
    slots: Vec<u32>,
    /// One bit per hash, so that most positions miss within the second-level cache.
    filter: Vec<u64>,
}

impl Coarse {
    pub(crate) fn new(old: &[u8]) -> Coarse {
        let stride = Coarse::stride_of(old);
        let samples = old.len().saturating_sub(KEY - 1).div_ceil(stride);
        let needed_log2 = samples.next_power_of_two().ilog2() + SPARE_LOG2;
        let entries_log2 = needed_log2.min(ENTRIES_LOG2_MAX);
        let mut coarse = Coarse {
            stride,
            entries_log2,
            slots: vec![NONE; 2 << entries_log2],
            filter: vec![0; 1 << (entries_log2 + FILTER_BITS_LOG2 - 6)],
        };
        for sample in 0..samples {
            let key = &old[sample * stride..][..KEY];
            if key.iter().all(|it| *it == key[0]) {
                continue;
            }
            let hash = hash(key);
            let (word, slot) = (coarse.filter_word(hash), coarse.slot(hash));
            coarse.filter[word] |= filter_bit(hash);
            coarse.slots[slot] = tag(hash) | sample as u32;
        }
        coarse
    }

    /// The new bytes that must be searched to find a piece, wherever it was sampled.
    pub(crate) fn stride_of(old: &[u8]) -> usize {
        (old.len() >> ENTRIES_LOG2_MAX).next_power_of_two().max(STRIDE_MIN)
    }

    /// The first place in `new[from..from + span]` where a sample of the old content begins.
    pub(crate) fn search(&self, pair: Pair<'_>, from: usize, span: usize) -> Option<Place> {
        let end = (from + span).min(pair.new.len().saturating_sub(KEY - 1));
        for at in from..end {
            let hash = hash(&pair.new[at..]);
            if self.filter[self.filter_word(hash)] & filter_bit(hash) == 0 {
                continue;
            }
            let sample = self.slots[self.slot(hash)] ^ tag(hash);
            if sample >> SAMPLE_BITS != 0 {
                continue;
            }
            let place = Place { old: sample as usize * self.stride, new: at };
            if place.old + KEY <= pair.old.len()
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

/// Mixes 16 of the 32 bytes of a key: eight at either end.
fn hash(bytes: &[u8]) -> u64 {
    let mixed = word(bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ word(&bytes[KEY - 8..]).rotate_left(29).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    mixed ^ (mixed >> 31)
}

/// What a slot holds above the sample's number.
fn tag(hash: u64) -> u32 {
    (hash >> FILTER_LOG2_MAX) as u32 >> SAMPLE_BITS << SAMPLE_BITS
}

fn filter_bit(hash: u64) -> u64 {
    1 << (hash & 63)
}
