//! How a stream is packed: raw, with zstd, or with zstd behind a prefix.

use std::io;

use zstd::zstd_safe::{CCtx, CParameter, DCtx, DParameter, compress_bound, get_error_name};

/// Shorter streams are not worth a zstd header.
const PACKED_MIN: usize = 24;
/// Longer streams are tried on a sample first.
const SAMPLED_MIN: usize = 16 << 10;
const SAMPLE: usize = 1 << 10;
const SAMPLES: usize = 8;
/// Longer streams whose sample does not compress are left raw; shorter ones are tried fast.
const TRIED_MAX: usize = 256 << 10;
/// No window is larger, and so no decoder's memory.
const WINDOW_LOG_MAX: u32 = 23;

/// How the bytes of a stream are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Raw,
    Zstd,
    ZstdBehindPrefix,
}

impl Packing {
    pub(crate) fn to_byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Packing> {
        [Packing::Raw, Packing::Zstd, Packing::ZstdBehindPrefix].get(usize::from(byte)).copied()
    }
}

/// Packs streams, with memory that it uses again and does not take before it needs it: a small
/// patch has nothing to pack.
#[derive(Default)]
pub(crate) struct Packer {
    context: Option<CCtx<'static>>,
}

impl Packer {
    /// Packs `raw` within about `time` nanoseconds, if zstd is as fast as that, or returns `None`
    /// where that does not make it shorter.
    ///
    /// # Errors
    /// zstd has no memory.
    pub(crate) fn pack(
        &mut self,
        raw: &[u8],
        prefix: &[u8],
        time: usize,
    ) -> io::Result<Option<(Packing, Vec<u8>)>> {
        if raw.len() < PACKED_MIN {
            return Ok(None);
        }
        let level = match self.sample_compresses(raw)? {
            true => level(raw.len() + prefix.len(), time),
            false if raw.len() <= TRIED_MAX => 1,
            false => return Ok(None),
        };
        let (packing, packed) = if prefix.is_empty() {
            (Packing::Zstd, compress(self.context()?, raw, 0, level)?)
        } else {
            let mut context = new_context()?;
            context.ref_prefix(prefix).map_err(zstd_error)?;
            let packed = compress(&mut context, raw, prefix.len(), level)?;
            (Packing::ZstdBehindPrefix, packed)
        };
        Ok((packed.len() + 2 < raw.len()).then_some((packing, packed)))
    }

    fn sample_compresses(&mut self, raw: &[u8]) -> io::Result<bool> {
        if raw.len() < SAMPLED_MIN {
            return Ok(true);
        }
        let mut sample = Vec::with_capacity(SAMPLE * SAMPLES);
        for part in 0..SAMPLES {
            let at = (raw.len() - SAMPLE) / (SAMPLES - 1) * part;
            sample.extend(&raw[at..at + SAMPLE]);
        }
        let packed = compress(self.context()?, &sample, 0, 1)?;
        Ok(packed.len() < sample.len() - sample.len() / 32)
    }

    fn context(&mut self) -> io::Result<&mut CCtx<'static>> {
        let context = match self.context.take() {
            Some(context) => context,
            None => new_context()?,
        };
        Ok(self.context.insert(context))
    }
}

fn new_context() -> io::Result<CCtx<'static>> {
    CCtx::try_create().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// From this level of zstd on its tables are large.
const LEVEL_LARGE: i32 = 13;
/// The tables that such a level may have, as binary logarithms of their entries of 4 bytes: its own
/// would be of up to 80 MB, and hardly find more in a frame.
const TABLES_MAX: [u32; 2] = [21, 20];

/// The levels of zstd that are worth their time, and what they take for a byte, in nanoseconds.
const LEVELS: [(i32, usize); 7] =
    [(19, 330), (13, 100), (11, 38), (9, 22), (6, 15), (3, 6), (1, 3)];

/// The best level that takes no longer than `time` nanoseconds.
fn level(length: usize, time: usize) -> i32 {
    let affordable = LEVELS.iter().find(|(_, cost)| length * cost <= time);
    affordable.map_or(1, |(level, _)| *level)
}

fn compress(
    context: &mut CCtx<'_>,
    raw: &[u8],
    prefix_length: usize,
    level: i32,
) -> io::Result<Vec<u8>> {
    // Zero is what the level has.
    let [chain, hash] = if level >= LEVEL_LARGE { TABLES_MAX } else { [0, 0] };
    let window = (raw.len() + prefix_length).next_power_of_two().ilog2().clamp(10, WINDOW_LOG_MAX);
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
    let mut packed = Vec::with_capacity(compress_bound(raw.len()));
    context.compress2(&mut packed, raw).map_err(zstd_error)?;
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

fn zstd_error(code: usize) -> io::Error {
    io::Error::other(get_error_name(code))
}
