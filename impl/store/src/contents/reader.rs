//! Reading a content.

use std::fmt;
use std::sync::Arc;

use steadfast_delta::manifest::{Chunk, Manifest};
use steadfast_node::ContentCopy;
use steadfast_protocol::ContentId;
use steadfast_wal::disk::{Access, Call, Disk, read_full};

use super::manifests::{make_manifest, read_manifest, rename, write_manifest};
use super::{ContentError, Contents, names};

/// The place of a chunk.
#[derive(Clone, Copy)]
struct Place {
    /// Its first byte.
    offset: u64,
    /// The number of its section, and its number in the section.
    section: u32,
    chunk: u32,
}

/// Reads one content. Every chunk is compared with the manifest before its bytes are handed out.
pub struct ContentReader<D: Disk> {
    contents: Arc<Contents<D>>,
    content: ContentId,
    file: Arc<D::File>,
    manifest: Manifest,
    /// Where each chunk is.
    places: Vec<Place>,
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
        let places = places(&manifest);
        Ok(ContentReader {
            contents,
            content,
            file: Arc::new(file),
            manifest,
            places,
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

    pub(super) fn file(&self) -> &Arc<D::File> {
        &self.file
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
        let mut at = self.places.partition_point(|it| it.offset <= offset).saturating_sub(1);
        let (mut offset, mut rest) = (offset, bytes);
        while !rest.is_empty() {
            self.verify(at, self.contents.decisions.verifies_reads())?;
            let from = usize::try_from(offset - self.places[at].offset).unwrap_or(usize::MAX);
            let count = rest.len().min(self.bytes.len() - from);
            let (piece, after) = rest.split_at_mut(count);
            piece.copy_from_slice(&self.bytes[from..from + count]);
            (offset, rest, at) = (offset + count as u64, after, at + 1);
        }
        Ok(())
    }

    /// The number of chunks.
    pub(super) fn chunks(&self) -> usize {
        self.places.len()
    }

    fn chunk(&self, at: usize) -> &Chunk {
        let Place { section, chunk, .. } = self.places[at];
        &self.manifest.sections()[section as usize].chunks()[chunk as usize]
    }

    /// The length of a chunk in bytes.
    pub(super) fn chunk_length(&self, at: usize) -> u64 {
        self.chunk(at).length().into()
    }

    /// Reads a chunk, compares it with the manifest, and returns its length.
    pub(super) fn verify(&mut self, at: usize, is_compared: bool) -> Result<u64, ContentError> {
        let length = self.chunk_length(at);
        if self.held == Some(at) {
            return Ok(length);
        }
        self.held = None;
        if !self.read_chunk(at)? && is_compared && !self.read_again(at)? {
            let offset = Some(self.places[at].offset);
            return Err(ContentError::Rotten { content: self.content, offset });
        }
        self.held = Some(at);
        Ok(length)
    }

    /// Reads a chunk, and returns whether it is the one of the manifest.
    fn read_chunk(&mut self, at: usize) -> Result<bool, ContentError> {
        self.bytes.resize(self.chunk(at).length() as usize, 0);
        let read = read_full(&*self.file, &mut self.bytes, self.places[at].offset);
        let count = read.map_err(|error| {
            ContentError::disk(Call::Read, &names::content(self.content))(error)
        })?;
        Ok(count == self.bytes.len() && self.chunk(at).matches(&self.bytes))
    }

    /// Reads a chunk from the file that has the name now: the bad copy that this reader opened may have been
    /// replaced. Returns whether it is good; otherwise the copy counts as bad.
    fn read_again(&mut self, at: usize) -> Result<bool, ContentError> {
        let contents = Arc::clone(&self.contents);
        let _turn = contents.turns.take(self.content);
        if contents.copy(self.content) != ContentCopy::Exact {
            return Ok(false);
        }
        let name = names::content(self.content);
        let opened = contents.disk.open(&name, Access::Read);
        self.file = Arc::new(opened.map_err(ContentError::disk(Call::Open, &name))?);
        let is_good = self.read_chunk(at)?;
        if !is_good {
            contents.mark_bad(self.content);
        }
        Ok(is_good)
    }
}

fn places(manifest: &Manifest) -> Vec<Place> {
    let mut places = Vec::new();
    let mut offset = 0;
    for (section, chunks) in (0..).zip(manifest.sections()) {
        for (number, chunk) in (0..).zip(chunks.chunks()) {
            places.push(Place { offset, section, chunk: number });
            offset += u64::from(chunk.length());
        }
    }
    places
}

impl<D: Disk> Contents<D> {
    /// Opens a file, and reads its manifest or makes it.
    fn open_both(&self, content: ContentId) -> Result<(D::File, Manifest), ContentError> {
        let name = names::content(content);
        let opened = self.disk.open(&name, Access::Read);
        let file = opened.map_err(ContentError::disk(Call::Open, &name))?;
        let length = self.length(content).unwrap_or(0);
        let found = read_manifest(&*self.disk, &names::manifest(content, length))?;
        let fits = |it: &Manifest| {
            !self.decisions.verifies_manifest()
                || (it.root().0 == content.0 && it.length() == length)
        };
        if let Some(manifest) = found.filter(fits) {
            return Ok((file, manifest));
        }
        let manifest = make_manifest(&file, &name)?;
        if manifest.root().0 != content.0 {
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
        let draft = names::draft(self.next_draft());
        write_manifest(&*self.disk, manifest, &draft)?;
        rename(&*self.disk, &draft, &names::manifest(content, manifest.length()))?;
        if manifest.length() != length {
            let _ = self.disk.remove(&names::manifest(content, length));
            self.index().insert(content, manifest.length());
        }
        Ok(())
    }
}
