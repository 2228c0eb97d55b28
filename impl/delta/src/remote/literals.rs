//! How the bytes that the receiver lacks are packed.

use std::io;

use crate::wire::packing::{Packer, compression};

/// The most bytes that travel in one message, unpacked.
pub(super) const LITERALS_MAX: usize = 4 << 20;

/// The nanoseconds that packing a byte may take: a network takes some ten for one.
const TIME_PER_BYTE: usize = 16;
/// The nanoseconds that packing may take in any case: short literals are packed well in little time.
const TIME_MIN: usize = 20_000_000;

/// The nanoseconds that packing `length` bytes may take.
pub(super) fn packing_time(length: usize) -> usize {
    (TIME_PER_BYTE * length).max(TIME_MIN)
}

/// Packs bytes, or returns `None` where that does not make them fewer.
pub(super) fn pack(bytes: &[u8]) -> io::Result<Option<Vec<u8>>> {
    let packed = Packer::default().pack(bytes, &[], &[packing_time(bytes.len())])?;
    Ok(packed.map(|(_, packed)| packed))
}

/// Unpacks exactly `length` bytes, or returns `None` if `packed` holds another number of bytes.
pub(super) fn unpack(packed: &[u8], length: usize) -> Option<Vec<u8>> {
    (length <= LITERALS_MAX).then(|| compression::unpack(packed, &[], length)).flatten()
}
