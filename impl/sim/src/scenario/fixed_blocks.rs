//! The bytes that a sync with fixed blocks would have sent (Tridgell and Mackerras, "The rsync algorithm",
//! ANU TR-CS-96-05, sections 2 and 3): the receiver sends two sums of each block of its version,
//! the sender finds these blocks anywhere in the new version, and sends the rest.

use std::cell::LazyCell;
use std::collections::HashMap;

/// Two sums of a block: 4 bytes that roll and 2 that do not, as rsync sends for most files.
const SUMS_BYTES: u64 = 6;
/// That a block is where it is.
const TOKEN_BYTES: u64 = 4;
/// The number of bytes that are summed side by side.
const COLUMNS: u32 = 16;
/// The number of bytes of a column that are summed at a time: their sum fits into 16 bits.
const ROWS: u32 = 64;
/// The number of bytes in these rows and columns.
const PART: usize = (ROWS * COLUMNS) as usize;

/// The bytes that travel in both directions.
pub(super) fn cost(old: &[u8], new: &[u8]) -> u64 {
    let block = block_length(old.len());
    let sums = SUMS_BYTES * old.len().div_ceil(block) as u64;
    sums + found(old, new, block)
}

/// The square root of the length, as rsync chooses it.
fn block_length(length: usize) -> usize {
    let root = length.isqrt() / 8 * 8;
    root.clamp(700, 128 << 10)
}

fn index(old: &[u8], block: usize) -> HashMap<u32, Vec<usize>> {
    let mut blocks: HashMap<u32, Vec<usize>> = HashMap::new();
    for (number, bytes) in old.chunks_exact(block).enumerate() {
        blocks.entry(Sum::of(bytes).value()).or_default().push(number * block);
    }
    blocks
}

/// The bytes that the sender sends: those that no block has, and the numbers of the blocks.
fn found(old: &[u8], new: &[u8], block: usize) -> u64 {
    let blocks = LazyCell::new(|| index(old, block));
    let mut sent = 0;
    let mut at = 0;
    // Where the block begins that follows the one found last: mostly it is the next one, which is
    // seen without a sum.
    let mut next = 0;
    let mut sum = None;
    while at + block <= new.len() {
        let window = &new[at..at + block];
        let follows = || sum.is_none() && old.get(next..next + block) == Some(window);
        let start = follows().then_some(next).or_else(|| {
            let rolled = *sum.get_or_insert_with(|| Sum::of(window));
            let candidates = blocks.get(&rolled.value()).map(Vec::as_slice).unwrap_or_default();
            candidates.iter().copied().find(|start| old[*start..*start + block] == *window)
        });
        if let Some(start) = start {
            (next, sum) = (start + block, None);
            sent += TOKEN_BYTES;
            at += block;
            continue;
        }
        sent += 1;
        let following = new.get(at + block);
        sum = sum.zip(following).map(|(sum, following)| sum.rolled(window[0], *following, block));
        at += 1;
    }
    sent + (new.len() - at) as u64
}

/// The rolling sum of section 3.
#[derive(Clone, Copy)]
struct Sum {
    low: u32,
    high: u32,
}

impl Sum {
    fn of(bytes: &[u8]) -> Sum {
        let (parts, rest) = bytes.as_chunks::<PART>();
        let sum = parts.iter().fold(Sum { low: 0, high: 0 }, Sum::with_part);
        rest.iter().fold(sum, |sum, byte| {
            let low = sum.low.wrapping_add(u32::from(*byte));
            Sum { low, high: sum.high.wrapping_add(low) }
        })
    }

    /// With more bytes, as rows of a table: a byte counts in `high` once for itself and once for
    /// each that follows it, which are whole rows and then some columns. Columns are summed side by
    /// side without a check for overflow, which makes it fast.
    fn with_part(self, part: &[u8; PART]) -> Sum {
        let mut columns = [0_u16; COLUMNS as usize];
        let mut rows_after = [0_u32; COLUMNS as usize];
        for row in part.as_chunks::<{ COLUMNS as usize }>().0 {
            for at in 0..COLUMNS as usize {
                rows_after[at] = rows_after[at].wrapping_add(u32::from(columns[at]));
            }
            for at in 0..COLUMNS as usize {
                columns[at] = columns[at].wrapping_add(u16::from(row[at]));
            }
        }
        let (mut low, mut high) = (self.low, self.high);
        high = high.wrapping_add(low.wrapping_mul(ROWS * COLUMNS));
        for (at, (column, rows)) in (0..).zip(columns.into_iter().zip(rows_after)) {
            let columns_after = COLUMNS - at;
            high = high.wrapping_add(rows * COLUMNS + u32::from(column) * columns_after);
            low = low.wrapping_add(u32::from(column));
        }
        Sum { low, high }
    }

    /// The sum one byte further on.
    fn rolled(self, first: u8, next: u8, block: usize) -> Sum {
        // Sums are counted modulo 2^32, and so is the number of times that the first byte counts.
        let [a, b, c, d, ..] = (block as u64).to_le_bytes();
        let block = u32::from_le_bytes([a, b, c, d]);
        let low = self.low.wrapping_sub(u32::from(first)).wrapping_add(u32::from(next));
        let high = self.high.wrapping_sub(block.wrapping_mul(u32::from(first))).wrapping_add(low);
        Sum { low, high }
    }

    fn value(self) -> u32 {
        (self.low & 0xffff) | (self.high << 16)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rolled_sum_is_the_sum_of_the_next_window() {
        let bytes: Vec<u8> =
            (0..1_000_u32).map(|it| it.to_le_bytes()[0].wrapping_mul(31)).collect();
        let mut sum = Sum::of(&bytes[..700]);
        for at in 1..=300 {
            sum = sum.rolled(bytes[at - 1], bytes[at + 699], 700);
            assert_eq!(sum.value(), Sum::of(&bytes[at..at + 700]).value(), "at {at}");
        }
    }

    #[test]
    fn a_sum_is_that_of_the_paper_whatever_the_length() {
        let bytes: Vec<u8> = (0..5_000_u32).map(|it| !((it * it) >> 3).to_le_bytes()[0]).collect();
        for length in (0..bytes.len()).step_by(7) {
            let weights = (1_u32..).zip(bytes[..length].iter().rev());
            let weighted = weights.map(|(weight, it)| weight * u32::from(*it));
            let low: u32 = bytes[..length].iter().map(|it| u32::from(*it)).sum();
            let expected = (low & 0xffff) | (weighted.fold(0, u32::wrapping_add) << 16);
            assert_eq!(Sum::of(&bytes[..length]).value(), expected, "{length}");
        }
    }

    #[test]
    fn equal_contents_cost_the_sums_and_the_tokens_only() {
        let bytes: Vec<u8> = (0..100_000_u32).flat_map(u32::to_le_bytes).collect();
        let blocks = (bytes.len().div_ceil(block_length(bytes.len()))) as u64;
        let equal = cost(&bytes, &bytes);
        assert!(equal >= SUMS_BYTES * blocks && equal < 10 * blocks + 700, "{equal}");
        let mut longer = b"in front".to_vec();
        longer.extend_from_slice(&bytes);
        assert!(cost(&bytes, &longer) < equal + 2_000);
    }
}
