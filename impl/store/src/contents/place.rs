//! Writing a content whose bytes come in any order.

use std::fmt;
use std::io;
use std::sync::Arc;

use steadfast_delta::Sink;
use steadfast_delta::manifest::Manifest;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::Disk;

use super::new_file::NewFile;
use super::{ContentError, Contents, HeldContent};

/// The place of a content whose bytes come in any order, verified by the caller against the manifest with
/// which it ends. Dropping it removes them.
pub struct ContentPlace<D: Disk> {
    contents: Arc<Contents<D>>,
    file: NewFile<D>,
}

impl<D: Disk> fmt::Debug for ContentPlace<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentPlace").field("file", &self.file).finish_non_exhaustive()
    }
}

impl<D: Disk> ContentPlace<D> {
    pub(super) fn begin(contents: Arc<Contents<D>>) -> Result<ContentPlace<D>, ContentError> {
        let file = NewFile::create(&contents)?;
        Ok(ContentPlace { contents, file })
    }

    /// Makes the content durable under the name that its manifest gives it. The caller has verified that the
    /// bytes are those of the manifest; every later read verifies them again.
    ///
    /// # Errors
    /// The disk fails. The content may or may not be there after a crash.
    pub fn finish(self, manifest: &Manifest) -> Result<ContentId, ContentError> {
        let ContentPlace { contents, file } = self;
        let content = ContentId(manifest.root().0);
        contents.keep(content, manifest, file)?;
        Ok(content)
    }
}

/// Errors are [`ContentError`]s within those of the output.
impl<D: Disk> Sink<HeldContent<D>> for ContentPlace<D> {
    fn begin(&mut self, length: u64, old: Option<&HeldContent<D>>) -> io::Result<()> {
        if let Some(old) = old {
            self.file.begin_like(old.file());
        }
        self.file.set_length(length).map_err(io::Error::other)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.file.write(bytes, offset).map_err(io::Error::other)
    }

    fn copy_at(
        &mut self,
        bytes: &[u8],
        offset: u64,
        old: &HeldContent<D>,
        old_offset: u64,
    ) -> io::Result<()> {
        let copied = self.file.copy(bytes, offset, &old.file(), old_offset);
        copied.map_err(io::Error::other)
    }
}
