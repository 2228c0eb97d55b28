//! Bytes from outside, taken apart piece by piece.

use crate::wire::varint;

/// Takes bytes from the front of others. `None` everywhere means that too few are left, or that
/// a varint has more than 64 bits.
#[derive(Clone, Debug)]
pub(crate) struct Reader<'a> {
    rest: &'a [u8],
}

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { rest: bytes }
    }

    pub(crate) fn rest(&self) -> &'a [u8] {
        self.rest
    }

    pub(crate) fn byte(&mut self) -> Option<u8> {
        self.rest.split_off_first().copied()
    }

    /// All that is left.
    pub(crate) fn take_rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    /// A vector with room for `count` items of at least one byte each, bounded by the bytes that are left.
    pub(crate) fn capacity_for(&self, count: u64) -> usize {
        usize::try_from(count).unwrap_or(usize::MAX).min(self.rest.len())
    }

    pub(crate) fn bytes(&mut self, length: u64) -> Option<&'a [u8]> {
        self.rest.split_off(..usize::try_from(length).ok()?)
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (array, rest) = self.rest.split_first_chunk()?;
        self.rest = rest;
        Some(*array)
    }

    pub(crate) fn varint(&mut self) -> Option<u64> {
        varint::take(&mut self.rest)
    }
}
