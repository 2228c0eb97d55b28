//! Where the bytes of a patch come from.

use std::io::{self, ErrorKind, Read};

/// Gives the bytes of a patch, front to back.
pub(crate) trait Source {
    /// Fills `bytes`.
    ///
    /// # Errors
    /// There are too few, which is `UnexpectedEof`, or they cannot be read.
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()>;

    /// The next `length` bytes, or all bytes up to the end if there are fewer; in `buffer` unless they are in
    /// memory. The caller has bounded `length`. Takes memory for existing bytes only.
    ///
    /// # Errors
    /// They cannot be read.
    fn piece<'a>(&'a mut self, length: usize, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]>;
}

impl<R: Read> Source for R {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        self.read_exact(bytes)
    }

    fn piece<'a>(&'a mut self, length: usize, buffer: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        buffer.clear();
        self.by_ref().take(length as u64).read_to_end(buffer)?;
        Ok(buffer)
    }
}

/// A patch in memory, whose pieces are not copied: a tenth of the time where nearly all of the new
/// content is literals.
pub(crate) struct InMemory<'p>(pub(crate) &'p [u8]);

impl Source for InMemory<'_> {
    fn fill(&mut self, bytes: &mut [u8]) -> io::Result<()> {
        let next = self.0.split_off(..bytes.len()).ok_or(ErrorKind::UnexpectedEof)?;
        bytes.copy_from_slice(next);
        Ok(())
    }

    fn piece<'a>(&'a mut self, length: usize, _: &'a mut Vec<u8>) -> io::Result<&'a [u8]> {
        let (next, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        Ok(next)
    }
}
