//! Fingerprints of states: sums over the places, so that a step changes them by differences.
//!
//! Each component has a content hash of 128 bits. Mixed with the number of its place it is a number
//! that looks random, and a state's fingerprint is the sum of those, modulo 2^64 or 2^128. Two
//! states that differ have the same fingerprint only if the differences of such numbers cancel,
//! which has the probability of any other collision of a hash of that width.

use std::fmt::Debug;
use std::hash::{DefaultHasher, Hash, Hasher};

/// The part of a key's first word that names a parent. The highest bit of a parent's word is taken.
pub(crate) const NAME: u64 = u64::MAX >> 1;

/// A fingerprint of one of the two widths.
pub(crate) trait Print: Copy + Eq + Ord + Hash + Debug + Send + Sync + 'static {
    /// The width in bits.
    const BITS: u32;
    /// The width in words of the visited table.
    const WORDS: usize;
    /// The sum over no places.
    const ZERO: Self;
    /// What a component adds at a place, from the lanes of its content hash.
    fn part(hash: impl Fn(usize) -> u64, place: usize) -> Self;
    /// The sum without one part and with another.
    fn exchanged(self, old: Self, new: Self) -> Self;
    /// The words that the visited table keeps. The first is never 0, and its name neither 0, which
    /// stands for "no parent", nor [`NAME`], whose complement is 0.
    fn key(self) -> [u64; 2];
    /// The fingerprint as bytes of a checkpoint.
    fn to_words(self) -> [u64; 2];
    /// The inverse of [`Print::to_words`].
    fn from_words(words: [u64; 2]) -> Self;
}

/// The name of a state, by which it is its successors' parent.
pub(crate) fn name(print: impl Print) -> u64 {
    print.key()[0] & NAME
}

impl Print for u64 {
    const BITS: u32 = 64;
    const WORDS: usize = 1;
    const ZERO: u64 = 0;

    #[inline]
    fn part(hash: impl Fn(usize) -> u64, place: usize) -> u64 {
        mixed(hash(0) ^ salt(place))
    }

    #[inline]
    fn exchanged(self, old: u64, new: u64) -> u64 {
        self.wrapping_sub(old).wrapping_add(new)
    }

    #[inline]
    fn key(self) -> [u64; 2] {
        [named(self), 0]
    }

    fn to_words(self) -> [u64; 2] {
        [self, 0]
    }

    fn from_words(words: [u64; 2]) -> u64 {
        words[0]
    }
}

impl Print for u128 {
    const BITS: u32 = 128;
    const WORDS: usize = 2;
    const ZERO: u128 = 0;

    #[inline]
    fn part(hash: impl Fn(usize) -> u64, place: usize) -> u128 {
        let low = mixed(hash(0) ^ salt(place));
        let high = mixed(hash(1) ^ salt(place).rotate_left(32));
        u128::from(high) << 64 | u128::from(low)
    }

    #[inline]
    fn exchanged(self, old: u128, new: u128) -> u128 {
        self.wrapping_sub(old).wrapping_add(new)
    }

    #[inline]
    fn key(self) -> [u64; 2] {
        let [low, high] = self.to_words();
        [named(low), high.max(1)]
    }

    #[expect(clippy::cast_possible_truncation, reason = "the two halves")]
    fn to_words(self) -> [u64; 2] {
        [self as u64, (self >> 64) as u64]
    }

    fn from_words(words: [u64; 2]) -> u128 {
        u128::from(words[1]) << 64 | u128::from(words[0])
    }
}

#[inline]
fn named(word: u64) -> u64 {
    match word & NAME {
        0 => word | 1,
        NAME => word ^ 1,
        _ => word,
    }
}

#[inline]
fn salt(place: usize) -> u64 {
    (place as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15)
}

/// The finalizer of splitmix64 (Steele, Lea, Flood, "Fast Splittable Pseudorandom Number
/// Generators", OOPSLA 2014): a bijection in which every bit depends on every other.
#[inline]
pub(crate) fn mixed(mut word: u64) -> u64 {
    word = (word ^ word >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    word = (word ^ word >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    word ^ word >> 31
}

/// A content hash of 128 bits that is the same in every process of one build.
pub(crate) fn content_hash(value: &impl Hash) -> [u64; 2] {
    [1_u64, 2].map(|lane| {
        let mut hasher = DefaultHasher::new();
        hasher.write_u64(lane);
        value.hash(&mut hasher);
        hasher.finish()
    })
}

/// The chance that at least two of this many states have the same fingerprint: the birthday bound.
pub(crate) fn collision_chance(states: u64, bits: u32) -> f64 {
    let pairs = states as f64 * states.saturating_sub(1) as f64 / 2.0;
    -(-pairs * 0.5_f64.powi(bits.cast_signed())).exp_m1()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_key_names_nobody() {
        for print in [0, NAME, u64::MAX, 1 << 63] {
            assert!(![0, NAME].contains(&name(print)), "{print:x}");
        }
    }

    #[test]
    fn the_same_component_counts_differently_at_each_place() {
        let known = content_hash(&7_u8);
        let hash = |lane: usize| known[lane];
        assert_ne!(u64::part(hash, 0), u64::part(hash, 1));
        assert_ne!(u128::part(hash, 0) >> 64, u128::part(hash, 1) >> 64);
    }

    #[test]
    fn a_sum_that_is_changed_by_differences_is_the_sum_of_the_new_parts() {
        let part = |value: u8, place| u128::part(|lane| content_hash(&value)[lane], place);
        let sum = u128::ZERO.wrapping_add(part(1, 0)).wrapping_add(part(2, 1));
        let changed = sum.exchanged(part(2, 1), part(3, 1));
        assert_eq!(changed, part(1, 0).wrapping_add(part(3, 1)));
    }

    #[test]
    fn the_birthday_bound() {
        assert!((collision_chance(28_304_468, 64) - 2.17e-5).abs() < 1e-7);
        assert!(collision_chance(28_304_468, 128) < 1e-23);
        assert_eq!(collision_chance(0, 64), 0.0);
    }
}
