//! CRC32C (Castagnoli), as in iSCSI (RFC 3720, section 12.1).

use std::fmt;

use crc_fast::{CrcAlgorithm, Digest};

/// The CRC32C of some bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Checksum(pub u32);

impl Checksum {
    /// The checksum of these bytes.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Checksum {
        let mut running = Running::new();
        running.update(bytes);
        running.finish()
    }
}

impl fmt::Display for Checksum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The checksum of bytes that come piece by piece.
pub(crate) struct Running(Digest);

impl Running {
    pub(crate) fn new() -> Running {
        Running(Digest::new(CrcAlgorithm::Crc32Iscsi))
    }

    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(&self) -> Checksum {
        // A 32-bit checksum stands in the low half.
        let [a, b, c, d, ..] = self.0.finalize().to_le_bytes();
        Checksum(u32::from_le_bytes([a, b, c, d]))
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
        let mut running = Running::new();
        bytes.chunks(77).for_each(|it| running.update(it));
        assert_eq!(running.finish(), Checksum::of(&bytes));
    }
}
