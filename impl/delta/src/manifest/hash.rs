//! The names of contents and of their parts.

use std::fmt;
use std::str::FromStr;

use super::{Chunk, Section};

/// BLAKE3 of a chunk's bytes, or of the hashes of a section's chunks.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Hash(pub [u8; 32]);

/// The root of a content's manifest: the content's name.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Root(pub [u8; 32]);

/// Sections and roots are hashed under a context of their own, so that no content can be made
/// whose chunk has the hash of another content's section (the `derive_key` mode of BLAKE3, section
/// 6.2 of its paper).
const SECTION_CONTEXT: &str = "steadfast-delta 2026-11-23 manifest version 1 section";
const ROOT_CONTEXT: &str = "steadfast-delta 2026-11-23 manifest version 1 root";

impl Hash {
    /// The hash of a chunk.
    pub(crate) fn of(bytes: &[u8]) -> Hash {
        Hash(*blake3::hash(bytes).as_bytes())
    }

    /// The hash of the section that consists of these chunks.
    pub(crate) fn of_section(chunks: &[Chunk]) -> Hash {
        let mut parts = Vec::with_capacity(chunks.len() * 36);
        for chunk in chunks {
            parts.extend_from_slice(&chunk.length.to_le_bytes());
            parts.extend_from_slice(&chunk.hash.0);
        }
        Hash(blake3::derive_key(SECTION_CONTEXT, &parts))
    }

    /// The first sixteen bytes as two numbers, for tables and short names.
    pub(crate) fn words(&self) -> (u64, u64) {
        let (words, _) = self.0.as_chunks();
        (u64::from_le_bytes(words[0]), u64::from_le_bytes(words[1]))
    }
}

impl Root {
    /// The name of the content of this length that consists of these sections.
    pub(crate) fn of<'a>(length: u64, sections: impl Iterator<Item = &'a Section>) -> Root {
        Root::of_hashes(length, sections.map(|section| &section.hash))
    }

    /// The name of the content of this length whose sections have these hashes. It takes 32 bytes for each
    /// MiB to know which parts a content has, before any of its bytes.
    pub fn of_hashes<'a>(length: u64, sections: impl IntoIterator<Item = &'a Hash>) -> Root {
        let mut hasher = blake3::Hasher::new_derive_key(ROOT_CONTEXT);
        hasher.update(&length.to_le_bytes());
        for hash in sections {
            hasher.update(&hash.0);
        }
        Root(*hasher.finalize().as_bytes())
    }
}

/// Why a text is not the name of a content.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not the name of a content: that is 64 hexadecimal digits")]
pub struct ParseRootError(String);

impl FromStr for Root {
    type Err = ParseRootError;

    fn from_str(text: &str) -> Result<Root, ParseRootError> {
        let hash = blake3::Hash::from_hex(text).map_err(|_| ParseRootError(text.to_owned()))?;
        Ok(Root(*hash.as_bytes()))
    }
}

/// In one piece: a store writes the names of its files so.
fn write_hex(bytes: &[u8; 32], f: &mut fmt::Formatter<'_>) -> fmt::Result {
    const DIGITS: &[u8; 16] = b"0123456789abcdef";
    let digits = bytes.iter().flat_map(|it| [it >> 4, it & 15]);
    f.write_str(&digits.map(|it| char::from(DIGITS[usize::from(it)])).collect::<String>())
}

impl fmt::Display for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Root {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_hex(&self.0, f)
    }
}
