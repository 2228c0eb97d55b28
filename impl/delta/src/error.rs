//! Why a patch cannot be applied.

use std::io::{self, ErrorKind};

use thiserror::Error;

/// Why a patch cannot be read or applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The patch, the old content or the result cannot be read or written.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
    /// The bytes do not begin as a patch does.
    #[error("this is not a Steadfast patch")]
    NotAPatch,
    /// The patch was written by a newer program.
    #[error("the patch has version {found}; this program reads versions 1 and 2")]
    OtherVersion {
        /// The version that it says it has.
        found: u8,
    },
    /// The patch needs something that this program does not know.
    #[error("the patch has the flags {found:#04x}; this program knows 0x07")]
    UnknownFlags {
        /// The flags that it has.
        found: u8,
    },
    /// The patch ends before the new content is complete.
    #[error("the patch is cut short")]
    CutShort,
    /// The check of the trailer fails.
    #[error("the patch is damaged in its trailer, or, if it has no frames, in its header")]
    DamagedTrailer,
    /// The check of a frame fails; that of the first covers the header as well.
    #[error("the patch is damaged in or before frame {frame}")]
    DamagedFrame {
        /// The number of the frame, from 0.
        frame: u64,
    },
    /// A frame whose check is right breaks a rule of the format: the program that wrote it has a fault or
    /// means harm.
    #[error("frame {frame} of the patch is malformed: {rule}")]
    Malformed {
        /// The number of the frame, from 0.
        frame: u64,
        /// The rule that it breaks.
        rule: &'static str,
    },
    /// Bytes follow the last frame.
    #[error("the patch goes on behind its end")]
    TrailingBytes,
    /// The old content is not the one that the patch was made for.
    #[error("the patch was made for an old content of {expected} bytes; this one has {found}")]
    OtherOldLength {
        /// The bytes of the right old content.
        expected: u64,
        /// The bytes of this one.
        found: u64,
    },
    /// The patch is whole, but the result is not the new content.
    #[error(
        "the result is not the new content: the patch was made for another old content, or this one is damaged"
    )]
    OtherOld,
    /// The new content is longer than the caller accepts.
    #[error("the patch makes {found} bytes; at most {limit} are accepted")]
    TooLarge {
        /// The bytes of the new content.
        found: u64,
        /// The bytes that the caller accepts.
        limit: u64,
    },
    /// The patch moves bytes or changes too many, so it cannot be applied in place.
    #[error("the patch moves bytes or changes more than 64 MiB: it cannot be applied in place")]
    NotInPlace,
    /// The whole result was to be verified, but the patch carries no sum.
    #[error("the patch carries no sum of the new content, so the result cannot be verified")]
    NotSummed,
}

impl PatchError {
    /// An error while reading the patch.
    pub(crate) fn reading(error: io::Error) -> PatchError {
        match error.kind() {
            ErrorKind::UnexpectedEof => PatchError::CutShort,
            _ => PatchError::Io(error),
        }
    }
}
