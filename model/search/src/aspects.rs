//! The aspects of a state: a component, or a summary of one, at a place. An answer about a state also
//! holds in another one if no aspect differs that it looked at.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crate::tables::Tables;

/// Numbers the aspects that answers look at, in the order in which they are met. All aspects beyond
/// the first 63 share one bit: a mask then claims more of them than it has to, which is safe.
pub(crate) struct Aspects {
    /// By place, the bit of the component and then those of its summaries; 0 for an aspect that no
    /// answer has looked at.
    bits: Vec<AtomicU64>,
    /// The number of aspects of a place.
    each: usize,
    numbered: Mutex<u32>,
}

impl Aspects {
    pub(crate) fn new(places: usize, summaries: u16) -> Self {
        let each = usize::from(summaries) + 1;
        let mut bits = Vec::new();
        bits.resize_with(places * each, Default::default);
        Aspects { bits, each, numbered: Mutex::new(0) }
    }

    /// The bit of an aspect that an answer looks at: a component, or a summary of it. Its bit is known
    /// to every thread that knows the answer.
    pub(crate) fn bit(&self, place: usize, summary: Option<u16>) -> u64 {
        let at = place * self.each + summary.map_or(0, |it| usize::from(it) + 1);
        let Some(bit) = self.bits.get(at) else {
            return 1 << 63;
        };
        let mut numbered = self.numbered.lock().unwrap_or_else(PoisonError::into_inner);
        if bit.load(Ordering::Relaxed) == 0 {
            bit.store(1 << (*numbered).min(63), Ordering::Relaxed);
            *numbered += 1;
        }
        bit.load(Ordering::Relaxed)
    }

    /// The aspects in which a state differs from the one that it was made of.
    #[inline]
    pub(crate) fn changed(&self, tables: &Tables, from: &[u32], changes: &[(u32, u32)]) -> u64 {
        let mut mask = 0;
        for (place, new) in changes {
            let begin = *place as usize * self.each;
            let bits = &self.bits[begin..begin + self.each];
            mask |= bits[0].load(Ordering::Relaxed);
            let [old, new] = [from[*place as usize], *new].map(|it| tables.summaries.row(it));
            if new.len() < old.len() {
                mask |= bits.iter().fold(0, |mask, it| mask | it.load(Ordering::Relaxed));
            }
            for (bit, (old, new)) in bits[1..].iter().zip(old.iter().zip(new)) {
                let [old, new] = [old, new].map(|it| it.load(Ordering::Relaxed));
                // No answer has looked at a summary of the old component that is not known.
                if old != 0 && old != new {
                    mask |= bit.load(Ordering::Relaxed);
                }
            }
        }
        mask
    }
}

/// For each aspect, the rules or properties that have ever looked at it, as a mask. All from the 64th
/// on share one bit.
pub(crate) struct Lookers(Vec<AtomicU64>);

impl Lookers {
    pub(crate) fn new() -> Self {
        Lookers((0..64).map(|_| AtomicU64::new(0)).collect())
    }

    /// Notes the aspects that a rule or property looked at.
    pub(crate) fn add(&self, mut aspects: u64, number: usize) {
        while aspects != 0 {
            let aspect = aspects.trailing_zeros() as usize;
            self.0[aspect].fetch_or(1 << number.min(63), Ordering::Relaxed);
            aspects &= aspects - 1;
        }
    }

    /// Those that have looked at some of these aspects.
    #[inline]
    pub(crate) fn of(&self, mut aspects: u64) -> u64 {
        let mut lookers = 0;
        while aspects != 0 {
            lookers |= self.0[aspects.trailing_zeros() as usize].load(Ordering::Relaxed);
            aspects &= aspects - 1;
        }
        lookers
    }
}

/// The numbers below `len` that a mask holds.
#[inline]
pub(crate) fn members(mut mask: u64, len: usize) -> impl Iterator<Item = usize> {
    let shared = if mask >> 63 != 0 { 63..len } else { 0..0 };
    mask &= (1 << len.min(63)) - 1;
    let own = std::iter::from_fn(move || {
        let next = (mask != 0).then(|| mask.trailing_zeros() as usize);
        mask &= mask.wrapping_sub(1);
        next
    });
    own.chain(shared)
}

#[cfg(test)]
mod tests {
    use super::*;

    const PLACES: usize = 40;

    fn tables() -> Tables {
        let tables = Tables::new(1, 2);
        // Components 5 and 6 have the same summary 0, and different summaries 1; 7 has none.
        for (component, summary, value) in [(5, 0, 3), (6, 0, 3), (5, 1, 1), (6, 1, 2)] {
            tables.summaries.set(component, summary, value).expect("room");
        }
        tables
    }

    #[test]
    fn only_aspects_that_differ_are_changed() {
        let (tables, aspects) = (tables(), Aspects::new(PLACES, 2));
        let [whole, first, second] = [None, Some(0), Some(1)].map(|it| aspects.bit(3, it));
        let mut state = [9; PLACES];
        state[3] = 5;
        assert_eq!(aspects.changed(&tables, &state, &[(3, 6)]), whole | second);
        assert_eq!(aspects.changed(&tables, &state, &[(3, 7)]), whole | first | second);
        assert_eq!(aspects.changed(&tables, &state, &[(3, 9_999)]), whole | first | second);
        assert_eq!(aspects.changed(&tables, &state, &[(2, 6)]), 0, "nothing looks there");
    }

    #[test]
    fn aspects_without_a_bit_of_their_own_share_one() {
        let aspects = Aspects::new(PLACES, 2);
        let of = |place| [None, Some(0)].map(|it| aspects.bit(place, it));
        let bits: Vec<u64> = (0..PLACES).flat_map(of).collect();
        assert!(bits[..63].iter().zip(0..).all(|(bit, at)| *bit == 1 << at));
        assert!(bits[63..].iter().all(|bit| *bit == 1 << 63));
        assert_eq!(aspects.bit(0, Some(0)), 2);
        assert_eq!(aspects.changed(&tables(), &[5; PLACES], &[(39, 5)]), 1 << 63);
    }

    #[test]
    fn lookers_are_found_by_the_aspects_that_they_looked_at() {
        let lookers = Lookers::new();
        let found = |changed| members(lookers.of(changed), 70).collect::<Vec<_>>();
        assert!(found(u64::MAX).is_empty());
        lookers.add(0b101, 2);
        lookers.add(0b100, 5);
        assert_eq!((found(1), found(4), found(2)), (vec![2], vec![2, 5], vec![]));
        lookers.add(1 << 63, 66);
        assert_eq!(found(1 << 63), (63..70).collect::<Vec<_>>());
    }
}
