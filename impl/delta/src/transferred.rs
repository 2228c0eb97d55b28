//! Both ends of a content that is transferred in parts: the traits of its source and of its place.

use std::io;

use crate::manifest::Manifest;

/// A content that can be read anywhere: the sender's, or the receiver's old one.
pub trait Source {
    /// Its manifest, down to the chunks or further.
    fn manifest(&self) -> &Manifest;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The content cannot be read, or ends before.
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

/// The place of a content that is being received.
pub trait Sink {
    /// Makes room for a content of this length. Called once, before the first write.
    ///
    /// # Errors
    /// There is no room. The transfer fails.
    fn begin(&mut self, length: u64) -> io::Result<()>;

    /// Writes verified bytes. Every byte of the content is written once, in any order.
    ///
    /// # Errors
    /// The bytes cannot be written. The transfer fails.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;
}
