//! How the bytes that the receiver lacks are packed.

use std::io;

use crate::wire::packing::{Packer, compression};

/// The most bytes that travel in one message, unpacked.
pub(super) const LITERALS_MAX: usize = 4 << 20;

/// The nanoseconds that packing `length` bytes may take. A network takes some ten for a byte; short
/// literals are packed well in little time.
pub(super) fn packing_time(length: usize) -> usize {
    (16 * length).max(20_000_000)
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
