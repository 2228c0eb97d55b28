//! Why a patch cannot be applied.

use std::io;

use thiserror::Error;

/// Why a patch cannot be read or applied.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PatchError {
    /// The patch, the old content or the result cannot be read or written.
    #[error("cannot read or write")]
    Io(#[from] io::Error),
}
