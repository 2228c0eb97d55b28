//! Parts of a manifest that come one by one, each verified by its own hash.
//!
//! The root names the hashes of the sections, the hash of a section its chunks, and the hash of a chunk its
//! bytes. So a receiver that knows the name of a content verifies every part of it as soon as the part has come.

use std::sync::Arc;

use super::build::Sections;
use super::cut::is_chunk;
use super::form::{CHUNK_BYTES_MIN, field, put_chunk, read_chunk};
use super::{Chunk, Depth, Hash, Manifest, ManifestError, Root, Section};
use crate::bytes::Reader;
use crate::wire::varint;

impl Section {
    /// The chunks as bytes: their number as a varint, and for each chunk its length, cut and hash, as in the
    /// serialized form of a manifest. About 1.3 KiB for a section of 1 MiB.
    pub fn to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(2 + self.chunks.len() * (CHUNK_BYTES_MIN + 2));
        varint::put(&mut out, self.chunks.len() as u64);
        self.chunks.iter().for_each(|chunk| put_chunk(&mut out, chunk));
        out
    }

    /// The section of this hash, from the bytes of its chunks. `ends_content` says whether it is the last one
    /// of its content. Allocates in proportion to the bytes given.
    ///
    /// # Errors
    /// The bytes are malformed, or are those of another section.
    pub fn from_bytes(
        bytes: &[u8],
        named: &Hash,
        ends_content: bool,
    ) -> Result<Section, ManifestError> {
        let section = Section::parse(bytes, ends_content)?;
        match section.hash == *named {
            true => Ok(section),
            false => Err(ManifestError::Section { named: *named, found: section.hash }),
        }
    }

    /// Any section, from the bytes of its chunks.
    pub(super) fn parse(bytes: &[u8], ends_content: bool) -> Result<Section, ManifestError> {
        let mut reader = Reader::new(bytes);
        let count = reader.varint().ok_or(ManifestError::Truncated)?;
        let mut sections = Sections::new(Depth::Chunks);
        for left in (0..count).rev() {
            if sections.length() > 0 && sections.is_between() {
                return Err(field("number of chunks", count, "those of one section"));
            }
            sections.push(read_chunk(&mut reader, Depth::Chunks, left == 0 && ends_content)?);
        }
        if !reader.rest().is_empty() {
            return Err(ManifestError::Trailing(reader.rest().len()));
        }
        let is_whole = ends_content || sections.is_between();
        let mut sections = sections.finish().sections;
        let Some(section) = sections.pop().filter(|_| is_whole) else {
            return Err(field("number of chunks", count, "those of one section"));
        };
        Ok(Arc::unwrap_or_clone(section))
    }
}

impl Chunk {
    /// Whether it has these bytes, and ends where a content with these bytes is cut.
    pub fn is_of(&self, bytes: &[u8]) -> bool {
        bytes.len() == self.length as usize
            && Hash::of(bytes) == self.hash
            && is_chunk(bytes, self.cut)
    }
}

impl Manifest {
    /// The manifest of the content with these sections, down to the chunks.
    pub fn from_sections(sections: Vec<Arc<Section>>) -> Manifest {
        let sections: Vec<_> = sections.into_iter().map(without_grains).collect();
        let length = sections.iter().map(|section| section.length).sum();
        let root = Root::of(length, sections.iter().map(|section| &**section));
        Manifest { root, length, depth: Depth::Chunks, sections }
    }
}

fn without_grains(section: Arc<Section>) -> Arc<Section> {
    if section.chunks.iter().all(|chunk| chunk.grains.is_empty()) {
        return section;
    }
    let chunks = section.chunks.iter();
    let chunks = chunks.map(|chunk| Chunk { grains: Arc::default(), ..chunk.clone() }).collect();
    Arc::new(Section { chunks, ..*section })
}
