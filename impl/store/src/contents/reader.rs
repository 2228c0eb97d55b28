//! Reading a content.

use std::fmt;
use std::sync::Arc;

use steadfast_delta::manifest::Manifest;
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Access, Call, Disk};

use super::manifests::{make_manifest, read_full, read_manifest, rename, write_manifest};
use super::{ContentError, Contents, names};

/// Reads one content. Every chunk is compared with the manifest before its bytes are handed out.
pub struct ContentReader<D: Disk> {
    contents: Arc<Contents<D>>,
    content: ContentId,
    file: D::File,
    manifest: Manifest,
    /// Where each chunk begins.
    offsets: Vec<u64>,
    /// The number of the chunk that was verified last.
    held: Option<usize>,
    /// Its bytes.
    bytes: Vec<u8>,
}

impl<D: Disk> fmt::Debug for ContentReader<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ContentReader")
            .field("content", &self.content)
            .field("length", &self.length())
            .finish_non_exhaustive()
    }
}

impl<D: Disk> ContentReader<D> {
    pub(super) fn open(
        contents: Arc<Contents<D>>,
        content: ContentId,
    ) -> Result<ContentReader<D>, ContentError> {
        // Not while the file and its manifest are being replaced.
        let turn = contents.turns.take(content);
        match contents.copy(content) {
            ContentCopy::Missing => return Err(ContentError::Missing(content)),
            ContentCopy::Wrong => return Err(ContentError::Rotten { content, offset: None }),
            ContentCopy::Exact => {}
        }
        let (file, manifest) = contents.open_both(content)?;
        drop(turn);
        let offsets = manifest.chunks().map(|it| it.0).collect();
        Ok(ContentReader {
            contents,
            content,
            file,
            manifest,
            offsets,
            held: None,
            bytes: Vec::new(),
        })
    }

    /// The name of the content.
    #[must_use]
    pub fn content(&self) -> ContentId {
        self.content
    }

    /// The length of the content in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.manifest.length()
    }

    /// Its manifest, down to the chunks.
    #[must_use]
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    pub(super) fn into_manifest(self) -> Manifest {
        self.manifest
    }

    /// Fills the memory with the bytes from `offset` on.
    ///
    /// # Errors
    /// There are not as many bytes; or a chunk differs from the manifest, and the copy counts as bad from
    /// then on; or the disk fails. The memory holds verified bytes only up to the first error.
    pub fn read_at(&mut self, offset: u64, bytes: &mut [u8]) -> Result<(), ContentError> {
        let asked = bytes.len() as u64;
        if offset.checked_add(asked).is_none_or(|end| end > self.length()) {
            let (content, length) = (self.content, self.length());
            return Err(ContentError::OutOfRange { content, offset, bytes: asked, length });
        }
        let mut at = self.offsets.partition_point(|it| *it <= offset).saturating_sub(1);
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            self.verify(at)?;
            let from = usize::try_from(offset - self.offsets[at]).unwrap_or(usize::MAX);
            let count = rest.len().min(self.bytes.len() - from);
            let (piece, after) = rest.split_at_mut(count);
            piece.copy_from_slice(&self.bytes[from..from + count]);
            (offset, rest, at) = (offset + count as u64, after, at + 1);
        }
        Ok(())
    }

    /// The number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.offsets.len()
    }

    /// Reads a chunk and compares it with the manifest. Returns its length.
    pub(super) fn verify(&mut self, at: usize) -> Result<u64, ContentError> {
        let offset = self.offsets[at];
        if self.held == Some(at) {
            return Ok(self.bytes.len() as u64);
        }
        self.held = None;
        let end = self.offsets.get(at + 1).copied().unwrap_or(self.manifest.length());
        self.bytes.resize(usize::try_from(end - offset).unwrap_or(usize::MAX), 0);
        let read = read_full(&self.file, &mut self.bytes, offset);
        let count = read.map_err(|error| {
            ContentError::disk(Call::Read, &names::content(self.content))(error)
        })?;
        if self.contents.decisions.verifies_reads() && !self.is_chunk(at, count) {
            self.contents.mark_bad(self.content);
            return Err(ContentError::Rotten { content: self.content, offset: Some(offset) });
        }
        self.held = Some(at);
        Ok(count as u64)
    }

    /// Whether the bytes that were read are the chunk.
    fn is_chunk(&self, at: usize, count: usize) -> bool {
        let offset = self.offsets[at];
        let mut chunks = self.manifest.sections().iter();
        let mut begin = 0;
        let section = chunks.find(|section| {
            let is_in = offset < begin + section.length();
            if !is_in {
                begin += section.length();
            }
            is_in
        });
        let Some(section) = section else { return false };
        let chunk = section.chunks().iter().find(|chunk| {
            let is_it = begin == offset;
            begin += u64::from(chunk.length());
            is_it
        });
        count == self.bytes.len() && chunk.is_some_and(|it| it.matches(&self.bytes))
    }
}

impl<D: Disk> Contents<D> {
    /// Opens a file, and reads its manifest or makes it.
    fn open_both(&self, content: ContentId) -> Result<(D::File, Manifest), ContentError> {
        let name = names::content(content);
        let opened = self.disk.open(&name, Access::Read);
        let file = opened.map_err(ContentError::disk(Call::Open, &name))?;
        let length = self.length(content).unwrap_or(0);
        let found = read_manifest(&*self.disk, &names::manifest(content, length))?;
        let fits = |it: &Manifest| it.root().0 == content.0 && it.length() == length;
        if let Some(manifest) = found.filter(fits) {
            return Ok((file, manifest));
        }
        let manifest = make_manifest(&file, &name)?;
        if manifest.root().0 != content.0 && self.decisions.verifies_reads() {
            self.mark_bad(content);
            return Err(ContentError::Rotten { content, offset: None });
        }
        self.replace_manifest(content, length, &manifest)?;
        Ok((file, manifest))
    }

    fn replace_manifest(
        &self,
        content: ContentId,
        length: u64,
        manifest: &Manifest,
    ) -> Result<(), ContentError> {
        let draft = self.next_draft_name();
        write_manifest(&*self.disk, manifest, &draft)?;
        rename(&*self.disk, &draft, &names::manifest(content, manifest.length()))?;
        if manifest.length() != length {
            let _ = self.disk.remove(&names::manifest(content, length));
            self.index().insert(content, manifest.length());
        }
        Ok(())
    }
}
