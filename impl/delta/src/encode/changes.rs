//! The changed bytes of the copies of a frame.

use crate::wire::frame::STREAM_MAX;
use crate::wire::operations::{COLUMNS, column};
use crate::wire::varint;

/// With more bytes of gaps, there may be no room for one more.
const FULL: usize = STREAM_MAX[3] - varint::BYTES_MAX;

/// A shorter stretch of a copy that was replaced is not worth an operation of its own.
pub(super) const REPLACED_MIN: usize = 16;
/// A longer stretch is taken in parts, for which a frame has room.
const REPLACED_MAX: usize = 64 << 10;
/// This number of equal bytes ends a stretch that was replaced.
const REPLACED_END: usize = 4;
/// Where in a comparison this number of equal bytes may begin.
const ENDS: u64 = u64::MAX >> (REPLACED_END - 1);
/// There are few differences if they are less than this part of the new bytes, both counted once: of noise,
/// either may have some fewer by chance.
const FEW_DIFFERENCES: [u32; 2] = [7, 8];

/// The changes of a frame while they are gathered.
#[derive(Default)]
pub(super) struct Changes {
    pub gaps: Vec<u8>,
    /// By column.
    pub differences: [Vec<u8>; COLUMNS],
    /// Unchanged bytes of copies since the last changed one of this frame.
    unchanged: usize,
    /// The column of the last changed byte of this frame.
    column: Option<usize>,
}

impl Changes {
    /// Whether the frame may have no room for changes in this number of bytes.
    pub(super) fn is_full(&self, bytes: usize) -> bool {
        self.gaps.len() + bytes > FULL
    }

    /// Passes over equal bytes.
    pub(super) fn pass(&mut self, bytes: usize) {
        self.unchanged += bytes;
    }

    /// Adds the changes in up to [`COMPARED`](crate::differing::COMPARED) bytes. Bit `i` of `differing` says
    /// that byte `i` differs. Calls `changed` with the index of each differing byte.
    pub(super) fn add(
        &mut self,
        old: &[u8],
        new: &[u8],
        mut differing: u64,
        mut changed: impl FnMut(usize),
    ) {
        let mut next = 0;
        while differing != 0 {
            let at = differing.trailing_zeros() as usize;
            if at >= old.len() {
                break;
            }
            differing &= differing - 1;
            changed(at);
            let gap = (self.unchanged + at - next) as u64;
            let column = column(gap, self.column);
            varint::put(&mut self.gaps, gap);
            self.differences[column].push(new[at].wrapping_sub(old[at]));
            (self.unchanged, self.column, next) = (0, Some(column), at + 1);
        }
        self.unchanged += old.len() - next;
    }

    /// Begins a frame, with the memory of the last one.
    pub(super) fn clear(&mut self) {
        self.gaps.clear();
        self.differences.iter_mut().for_each(Vec::clear);
        (self.unchanged, self.column) = (0, None);
    }
}

/// How many of the bytes that were compared come before a stretch that may be long enough to be
/// replaced: up to behind the last [`REPLACED_END`] equal ones, if no stretch before is that long.
pub(super) fn before_replaced(differing: u64) -> usize {
    let ends = !(differing | differing >> 1 | differing >> 2 | differing >> 3) & ENDS;
    let Some(last) = ends.checked_ilog2() else { return 0 };
    let before = differing & ((1 << last) - 1);
    // Stretches grow by the equal bytes that would not end them.
    let mut run = before | before << 1 | before << 2 | before << 3;
    for shift in [1, 2, 4, 8, REPLACED_END as u32 - 1] {
        run &= run >> shift;
    }
    if run == 0 { last as usize + REPLACED_END } else { 0 }
}

/// The length of the replaced stretch at the front, in which a few bytes may be equal.
pub(super) fn replaced(old: &[u8], new: &[u8]) -> usize {
    let (mut end, mut equal) = (0, 0);
    for (at, (old, new)) in old.iter().zip(new).enumerate().take(REPLACED_MAX) {
        if old != new {
            (end, equal) = (at + 1, 0);
        } else {
            equal += 1;
            if equal == REPLACED_END {
                break;
            }
        }
    }
    end
}

/// Whether there are fewer different differences than different new bytes, as in a table whose
/// entries all moved by the same amount: then the differences pack better than literals would.
pub(super) fn has_few_differences(old: &[u8], new: &[u8]) -> bool {
    let (mut differences, mut bytes) = ([0u64; 4], [0u64; 4]);
    for (old, new) in old.iter().zip(new) {
        let difference = new.wrapping_sub(*old);
        differences[usize::from(difference / 64)] |= 1 << (difference % 64);
        bytes[usize::from(new / 64)] |= 1 << (new % 64);
    }
    let count = |set: [u64; 4]| set.iter().map(|it| it.count_ones()).sum::<u32>();
    let [part, of] = FEW_DIFFERENCES;
    count(differences) * of < count(bytes) * part
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::differing::COMPARED;
    use crate::noise::noise;

    /// As [`before_replaced`], byte by byte.
    fn before_replaced_simply(differing: u64) -> usize {
        let differs: Vec<bool> = (0..COMPARED).map(|it| differing >> it & 1 == 1).collect();
        let mut ends = (0..=COMPARED - REPLACED_END).rev();
        let last = ends.find(|it| !differs[*it..*it + REPLACED_END].contains(&true));
        let Some(last) = last else { return 0 };
        let mut at = 0;
        while at < last {
            if !differs[at] {
                at += 1;
                continue;
            }
            let old: Vec<u8> = differs[at..].iter().map(|it| u8::from(*it)).collect();
            let replaced = replaced(&old, &[0; COMPARED][at..]);
            if replaced >= REPLACED_MIN {
                return 0;
            }
            at += replaced;
        }
        last + REPLACED_END
    }

    #[test]
    fn a_comparison_goes_on_up_to_what_may_be_replaced() {
        let words = noise(64 * 4096);
        for (index, words) in words.chunks_exact(64).enumerate() {
            // Bits that are set as often as not, more often, or seldom.
            let word = |at: usize| crate::compare::word(&words[at * 8..]);
            let some = (0..index % 8).fold(word(7), |bits, it| match index % 3 {
                0 => bits | word(it),
                1 => bits & word(it),
                _ => bits ^ word(it),
            });
            for differing in [some, some & word(3) << 32, some | 0xFFFF << (index % 50), 0] {
                let expected = before_replaced_simply(differing);
                assert_eq!(before_replaced(differing), expected, "{differing:b}");
            }
        }
    }
}
