//! Writing a content.

use std::fmt;
use std::io::{self, Write};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steadfast_delta::manifest::{Depth, Manifest, ManifestBuilder};
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Access, Call, Disk, DiskFile};

use super::manifests::{discard, rename, write_full, write_manifest};
use super::{ContentError, Contents, names};

/// A file is synced whenever this many bytes have been written, so that the last sync, for which the node
/// waits, is short, and other syncs of the disk are not held up for long.
const SYNC_BYTES: u64 = 16 << 20;

/// A content that is being written, piece by piece. Dropping it removes the pieces.
pub struct ContentWriter<D: Disk> {
    contents: Arc<Contents<D>>,
    file: D::File,
    draft: Draft<D>,
    builder: ManifestBuilder,
    length: u64,
    /// The bytes up to this one are synced.
    synced: u64,
}

/// The temporary file of a writer, removed when dropped.
pub(super) struct Draft<D: Disk> {
    disk: Arc<D>,
    number: u64,
    is_gone: bool,
}

impl<D: Disk> Drop for Draft<D> {
    fn drop(&mut self) {
        if !self.is_gone {
            discard(&*self.disk, self.number);
        }
    }
}

impl<D: Disk> Draft<D> {
    pub(super) fn name(&self) -> String {
        names::draft(self.number)
    }
}

impl<D: Disk> fmt::Debug for ContentWriter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentWriter")
            .field("draft", &self.draft.name())
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> Contents<D> {
    pub(super) fn draft(&self) -> Draft<D> {
        let number = self.drafts.fetch_add(1, Ordering::Relaxed);
        Draft { disk: Arc::clone(&self.disk), number, is_gone: false }
    }
}

impl<D: Disk> ContentWriter<D> {
    pub(super) fn begin(contents: Arc<Contents<D>>) -> Result<ContentWriter<D>, ContentError> {
        let draft = contents.draft();
        let name = draft.name();
        let file = contents.disk.create(&name, Access::Write);
        let file = file.map_err(ContentError::disk(Call::Create, &name))?;
        let builder = ManifestBuilder::new(Depth::Chunks);
        Ok(ContentWriter { contents, file, draft, builder, length: 0, synced: 0 })
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// The disk fails.
    pub fn update(&mut self, piece: &[u8]) -> Result<(), ContentError> {
        let written = write_full(&self.file, piece, self.length);
        written.map_err(|error| ContentError::disk(Call::Write, &self.draft.name())(error))?;
        self.builder.update(piece);
        self.length += piece.len() as u64;
        if self.length - self.synced >= SYNC_BYTES {
            self.sync()?;
        }
        Ok(())
    }

    fn sync(&mut self) -> Result<(), ContentError> {
        let synced = self.file.sync();
        synced.map_err(|error| ContentError::disk(Call::Sync, &self.draft.name())(error))?;
        self.synced = self.length;
        Ok(())
    }

    /// How many bytes were written.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Makes the content durable, and returns its name and length. A copy that is there already is replaced:
    /// it may have gone bad unnoticed.
    ///
    /// # Errors
    /// The disk fails. The content may or may not be there after a crash.
    pub fn finish(self) -> Result<(ContentId, u64), ContentError> {
        let ContentWriter { contents, file, draft, builder, .. } = self;
        let manifest = builder.finish();
        let content = ContentId(manifest.root().0);
        contents.keep(content, &manifest, &file, draft)?;
        Ok((content, manifest.length()))
    }

    /// Makes the content durable if it is the expected one, and returns its length.
    ///
    /// # Errors
    /// It is another content: nothing of it stays. Or as [`ContentWriter::finish`].
    pub fn finish_as(self, expected: ContentId) -> Result<u64, ContentError> {
        let ContentWriter { contents, file, draft, builder, .. } = self;
        let manifest = builder.finish();
        let found = ContentId(manifest.root().0);
        if found != expected && contents.decisions.verifies_name() {
            return Err(ContentError::OtherContent { expected, found });
        }
        contents.keep(expected, &manifest, &file, draft)?;
        Ok(manifest.length())
    }
}

impl<D: Disk> Contents<D> {
    pub(super) fn keep(
        &self,
        content: ContentId,
        manifest: &Manifest,
        file: &D::File,
        mut draft: Draft<D>,
    ) -> Result<(), ContentError> {
        let _turn = self.turns.take(content);
        if self.copy(content) != ContentCopy::Missing && !self.decisions.replaces_old_copy() {
            self.index().note_unreported(content);
            return Ok(());
        }
        let name = draft.name();
        if self.decisions.syncs_content() {
            file.sync().map_err(ContentError::disk(Call::Sync, &name))?;
        }
        let mut beside = self.draft();
        write_manifest(&*self.disk, manifest, &beside.name())?;
        rename(&*self.disk, &name, &names::content(content))?;
        draft.is_gone = true;
        rename(&*self.disk, &beside.name(), &names::manifest(content, manifest.length()))?;
        beside.is_gone = true;
        if self.decisions.counts_before_directory_sync() {
            self.index().insert(content, manifest.length());
        }
        if self.decisions.syncs_directory() {
            let directory = self.disk.directory();
            let synced = self.disk.sync_directory();
            synced.map_err(ContentError::disk(Call::SyncDirectory, &directory))?;
        }
        let mut index = self.index();
        index.insert(content, manifest.length());
        index.note_unreported(content);
        Ok(())
    }
}

impl<D: Disk> Write for ContentWriter<D> {
    fn write(&mut self, piece: &[u8]) -> io::Result<usize> {
        match self.update(piece) {
            Ok(()) => Ok(piece.len()),
            Err(ContentError::Disk(error)) => Err(error.source),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl<D: Disk> Contents<D> {
    /// A name for another temporary file.
    pub(super) fn next_draft_name(&self) -> String {
        names::draft(self.drafts.fetch_add(1, Ordering::Relaxed))
    }
}
