//! Small insertions and deletions: the place nearby from which both contents are equal again.

use super::pair::{Pair, Place};
use crate::compare::word;

const SLOTS_LOG2: u32 = 12;
const EMPTY: u16 = u16::MAX;
/// Old positions are remembered at this distance.
const STRIDE: usize = 4;

/// A table of the old bytes nearby, used again for every search.
pub(crate) struct Near {
    slots: Vec<u16>,
    filled: Vec<u16>,
}

impl Near {
    pub(crate) fn new() -> Near {
        Near { slots: vec![EMPTY; 1 << SLOTS_LOG2], filled: Vec::new() }
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
        assert!(reach < usize::from(EMPTY), "near means near");
        let old = &pair.old[place.old..];
        let new = &pair.new[place.new..];
        let old = &old[..old.len().min(reach + 8)];
        let new = &new[..new.len().min(reach + 8)];
        self.fill(old);
        let found = self.probe(pair, place, new, equal_min);
        for slot in self.filled.drain(..) {
            self.slots[usize::from(slot)] = EMPTY;
        }
        found
    }

    fn fill(&mut self, old: &[u8]) {
        for at in (0..old.len().saturating_sub(7)).step_by(STRIDE) {
            let key = word(&old[at..]);
            let slot = slot_of(key);
            if !is_uniform(key) && self.slots[slot] == EMPTY {
                self.slots[slot] = u16::try_from(at).expect("bounded by the reach");
                self.filled.push(u16::try_from(slot).expect("bounded by the slots"));
            }
        }
    }

    fn probe(&self, pair: Pair<'_>, place: Place, new: &[u8], equal_min: usize) -> Option<Place> {
        for at in 0..new.len().saturating_sub(7) {
            let candidate = self.slots[slot_of(word(&new[at..]))];
            if candidate == EMPTY {
                continue;
            }
            let hit = Place { old: place.old + usize::from(candidate), new: place.new + at };
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
}

fn slot_of(key: u64) -> usize {
    (key.wrapping_mul(0x9E37_79B9_7F4A_7C15) >> (64 - SLOTS_LOG2)) as usize
}

/// Eight times the same byte says nothing about where one is.
fn is_uniform(key: u64) -> bool {
    key == key.rotate_left(8)
}
