//! Calls of zstd.

use std::io;
use std::ops::Range;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, compress_bound, get_error_name,
};

use super::levels::LEVEL_FASTEST;

/// No window is larger, and so no decoder's memory.
const WINDOW_LOG_MAX: u32 = 23;
/// The smallest window that zstd accepts.
const WINDOW_LOG_MIN: u32 = 10;
/// zstd copies streams that are packed in parts into a window first. The small tables of the fastest level
/// hardly find matches that lie further back.
const WINDOW_LOG_FAST: u32 = 19;

/// From this level of zstd on its tables are large.
const LEVEL_LARGE: i32 = 11;
/// The tables that such a level may have, as binary logarithms of their entries of 4 bytes: its own
/// would be of up to 80 MB, and hardly find more in a frame.
const TABLES_LOG2_MAX: [u32; 2] = [21, 20];

/// The overhead of a block of zstd in bytes.
const BLOCK_COST: usize = 16;

pub(super) fn new_context() -> io::Result<CCtx<'static>> {
    CCtx::try_create().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

pub(super) fn compress(
    context: &mut CCtx<'_>,
    raw: &[u8],
    parts: &[Range<usize>],
    prefix_length: usize,
    level: i32,
) -> io::Result<Vec<u8>> {
    // Zero stands for the level's own tables.
    let [chain, hash] = if level >= LEVEL_LARGE { TABLES_LOG2_MAX } else { [0, 0] };
    let is_fast = level <= LEVEL_FASTEST && parts.len() > 1 && prefix_length == 0;
    let window_max = if is_fast { WINDOW_LOG_FAST } else { WINDOW_LOG_MAX };
    let window =
        (raw.len() + prefix_length).next_power_of_two().ilog2().clamp(WINDOW_LOG_MIN, window_max);
    for parameter in [
        CParameter::CompressionLevel(level),
        CParameter::WindowLog(window),
        CParameter::ChainLog(chain),
        CParameter::HashLog(hash),
        CParameter::ContentSizeFlag(false),
        CParameter::ChecksumFlag(false),
    ] {
        context.set_parameter(parameter).map_err(zstd_error)?;
    }
    let mut packed = Vec::with_capacity(compress_bound(raw.len()) + parts.len() * BLOCK_COST);
    if parts.len() <= 1 {
        context.compress2(&mut packed, raw).map_err(zstd_error)?;
        return Ok(packed);
    }
    context.set_pledged_src_size(Some(raw.len() as u64)).map_err(zstd_error)?;
    let mut out = OutBuffer::around(&mut packed);
    for part in parts {
        let end = match part.end == raw.len() {
            true => ZSTD_EndDirective::ZSTD_e_end,
            false => ZSTD_EndDirective::ZSTD_e_flush,
        };
        let mut part = InBuffer::around(&raw[part.clone()]);
        while context.compress_stream2(&mut out, &mut part, end).map_err(zstd_error)? > 0 {}
    }
    Ok(packed)
}

/// Unpacks exactly `length` bytes, which the caller has bounded, or returns `None` if `packed` is
/// damaged or holds another number of bytes.
pub(crate) fn unpack(packed: &[u8], prefix: &[u8], length: usize) -> Option<Vec<u8>> {
    let mut context = DCtx::try_create()?;
    context.set_parameter(DParameter::WindowLogMax(WINDOW_LOG_MAX)).ok()?;
    if !prefix.is_empty() {
        context.ref_prefix(prefix).ok()?;
    }
    let mut raw = Vec::with_capacity(length);
    let written = context.decompress(&mut raw, packed).ok()?;
    (written == length && raw.len() == length).then_some(raw)
}

pub(super) fn zstd_error(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
