//! The header and the trailer of a patch.

use crate::sum::Sum;

use super::varint;

pub(crate) const MAGIC: [u8; 4] = *b"Sf\xCE\x94";
/// The version that this crate writes.
pub(crate) const VERSION: u8 = 2;
/// The first version, which this crate reads as well.
pub(crate) const VERSION_FIRST: u8 = 1;
pub(crate) const SUMMED: u8 = 1;
pub(crate) const IN_PLACE: u8 = 2;
pub(crate) const TOUCHED: u8 = 4;

/// The first part of a patch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Header {
    /// The version of the format.
    pub version: u8,
    /// The bytes of the old content.
    pub old_length: u64,
    /// The bytes of the new content.
    pub new_length: u64,
}

/// The last part of a patch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Trailer {
    /// The sum of the new content.
    pub sum: Option<Sum>,
    /// The sum of the old blocks that differ from the new block in their place, if every copy of
    /// the patch stays where it is.
    pub touched: Option<Sum>,
}

impl Header {
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let mut bytes = MAGIC.to_vec();
        bytes.push(self.version);
        varint::put(&mut bytes, self.old_length);
        varint::put(&mut bytes, self.new_length);
        bytes
    }
}

impl Trailer {
    /// All but the check.
    pub(crate) fn to_bytes(self) -> Vec<u8> {
        let touched = self.touched.filter(|it| *it != Sum::default());
        let flags = [(self.sum, SUMMED), (self.touched, IN_PLACE), (touched, TOUCHED)];
        let flags = flags.into_iter().filter_map(|(sum, flag)| sum.map(|_| flag)).sum();
        let mut bytes = vec![flags];
        for sum in [self.sum, touched].into_iter().flatten() {
            bytes.extend(sum.to_bytes());
        }
        bytes
    }
}
