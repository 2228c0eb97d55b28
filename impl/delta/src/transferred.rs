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

    /// Like [`Source::read_exact_at`], but the source may return bytes that it has not verified. The caller verifies
    /// them.
    ///
    /// # Errors
    /// As [`Source::read_exact_at`].
    fn read_unverified_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.read_exact_at(bytes, offset)
    }
}

/// The place of a content that is being received. Parts of it may be copied from an old content `O`.
pub trait Sink<O: ?Sized> {
    /// Makes room for a content of this length. Called once, before the first write. `old` is given if
    /// the new content has sections of it at the same offsets. Then the place may begin as a copy of `old`.
    ///
    /// # Errors
    /// There is no room. The transfer fails.
    fn begin(&mut self, length: u64, old: Option<&O>) -> io::Result<()>;

    /// Writes verified bytes. Every byte of the content is written or copied once, in any order.
    ///
    /// # Errors
    /// The bytes cannot be written. The transfer fails.
    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Writes verified bytes that were read from `old` at `old_offset`.
    ///
    /// # Errors
    /// As [`Sink::write_at`].
    fn copy_at(&mut self, bytes: &[u8], offset: u64, old: &O, old_offset: u64) -> io::Result<()> {
        let _ = (old, old_offset);
        self.write_at(bytes, offset)
    }
}
