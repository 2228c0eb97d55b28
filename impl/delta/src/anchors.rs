//! Content-defined positions: alike wherever the same eight bytes lie.
//!
//! A position is an anchor if a hash of the eight bytes from it on is small. Every position is
//! judged alone, without a rolling state, so that many are judged at once, with the same result on
//! every CPU.

use std::ops::Range;

use crate::primes::PRIMES_32;

mod vector;

/// The bytes that decide whether a position is an anchor.
pub(crate) const ANCHOR_BYTES: usize = 8;
/// The positions of a mark word.
const MARKED: usize = u64::BITS as usize;

/// The multipliers of the two halves of these bytes.
const LOW: u32 = PRIMES_32[0];
const HIGH: u32 = PRIMES_32[1];
/// Keeps runs of zeros from being anchors.
const OFFSET: u32 = PRIMES_32[2];

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
    /// The positions that were judged last.
    judged: Range<usize>,
    /// The anchors among them, from the first judged position on.
    offsets: Offsets,
    /// Those of them that are still to be taken.
    left: Range<usize>,
}

/// Mark words computed at once.
const WORDS: usize = 16;
/// Offsets written at once.
const STEP: usize = 4;
/// The anchors of [`WORDS`] mark words, and room for the offsets that [`put_offsets`] writes beyond the last one.
type Offsets = [u16; WORDS * MARKED + STEP];

impl<'a> Anchors<'a> {
    /// The anchors from `at` on. The last seven positions are never anchors.
    pub(crate) fn new(bytes: &'a [u8], at: usize, rarity: Rarity) -> Anchors<'a> {
        let offsets = [0; WORDS * MARKED + STEP];
        Anchors { bytes, rarity, judged: at..at, offsets, left: 0..0 }
    }

    /// Fills the front of `taken` with the next anchors and returns their number, which is 0 only behind
    /// the last anchor.
    pub(crate) fn take(&mut self, taken: &mut [usize]) -> usize {
        while self.left.is_empty() {
            if !self.judge() {
                return 0;
            }
        }
        let count = self.left.len().min(taken.len());
        for (taken, offset) in taken.iter_mut().zip(&self.offsets[self.left.clone()]) {
            *taken = self.judged.start + usize::from(*offset);
        }
        self.left.start += count;
        count
    }

    /// Goes on with the first anchor from `at` on.
    pub(crate) fn seek(&mut self, at: usize) {
        if !self.judged.contains(&at) {
            (self.judged, self.left) = (at..at, 0..0);
            return;
        }
        let before = |it: &u16| self.judged.start + usize::from(*it) < at;
        self.left.start = self.offsets[..self.left.end].partition_point(before);
    }

    /// Judges the next positions, if there are any.
    fn judge(&mut self) -> bool {
        let start = self.judged.end;
        let positions = self.bytes.len().saturating_sub(start + ANCHOR_BYTES - 1);
        let words = positions.div_ceil(MARKED).min(WORDS);
        let end = start + words * MARKED;
        let bytes = self.bytes.get(start..self.bytes.len().min(end + ANCHOR_BYTES - 1));
        let bytes = bytes.unwrap_or_default();
        self.judged = start..end;
        self.left = 0..vector::find(bytes, self.rarity, words, &mut self.offsets);
        words > 0
    }
}

/// Puts the anchors of the first mark words of `bytes` to the front of `offsets`, without any vector
/// instruction, and returns how many they are.
fn find_scalar(bytes: &[u8], rarity: Rarity, words: usize, offsets: &mut Offsets) -> usize {
    let mut marks = [0; WORDS];
    mark_scalar(bytes, rarity, &mut marks[..words]);
    put_offsets(&marks[..words], offsets)
}

/// Puts the positions of the marks to the front of `offsets` and returns how many they are.
///
/// A CPU would guess wrong how many marks a word has: some offsets more are written than there are
/// marks, and written over.
#[inline(always)]
fn put_offsets(marks: &[u64], offsets: &mut Offsets) -> usize {
    let mut end = 0;
    for (word, mut marks) in marks.iter().copied().enumerate() {
        let start = end;
        end += marks.count_ones() as usize;
        for at in (start..end.max(start + 1)).step_by(STEP) {
            for offset in &mut offsets[at..at + STEP] {
                *offset = (word * MARKED) as u16 + marks.trailing_zeros() as u16;
                marks &= marks.wrapping_sub(1);
            }
        }
    }
    end
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

    /// The anchors that are left, taken `at_once` at a time.
    fn rest(anchors: &mut Anchors<'_>, at_once: usize) -> Vec<usize> {
        let (mut all, mut taken) = (Vec::new(), vec![0; at_once]);
        while let count @ 1.. = anchors.take(&mut taken) {
            all.extend(&taken[..count]);
        }
        all
    }

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
                for at_once in [1, 7, 2000] {
                    assert_eq!(rest(&mut Anchors::new(bytes, 0, rarity), at_once), expected);
                }
                let words = bytes.len().saturating_sub(7).div_ceil(MARKED).min(WORDS);
                let (mut scalar, mut vector) = ([0; _], [0; _]);
                let count = find_scalar(bytes, rarity, words, &mut scalar);
                assert_eq!(vector::find(bytes, rarity, words, &mut vector), count);
                assert_eq!(scalar[..count], vector[..count], "1 in 2^{log2} of {}", bytes.len());
            }
        }
    }

    #[test]
    fn anchors_go_on_where_they_are_sought() {
        let bytes = noise(20_000);
        let rarity = Rarity::one_in(4);
        let all = rest(&mut Anchors::new(&bytes, 0, rarity), 100);
        let mut anchors = Anchors::new(&bytes, 0, rarity);
        for at in [0, 100, all[9], all[8], 1023, 1024, 9000, 9500, 9100, 50, 20_000, 30_000, 3] {
            anchors.seek(at);
            let mut next = [0; 5];
            let count = anchors.take(&mut next);
            let expected = &all[all.partition_point(|it| *it < at)..];
            assert_eq!(next[..count], expected[..count], "from {at}");
            assert_eq!(count == 0, expected.is_empty(), "from {at}");
        }
    }

    #[test]
    fn anchors_are_as_rare_as_asked_and_zeros_are_none() {
        let bytes = noise(1 << 20);
        for log2 in [3, 6, 10] {
            let found = rest(&mut Anchors::new(&bytes, 0, Rarity::one_in(log2)), 100).len();
            let expected = bytes.len() >> log2;
            assert!(found.abs_diff(expected) < expected / 5, "{found} of {expected}");
        }
        let zeros = &mut Anchors::new(&[0; 5000], 0, Rarity::one_in(1));
        assert_eq!(rest(zeros, 100), []);
    }
}
