//! The state that one frame hands to the next.

use super::alignments::Alignments;

/// How far the frames before have come.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Progress {
    /// The alignments of the copies.
    pub alignments: Alignments,
    /// The bytes of the new content that are described.
    pub new: u64,
    /// The bytes of the kept literals.
    pub kept: u64,
}
