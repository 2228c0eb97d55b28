//! Chunks become sections, and sections a manifest.

use std::collections::HashMap;
use std::fmt;
use std::io::{self, Read};
use std::sync::Arc;

use super::cut::{CHUNK_LENGTH_MAX, Cut, ends_section, first_chunk};
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
/// of it, and a section of what it [keeps](ManifestBuilder::keep).
pub struct ManifestBuilder {
    sections: Sections,
    /// The bytes that are not cut yet; more may follow.
    held: Vec<u8>,
    /// The grains of chunks that may come.
    known: HashMap<Hash, Arc<[Grain]>>,
    /// The position in the old content. `None` before the first call of [`ManifestBuilder::keep`].
    old: Option<Box<OldSections>>,
}

/// A position among the sections of an old content, and the section that the new content may reuse.
#[derive(Default)]
struct OldSections {
    /// The number of the current section.
    section: usize,
    /// The offset of the current section in bytes.
    start: u64,
    /// The section that all bytes since its start belong to. It is reused once it is complete.
    kept: Option<Arc<Section>>,
    /// The bytes of `kept` so far. They are cut into chunks if the section is not completed.
    bytes: Vec<u8>,
}

impl OldSections {
    /// Moves to the first section that begins at `length` or behind it, and returns its offset in bytes. Returns
    /// `u64::MAX` for the last section: it ends where its content ends, so it cannot be reused where more bytes follow.
    fn next_start(&mut self, old: &Manifest, length: u64) -> u64 {
        while self.start < length && self.section < old.sections.len() {
            self.start += old.sections[self.section].length;
            self.section += 1;
        }
        if self.section + 1 < old.sections.len() { self.start } else { u64::MAX }
    }
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
        let (held, known) = (Vec::new(), HashMap::new());
        ManifestBuilder { sections, held, known, old: None }
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
    pub fn update(&mut self, piece: &[u8]) {
        if !piece.is_empty() {
            self.end_keeping(true);
            self.cut(piece);
        }
    }

    /// Takes the next piece of the content. The old content that `old` describes has the same bytes at the same offset,
    /// as the caller has verified against `old`. The builder reuses complete sections of `old`, which saves cutting
    /// and hashing them.
    ///
    /// The result equals that of [`ManifestBuilder::update`]. `old` must have the depth of the builder, and all calls
    /// must pass the same one.
    pub fn keep(&mut self, mut piece: &[u8], old: &Manifest) {
        debug_assert_eq!(old.depth, self.sections.depth);
        while let Some(first) = piece.first() {
            let sections = self.old.get_or_insert_default();
            if let Some(section) = &sections.kept {
                // A section has at most 4 MiB and a chunk.
                let missing = section.length as usize - sections.bytes.len();
                if missing > 0 {
                    let (now, rest) = piece.split_at(missing.min(piece.len()));
                    sections.bytes.extend_from_slice(now);
                    piece = rest;
                    continue;
                }
                self.end_keeping(true);
            }
            let length = self.sections.length() + self.held.len() as u64;
            let start = self.old.get_or_insert_default().next_start(old, length);
            if length == start && self.is_between_sections(*first) {
                let sections = self.old.get_or_insert_default();
                sections.kept = Some(Arc::clone(&old.sections[sections.section]));
                continue;
            }
            // Cut the bytes before the next section.
            let gap = usize::try_from(start - length).unwrap_or(usize::MAX);
            let gap = if gap == 0 { piece.len() } else { gap.min(piece.len()) };
            let (now, rest) = piece.split_at(gap);
            self.cut(now);
            piece = rest;
        }
    }

    /// Whether a section ends where the given bytes end. `next` is the byte behind them.
    fn is_between_sections(&mut self, next: u8) -> bool {
        // A chunk's end shows only when more bytes follow.
        self.held.push(next);
        while let (length, cut) = first_chunk(&self.held)
            && cut != Cut::End
        {
            let mut held = std::mem::take(&mut self.held);
            self.cut_first(&held);
            held.drain(..length);
            self.held = held;
        }
        self.held.pop();
        self.held.is_empty() && self.sections.is_between()
    }

    /// Reuses the kept section if it is complete and more bytes follow. Otherwise cuts its bytes into chunks.
    fn end_keeping(&mut self, more_follow: bool) {
        let Some(old) = &mut self.old else { return };
        let Some(section) = old.kept.take() else { return };
        let mut bytes = std::mem::take(&mut old.bytes);
        if section.length == bytes.len() as u64 && more_follow {
            self.sections.push_section(&section);
        } else {
            self.cut(&bytes);
        }
        // The next section reuses the memory.
        bytes.clear();
        self.old.get_or_insert_default().bytes = bytes;
    }

    fn cut(&mut self, mut piece: &[u8]) {
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
        self.end_keeping(false);
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
