//! Which bytes of two contents differ, 64 at a time.

use crate::compare::{WINDOW, word};

/// The bytes that are compared at once, a bit of a word for each.
pub(crate) const COMPARED: usize = WINDOW;

/// Bit `i` says that byte `i` differs. The bits beyond the end of fewer than 64 bytes are 0.
///
/// # Panics
/// `old` and `new` have different lengths, or more than 64 bytes.
pub(crate) fn differing(old: &[u8], new: &[u8]) -> u64 {
    if let (Ok(old), Ok(new)) = (old.try_into(), new.try_into()) {
        return differing_in_block(old, new);
    }
    let (mut olds, mut news) = ([0; COMPARED], [0; COMPARED]);
    olds[..old.len()].copy_from_slice(old);
    news[..old.len()].copy_from_slice(new);
    differing_in_block(&olds, &news)
}

fn differing_in_block(old: &[u8; COMPARED], new: &[u8; COMPARED]) -> u64 {
    let words = old.chunks_exact(8).zip(new.chunks_exact(8)).enumerate();
    words.fold(0, |bits, (index, (old, new))| {
        let difference = word(old) ^ word(new);
        // The highest bit of each byte says whether it differs; the product gathers them.
        let high = (((difference & LOW) + LOW) | difference) & !LOW;
        bits | (high >> 7).wrapping_mul(GATHER) >> 56 << (index * 8)
    })
}

/// All but the highest bit of each byte.
const LOW: u64 = 0x7F7F_7F7F_7F7F_7F7F;
/// Brings the lowest bit of each byte into the highest byte, in order.
const GATHER: u64 = 0x0102_0408_1020_4080;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn the_bits_of_bytes_that_differ_are_set() {
        let noise = noise(4096);
        for length in [0, 1, 15, 63, 64] {
            for bytes in noise.chunks_exact(2 * COMPARED) {
                let (old, rest) = (&bytes[..length], &bytes[COMPARED..][..length]);
                // About every other byte is the same.
                let keep = |(old, new): (&u8, &u8)| if new & 4 == 0 { *old } else { *new };
                let new: Vec<u8> = old.iter().zip(rest).map(keep).collect();
                let expected = (0..length).map(|it| u64::from(old[it] != new[it]) << it).sum();
                assert_eq!(differing(old, &new), expected, "{length} bytes");
            }
        }
    }
}
