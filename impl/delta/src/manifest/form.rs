//! The serialized form of a manifest, version 1.
//!
//! All numbers are little-endian; a varint is an unsigned LEB128 of at most ten bytes.
//!
//! | field | bytes | |
//! |---|---|---|
//! | magic | 4 | `SfMf` |
//! | version | 1 | 1 |
//! | depth | 1 | 0 chunks, 1 grains |
//! | length | 8 | of the content |
//! | root | 32 | |
//! | chunks | varint | how many |
//! | per chunk: length and cut | varint | length * 4 + cut: 0 end, 1 longest, 2 chunk, 3 section |
//! | hash | 32 | BLAKE3 of the chunk |
//! | grains | 8 each | only with depth 1, until their lengths add up to the chunk's |
//! | checksum | 8 | XXH3-64 with seed 0 of all that precedes |
//!
//! A grain has its length - 1 in the low ten bits and the low 54 bits of its XXH3-64 (seed 0)
//! above. Sections follow from the lengths and cuts of the chunks and are not stored.

use thiserror::Error;
use twox_hash::XxHash3_64;

use super::build::Sections;
use super::cut::{
    CHUNK_LENGTH_MAX, CHUNK_LENGTH_MIN, Cut, GRAIN_LENGTH_MAX, GRAIN_LENGTH_MEAN, GRAIN_LENGTH_MIN,
};
use super::{Chunk, Depth, Grain, Hash, Manifest, Root};
use crate::bytes::Reader;
use crate::wire::varint;

const MAGIC: [u8; 4] = *b"SfMf";
const VERSION: u8 = 1;
/// The least bytes of a chunk.
pub(super) const CHUNK_BYTES_MIN: usize = 33;

/// Why bytes are not a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
#[non_exhaustive]
pub enum ManifestError {
    /// They begin with something else.
    #[error("this is not a manifest: it does not begin with the bytes {MAGIC:?}")]
    Magic,
    /// A version that this program does not know.
    #[error("the manifest has version {0}, and this program reads version {VERSION}")]
    Version(u8),
    /// They end too early.
    #[error("the manifest is truncated")]
    Truncated,
    /// There are more than the manifest needs.
    #[error("{0} bytes follow the manifest")]
    Trailing(usize),
    /// They were changed on their way.
    #[error("the manifest is damaged: its checksum does not match")]
    Checksum,
    /// A field has a value that no manifest has.
    #[error("the manifest's {field} is {value}, and must be {accepted}")]
    Field {
        /// The field.
        field: &'static str,
        /// What it says.
        value: u64,
        /// What it may say.
        accepted: &'static str,
    },
    /// The chunks are not those of the content that the manifest names.
    #[error("the manifest names the content {named}, but its chunks make {found}")]
    Root {
        /// The name in the manifest.
        named: Root,
        /// The name that follows from the chunks.
        found: Root,
    },
    /// The chunks are not those of the section that they were asked for.
    #[error("the chunks make the section {found} instead of {named}")]
    Section {
        /// The section that was asked for.
        named: Hash,
        /// The hash that follows from the chunks.
        found: Hash,
    },
    /// The chunks are not those of the section of an outline that they were asked for.
    #[error("the chunks make the section {found}, which is not number {number} of the outline")]
    Outlined {
        /// The section that was asked for, by its number.
        number: usize,
        /// The hash that follows from the chunks.
        found: Hash,
    },
}

impl Manifest {
    /// The serialized form.
    pub fn to_bytes(&self) -> Vec<u8> {
        let chunks: usize = self.sections.iter().map(|section| section.chunks.len()).sum();
        let mut out = Vec::with_capacity(64 + chunks * (CHUNK_BYTES_MIN + 2));
        out.extend_from_slice(&MAGIC);
        out.extend_from_slice(&[VERSION, self.depth as u8]);
        out.extend_from_slice(&self.length.to_le_bytes());
        out.extend_from_slice(&self.root.0);
        varint::put(&mut out, chunks as u64);
        for (_, chunk) in self.chunks() {
            put_chunk(&mut out, chunk);
            for grain in chunk.grains.iter() {
                out.extend_from_slice(&grain.bits().to_le_bytes());
            }
        }
        let checksum = XxHash3_64::oneshot(&out);
        out.extend_from_slice(&checksum.to_le_bytes());
        out
    }

    /// The manifest that has this serialized form. Allocates in proportion to the bytes given.
    pub fn from_bytes(bytes: &[u8]) -> Result<Manifest, ManifestError> {
        let mut reader = Reader::new(bytes);
        if reader.array().ok_or(ManifestError::Truncated)? != MAGIC {
            return Err(ManifestError::Magic);
        }
        let version = reader.byte().ok_or(ManifestError::Truncated)?;
        if version != VERSION {
            return Err(ManifestError::Version(version));
        }
        check_sum(bytes)?;
        read_body(&mut reader)
    }
}

/// Appends the length, the cut and the hash.
pub(super) fn put_chunk(out: &mut Vec<u8>, chunk: &Chunk) {
    varint::put(out, u64::from(chunk.length) * 4 + chunk.cut as u64);
    out.extend_from_slice(&chunk.hash.0);
}

fn check_sum(bytes: &[u8]) -> Result<(), ManifestError> {
    let (body, checksum) = bytes.split_last_chunk().ok_or(ManifestError::Truncated)?;
    if XxHash3_64::oneshot(body) == u64::from_le_bytes(*checksum) {
        Ok(())
    } else {
        Err(ManifestError::Checksum)
    }
}

fn read_body(reader: &mut Reader<'_>) -> Result<Manifest, ManifestError> {
    const TRUNCATED: ManifestError = ManifestError::Truncated;
    let depth = read_depth(reader.byte().ok_or(TRUNCATED)?)?;
    let length = u64::from_le_bytes(reader.array().ok_or(TRUNCATED)?);
    let named = Root(reader.array().ok_or(TRUNCATED)?);
    let chunks = reader.varint().ok_or(TRUNCATED)?;
    let mut sections = Sections::new(depth);
    for left in (0..chunks).rev() {
        sections.push(read_chunk(reader, depth, left == 0)?);
    }
    let _checked_before: [u8; 8] = reader.array().ok_or(TRUNCATED)?;
    match reader.rest().len() {
        0 => {}
        trailing => return Err(ManifestError::Trailing(trailing)),
    }
    let manifest = sections.finish();
    if manifest.length != length {
        return Err(field("length", length, "the sum of the lengths of its chunks"));
    }
    if manifest.root != named {
        return Err(ManifestError::Root { named, found: manifest.root });
    }
    Ok(manifest)
}

fn read_depth(depth: u8) -> Result<Depth, ManifestError> {
    match depth {
        0 => Ok(Depth::Chunks),
        1 => Ok(Depth::Grains),
        _ => Err(field("depth", u64::from(depth), "0 or 1")),
    }
}

pub(super) fn read_chunk(
    reader: &mut Reader<'_>,
    depth: Depth,
    is_last: bool,
) -> Result<Chunk, ManifestError> {
    let length_and_cut = reader.varint().ok_or(ManifestError::Truncated)?;
    let cut = match length_and_cut & 3 {
        0 => Cut::End,
        1 => Cut::Longest,
        2 => Cut::Chunk,
        _ => Cut::Section,
    };
    if is_last != (cut == Cut::End) {
        return Err(field("cut", cut as u64, "0 for the last chunk and for no other"));
    }
    let length = check_length(length_and_cut >> 2, cut)?;
    let hash = Hash(reader.array().ok_or(ManifestError::Truncated)?);
    let grains = match depth {
        Depth::Chunks => Vec::new(),
        Depth::Grains => read_grains(reader, length)?,
    };
    Ok(Chunk { hash, length, cut, grains: grains.into() })
}

fn check_length(length: u64, cut: Cut) -> Result<u32, ManifestError> {
    let least = match cut {
        Cut::End => 1,
        Cut::Longest => CHUNK_LENGTH_MAX,
        Cut::Chunk | Cut::Section => CHUNK_LENGTH_MIN,
    };
    match u32::try_from(length) {
        Ok(short) if (least..=CHUNK_LENGTH_MAX).contains(&(short as usize)) => Ok(short),
        _ => Err(field("chunk length", length, "16 KiB to 64 KiB, or less for the last chunk")),
    }
}

fn read_grains(reader: &mut Reader<'_>, chunk_length: u32) -> Result<Vec<Grain>, ManifestError> {
    let mut left = chunk_length as usize;
    let mut grains = Vec::with_capacity((left / GRAIN_LENGTH_MEAN).min(reader.rest().len() / 8));
    while left > 0 {
        let bits = u64::from_le_bytes(reader.array().ok_or(ManifestError::Truncated)?);
        let grain = Grain::from_bits(bits);
        let least = GRAIN_LENGTH_MIN.min(left);
        if !(least..=GRAIN_LENGTH_MAX.min(left)).contains(&grain.length()) {
            let accepted = "128 to 1024, or what is left of the chunk";
            return Err(field("grain length", grain.length() as u64, accepted));
        }
        left -= grain.length();
        grains.push(grain);
    }
    Ok(grains)
}

pub(super) fn field(field: &'static str, value: u64, accepted: &'static str) -> ManifestError {
    ManifestError::Field { field, value, accepted }
}
