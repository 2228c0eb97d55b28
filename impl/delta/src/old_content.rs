//! The old content, wherever it is kept.

use std::io;

/// An old content that can be read anywhere.
pub trait OldContent {
    /// Its bytes.
    ///
    /// # Errors
    /// The length cannot be read.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The content cannot be read, or ends before.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}
