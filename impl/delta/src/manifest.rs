//! Manifests: the parts of a content, in three nested levels, and the name that follows.
//!
//! A content is cut into sections of about 1 MiB, these into chunks of 16 to 64 KiB, and these
//! into grains of about 256 bytes. Chunks are named by the BLAKE3 of their bytes, sections by the
//! hashes of their chunks, and the whole content by its [`Root`], the hash of its sections. The
//! root depends on the content alone, however its manifest was made. Grains carry short hashes
//! that find what is equal inside a changed chunk, and that no name depends on.

mod build;
mod carry;
pub(crate) mod cut;
mod form;
pub(crate) mod grain;
mod hash;
mod kept;
mod outline;
mod parts;
pub(crate) mod scan;

use std::sync::Arc;

pub use build::ManifestBuilder;
pub use cut::{
    CHUNK_LENGTH_MAX, CHUNK_LENGTH_MIN, Cut, GRAIN_LENGTH_MAX, GRAIN_LENGTH_MIN,
    SECTION_LENGTH_MAX, SECTION_LENGTH_MIN,
};
pub use form::ManifestError;
pub use grain::Grain;
pub use hash::{Hash, Root};
pub use kept::Kept;
pub use outline::{Outline, OutlinedSection, ShortHash};

/// How far down a manifest goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Depth {
    /// To the chunks: about 1/1000 of the content's size.
    Chunks,
    /// To the grains: about 1/32 of the content's size, for deltas without asking back.
    Grains,
}

/// The parts of a content. Sections are shared with the manifests that it was carried over
/// from and to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Manifest {
    root: Root,
    length: u64,
    depth: Depth,
    sections: Vec<Arc<Section>>,
}

/// About 1 MiB of a content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Section {
    hash: Hash,
    length: u64,
    /// Never empty.
    chunks: Vec<Chunk>,
}

/// 16 to 64 KiB of a content, the last one perhaps less.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Chunk {
    hash: Hash,
    /// At least 1, at most [`CHUNK_LENGTH_MAX`].
    length: u32,
    cut: Cut,
    /// With salt 0. Empty unless the manifest goes down to the grains, else their lengths add up
    /// to the chunk's.
    grains: Arc<[Grain]>,
}

impl Manifest {
    /// The manifest of a content that is in memory. Cuts, hashes and reads it once.
    pub fn of(content: &[u8], depth: Depth) -> Manifest {
        let mut sections = build::Sections::new(depth);
        let mut rest = content;
        while !rest.is_empty() {
            let (length, cut) = cut::first_chunk(rest);
            let (chunk, after) = rest.split_at(length);
            sections.push(Chunk::of(chunk, cut, depth));
            rest = after;
        }
        sections.finish()
    }

    /// The content's name.
    pub fn root(&self) -> Root {
        self.root
    }

    /// The content's length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// How far down the manifest goes.
    pub fn depth(&self) -> Depth {
        self.depth
    }

    /// The sections in the order of the content.
    pub fn sections(&self) -> &[Arc<Section>] {
        &self.sections
    }

    /// The chunks of all sections, each with the offset of its first byte.
    pub fn chunks(&self) -> impl Iterator<Item = (u64, &Chunk)> {
        self.sections.iter().flat_map(|section| section.chunks()).scan(0, |offset, chunk| {
            let at = *offset;
            *offset += u64::from(chunk.length);
            Some((at, chunk))
        })
    }
}

impl Section {
    /// The hash of the hashes and lengths of its chunks.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// The length in bytes.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The chunks in the order of the content; at least one.
    pub fn chunks(&self) -> &[Chunk] {
        &self.chunks
    }

    /// Why the section's last chunk ends where it ends. Two contents have the same section where the hashes
    /// are equal and either both or neither end with it.
    pub fn cut(&self) -> Cut {
        self.chunks.last().map_or(Cut::End, |chunk| chunk.cut)
    }
}

impl Chunk {
    /// The chunk that these bytes are. Panics in debug builds when they are longer than a chunk.
    pub(crate) fn of(bytes: &[u8], cut: Cut, depth: Depth) -> Chunk {
        debug_assert!((1..=CHUNK_LENGTH_MAX).contains(&bytes.len()));
        let grains = match depth {
            Depth::Chunks => Arc::default(),
            Depth::Grains => grain::grains(bytes, 0).collect(),
        };
        let length = bytes.len() as u32;
        Chunk { hash: Hash::of(bytes), length, cut, grains }
    }

    /// BLAKE3 of its bytes.
    pub fn hash(&self) -> &Hash {
        &self.hash
    }

    /// Whether these bytes are the chunk: their BLAKE3 is its hash.
    pub fn matches(&self, bytes: &[u8]) -> bool {
        Hash::of(bytes) == self.hash
    }

    /// The length in bytes: 1 to [`CHUNK_LENGTH_MAX`].
    pub fn length(&self) -> u32 {
        self.length
    }

    /// Why it ends where it ends.
    pub fn cut(&self) -> Cut {
        self.cut
    }

    /// Its grains, or nothing when the manifest goes down to the chunks only.
    pub fn grains(&self) -> &[Grain] {
        &self.grains
    }
}
