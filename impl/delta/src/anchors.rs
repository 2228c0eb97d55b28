//! Content-defined positions: alike wherever the same eight bytes lie.
//!
//! A position is an anchor if a hash of the eight bytes from it on is small. Every position is
//! judged alone, without a rolling state, so that many are judged at once, with the same result on
//! every CPU.

mod vector;

/// The bytes that decide whether a position is an anchor.
const ANCHOR_BYTES: usize = 8;
/// The positions of a mark word.
const MARKED: usize = 64;

const LOW: u32 = 0x9E37_79B1;
const HIGH: u32 = 0x85EB_CA77;
/// Keeps runs of zeros from being anchors.
const OFFSET: u32 = 0xC2B2_AE3D;

/// How rare anchors are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Rarity {
    hash_max: u32,
}

impl Rarity {
    /// One position in `2^log2` of random bytes is an anchor.
    pub(crate) fn one_in(log2: u32) -> Rarity {
        Rarity { hash_max: u32::MAX >> log2 }
    }
}

/// Finds the anchors of some bytes, in ascending order.
pub(crate) struct Anchors<'a> {
    bytes: &'a [u8],
    rarity: Rarity,
    /// Where the next mark word begins.
    at: usize,
    /// Computed in advance, the current one first.
    marks: [u64; WORDS],
    word: usize,
    words: usize,
}

/// Mark words computed at once.
const WORDS: usize = 4;

impl<'a> Anchors<'a> {
    /// The anchors from `at` on. The last seven positions are never anchors.
    pub(crate) fn new(bytes: &'a [u8], at: usize, rarity: Rarity) -> Anchors<'a> {
        Anchors { bytes, rarity, at, marks: [0; WORDS], word: 0, words: 0 }
    }

    fn refill(&mut self) -> bool {
        let start = self.at + self.words * MARKED;
        let positions = self.bytes.len().saturating_sub(start + ANCHOR_BYTES - 1);
        self.at = start;
        self.word = 0;
        self.words = positions.div_ceil(MARKED).min(WORDS);
        if self.words == 0 {
            return false;
        }
        let end = (start + self.words * MARKED + ANCHOR_BYTES - 1).min(self.bytes.len());
        vector::mark(&self.bytes[start..end], self.rarity, &mut self.marks[..self.words]);
        true
    }
}

impl Iterator for Anchors<'_> {
    type Item = usize;

    fn next(&mut self) -> Option<usize> {
        loop {
            while self.word < self.words {
                let marks = &mut self.marks[self.word];
                if *marks != 0 {
                    let bit = marks.trailing_zeros() as usize;
                    *marks &= *marks - 1;
                    return Some(self.at + self.word * MARKED + bit);
                }
                self.word += 1;
            }
            if !self.refill() {
                return None;
            }
        }
    }
}

/// Whether a position with these bytes is an anchor.
fn is_anchor(bytes: &[u8; ANCHOR_BYTES], rarity: Rarity) -> bool {
    let [a, b, c, d, e, f, g, h] = *bytes;
    let low = u32::from_le_bytes([a, b, c, d]).wrapping_mul(LOW);
    let high = u32::from_le_bytes([e, f, g, h]).wrapping_mul(HIGH);
    low.wrapping_add(high).wrapping_add(OFFSET) <= rarity.hash_max
}

/// Marks without any vector instruction, and the definition of a mark: bit `i` of word `w` says
/// that position `64 w + i` is an anchor. Positions with fewer than eight bytes are none.
fn mark_scalar(bytes: &[u8], rarity: Rarity, marks: &mut [u64]) {
    marks.fill(0);
    for (at, window) in bytes.windows(ANCHOR_BYTES).enumerate().take(marks.len() * MARKED) {
        let window = window.try_into().expect("eight bytes");
        marks[at / MARKED] |= u64::from(is_anchor(window, rarity)) << (at % MARKED);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn every_cpu_finds_the_anchors_of_the_definition() {
        let bytes = noise(70_000);
        for log2 in [0, 1, 4, 9] {
            let rarity = Rarity::one_in(log2);
            for range in [0..0, 0..7, 0..8, 3..70, 5..71, 5..72, 1..1100, 0..70_000] {
                let bytes = &bytes[range];
                let expected: Vec<usize> = (0..bytes.len().saturating_sub(7))
                    .filter(|at| is_anchor(bytes[*at..*at + 8].try_into().expect("8"), rarity))
                    .collect();
                assert_eq!(Anchors::new(bytes, 0, rarity).collect::<Vec<_>>(), expected);
                let words = bytes.len().saturating_sub(7).div_ceil(MARKED);
                let (mut scalar, mut vector) = (vec![0; words], vec![0; words]);
                mark_scalar(bytes, rarity, &mut scalar);
                vector::mark(bytes, rarity, &mut vector);
                assert_eq!(scalar, vector, "one in 2^{log2} of {} bytes", bytes.len());
            }
        }
    }

    #[test]
    fn anchors_are_as_rare_as_asked_and_zeros_are_none() {
        let bytes = noise(1 << 20);
        for log2 in [3, 6, 10] {
            let found = Anchors::new(&bytes, 0, Rarity::one_in(log2)).count();
            let expected = bytes.len() >> log2;
            assert!(found.abs_diff(expected) < expected / 5, "{found} of {expected}");
        }
        assert_eq!(Anchors::new(&[0; 5000], 0, Rarity::one_in(1)).count(), 0);
    }
}
