//! How a stream is packed: raw, with zstd, or with zstd behind a prefix.

use std::io;
use std::ops::Range;

use super::columns;

use zstd::zstd_safe::zstd_sys::ZSTD_EndDirective;
use zstd::zstd_safe::{
    CCtx, CParameter, DCtx, DParameter, InBuffer, OutBuffer, compress_bound, get_error_name,
};

/// Shorter streams are not worth a zstd header.
const PACKED_MIN: usize = 24;
/// Fewer varints are not worth being sorted.
const COLUMNS_MIN: usize = 64;
/// Columns that are all shorter are not worth a code of their own.
const COLUMN_PART_MIN: usize = 1 << 10;
/// Longer streams are tried on a sample first.
const SAMPLED_MIN: usize = 16 << 10;
const SAMPLE: usize = 1 << 10;
/// of this number of pieces at least,
const SAMPLES_MIN: usize = 8;
/// and one for this number of bytes: the bytes that can be packed may lie in few places of much noise.
const SAMPLE_DISTANCE: usize = 32 << 10;
/// A sample compresses if packing saves one byte in this number; noise saves none.
const SAMPLE_SAVED_SHARE: usize = 128;
/// Longer streams whose sample does not compress are left raw; shorter ones are tried with the
/// fastest level. Shorter ones, and those behind a prefix, of which a sample would know nothing,
/// are packed with their level and the fastest one; of others a larger sample tells which to take:
const TRIED_MAX: usize = 256 << 10;
/// one byte in this number,
const GAIN_SHARE: usize = 32;
/// in this number of pieces.
const GAIN_SAMPLES: usize = 4;
/// Of longer streams no levels between that and the fastest one are tried: of 190 kB of records they took
/// 3% of the time of a diff and were never the shortest.
const LEVELS_MAX: usize = 32 << 10;
/// No window is larger, and so no decoder's memory.
const WINDOW_LOG_MAX: u32 = 23;
/// zstd copies streams that are packed in parts into a window first. The small tables of the fastest level
/// hardly find matches that lie further back.
const WINDOW_LOG_FAST: u32 = 19;

/// A prefix takes time as well: a stream is packed behind it only if there are this many nanoseconds for
/// each of its bytes.
const RESEMBLED_TIME: usize = 20;

/// One other byte in this number is possible in a text.
const OTHERS_SHARE: usize = 16;
/// A text is told by this number of evenly spread pieces of this length in bytes. With 16 pieces sources
/// with some tables of other characters were taken for binaries.
const TEXT_PIECES: usize = 128;
const TEXT_PIECE: usize = 256;
/// This number of pieces, of which one byte in this number is another, tell that it is none.
const TEXT_HINTS: usize = 8;
const OTHERS_SHARE_OF_HINT: usize = 3;

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

    /// Packs `raw` in the ways that about each of these `times`, in nanoseconds, has room for, and returns
    /// the shortest result, or `None` where none is shorter than `raw`. So a longer time never makes it
    /// longer if the shorter ones are named, too. The pieces of `prefix`, one behind the other, are what
    /// `raw` may resemble.
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
            let mut level = if compresses { level(length, *time) } else { 1 };
            let is_tried = raw.len() <= TRIED_MAX || is_behind_prefix;
            if !is_tried && level > 1 && !self.sample_gains(raw, level)? {
                level = 1;
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
        let packed = compress(self.context()?, &sample, &parts(&sample), 0, 1)?;
        Ok(packed.len() < sample.len() - sample.len() / SAMPLE_SAVED_SHARE)
    }

    /// Whether `level` makes a sample shorter than the fastest one does. The digits of a log are packed
    /// better without the short matches that other levels find.
    fn sample_gains(&mut self, raw: &[u8], level: i32) -> io::Result<bool> {
        let sample = sample(raw, GAIN_SAMPLES, raw.len() / GAIN_SHARE / GAIN_SAMPLES);
        let parts = parts(&sample);
        let fast = compress(self.context()?, &sample, &parts, 0, 1)?;
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
    packed.len() + 2 < raw.len()
}

fn new_context() -> io::Result<CCtx<'static>> {
    CCtx::try_create().ok_or_else(|| io::ErrorKind::OutOfMemory.into())
}

/// The level of zstd that takes least time and still packs.
pub(crate) const LEVEL_FASTEST: i32 = 1;
/// From this level of zstd on its tables are large.
const LEVEL_LARGE: i32 = 11;
/// The tables that such a level may have, as binary logarithms of their entries of 4 bytes: its own
/// would be of up to 80 MB, and hardly find more in a frame.
const TABLES_MAX: [u32; 2] = [21, 20];

/// The levels of zstd that are worth their time, and the nanoseconds that they take for a byte.
const LEVELS: [(i32, usize); 7] =
    [(19, 330), (13, 100), (11, 38), (9, 22), (6, 15), (3, 6), (1, 3)];

/// The best level that takes no longer than `time` nanoseconds.
fn level(length: usize, time: usize) -> i32 {
    let affordable = LEVELS.iter().find(|(_, cost)| length * cost <= time);
    affordable.map_or(1, |(level, _)| *level)
}

/// The nanoseconds that a level takes for a byte.
fn cost(level: i32) -> usize {
    LEVELS.iter().find(|it| it.0 == level).map_or(0, |it| it.1)
}

/// The levels below `level` that are tried as well within `left` nanoseconds: the matches of a higher
/// level may take more than they save. The fastest level is always tried.
fn lower_levels(length: usize, level: i32, mut left: usize) -> impl Iterator<Item = i32> {
    let levels = LEVELS.iter().filter(move |it| it.0 < level);
    let levels = levels.filter(move |(level, cost)| {
        let is_affordable = length <= LEVELS_MAX && length * cost <= left;
        left -= if is_affordable { length * cost } else { 0 };
        is_affordable || *level == 1
    });
    levels.map(|it| it.0)
}

/// All levels that a stream without a prefix is packed with in these times.
fn levels(length: usize, times: &[usize]) -> Vec<i32> {
    let mut levels: Vec<i32> = Vec::new();
    for time in times {
        let first = level(length, *time);
        let lower = lower_levels(length, first, time.saturating_sub(length * cost(first)));
        levels.extend(std::iter::once(first).chain(lower));
    }
    levels.sort_unstable_by_key(|it| std::cmp::Reverse(*it));
    levels.dedup();
    levels
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

fn compress(
    context: &mut CCtx<'_>,
    raw: &[u8],
    parts: &[Range<usize>],
    prefix_length: usize,
    level: i32,
) -> io::Result<Vec<u8>> {
    // Zero is what the level has.
    let [chain, hash] = if level >= LEVEL_LARGE { TABLES_MAX } else { [0, 0] };
    let is_fast = level <= 1 && parts.len() > 1 && prefix_length == 0;
    let window_max = if is_fast { WINDOW_LOG_FAST } else { WINDOW_LOG_MAX };
    let window = (raw.len() + prefix_length).next_power_of_two().ilog2().clamp(10, window_max);
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

/// The overhead of a block of zstd in bytes.
const BLOCK_COST: usize = 16;
/// Noise is told from other bytes in pieces of this length.
pub(crate) const PIECE: usize = 512;
/// A piece with more different bytes is noise: of random ones it has 221, of text about 60, of
/// machine code about 130.
const NOISE_MIN: u32 = 192;
/// The first bytes of a piece, which show of most pieces that they are no noise.
const HEAD: usize = 128;
/// Noise has 101 different bytes in a head, and one in two from 0x80 on. A head with more different bytes than
/// this does not prove noise: a repeated record has as many.
const HEAD_NOISE_MIN: u32 = 76;

/// Where blocks of zstd should end: between noise and other bytes. A block has one code for all its literals,
/// and bytes beside noise are hardly packed at all.
fn parts(raw: &[u8]) -> Vec<Range<usize>> {
    let mut parts: Vec<Range<usize>> = Vec::new();
    let mut last = None;
    for (index, piece) in raw.chunks(PIECE).enumerate() {
        let start = index * PIECE;
        let range = start..start + piece.len();
        // The rest is too short to tell.
        let is_noise = match piece.len() {
            PIECE => Some(is_noise_behind(piece, last == Some(true))),
            _ => last,
        };
        match parts.last_mut() {
            Some(part) if is_noise == last => part.end = range.end,
            _ => parts.push(range),
        }
        last = is_noise;
    }
    parts
}

/// Whether the bytes of a piece are noise, which no packing makes shorter.
pub(crate) fn is_noise(piece: &[u8]) -> bool {
    is_noise_behind(piece, false)
}

/// Whether the first bytes of these look like noise.
pub(crate) fn begins_as_noise(bytes: &[u8]) -> bool {
    bytes.get(..HEAD).is_some_and(|it| see(&mut [0; 256], it) > HEAD_NOISE_MIN)
}

/// Whether the bytes of a piece are noise; behind other noise its head is proof enough.
fn is_noise_behind(piece: &[u8], follows_noise: bool) -> bool {
    let (head, rest) = piece.split_at(HEAD);
    let high = head.iter().filter(|it| **it >= 0x80).count();
    if high.abs_diff(HEAD / 2) > HEAD / 4 {
        return false;
    }
    let mut seen = [0; 256];
    see(&mut seen, head) > HEAD_NOISE_MIN && (follows_noise || see(&mut seen, rest) > NOISE_MIN)
}

/// Whether hardly any of these bytes is a control character or beyond ASCII. Of many bytes a sample is
/// read: to read all of them takes longer than to write noise.
pub(crate) fn is_text(bytes: &[u8]) -> bool {
    let [others, read] = count_others(bytes, TEXT_HINTS);
    if others * OTHERS_SHARE_OF_HINT >= read {
        return false;
    }
    let [others, read] = count_others(bytes, TEXT_PIECES);
    others * OTHERS_SHARE < read
}

/// Whether these bytes are rather a text than machine code or numbers, though many may be beyond ASCII.
pub(crate) fn resembles_text(bytes: &[u8]) -> bool {
    let [others, read] = count_others(bytes, TEXT_PIECES);
    others * OTHERS_SHARE_OF_HINT < read
}

/// How many of the bytes in some evenly spread pieces are control characters or beyond ASCII, and of how
/// many.
fn count_others(bytes: &[u8], pieces: usize) -> [usize; 2] {
    let step = (bytes.len() / pieces).max(TEXT_PIECE);
    let is_other = |it: &&u8| !matches!(it, b'\t'..=b'\r' | b' '..=b'~');
    let pieces = bytes.chunks(step).map(|it| &it[..it.len().min(TEXT_PIECE)]);
    pieces.fold([0, 0], |[others, read], piece| {
        [others + piece.iter().filter(is_other).count(), read + piece.len()]
    })
}

/// Marks these bytes as seen, and counts all that are.
fn see(seen: &mut [u8; 256], bytes: &[u8]) -> u32 {
    bytes.iter().for_each(|it| seen[usize::from(*it)] = 1);
    seen.iter().map(|it| u32::from(*it)).sum()
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

#[cfg(test)]
mod tests {
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

    #[test]
    fn a_text_is_known_by_a_sample_of_all_its_parts() {
        let text = b"what is said again and again,\n".repeat(10_000);
        let noise = noise(text.len());
        assert!(is_text(&text) && is_text(&text[..100]) && !is_text(&noise) && !is_text(b""));
        // Every fifth byte is beyond ASCII.
        let accents = "the naïve café, déjà vu, on a line\n".repeat(1000);
        assert!(resembles_text(accents.as_bytes()) && !is_text(accents.as_bytes()));
        assert!(resembles_text(&text) && !resembles_text(&noise) && !resembles_text(b""));
        let half = text.len() / 2;
        assert!(!is_text(&[&text[..half], &noise[..half]].concat()));
        assert!(!is_text(&[&noise[..half], &text[..half]].concat()));
    }

    #[test]
    fn a_way_that_a_shorter_time_has_room_for_is_tried_in_a_longer_one_as_well() {
        for length in [100, 10_000, TRIED_MAX, TRIED_MAX + 1] {
            for (_, cost) in LEVELS {
                let [short, long] = [cost * length, 2 * cost * length];
                let (short_alone, both) =
                    (levels(length, &[short]), levels(length, &[long, short]));
                assert!(short_alone.iter().all(|it| both.contains(it)), "{length}, {cost}");
                assert!(both.is_sorted_by(|a, b| a > b) && both.last() == Some(&1), "{both:?}");
            }
        }
    }

    #[test]
    fn noise_has_most_bytes_and_high_ones_as_often_as_low_ones() {
        let random = noise(PIECE);
        let records = noise(150).repeat(100);
        let sorted: Vec<u8> = (0..=255).chain(0..=255).collect();
        let half = [&random[..HEAD], &[0; PIECE - HEAD]].concat();
        assert!(is_noise(&random));
        assert!(!records.chunks_exact(PIECE).any(is_noise));
        for follows in [false, true] {
            assert!(!is_noise_behind(&sorted, follows));
            assert_eq!(
                is_noise_behind(&half, follows),
                follows,
                "the head is enough behind other noise"
            );
        }
    }
}
