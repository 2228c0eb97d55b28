//! Taking the fields of a frame apart.

use crate::frame::{FrameError, Kind};

/// Takes fields from the front of the body of a frame. Numbers are little-endian.
#[derive(Debug)]
pub(crate) struct Fields<'a> {
    kind: Kind,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    pub(crate) fn new(kind: Kind, body: &'a [u8]) -> Fields<'a> {
        Fields { kind, rest: body }
    }

    pub(crate) fn array<const N: usize>(&mut self) -> Result<[u8; N], FrameError> {
        let (array, rest) =
            self.rest.split_first_chunk().ok_or(FrameError::CutShort { kind: self.kind })?;
        self.rest = rest;
        Ok(*array)
    }

    pub(crate) fn u8(&mut self) -> Result<u8, FrameError> {
        self.array().map(u8::from_le_bytes)
    }

    pub(crate) fn u16(&mut self) -> Result<u16, FrameError> {
        self.array().map(u16::from_le_bytes)
    }

    pub(crate) fn u32(&mut self) -> Result<u32, FrameError> {
        self.array().map(u32::from_le_bytes)
    }

    pub(crate) fn u64(&mut self) -> Result<u64, FrameError> {
        self.array().map(u64::from_le_bytes)
    }

    /// All that is left.
    pub(crate) fn rest(&mut self) -> &'a [u8] {
        std::mem::take(&mut self.rest)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rest.is_empty()
    }

    /// Makes sure that nothing is left.
    pub(crate) fn end(&self) -> Result<(), FrameError> {
        match self.rest.len() {
            0 => Ok(()),
            count => Err(FrameError::Trailing { kind: self.kind, count }),
        }
    }

    pub(crate) fn malformed(&self, rule: &'static str) -> FrameError {
        FrameError::Malformed { kind: self.kind, rule }
    }
}
