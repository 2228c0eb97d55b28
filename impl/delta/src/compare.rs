//! Where two contents stop being equal, at the speed of memory comparison.

/// Compared at once while nothing differs; small enough to stay in the first-level cache.
const BLOCK: usize = 4096;
/// The bytes of a window, the unit in which likeness is judged: as many as a word has bits.
pub(crate) const WINDOW: usize = u64::BITS as usize;

/// The length of the longest common prefix.
pub(crate) fn common_prefix(a: &[u8], b: &[u8]) -> usize {
    let end = a.len().min(b.len());
    let (a, b) = (&a[..end], &b[..end]);
    let mut at = end.min(WINDOW);
    let near = common_prefix_in_block(&a[..at], &b[..at]);
    if near < at {
        return near;
    }
    while at < end {
        let next = end.min(at + BLOCK);
        if a[at..next] != b[at..next] {
            break;
        }
        at = next;
    }
    at + common_prefix_in_block(&a[at..], &b[at..])
}

/// The same for contents that are likely to differ soon.
pub(crate) fn common_prefix_in_block(a: &[u8], b: &[u8]) -> usize {
    let mut at = 0;
    for (a, b) in a.chunks_exact(8).zip(b.chunks_exact(8)) {
        let difference = word(a) ^ word(b);
        if difference != 0 {
            return at + difference.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    at + a[at..].iter().zip(&b[at..]).take_while(|(a, b)| a == b).count()
}

/// The length of the longest common suffix.
pub(crate) fn common_suffix(a: &[u8], b: &[u8]) -> usize {
    let end = a.len().min(b.len());
    let (a, b) = (&a[a.len() - end..], &b[b.len() - end..]);
    let mut left = end;
    while left > 0 {
        let next = left.saturating_sub(BLOCK);
        if a[next..left] != b[next..left] {
            break;
        }
        left = next;
    }
    while left >= 8 {
        let difference = word(&a[left - 8..left]) ^ word(&b[left - 8..left]);
        if difference != 0 {
            return end - left + difference.leading_zeros() as usize / 8;
        }
        left -= 8;
    }
    let rest = a[..left].iter().rev().zip(b[..left].iter().rev());
    end - left + rest.take_while(|(a, b)| a == b).count()
}

/// Whether both are equal, without the call that a comparison of longer ones is worth. Their
/// length is a multiple of eight.
pub(crate) fn are_equal_words(a: &[u8], b: &[u8]) -> bool {
    a.chunks_exact(8).zip(b.chunks_exact(8)).all(|(a, b)| word(a) == word(b))
}

/// Eight bytes as a little-endian number.
///
/// # Panics
/// There are fewer than eight.
pub(crate) fn word(bytes: &[u8]) -> u64 {
    u64::from_le_bytes(bytes[..8].try_into().expect("eight bytes"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_and_the_last_difference_are_found_at_every_distance() {
        for length in [0, 1, 7, 8, 9, 63, 64, 65, 4095, 4096, 4097, 9000] {
            let a = vec![7u8; length];
            assert_eq!(common_prefix(&a, &a), length);
            assert_eq!(common_suffix(&a, &a), length);
            for at in [0, 1, 6, 8, 60, 4095, 4096, 8999].into_iter().filter(|it| *it < length) {
                let mut b = a.clone();
                b[at] ^= 0x80;
                assert_eq!(common_prefix(&a, &b), at);
                assert_eq!(common_suffix(&a, &b), length - at - 1);
            }
        }
    }
}
