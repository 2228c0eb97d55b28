//! The files and bytes in memory that can be changed in place.

use std::fs::File;
use std::io;
#[cfg(unix)]
use std::os::unix::fs::FileExt;

use crate::old_content::OldContent;

/// A content that is changed in place: bytes in memory, a [`File`], or a type of your own.
///
/// A slice `[u8]` keeps its length: compare it with [`InPlacePlan::new_length`] first, because a plan
/// that changes the length fails only after its writes. A `Vec<u8>` takes every plan.
///
/// [`InPlacePlan::new_length`]: crate::InPlacePlan::new_length
pub trait PatchedFile: OldContent {
    /// Writes all of `bytes` from `offset` on. Behind its end the content grows; bytes that were
    /// never written are 0.
    ///
    /// # Errors
    /// The file cannot be written to.
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()>;

    /// Makes the file this long.
    ///
    /// # Errors
    /// The file cannot be changed.
    fn set_length(&mut self, length: u64) -> io::Result<()>;

    /// Returns when all of the above would survive a crash.
    ///
    /// # Errors
    /// The file cannot be synced.
    fn sync(&mut self) -> io::Result<()>;
}

#[cfg(unix)]
impl PatchedFile for File {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        FileExt::write_all_at(self, bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        self.set_len(length)
    }

    fn sync(&mut self) -> io::Result<()> {
        self.sync_all()
    }
}

impl PatchedFile for [u8] {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let rest = usize::try_from(offset).ok().and_then(|it| self.get_mut(it..));
        let place = rest.and_then(|it| it.get_mut(..bytes.len()));
        place.ok_or_else(keeps_its_length)?.copy_from_slice(bytes);
        Ok(())
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        if length == self.len() as u64 { Ok(()) } else { Err(keeps_its_length()) }
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn keeps_its_length() -> io::Error {
    let message = "a slice keeps its length: change a Vec<u8> or a File instead";
    io::Error::new(io::ErrorKind::InvalidInput, message)
}

impl PatchedFile for Vec<u8> {
    fn write_all_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        let end = offset.checked_add(bytes.len() as u64).ok_or(io::ErrorKind::InvalidInput)?;
        if end > self.len() as u64 {
            self.set_length(end)?;
        }
        self.as_mut_slice().write_all_at(bytes, offset)
    }

    fn set_length(&mut self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        self.try_reserve(length.saturating_sub(self.len()))?;
        self.resize(length, 0);
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        Ok(())
    }
}
