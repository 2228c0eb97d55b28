//! The hash that cuts, and the search for the next place where it is high.
//!
//! The hash of a place depends on the eight bytes before it and on nothing else, so that any
//! number of places can be hashed at once, unlike with a rolling hash. It follows the idea of a
//! gear hash (FastCDC, Xia et al., USENIX ATC 2016, section 3.2) without its serial dependency.
//! One piece of code is compiled for several instruction sets; a test compares their answers.

use crate::cpu::{Cpu, Kernel};
use crate::primes::PRIMES_32;

/// How many bytes before a place its hash depends on.
pub(crate) const WINDOW: usize = 8;

/// Odd, and near the golden ratio of 2^32: Fibonacci hashing (Knuth, TAOCP volume 3, 6.4).
const MULTIPLIER: u32 = PRIMES_32[0];

/// The windows of a part of a block that is searched again.
const PART: usize = 64;

/// The hash of a place whose preceding eight bytes are two little-endian words. Runs of zeros
/// hash to zero and are never cut.
#[inline(always)]
fn mix(first: u32, second: u32) -> u32 {
    (first ^ second.rotate_left(15)).wrapping_mul(MULTIPLIER)
}

/// The hash of the place that follows these bytes.
#[inline(always)]
pub(crate) fn hash_of(window: &[u8; WINDOW]) -> u32 {
    let [a, b, c, d, e, f, g, h] = *window;
    mix(u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]))
}

/// The search for the first of the bytes' windows whose hash is above a threshold. `BLOCK`
/// windows are hashed before anything is compared: many where cuts are far apart, few where they
/// are near. The answer is the offset of the window's first byte.
#[derive(Clone, Copy)]
pub(crate) struct FirstAbove<'a, const BLOCK: usize> {
    pub(crate) bytes: &'a [u8],
    pub(crate) threshold: u32,
}

impl<const BLOCK: usize> Kernel for FirstAbove<'_, BLOCK> {
    type Output = Option<usize>;

    #[inline(always)]
    fn run(self) -> Option<usize> {
        let mut from = 0;
        while let Some(block) = self.bytes.get(from..from + BLOCK + WINDOW - 1) {
            if highest(block) > self.threshold {
                return first_in_block(block, self.threshold).map(|at| from + at);
            }
            from += BLOCK;
        }
        let tail = self.bytes.get(from..)?;
        first_in_block(tail, self.threshold).map(|at| from + at)
    }
}

impl<const BLOCK: usize> FirstAbove<'_, BLOCK> {
    /// Searches with the best that this CPU can do.
    pub(crate) fn search(self) -> Option<usize> {
        Cpu::best().run(self)
    }
}

/// The highest hash among the windows of a block, whose number is a multiple of four. Words at
/// every fourth byte are neighbours in memory, so that the compiler can make vectors of them.
#[inline(always)]
fn highest(block: &[u8]) -> u32 {
    let words = |skip: usize| {
        let (first, _) = block[skip..block.len() - WINDOW + 1 + skip].as_chunks::<4>();
        let (second, _) = block[skip + 4..].as_chunks::<4>();
        first.iter().zip(second)
    };
    let hash = |(first, second): (&[u8; 4], &[u8; 4])| {
        mix(u32::from_le_bytes(*first), u32::from_le_bytes(*second))
    };
    words(0)
        .zip(words(1))
        .zip(words(2).zip(words(3)))
        .map(|((a, b), (c, d))| hash(a).max(hash(b)).max(hash(c).max(hash(d))))
        .fold(0, u32::max)
}

/// The first window whose hash is above the threshold: by parts, then one by one.
#[inline(always)]
fn first_in_block(block: &[u8], threshold: u32) -> Option<usize> {
    let mut from = 0;
    while let Some(part) = block.get(from..from + PART + WINDOW - 1)
        && highest(part) <= threshold
    {
        from += PART;
    }
    let one_by_one = block[from..]
        .windows(WINDOW)
        .position(|window| window.first_chunk().is_some_and(|window| hash_of(window) > threshold));
    one_by_one.map(|at| from + at)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn one_by_one(bytes: &[u8], threshold: u32) -> Option<usize> {
        (0..bytes.len().saturating_sub(WINDOW - 1)).find(|&at| {
            let window: [u8; WINDOW] = bytes[at..at + WINDOW].try_into().unwrap();
            hash_of(&window) > threshold
        })
    }

    proptest! {
        #[test]
        fn every_cpu_finds_the_same_place(
            bytes in proptest::collection::vec(any::<u8>(), 0..5000),
            one_in in 1_u32..3000,
        ) {
            let threshold = u32::MAX - u32::MAX / one_in;
            let expected = one_by_one(&bytes, threshold);
            for cpu in Cpu::all() {
                let far = cpu.run(FirstAbove::<512> { bytes: &bytes, threshold });
                let near = cpu.run(FirstAbove::<64> { bytes: &bytes, threshold });
                prop_assert_eq!((far, near), (expected, expected), "{:?}", cpu);
            }
        }
    }

    #[test]
    fn zeros_are_never_cut() {
        assert_eq!(FirstAbove::<512> { bytes: &[0; 10_000], threshold: 0 }.search(), None);
    }
}
