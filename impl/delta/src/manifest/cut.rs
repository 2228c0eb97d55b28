//! Where contents are cut: thresholds of one hash, for three nested levels.
//!
//! | level | least | mean | most |
//! |---|---|---|---|
//! | section | 512 KiB | 1 MiB | 4 MiB |
//! | chunk | 16 KiB | 28 KiB | 64 KiB |
//! | grain | 128 B | 256 B | 1 KiB |
//!
//! Where a chunk ends depends only on the bytes from its start, so that cuts fall into step again
//! after a change. A section is a group of chunks, and ends where a chunk's last hash is also
//! above the section's threshold. The first grain of a chunk begins where the chunk does.

use super::scan::{FirstAbove, WINDOW, hash_of};
use crate::cpu::prefetch_all;

/// The least length of a chunk that does not end the content.
pub const CHUNK_LENGTH_MIN: usize = 16 << 10;
/// The greatest length of a chunk.
pub const CHUNK_LENGTH_MAX: usize = 64 << 10;
/// One place in this number ends a chunk.
const CHUNK_ONE_IN: u32 = 12 << 10;
/// The length of most chunks, in bytes.
pub(crate) const CHUNK_LENGTH_MEAN: usize = CHUNK_LENGTH_MIN + CHUNK_ONE_IN as usize;
/// The windows that are hashed at once in search of the end of a chunk.
const CHUNK_BLOCK: usize = 512;

/// The least length of a section that does not end the content.
pub const SECTION_LENGTH_MIN: u64 = 512 << 10;
/// The length from which on a section ends with its chunk.
pub const SECTION_LENGTH_MAX: u64 = 4 << 20;
/// One place in this number ends a section as well.
const SECTION_ONE_IN: u32 = 208 << 10;

/// The least length of a grain that does not end its chunk.
pub const GRAIN_LENGTH_MIN: usize = 128;
/// The greatest length of a grain.
pub const GRAIN_LENGTH_MAX: usize = 1 << 10;
/// One place in this number ends a grain.
const GRAIN_ONE_IN: u32 = 128;
/// The length of most grains, in bytes.
pub(crate) const GRAIN_LENGTH_MEAN: usize = GRAIN_LENGTH_MIN + GRAIN_ONE_IN as usize;
/// The windows that are hashed at once in search of the end of a grain.
const GRAIN_BLOCK: usize = 64;

/// Why a chunk ends where it ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Cut {
    /// The content ends there.
    End,
    /// It has the greatest length.
    Longest,
    /// The hash is above the threshold of chunks.
    Chunk,
    /// The hash is above the threshold of sections, too.
    Section,
}

/// The length of the first chunk of `rest`, and why it ends there. `rest` is the remaining content, or its
/// first `CHUNK_LENGTH_MAX + 1` bytes, which are enough.
pub(crate) fn first_chunk(rest: &[u8]) -> (usize, Cut) {
    let end = rest.len().min(CHUNK_LENGTH_MAX);
    // The search for a cut passes over these bytes. BLAKE3 reads them first, at eight places at once,
    // where the CPU does not prefetch by itself.
    prefetch_all(&rest[..end.min(CHUNK_LENGTH_MIN)]);
    if let Some(length) = first_cut::<CHUNK_BLOCK>(&rest[..end], CHUNK_LENGTH_MIN, CHUNK_ONE_IN)
        && length < rest.len()
    {
        return (length, cut_by_hash(&rest[..length]));
    }
    if end == rest.len() { (end, Cut::End) } else { (end, Cut::Longest) }
}

/// Whether a chunk of these bytes ends where they end, for this reason; `Cut::End` says that it is the last.
pub(crate) fn is_chunk(bytes: &[u8], cut: Cut) -> bool {
    if bytes.is_empty() || bytes.len() > CHUNK_LENGTH_MAX {
        return false;
    }
    match first_cut::<CHUNK_BLOCK>(bytes, CHUNK_LENGTH_MIN, CHUNK_ONE_IN) {
        Some(length) if length < bytes.len() => false,
        _ if cut == Cut::End => true,
        Some(_) => cut == cut_by_hash(bytes),
        None => cut == Cut::Longest && bytes.len() == CHUNK_LENGTH_MAX,
    }
}

/// Why a chunk ends whose last hash is above the threshold of chunks.
fn cut_by_hash(chunk: &[u8]) -> Cut {
    let last = chunk.last_chunk();
    match last.is_some_and(|window| hash_of(window) > threshold(SECTION_ONE_IN)) {
        true => Cut::Section,
        false => Cut::Chunk,
    }
}

/// The length of the first grain of the rest of a chunk.
pub(crate) fn first_grain(rest: &[u8]) -> usize {
    let end = rest.len().min(GRAIN_LENGTH_MAX);
    first_cut::<GRAIN_BLOCK>(&rest[..end], GRAIN_LENGTH_MIN, GRAIN_ONE_IN).unwrap_or(end)
}

/// Whether a section of this length ends with its last chunk, cut in this way.
pub(crate) fn ends_section(length: u64, cut: Cut) -> bool {
    length >= SECTION_LENGTH_MAX || (cut == Cut::Section && length >= SECTION_LENGTH_MIN)
}

/// The first place from `least` on where the hash is in the highest of `one_in` parts.
fn first_cut<const BLOCK: usize>(bytes: &[u8], least: usize, one_in: u32) -> Option<usize> {
    let windows = bytes.get(least - WINDOW..)?;
    let search = FirstAbove::<BLOCK> { bytes: windows, threshold: threshold(one_in) };
    search.search().map(|at| least + at)
}

const fn threshold(one_in: u32) -> u32 {
    u32::MAX - u32::MAX / one_in
}
