//! What a sync with fixed blocks would have sent (Tridgell and Mackerras, "The rsync algorithm",
//! ANU TR-CS-96-05, sections 2 and 3): the receiver sends two sums of each block of its version,
//! the sender finds these blocks anywhere in the new version, and sends the rest.

use std::collections::HashMap;

/// Two sums of a block: 4 bytes that roll and 2 that do not, as rsync sends for most files.
const SUMS_BYTES: u64 = 6;
/// That a block is where it is.
const TOKEN_BYTES: u64 = 4;

/// The bytes that travel in both directions.
pub(super) fn cost(old: &[u8], new: &[u8]) -> u64 {
    let block = block_length(old.len());
    let blocks = index(old, block);
    let sums = SUMS_BYTES * old.len().div_ceil(block) as u64;
    sums + found(old, new, block, &blocks)
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

/// The bytes that the sender sends: what no block has, and which blocks there are.
fn found(old: &[u8], new: &[u8], block: usize, blocks: &HashMap<u32, Vec<usize>>) -> u64 {
    let mut sent = 0;
    let mut at = 0;
    let mut sum = None;
    while at + block <= new.len() {
        let window = &new[at..at + block];
        let rolled: Sum = sum.take().unwrap_or_else(|| Sum::of(window));
        let candidates = blocks.get(&rolled.value()).map(Vec::as_slice).unwrap_or_default();
        if candidates.iter().any(|start| old[*start..*start + block] == *window) {
            sent += TOKEN_BYTES;
            at += block;
            continue;
        }
        sent += 1;
        sum = new.get(at + block).map(|next| rolled.rolled(window[0], *next, block));
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
        let mut sum = Sum { low: 0, high: 0 };
        for byte in bytes {
            sum.low = sum.low.wrapping_add(u32::from(*byte));
            sum.high = sum.high.wrapping_add(sum.low);
        }
        sum
    }

    /// The sum one byte further on.
    fn rolled(self, first: u8, next: u8, block: usize) -> Sum {
        let block = u32::try_from(block).unwrap_or(u32::MAX);
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
