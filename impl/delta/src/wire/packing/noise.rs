//! Noise, which no packing makes shorter, and where it begins and ends.

use std::ops::Range;

/// Pieces of this length in bytes are judged to be noise or not.
pub(crate) const PIECE: usize = 512;
/// A piece with more different bytes is noise. Random pieces have 221, text about 60, machine code about 130.
const NOISE_MIN: u32 = 192;
/// The length in bytes of a head, which rules out most pieces that are no noise.
const HEAD: usize = 128;
/// Heads of noise have 101 different bytes, and half of their bytes are 0x80 or more. A head with more different
/// bytes than this does not prove noise: heads of a repeated record can have more, too.
const HEAD_NOISE_MIN: u32 = 76;

/// Where blocks of zstd should end: between noise and other bytes. A block has one code for all its literals,
/// and bytes beside noise are hardly packed at all.
pub(super) fn parts(raw: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut last = None;
    for (index, piece) in raw.chunks(PIECE).enumerate() {
        let start = index * PIECE;
        let range = start..start + piece.len();
        // The rest is too short to be judged.
        let is_noise = match piece.len() {
            PIECE => Some(is_noise_behind(piece, last == Some(true))),
            _ => last,
        };
        match parts.last_mut() {
            Some(part) if is_noise == last => part.end = range.end,
            _ => parts.push(range),
        }
        last = is_noise;
    }
    parts
}

/// Whether the bytes of a piece are noise, which no packing makes shorter.
pub(crate) fn is_noise(piece: &[u8]) -> bool {
    is_noise_behind(piece, false)
}

/// Whether the first bytes of these look like noise.
pub(crate) fn begins_as_noise(bytes: &[u8]) -> bool {
    bytes.get(..HEAD).is_some_and(|it| see(&mut [0; 256], it) > HEAD_NOISE_MIN)
}

/// Whether the bytes of a piece are noise; behind other noise its head is proof enough.
fn is_noise_behind(piece: &[u8], follows_noise: bool) -> bool {
    let (head, rest) = piece.split_at(HEAD);
    let high = head.iter().filter(|it| **it >= 0x80).count();
    if high.abs_diff(HEAD / 2) > HEAD / 4 {
        return false;
    }
    let mut seen = [0; 256];
    see(&mut seen, head) > HEAD_NOISE_MIN && (follows_noise || see(&mut seen, rest) > NOISE_MIN)
}

/// Marks these bytes as seen, and counts all that are.
fn see(seen: &mut [u8; 256], bytes: &[u8]) -> u32 {
    bytes.iter().for_each(|it| seen[usize::from(*it)] = 1);
    seen.iter().map(|it| u32::from(*it)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    #[test]
    fn noise_has_most_bytes_and_high_ones_as_often_as_low_ones() {
        let random = noise(PIECE);
        let records = noise(150).repeat(100);
        let sorted: Vec<u8> = (0..=255).chain(0..=255).collect();
        let half = [&random[..HEAD], &[0; PIECE - HEAD]].concat();
        assert!(is_noise(&random));
        assert!(!records.chunks_exact(PIECE).any(is_noise));
        for follows in [false, true] {
            assert!(!is_noise_behind(&sorted, follows));
            assert_eq!(
                is_noise_behind(&half, follows),
                follows,
                "the head is enough behind other noise"
            );
        }
    }
}
