//! A content of this node as the source of a transfer or as the base of a delta.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::sync::Arc;

use steadfast_delta::manifest::Manifest;
use steadfast_delta::{OldContent, Source};
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Disk, read_full};

use super::{ContentError, ContentReader, Contents};

/// A content that is read anywhere through a shared reference. Its errors are [`ContentError`]s within those of
/// the input.
pub struct HeldContent<D: Disk> {
    manifest: Manifest,
    reader: RefCell<ContentReader<D>>,
}

impl<D: Disk> fmt::Debug for HeldContent<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HeldContent").field("root", &self.manifest.root()).finish_non_exhaustive()
    }
}

impl<D: Disk> HeldContent<D> {
    /// Opens a content.
    ///
    /// # Errors
    /// As [`Contents::reader`].
    pub fn open(
        contents: &Arc<Contents<D>>,
        content: ContentId,
    ) -> Result<HeldContent<D>, ContentError> {
        let reader = contents.reader(content)?;
        Ok(HeldContent { manifest: reader.manifest().clone(), reader: RefCell::new(reader) })
    }

    /// The file from which its bytes are read now.
    pub(super) fn file(&self) -> Arc<D::File> {
        Arc::clone(self.reader.borrow().file())
    }
}

impl<D: Disk> Source for HeldContent<D> {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        self.reader.borrow_mut().read_at(offset, bytes).map_err(io::Error::other)
    }

    fn read_unverified_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        match read_full(&**self.reader.borrow().file(), bytes, offset)? == bytes.len() {
            true => Ok(()),
            false => Err(io::ErrorKind::UnexpectedEof.into()),
        }
    }
}

impl<D: Disk> OldContent for HeldContent<D> {
    fn length(&self) -> io::Result<u64> {
        Ok(self.manifest.length())
    }

    fn read_exact_at(&self, bytes: &mut [u8], offset: u64) -> io::Result<()> {
        Source::read_exact_at(self, bytes, offset)
    }
}
