//! The sections of a content without their chunks: 36 bytes for each MiB.

use super::cut::{CHUNK_LENGTH_MAX, SECTION_LENGTH_MAX, SECTION_LENGTH_MIN};
use super::form::field;
use super::{Hash, Manifest, ManifestError, Root};

/// The bytes of a section: its length, little-endian, and its hash.
const SECTION_BYTES: usize = 36;

/// The sections of a content by hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    root: Root,
    length: u64,
    sections: Vec<OutlinedSection>,
}

/// A section of which only the hash is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlinedSection {
    /// Where it begins in the content.
    pub offset: u64,
    /// The length in bytes.
    pub length: u32,
    /// The hash of its chunks.
    pub hash: Hash,
}

impl Manifest {
    /// The outline as bytes: for each section 4 bytes for its length, little-endian, and 32 for its hash.
    pub fn outline_to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.sections.len() * SECTION_BYTES);
        for section in &self.sections {
            // A section has at most 4 MiB and a chunk.
            let length = u32::try_from(section.length).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&section.hash.0);
        }
        out
    }
}

impl Outline {
    /// The outline of the content of this name. Allocates in proportion to the bytes given.
    ///
    /// # Errors
    /// The bytes are malformed, or are those of another content.
    pub fn from_bytes(bytes: &[u8], named: Root) -> Result<Outline, ManifestError> {
        let (records, rest) = bytes.as_chunks::<SECTION_BYTES>();
        if !rest.is_empty() {
            return Err(ManifestError::Truncated);
        }
        let (mut sections, mut end) = (Vec::with_capacity(records.len()), 0);
        for (index, record) in records.iter().enumerate() {
            let ([a, b, c, d, hash @ ..], is_last) = (*record, index + 1 == records.len());
            let length = u32::from_le_bytes([a, b, c, d]);
            let least = if is_last { 1 } else { SECTION_LENGTH_MIN };
            if !(least..=SECTION_LENGTH_MAX + CHUNK_LENGTH_MAX as u64).contains(&length.into()) {
                let accepted = "that of a section";
                return Err(field("section length", length.into(), accepted));
            }
            sections.push(OutlinedSection { offset: end, length, hash: Hash(hash) });
            end += u64::from(length);
        }
        let found = Root::of_hashes(end, sections.iter().map(|it| &it.hash));
        match found == named {
            true => Ok(Outline { root: named, length: end, sections }),
            false => Err(ManifestError::Root { named, found }),
        }
    }

    /// The content's name.
    #[must_use]
    pub fn root(&self) -> Root {
        self.root
    }

    /// The content's length in bytes.
    #[must_use]
    pub fn length(&self) -> u64 {
        self.length
    }

    /// The sections in the order of the content.
    #[must_use]
    pub fn sections(&self) -> &[OutlinedSection] {
        &self.sections
    }
}
