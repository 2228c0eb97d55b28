//! CRC32C (Castagnoli), as in iSCSI (RFC 3720, section 12.1).

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

/// The polynomial without its highest power, the lowest power in the highest bit.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// `x^(8 * 2^n)` modulo the polynomial, by `n`: the factor that moves a checksum on by `2^n` bytes.
const MOVES: [u32; usize::BITS as usize] = moves();

/// The CRC32C of some bytes; by default of none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum(pub u32);

impl Checksum {
    /// The checksum of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Checksum {
        Checksum::default().and(bytes)
    }

    /// The checksum of the bytes that this one covers, followed by these bytes.
    #[must_use]
    pub fn and(self, bytes: &[u8]) -> Checksum {
        let state = u64::from(!self.0);
        let mut digest = Digest::new_with_init_state(CrcAlgorithm::Crc32Iscsi, state);
        digest.update(bytes);
        // A 32-bit checksum stands in the low half.
        let [a, b, c, d, ..] = digest.finalize().to_le_bytes();
        Checksum(u32::from_le_bytes([a, b, c, d]))
    }

    /// The checksum of the bytes that this one covers, followed by `bytes` bytes with the checksum
    /// `next`.
    ///
    /// Checksums are remainders of polynomials, so `n` bytes more behind it multiply one by
    /// `x^(8 * n)`, as in zlib's `crc32_combine`.
    #[must_use]
    pub fn joined(self, next: Checksum, bytes: usize) -> Checksum {
        let moved = (0..MOVES.len())
            .filter(|n| bytes >> n & 1 == 1)
            .fold(self.0, |product, n| multiply(product, MOVES[n]));
        Checksum(moved ^ next.0)
    }
}

/// The product of two polynomials modulo the polynomial.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = u32::BITS;
    while bit > 0 {
        bit -= 1;
        if a >> bit & 1 == 1 {
            product ^= b;
        }
        b = if b & 1 == 1 { b >> 1 ^ POLYNOMIAL } else { b >> 1 };
    }
    product
}

const fn moves() -> [u32; usize::BITS as usize] {
    let mut moves = [1 << (31 - 8); usize::BITS as usize];
    let mut n = 1;
    while n < moves.len() {
        moves[n] = multiply(moves[n - 1], moves[n - 1]);
        n += 1;
    }
    moves
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value_of_the_standard_comes_out() {
        assert_eq!(Checksum::of(b"123456789"), Checksum(0xe306_9283));
    }

    #[test]
    fn pieces_give_the_checksum_of_the_whole() {
        let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
        let whole = Checksum::of(&bytes);
        let in_pieces = bytes.chunks(77).fold(Checksum::default(), Checksum::and);
        assert_eq!(in_pieces, whole);
        for at in [0, 1, 2, 77, 4096, 9999, 10_000] {
            let (begin, end) = bytes.split_at(at);
            let joined = Checksum::of(begin).joined(Checksum::of(end), end.len());
            assert_eq!(joined, whole, "{at} bytes and the rest");
        }
    }
}
