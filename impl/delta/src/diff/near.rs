//! Small insertions and deletions: the place nearby from which both contents are equal again.

use super::coarse::SPARE_LOG2;
use crate::compare::word;
use crate::pair::Pair;
use crate::primes::GOLDEN_RATIO;
use crate::segment::Place;

/// The slots of the largest table, which stays in the first-level cache.
const SLOTS_LOG2_MAX: u32 = 12;
/// The bits of a slot that hold a position. The others hold bits of the key's hash: without these, the CPU
/// would mispredict half of the lookups in a full table.
const POSITION_BITS: u32 = u16::BITS;
/// No key.
const EMPTY: u32 = u32::MAX;
/// Old positions are remembered at this distance.
const STRIDE: usize = 4;

/// A table of the old bytes nearby, used again for every search.
pub(crate) struct Near {
    slots: Box<[u32; 1 << SLOTS_LOG2_MAX]>,
}

impl Near {
    pub(crate) fn new() -> Near {
        Near { slots: Box::new([EMPTY; 1 << SLOTS_LOG2_MAX]) }
    }

    /// The nearest place behind `place`, in new order, from which at least `equal_min` bytes are
    /// equal, where neither content has advanced by more than `reach` bytes.
    ///
    /// # Panics
    /// `reach` exceeds what a table slot can name.
    pub(crate) fn search(
        &mut self,
        pair: Pair<'_>,
        place: Place,
        reach: usize,
        equal_min: usize,
    ) -> Option<Place> {
        assert!(reach + 8 < 1 << POSITION_BITS, "near means near");
        let old = &pair.old[place.old..];
        let new = &pair.new[place.new..];
        let old = &old[..old.len().min(reach + 8)];
        let new = &new[..new.len().min(reach + 8)];
        let needed_log2 = (reach / STRIDE).next_power_of_two().ilog2() + SPARE_LOG2;
        let slots = &mut self.slots[..1 << needed_log2.min(SLOTS_LOG2_MAX)];
        fill(slots, old);
        probe(slots, pair, place, (old, new), equal_min)
    }
}

/// Puts the keys of the old bytes into the table, the first ones last: of those that share a slot
/// the nearest is remembered.
fn fill(slots: &mut [u32], old: &[u8]) {
    slots.fill(EMPTY);
    for (index, key) in old.windows(8).step_by(STRIDE).enumerate().rev() {
        let key = word(key);
        let (slot, tag) = hash(key);
        if !is_uniform(key) {
            slots[slot & (slots.len() - 1)] = tag | (index * STRIDE) as u32;
        }
    }
}

fn probe(
    slots: &[u32],
    pair: Pair<'_>,
    place: Place,
    (old, new): (&[u8], &[u8]),
    equal_min: usize,
) -> Option<Place> {
    for (at, key) in new.windows(8).enumerate() {
        let (slot, tag) = hash(word(key));
        let candidate = (slots[slot & (slots.len() - 1)] ^ tag) as usize;
        // Of another key, or of none.
        if candidate >= old.len() {
            continue;
        }
        let hit = Place { old: place.old + candidate, new: place.new + at };
        if !pair.are_equal(hit, 8) {
            continue;
        }
        let before = pair.equal_run_before(hit, place.new).min(hit.old - place.old);
        let start = Place { old: hit.old - before, new: hit.new - before };
        if pair.are_equal(start, equal_min) {
            return Some(start);
        }
    }
    None
}

/// The slot of a key, in the largest table, and the bits of its hash that stand there above the
/// position.
fn hash(key: u64) -> (usize, u32) {
    let hash = key.wrapping_mul(GOLDEN_RATIO);
    let slot = hash >> (64 - SLOTS_LOG2_MAX);
    let tag = (hash >> (32 - SLOTS_LOG2_MAX)) as u32 >> POSITION_BITS << POSITION_BITS;
    (slot as usize, tag)
}

/// Eight times the same byte says nothing about where one is.
fn is_uniform(key: u64) -> bool {
    key == key.rotate_left(8)
}
