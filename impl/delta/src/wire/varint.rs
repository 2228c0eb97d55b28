//! Numbers of variable length: unsigned LEB128.

/// The most bytes of a number of 64 bits, which has seven in each.
pub(crate) const BYTES_MAX: usize = 64usize.div_ceil(7);

/// Appends `value`.
#[inline]
pub(crate) fn put(bytes: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        bytes.push((value as u8 & 0x7F) | 0x80);
        value >>= 7;
    }
    bytes.push(value as u8);
}

/// Takes a number from the front, or `None` if there is none or it exceeds 64 bits.
pub(crate) fn take(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first()?;
        *bytes = rest;
        let digit = u64::from(first & 0x7F);
        if shift == 63 && digit > 1 {
            return None;
        }
        value |= digit << shift;
        if first & 0x80 == 0 {
            return Some(value);
        }
    }
    None
}

/// A signed number as an unsigned one, small where it is near zero.
pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

/// The inverse of [`zigzag`].
pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_comes_back() {
        let edges = (0..64).flat_map(|it| [1u64 << it, (1 << it) - 1]).chain([u64::MAX]);
        for value in edges {
            let mut bytes = Vec::new();
            put(&mut bytes, value);
            let mut rest = &bytes[..];
            assert_eq!(take(&mut rest), Some(value));
            assert!(rest.is_empty());
            assert_eq!(zigzag(unzigzag(value)), value);
        }
    }

    #[test]
    fn a_number_that_is_cut_or_too_large_is_none() {
        assert_eq!(take(&mut &[][..]), None);
        assert_eq!(take(&mut &[0x80][..]), None);
        assert_eq!(take(&mut &[0xFF; 10][..]), None);
        assert_eq!(take(&mut &[0x80; 11][..]), None);
    }
}
