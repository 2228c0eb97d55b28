//! Writing a content.

use std::fmt;
use std::io;
use std::sync::Arc;

use steadfast_delta::manifest::{Depth, Manifest, ManifestBuilder};
use steadfast_delta::{NewContent, Source};
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Call, Disk};

use super::manifests::{rename, write_manifest};
use super::new_file::{Draft, NewFile};
use super::{ContentError, Contents, HeldContent, names};

/// A content that is being written, piece by piece. Dropping it removes the pieces.
pub struct ContentWriter<D: Disk> {
    contents: Arc<Contents<D>>,
    file: NewFile<D>,
    builder: ManifestBuilder,
    length: u64,
}

impl<D: Disk> fmt::Debug for ContentWriter<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentWriter")
            .field("file", &self.file)
            .field("length", &self.length)
            .finish_non_exhaustive()
    }
}

impl<D: Disk> ContentWriter<D> {
    pub(super) fn begin(
        contents: Arc<Contents<D>>,
        like: Option<&HeldContent<D>>,
    ) -> Result<ContentWriter<D>, ContentError> {
        let mut file = NewFile::create(&contents)?;
        if let Some(like) = like {
            file.begin_like(like.file());
        }
        let builder = ManifestBuilder::new(Depth::Chunks);
        Ok(ContentWriter { contents, file, builder, length: 0 })
    }

    /// Writes the next piece.
    ///
    /// # Errors
    /// The disk fails.
    pub fn update(&mut self, piece: &[u8]) -> Result<(), ContentError> {
        self.file.write(piece, self.length)?;
        self.builder.update(piece);
        self.length += piece.len() as u64;
        Ok(())
    }

    /// Takes the next piece, which was read from `old` at the same offset. On a reflink of `old` it is not written, and
    /// complete sections are not hashed again.
    ///
    /// # Errors
    /// The disk fails.
    pub fn keep(&mut self, piece: &[u8], old: &HeldContent<D>) -> Result<(), ContentError> {
        self.file.copy(piece, self.length, &old.file(), self.length)?;
        self.builder.keep(piece, old.manifest());
        self.length += piece.len() as u64;
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
        self.finish_if(Ok)
    }

    /// Makes the content durable if it is the expected one, and returns its length.
    ///
    /// # Errors
    /// It is another content: nothing of it stays. Or as [`ContentWriter::finish`].
    pub fn finish_as(self, expected: ContentId) -> Result<u64, ContentError> {
        let verifies_name = self.contents.decisions.verifies_name();
        let finished = self.finish_if(|found| match found != expected && verifies_name {
            true => Err(ContentError::OtherContent { expected, found }),
            false => Ok(expected),
        });
        finished.map(|(_, length)| length)
    }

    fn finish_if(
        self,
        name: impl FnOnce(ContentId) -> Result<ContentId, ContentError>,
    ) -> Result<(ContentId, u64), ContentError> {
        let ContentWriter { contents, mut file, builder, length } = self;
        let manifest = builder.finish();
        let content = name(ContentId(manifest.root().0))?;
        if file.is_copy() {
            file.set_length(length)?;
        }
        contents.keep(content, &manifest, file)?;
        Ok((content, length))
    }
}

impl<D: Disk> Contents<D> {
    pub(super) fn keep(
        &self,
        content: ContentId,
        manifest: &Manifest,
        mut file: NewFile<D>,
    ) -> Result<(), ContentError> {
        let _turn = self.turns.take(content);
        if self.copy(content) != ContentCopy::Missing && !self.decisions.replaces_old_copy() {
            self.index().note_unreported(content);
            return Ok(());
        }
        if self.decisions.syncs_content() {
            file.sync()?;
        }
        let mut draft = file.into_draft();
        let mut beside = Draft::of(self);
        write_manifest(&*self.disk, manifest, &beside.name())?;
        rename(&*self.disk, &draft.name(), &names::content(content))?;
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

/// Errors are [`ContentError`]s within those of the output.
impl<D: Disk> NewContent<HeldContent<D>> for &mut ContentWriter<D> {
    fn append(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.update(bytes).map_err(io::Error::other)
    }

    fn keep(&mut self, bytes: &[u8], old: &HeldContent<D>) -> io::Result<()> {
        ContentWriter::keep(self, bytes, old).map_err(io::Error::other)
    }
}
