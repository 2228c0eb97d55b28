//! Chunks become sections, and sections a manifest.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::cut::{CHUNK_LENGTH_MAX, ends_section, first_chunk};
use super::grain::grains;
use super::{Chunk, Depth, Grain, Hash, Manifest, Root, Section};

/// Groups chunks into sections as they come.
pub(crate) struct Sections {
    depth: Depth,
    length: u64,
    closed: Vec<Arc<Section>>,
    open: Vec<Chunk>,
    open_length: u64,
}

impl Sections {
    pub(crate) fn new(depth: Depth) -> Sections {
        Sections { depth, length: 0, closed: Vec::new(), open: Vec::new(), open_length: 0 }
    }

    /// Whether the next chunk begins a section.
    pub(crate) fn is_between(&self) -> bool {
        self.open.is_empty()
    }

    /// The length of everything so far.
    pub(crate) fn length(&self) -> u64 {
        self.length
    }

    pub(crate) fn push(&mut self, chunk: Chunk) {
        let cut = chunk.cut;
        self.length += u64::from(chunk.length);
        self.open_length += u64::from(chunk.length);
        self.open.push(chunk);
        if ends_section(self.open_length, cut) {
            self.close();
        }
    }

    /// Appends a whole section, between two sections.
    pub(crate) fn push_section(&mut self, section: &Arc<Section>) {
        debug_assert!(self.is_between());
        self.length += section.length;
        self.closed.push(Arc::clone(section));
    }

    pub(crate) fn finish(mut self) -> Manifest {
        if !self.is_between() {
            self.close();
        }
        let sections = self.closed;
        let root = Root::of(self.length, sections.iter().map(|section| &**section));
        Manifest { root, length: self.length, depth: self.depth, sections }
    }

    fn close(&mut self) {
        let chunks = std::mem::take(&mut self.open);
        let length = std::mem::take(&mut self.open_length);
        self.closed.push(Arc::new(Section { hash: Hash::of_section(&chunks), length, chunks }));
    }
}

/// How much of a content is read at once.
const READ_BYTES: usize = 1 << 20;

impl Manifest {
    /// The manifest of a content that is read to its end. Memory is bounded by the manifest and a MiB.
    ///
    /// # Errors
    /// The content cannot be read. An interrupted call is repeated.
    pub fn read(mut content: impl Read, depth: Depth) -> io::Result<Manifest> {
        let mut builder = ManifestBuilder::new(depth);
        let mut piece = vec![0; READ_BYTES];
        loop {
            match content.read(&mut piece) {
                Ok(0) => return Ok(builder.finish()),
                Ok(count) => builder.update(&piece[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }
}

/// Makes the manifest of a content that comes piece by piece, holding back less than two chunks
/// of it.
pub struct ManifestBuilder {
    sections: Sections,
    /// The bytes that are not cut yet; more may follow.
    held: Vec<u8>,
    /// The grains of chunks that may come.
    known: HashMap<Hash, Arc<[Grain]>>,
}

impl fmt::Debug for ManifestBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ManifestBuilder")
            .field("held_bytes", &self.held.len())
            .finish_non_exhaustive()
    }
}

impl ManifestBuilder {
    /// The builder of a manifest that goes this far down.
    pub fn new(depth: Depth) -> ManifestBuilder {
        let sections = Sections::new(depth);
        ManifestBuilder { sections, held: Vec::new(), known: HashMap::new() }
    }

    /// The builder of a manifest that goes as far down as this one and probably shares chunks with
    /// it, whose grains are not cut again. Every byte is hashed all the same.
    pub fn like(manifest: &Manifest) -> ManifestBuilder {
        let mut builder = ManifestBuilder::new(manifest.depth);
        if manifest.depth == Depth::Grains {
            let chunks = manifest.chunks();
            builder.known =
                chunks.map(|(_, chunk)| (chunk.hash, Arc::clone(&chunk.grains))).collect();
        }
        builder
    }

    /// Takes the next piece of the content.
    pub fn update(&mut self, mut piece: &[u8]) {
        while self.held.len() + piece.len() > CHUNK_LENGTH_MAX {
            if self.held.is_empty() {
                piece = &piece[self.cut_first(piece)..];
            } else {
                let (more, rest) = piece.split_at(piece.len().min(CHUNK_LENGTH_MAX + 1));
                self.held.extend_from_slice(more);
                piece = rest;
                self.cut_held();
            }
        }
        self.held.extend_from_slice(piece);
    }

    /// The manifest of everything that was given.
    pub fn finish(mut self) -> Manifest {
        let held = std::mem::take(&mut self.held);
        let mut rest = &held[..];
        while !rest.is_empty() {
            rest = &rest[self.cut_first(rest)..];
        }
        self.sections.finish()
    }

    /// Cuts the held bytes while they are certainly more than a chunk.
    fn cut_held(&mut self) {
        let mut held = std::mem::take(&mut self.held);
        let mut from = 0;
        while held.len() - from > CHUNK_LENGTH_MAX {
            from += self.cut_first(&held[from..]);
        }
        held.drain(..from);
        self.held = held;
    }

    /// Cuts off the first chunk and says how long it is.
    fn cut_first(&mut self, rest: &[u8]) -> usize {
        let (length, cut) = first_chunk(rest);
        let bytes = &rest[..length];
        let chunk = Chunk::of(bytes, cut, Depth::Chunks);
        let chunk = match (self.sections.depth, self.known.get(&chunk.hash)) {
            (Depth::Chunks, _) => chunk,
            (Depth::Grains, Some(grains)) => Chunk { grains: Arc::clone(grains), ..chunk },
            (Depth::Grains, None) => Chunk { grains: grains(bytes, 0).collect(), ..chunk },
        };
        self.sections.push(chunk);
        length
    }
}
