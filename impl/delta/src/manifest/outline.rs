//! The sections of a content without their chunks, under short hashes: 12 bytes for each MiB.

use super::cut::{CHUNK_LENGTH_MAX, SECTION_LENGTH_MAX, SECTION_LENGTH_MIN};
use super::form::field;
use super::{Hash, Manifest, ManifestError, Section};

/// The bytes of a section: its length, little-endian, and its short hash.
const SECTION_BYTES: usize = 12;

/// The first eight bytes of a section's hash.
///
/// Two different sections have the same short hash with a chance of 2^-64, and an attacker can make such sections. So
/// the user of an outline must verify the name of the content that a patch makes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ShortHash(pub [u8; 8]);

/// The sections of a content by short hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outline {
    length: u64,
    sections: Vec<OutlinedSection>,
}

/// A section whose chunks are unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OutlinedSection {
    /// Where it begins in the content.
    pub offset: u64,
    /// The length in bytes.
    pub length: u32,
    /// The short hash of its chunks.
    pub hash: ShortHash,
}

impl Hash {
    /// Its first bytes.
    #[must_use]
    pub fn short(&self) -> ShortHash {
        ShortHash(self.0.first_chunk().copied().unwrap_or_default())
    }
}

impl Manifest {
    /// The outline as bytes: for each section 4 bytes for its length, little-endian, and the first 8 of its hash.
    pub fn outline_to_bytes(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(self.sections.len() * SECTION_BYTES);
        for section in &self.sections {
            // A section has at most 4 MiB and a chunk.
            let length = u32::try_from(section.length).unwrap_or(u32::MAX);
            out.extend_from_slice(&length.to_le_bytes());
            out.extend_from_slice(&section.hash.short().0);
        }
        out
    }
}

impl Outline {
    /// The outline of a content of `length` bytes. Allocates in proportion to the bytes given. It cannot detect the
    /// outline of another content with this length; the name of the patched content does.
    ///
    /// # Errors
    /// The bytes are malformed, or are those of a content of another length.
    pub fn from_bytes(bytes: &[u8], length: u64) -> Result<Outline, ManifestError> {
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
            sections.push(OutlinedSection { offset: end, length, hash: ShortHash(hash) });
            end += u64::from(length);
        }
        match end == length {
            true => Ok(Outline { length, sections }),
            false => Err(field("length", end, "that of its content")),
        }
    }

    /// A section, from the bytes of its chunks.
    ///
    /// # Errors
    /// The bytes are malformed, or are those of another section. There is no section of this number.
    pub fn section(&self, number: usize, bytes: &[u8]) -> Result<Section, ManifestError> {
        let outlined = self.sections.get(number);
        let accepted = "the number of a section";
        let outlined = outlined.ok_or_else(|| field("section", number as u64, accepted))?;
        let section = Section::parse(bytes, number + 1 == self.sections.len())?;
        match section.hash.short() == outlined.hash && section.length == outlined.length.into() {
            true => Ok(section),
            false => Err(ManifestError::Outlined { number, found: section.hash }),
        }
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
