//! Short names of sections, chunks and grains, a few bits each.
//!
//! They find bytes that are probably equal. That they are equal is known when the root of the result is the
//! root that was asked for; if it is not, the exchange begins again under another salt.

use std::collections::HashMap;

use crate::bytes::Reader;
use crate::manifest::Hash;
use crate::manifest::grain::{Grain, grains};

/// Makes equal things have other short names in each attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Salt(pub(crate) u64);

/// A short name: the high bits of a salted hash, the others 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Id(u64);

/// How many bits a short name has: 1 to 64.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Width(u8);

/// The multipliers of SplitMix64 (Steele, Lea, Flood: Fast splittable pseudorandom number generators, OOPSLA
/// 2014). Both ends mix alike.
const MIX: [u64; 2] = [0xBF58_476D_1CE4_E5B9, 0x94D0_49BB_1331_11EB];

impl Id {
    /// The name of a section or chunk.
    pub(crate) fn of_hash(hash: &Hash, salt: Salt, width: Width) -> Id {
        let (first, second) = hash.words();
        let mixed = (first ^ salt.0).wrapping_mul(MIX[0]);
        let mixed = (mixed ^ (mixed >> 32) ^ second).wrapping_mul(MIX[1]);
        width.cut(mixed ^ (mixed >> 31))
    }

    /// The name of a grain that was hashed under the salt.
    pub(crate) fn of_grain(grain: Grain, width: Width) -> Id {
        width.cut(grain.bits())
    }
}

/// The grains of a chunk, or of a stretch of chunks as if it were one, under a salt: the length
/// and the name of each.
pub(crate) fn grain_ids(
    chunk: &[u8],
    salt: Salt,
    width: Width,
) -> impl Iterator<Item = (usize, Id)> {
    grains(chunk, salt.0).map(move |grain| (grain.length(), Id::of_grain(grain, width)))
}

/// In how many exchanges one is misled by a short name: one in 2^10. Each further attempt uses
/// names that are longer by [`LONGER_BITS`].
const SAFETY_BITS: u32 = 10;
const LONGER_BITS: u32 = 16;
/// The fewest bits of a name.
const WIDTH_MIN: u32 = 16;

impl Width {
    /// Wide enough for this many comparisons of unequal things.
    pub(crate) fn for_comparisons(comparisons: u64, attempt: u8, bits_max: u8) -> Width {
        let bits = u64::BITS - comparisons.leading_zeros();
        let bits = bits + SAFETY_BITS + LONGER_BITS * u32::from(attempt);
        let bits = bits.clamp(WIDTH_MIN, u64::BITS).min(u32::from(bits_max).max(1));
        let bits = bits as u8;
        Width(bits)
    }

    /// A width that came from outside.
    pub(crate) fn from_byte(bits: u8) -> Option<Width> {
        (1..=64).contains(&bits).then_some(Width(bits))
    }

    pub(crate) fn to_byte(self) -> u8 {
        self.0
    }

    fn cut(self, bits: u64) -> Id {
        Id(bits & (u64::MAX << (64 - u32::from(self.0))))
    }

    /// The bytes of this number of names.
    pub(crate) fn bytes_for(self, ids: u64) -> Option<u64> {
        Some(ids.checked_mul(u64::from(self.0))?.div_ceil(8))
    }
}

/// Appends names, packed bit by bit; the last byte is filled with zeros.
pub(crate) fn put_ids(out: &mut Vec<u8>, width: Width, ids: impl IntoIterator<Item = Id>) {
    let (mut bits, mut count) = (0_u128, 0_u32);
    for Id(id) in ids {
        bits |= u128::from(id) << 64 >> count;
        count += u32::from(width.0);
        while count >= 8 {
            out.push((bits >> 120) as u8);
            bits <<= 8;
            count -= 8;
        }
    }
    if count > 0 {
        out.push((bits >> 120) as u8);
    }
}

/// Takes names from the front, or `None` if there are too few bytes.
pub(crate) fn take_ids(reader: &mut Reader<'_>, width: Width, count: u64) -> Option<Vec<Id>> {
    let bytes = reader.bytes(width.bytes_for(count)?)?;
    let bits = u32::from(width.0);
    let (mut held, mut held_bits) = (0_u128, 0_u32);
    let mut rest = bytes.iter();
    let mut id = || {
        while held_bits < bits {
            held |= u128::from(*rest.next()?) << (120 - held_bits);
            held_bits += 8;
        }
        let id = width.cut((held >> 64) as u64);
        held <<= bits;
        held_bits -= bits;
        Some(id)
    };
    (0..count).map(|_| id()).collect()
}

/// Where things of the old content are, by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Places<T>(HashMap<Id, T>);

impl<T: Copy> Places<T> {
    /// The first of those that have the same name stays.
    pub(crate) fn insert(&mut self, id: Id, place: T) {
        self.0.entry(id).or_insert(place);
    }

    pub(crate) fn find(&self, id: Id) -> Option<T> {
        self.0.get(&id).copied()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn names_come_back(bits in 1_u8..=64, words: Vec<u64>) {
            let width = Width::from_byte(bits).unwrap();
            let ids: Vec<Id> = words.iter().map(|word| width.cut(*word)).collect();
            let mut bytes = Vec::new();
            put_ids(&mut bytes, width, ids.iter().copied());
            let mut reader = Reader::new(&bytes);
            prop_assert_eq!(take_ids(&mut reader, width, ids.len() as u64), Some(ids));
            prop_assert!(reader.rest().is_empty());
        }
    }

    #[test]
    fn more_names_than_there_are_bytes_are_refused() {
        let width = Width::from_byte(64).unwrap();
        assert_eq!(take_ids(&mut Reader::new(&[0; 15]), width, 2), None);
        assert_eq!(take_ids(&mut Reader::new(&[0; 15]), width, u64::MAX), None);
    }

    #[test]
    fn a_salt_renames() {
        let width = Width::from_byte(40).unwrap();
        let hash = Hash([7; 32]);
        let name = |salt| Id::of_hash(&hash, Salt(salt), width);
        assert_ne!(name(1), name(2));
        assert_eq!(name(1), name(1));
    }
}
