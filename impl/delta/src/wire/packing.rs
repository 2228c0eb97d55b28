//! How a stream is packed: raw, with zstd, or with zstd behind a prefix.

use std::io;

use zstd::zstd_safe::CCtx;

use super::columns;
use compression::{compress, new_context, zstd_error};
use levels::{LEVEL_FASTEST, cost, level, levels, lower_levels};
use noise::parts;

pub(crate) mod compression;
pub(crate) mod levels;
pub(crate) mod noise;
pub(crate) mod text;

/// The bytes that say how long a packed stream is.
const PACKED_LENGTH: usize = 2;
/// Shorter streams are not worth a zstd header.
const PACKED_MIN: usize = 24;
/// Fewer varints are not worth being sorted.
const COLUMNS_MIN: usize = 64;
/// Columns that are all shorter are not worth a code of their own.
const COLUMN_PART_MIN: usize = 1 << 10;
/// Longer streams are packed only if a sample of them compresses.
const SAMPLED_MIN: usize = 16 << 10;
/// The length in bytes of a piece of the sample.
const SAMPLE: usize = 1 << 10;
/// The sample has at least this number of pieces.
const SAMPLES_MIN: usize = 8;
/// The sample has a piece for each stretch of this length: bytes that can be packed may lie in few places
/// amid noise.
const SAMPLE_DISTANCE: usize = 32 << 10;
/// A sample compresses if packing saves one byte in this number; noise saves none.
const SAMPLE_SAVED_SHARE: usize = 128;
/// Streams up to this length are packed with the fastest level even if their sample does not compress.
/// They, and streams behind a prefix, which a sample lacks, are packed with both their own level and the
/// fastest one. For longer streams a larger sample decides between the two.
const TRIED_MAX: usize = 256 << 10;
/// The larger sample has one byte of the stream in this number.
const GAIN_SHARE: usize = 32;
/// The larger sample has this number of pieces.
const GAIN_SAMPLES: usize = 4;

/// A prefix takes time as well: a stream is packed behind it only if there are this many nanoseconds for
/// each of its bytes.
const RESEMBLED_TIME: usize = 20;

/// How the bytes of a stream are packed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Packing {
    Raw,
    Zstd,
    ZstdBehindPrefix,
    ZstdOfColumns,
}

/// How a packing is written.
const PACKINGS: [Packing; 4] =
    [Packing::Raw, Packing::Zstd, Packing::ZstdBehindPrefix, Packing::ZstdOfColumns];

impl Packing {
    pub(crate) fn to_byte(self) -> u8 {
        self as u8
    }

    pub(crate) fn from_byte(byte: u8) -> Option<Packing> {
        PACKINGS.get(usize::from(byte)).copied()
    }
}

/// Packs streams, with memory that it uses again and does not take before it needs it: a small
/// patch has nothing to pack.
#[derive(Default)]
pub(crate) struct Packer {
    context: Option<CCtx<'static>>,
    has_columns: bool,
}

impl Packer {
    /// One for version 2, which knows columns.
    pub(crate) fn with_columns() -> Packer {
        Packer { context: None, has_columns: true }
    }

    /// Packs `raw` in all the ways that take about one of these `times` in nanoseconds, and returns the
    /// shortest result, or `None` if none is shorter than `raw`. So a longer time never makes the result
    /// longer if the caller names the shorter times, too. `raw` may resemble `prefix`, pieces one behind the
    /// other.
    ///
    /// # Errors
    /// zstd has no memory.
    pub(crate) fn pack(
        &mut self,
        raw: &[u8],
        prefix: &[&[u8]],
        times: &[usize],
    ) -> io::Result<Option<Packed>> {
        if raw.len() < PACKED_MIN {
            return Ok(None);
        }
        let prefix_length = prefix.iter().map(|it| it.len()).sum();
        let attempts = self.attempts(raw, prefix_length, times)?;
        if attempts.is_empty() {
            return Ok(None);
        }
        let parts = parts(raw);
        let has_prefix = attempts.iter().any(|it| it.is_behind_prefix);
        let prefix = if has_prefix { prefix.concat() } else { Vec::new() };
        // The tables of the first attempt, the largest ones, serve all others.
        let mut behind_prefix = None;
        let mut best: Option<Packed> = None;
        for Attempt { level, is_behind_prefix } in attempts {
            let packed = match (is_behind_prefix, &mut behind_prefix) {
                (true, context) => {
                    let context = match context {
                        Some(context) => context,
                        None => context.insert(new_context()?),
                    };
                    context.ref_prefix(&prefix).map_err(zstd_error)?;
                    compress(context, raw, &parts, prefix.len(), level)?
                }
                (false, Some(context)) => compress(context, raw, &parts, 0, level)?,
                (false, None) => compress(self.context()?, raw, &parts, 0, level)?,
            };
            let packing = if is_behind_prefix { Packing::ZstdBehindPrefix } else { Packing::Zstd };
            best = Some(shorter(best, (packing, packed)));
        }
        Ok(best.filter(|it| is_worth_it(raw, it)))
    }

    /// Packs varints, as they are or in columns.
    ///
    /// # Errors
    /// As [`Packer::pack`].
    pub(crate) fn pack_varints(
        &mut self,
        raw: &[u8],
        times: &[usize],
    ) -> io::Result<Option<Packed>> {
        let packed = self.pack(raw, &[], times)?;
        let Some((columns, ranges)) =
            columns::split(raw).filter(|_| self.has_columns && raw.len() >= COLUMNS_MIN)
        else {
            return Ok(packed);
        };
        let parts =
            if ranges.iter().all(|it| it.len() < COLUMN_PART_MIN) { parts(&[]) } else { ranges };
        let mut best = packed;
        for level in levels(raw.len(), times) {
            let in_columns = compress(self.context()?, &columns, &parts, 0, level)?;
            best = Some(shorter(best, (Packing::ZstdOfColumns, in_columns)));
        }
        Ok(best.filter(|it| is_worth_it(raw, it)))
    }

    /// The ways in which a stream is packed, the one that takes longest first; none if it is noise.
    fn attempts(
        &mut self,
        raw: &[u8],
        prefix_length: usize,
        times: &[usize],
    ) -> io::Result<Vec<Attempt>> {
        let compresses = self.sample_compresses(raw)?;
        if !compresses && raw.len() > TRIED_MAX {
            return Ok(Vec::new());
        }
        let mut attempts = Vec::new();
        let mut add = |it: Attempt| {
            if !attempts.contains(&it) {
                attempts.push(it);
            }
        };
        for time in times {
            let is_behind_prefix = prefix_length > 0 && time / RESEMBLED_TIME >= raw.len();
            let length = raw.len() + if is_behind_prefix { prefix_length } else { 0 };
            let mut level = if compresses { level(length, *time) } else { LEVEL_FASTEST };
            let is_tried = raw.len() <= TRIED_MAX || is_behind_prefix;
            if !is_tried && level > LEVEL_FASTEST && !self.sample_gains(raw, level)? {
                level = LEVEL_FASTEST;
            }
            add(Attempt { level, is_behind_prefix });
            if is_tried {
                let left = time.saturating_sub(length * cost(level));
                let levels = lower_levels(raw.len(), level, left);
                levels.for_each(|level| add(Attempt { level, is_behind_prefix: false }));
            }
        }
        Ok(attempts)
    }

    /// The bytes that a sample of literals takes when it is packed with a level of zstd.
    ///
    /// # Errors
    /// zstd has no memory.
    pub(crate) fn length(&mut self, sample: &[u8], level: i32) -> io::Result<usize> {
        Ok(compress(self.context()?, sample, &parts(sample), 0, level)?.len())
    }

    fn sample_compresses(&mut self, raw: &[u8]) -> io::Result<bool> {
        if raw.len() < SAMPLED_MIN {
            return Ok(true);
        }
        let count = SAMPLES_MIN.max(raw.len() / SAMPLE_DISTANCE);
        let sample = sample(raw, count, SAMPLE);
        let packed = compress(self.context()?, &sample, &parts(&sample), 0, LEVEL_FASTEST)?;
        Ok(packed.len() < sample.len() - sample.len() / SAMPLE_SAVED_SHARE)
    }

    /// Whether `level` makes a sample shorter than the fastest one does. The digits of a log are packed
    /// better without the short matches that other levels find.
    fn sample_gains(&mut self, raw: &[u8], level: i32) -> io::Result<bool> {
        let sample = sample(raw, GAIN_SAMPLES, raw.len() / GAIN_SHARE / GAIN_SAMPLES);
        let parts = parts(&sample);
        let fast = compress(self.context()?, &sample, &parts, 0, LEVEL_FASTEST)?;
        let packed = compress(self.context()?, &sample, &parts, 0, level)?;
        Ok(packed.len() < fast.len())
    }

    fn context(&mut self) -> io::Result<&mut CCtx<'static>> {
        let context = match self.context.take() {
            Some(context) => context,
            None => new_context()?,
        };
        Ok(self.context.insert(context))
    }
}

/// `count` pieces of `raw`, each of `piece` bytes, evenly spread.
fn sample(raw: &[u8], count: usize, piece: usize) -> Vec<u8> {
    let distance = (raw.len() - piece) / (count - 1);
    let mut sample = Vec::with_capacity(count * piece);
    (0..count).for_each(|it| sample.extend_from_slice(&raw[it * distance..][..piece]));
    sample
}

/// Whether a packed stream is shorter than `raw`, together with its length, which is said of it.
fn is_worth_it(raw: &[u8], (_, packed): &Packed) -> bool {
    packed.len() + PACKED_LENGTH < raw.len()
}

/// A way in which a stream is packed.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Attempt {
    level: i32,
    is_behind_prefix: bool,
}

/// A packed stream, and how it is packed.
pub(crate) type Packed = (Packing, Vec<u8>);

/// The shorter of two, the first if they are as long.
fn shorter(first: Option<Packed>, second: Packed) -> Packed {
    match first {
        Some(first) if first.1.len() <= second.1.len() => first,
        _ => second,
    }
}

#[cfg(test)]
mod tests {
    use super::compression::unpack;
    use super::levels::LEVELS;
    use super::*;
    use crate::noise::noise;

    #[test]
    fn more_time_does_not_make_it_longer() {
        let digits = noise(200_000);
        let lines = digits.chunks_exact(10).flat_map(|it| {
            let number: String = it.iter().map(|it| char::from(b'0' + it % 10)).collect();
            format!("request served id={} took={}us\n", &number[..6], &number[6..]).into_bytes()
        });
        let log: Vec<u8> = lines.collect();
        let packed = |time| {
            let packed = Packer::default().pack(&log, &[], &[time, 0]).expect("memory");
            packed.expect("it is shorter").1.len()
        };
        let fast = packed(0);
        for (_, cost) in LEVELS {
            assert!(packed(cost * log.len()) <= fast, "{cost} nanoseconds a byte");
        }
    }

    #[test]
    fn what_can_be_packed_in_few_places_of_noise_is_packed() {
        let text = b"what is said again and again, ".repeat(1 << 10);
        let mut raw = noise(4 << 20);
        for at in [5, 29, 37, 53, 71, 90, 105, 121] {
            raw[at << 15..][..text.len()].copy_from_slice(&text);
        }
        let packed = Packer::default().pack(&raw, &[], &[0]).expect("memory");
        let saved = packed.map_or(0, |it| raw.len() - it.1.len());
        assert!(saved > 7 * text.len(), "{saved}");
    }

    #[test]
    fn what_is_like_its_prefix_is_packed_behind_it() {
        let digits: Vec<u8> = noise(400_000).iter().map(|it| b'0' + it % 10).collect();
        // Of each number the first two digits are dropped, and two others appended.
        let like = digits.chunks_exact(23).flat_map(|it| [&it[2..], &it[..2]].concat());
        let like: Vec<u8> = like.collect();
        for raw in [&like[..TRIED_MAX / 2], &like] {
            let packed = |prefix| Packer::default().pack(raw, &[prefix], &[40 * raw.len()]);
            let packed = |prefix| packed(prefix).expect("memory").expect("it is shorter");
            let ((packing, behind), (_, alone)) = (packed(&digits[..raw.len()]), packed(&[]));
            assert_eq!(packing, Packing::ZstdBehindPrefix);
            assert!(behind.len() < alone.len() / 2, "{} of {}", behind.len(), alone.len());
        }
    }

    #[test]
    fn noise_is_told_from_text_and_both_come_back() {
        let text = b"what is said again and again, ".repeat(100);
        let mixed = [&text[..2048], &noise(4096), &text[..1500], &noise(1024), b"end"].concat();
        let mut packer = Packer::default();
        for raw in [&mixed[..], &mixed[..7000], &mixed[100..], &text, &mixed[2048..6144]] {
            let parts = parts(raw);
            assert_eq!(parts.iter().flat_map(|it| it.clone()).collect::<Vec<_>>().len(), raw.len());
            for prefix in [&[][..], &text] {
                for time in [0, 1 << 30] {
                    let Some((_, packed)) = packer.pack(raw, &[prefix], &[time]).expect("memory")
                    else {
                        assert_eq!((raw, parts.len()), (&mixed[2048..6144], 1));
                        continue;
                    };
                    assert!(packed.len() < 6000, "{} bytes", packed.len());
                    assert_eq!(unpack(&packed, prefix, raw.len()).as_deref(), Some(raw));
                }
            }
        }
        assert_eq!(parts(&mixed), [0..2048, 2048..6144, 6144..7680, 7680..8671]);
        assert_eq!(parts(&[]), []);
    }
}
