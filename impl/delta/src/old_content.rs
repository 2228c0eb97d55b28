//! The old content, wherever it is kept.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::FileExt;

/// An old content that can be read anywhere: bytes in memory, a [`File`], or a type of your own.
///
/// A `File` must be a regular file, because others have no length.
pub trait OldContent {
    /// Its length in bytes.
    ///
    /// # Errors
    /// The length cannot be read.
    fn length(&self) -> io::Result<u64>;

    /// Fills `bytes` from `offset` on.
    ///
    /// # Errors
    /// The content cannot be read, or ends before ([`io::ErrorKind::UnexpectedEof`]).
    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()>;
}

impl OldContent for [u8] {
    fn length(&self) -> io::Result<u64> {
        Ok(self.len() as u64)
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|it| self.get(it..));
        let part = rest.and_then(|it| it.get(..bytes.len()));
        bytes.copy_from_slice(part.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }
}

impl OldContent for Vec<u8> {
    fn length(&self) -> io::Result<u64> {
        self.as_slice().length()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.as_slice().read_exact_at(bytes, offset)
    }
}

#[cfg(unix)]
impl OldContent for File {
    fn length(&self) -> io::Result<u64> {
        let metadata = self.metadata()?;
        // The length of a device or a pipe reads as 0.
        if metadata.is_file() { Ok(metadata.len()) } else { Err(io::Error::other("it is no file")) }
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        FileExt::read_exact_at(self, bytes, offset)
    }
}

impl<T: OldContent + ?Sized> OldContent for &T {
    fn length(&self) -> io::Result<u64> {
        (**self).length()
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        (**self).read_exact_at(bytes, offset)
    }
}
