//! The limits of a receiver, and its requests to the caller.

use crate::manifest::Manifest;

/// In this attempt nothing of the old content is used. The first is 0.
pub(super) const ATTEMPT_LAST: u8 = 2;

/// The greatest contents and names that a receiver accepts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The greatest length of a new content in bytes.
    pub length_max: u64,
    /// The greatest width of a name in bits. Less than 64 makes names lighter and repetitions more
    /// frequent.
    pub name_bits_max: u8,
}

impl Default for Limits {
    /// Anything.
    fn default() -> Limits {
        Limits { length_max: u64::MAX, name_bits_max: 64 }
    }
}

/// An action that a receiver asks its caller for. Actions are performed in the order that they come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Effect {
    /// Sends a message to the sender.
    Send(Vec<u8>),
    /// Appends a piece of the old content to the new one.
    Copy {
        /// Where it begins in the old content.
        offset: u64,
        /// Its length in bytes.
        length: u64,
    },
    /// Appends these bytes to the new content.
    Write(Vec<u8>),
    /// Throws away the new content as far as it was appended.
    Restart,
    /// The new content is complete; it was checked, and this is its manifest.
    Done(Manifest),
}
