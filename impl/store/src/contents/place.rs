//! Writing a content whose bytes come in any order.

use std::fmt;
use std::io;
use std::sync::Arc;

use steadfast_delta::Sink;
use steadfast_delta::manifest::Manifest;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Access, Call, Disk, DiskFile};

use super::manifests::write_full;
use super::writer::Draft;
use super::{ContentError, Contents};

/// A file is synced whenever this many bytes have been written, so that the last sync is short.
const SYNC_BYTES: u64 = 16 << 20;

/// The place of a content whose bytes come in any order, verified by the caller against the manifest with
/// which it ends. Dropping it removes them.
pub struct ContentPlace<D: Disk> {
    contents: Arc<Contents<D>>,
    file: D::File,
    draft: Draft<D>,
    unsynced: u64,
}

impl<D: Disk> fmt::Debug for ContentPlace<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentPlace").field("draft", &self.draft.name()).finish_non_exhaustive()
    }
}

impl<D: Disk> ContentPlace<D> {
    pub(super) fn begin(contents: Arc<Contents<D>>) -> Result<ContentPlace<D>, ContentError> {
        let draft = contents.draft();
        let name = draft.name();
        let file = contents.disk.create(&name, Access::Write);
        let file = file.map_err(ContentError::disk(Call::Create, &name))?;
        Ok(ContentPlace { contents, file, draft, unsynced: 0 })
    }

    fn set_length(&mut self, length: u64) -> Result<(), ContentError> {
        let set = self.file.set_length(length);
        set.map_err(|error| ContentError::disk(Call::SetLength, &self.draft.name())(error))
    }

    fn write(&mut self, bytes: &[u8], offset: u64) -> Result<(), ContentError> {
        let written = write_full(&self.file, bytes, offset);
        written.map_err(|error| ContentError::disk(Call::Write, &self.draft.name())(error))?;
        self.unsynced += bytes.len() as u64;
        if self.unsynced >= SYNC_BYTES {
            let synced = self.file.sync();
            synced.map_err(|error| ContentError::disk(Call::Sync, &self.draft.name())(error))?;
            self.unsynced = 0;
        }
        Ok(())
    }

    /// Makes the content durable under the name that its manifest gives it. The caller has verified that the
    /// bytes are those of the manifest; every later read verifies them again.
    ///
    /// # Errors
    /// The disk fails. The content may or may not be there after a crash.
    pub fn finish(self, manifest: &Manifest) -> Result<ContentId, ContentError> {
        let ContentPlace { contents, file, draft, .. } = self;
        let content = ContentId(manifest.root().0);
        contents.keep(content, manifest, &file, draft)?;
        Ok(content)
    }
}

impl<D: Disk> Sink for ContentPlace<D> {
    fn begin(&mut self, length: u64) -> io::Result<()> {
        self.set_length(length).map_err(io::Error::other)
    }

    fn write_at(&mut self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write(bytes, offset).map_err(io::Error::other)
    }
}
