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
const STRIDE_MIN: usize = 256;
const FILTER_LOG2: u32 = 20;
const NONE: u32 = u32::MAX;
/// The bits of a slot that hold a sample's number; the stride keeps the samples about as few as the
/// entries may be.
const SAMPLE_BITS: u32 = ENTRIES_LOG2_MAX + 1;

/// Samples of the old content.
pub(crate) struct Coarse {
    stride: usize,
    /// By hash the sample's number and, above it, other bits of the hash: to look at the old content
    /// in vain would cost a cache miss.
    slots: Vec<u32>,
    /// One bit per hash, so that most positions miss within the second-level cache.
    filter: Vec<u64>,
}

impl Coarse {
    pub(crate) fn new(old: &[u8]) -> Coarse {
        let stride = (old.len() >> ENTRIES_LOG2_MAX).next_power_of_two().max(STRIDE_MIN);
        let slots = vec![NONE; 2 << ENTRIES_LOG2_MAX];
        let mut coarse = Coarse { stride, slots, filter: vec![0; 1 << (FILTER_LOG2 - 6)] };
        let samples = old.len().saturating_sub(KEY - 1).div_ceil(stride);
        for sample in 0..samples {
            let key = &old[sample * stride..][..KEY];
            if key.iter().all(|it| *it == key[0]) {
                continue;
            }
            let hash = hash(key);
            coarse.filter[filter_word(hash)] |= filter_bit(hash);
            coarse.slots[slot(hash)] = tag(hash) | sample as u32;
        }
        coarse
    }

    /// The new bytes that must be searched to find a piece, wherever it was sampled.
    pub(crate) fn stride(&self) -> usize {
        self.stride
    }

    /// The first place in `new[from..from + span]` where a sample of the old content begins.
    pub(crate) fn search(&self, pair: Pair<'_>, from: usize, span: usize) -> Option<Place> {
        let end = (from + span).min(pair.new.len().saturating_sub(KEY - 1));
        for at in from..end {
            let hash = hash(&pair.new[at..]);
            if self.filter[filter_word(hash)] & filter_bit(hash) == 0 {
                continue;
            }
            let sample = self.slots[slot(hash)] ^ tag(hash);
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
}

/// Mixes 16 of the 32 bytes of a key: eight at either end.
fn hash(bytes: &[u8]) -> u64 {
    let mixed = word(bytes).wrapping_mul(0x9E37_79B9_7F4A_7C15)
        ^ word(&bytes[KEY - 8..]).rotate_left(29).wrapping_mul(0xC2B2_AE3D_27D4_EB4F);
    mixed ^ (mixed >> 31)
}

fn slot(hash: u64) -> usize {
    (hash >> (63 - ENTRIES_LOG2_MAX)) as usize
}

/// What a slot holds above the sample's number.
fn tag(hash: u64) -> u32 {
    (hash >> FILTER_LOG2) as u32 >> SAMPLE_BITS << SAMPLE_BITS
}

fn filter_word(hash: u64) -> usize {
    ((hash >> 6) & ((1 << (FILTER_LOG2 - 6)) - 1)) as usize
}

fn filter_bit(hash: u64) -> u64 {
    1 << (hash & 63)
}
