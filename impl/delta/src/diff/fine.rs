//! The third pass: short pieces, such as fields and rows in another order.
//!
//! The second pass takes pieces that save many bytes with any literals. This one prices both sides: the packed
//! length of a sample of the unmatched bytes is the price of literals, and an operation costs more the farther
//! it moves. A piece of a dozen bytes pays only where literals are packed badly, so the pass first runs on a
//! sample of the gaps and goes on only if that saved something.

use std::ops::Range;
use std::slice;

use super::dense::Dense;
use super::gaps::{gaps, total};
use super::lookups::Lookups;
use super::price::{BYTE, OF_SHORT_PIECES, Recent};
use super::sample;
use super::search::Search;
use crate::effort::Effort;
use crate::pair::Pair;
use crate::segment::{Place, Segment};
use crate::wire::packing::Packer;
use crate::wire::packing::text::resembles_text;

/// Shorter gaps hold nothing that pays: with 24, patches are 0.9% longer, and 13% where a column moved.
const GAP_MIN: usize = 12;
/// The gaps are sampled in this number of pieces of this length in bytes.
const PIECES: usize = 64;
/// See [`PIECES`].
const PIECE: usize = 1 << 10;
/// One anchor in `2^RARER_LOG2` is enough for a sample, which then finds about half of the short pieces.
const RARER_LOG2: u32 = 2;
/// The level of zstd with which a sample is packed, about as most literals are.
const LEVEL_OF_SAMPLE: i32 = 6;
/// Shorter old contents are sampled whole at once.
const HINT_MIN: usize = 16 << 20;
/// The stripes of the old content are read first, and must save half of their share.
const HINT_PART: usize = 2 * sample::DISTANCE / sample::OLD_STRIPE;
/// The bytes behind a find in which a better one is looked for. With 6 patches are 1.1% longer, with 24 they
/// are 0.8% shorter in 4% more time.
const PATIENCE: usize = 12;
/// A better piece replaces the one found before if it leaves out at most this number of bytes at its head.
/// Otherwise the pass takes both.
const HEAD_MAX: usize = 8;
/// A piece that is longer is taken at once.
const PLENTY: usize = 256;

/// Neither longer old contents are indexed nor more unmatched bytes searched: the lists of segments would
/// take more memory than both contents.
const LENGTH_MAX: usize = 64 << 20;
/// At effort default an old content with more bytes than this per unmatched byte is not indexed: reading it
/// costs more than the pass saves.
const OLD_PER_GAP_MAX: usize = 64;
/// The same at effort small. The second number is for contents that are longer than [`HINT_MIN`]: with the
/// first one, three releases of them (django, openssl-src, typescript) take four times as long and save
/// nothing. A shorter table with a column less saves 2% by it.
const OLD_PER_GAP_MAX_OF_SMALL: [usize; 2] = [1 << 14, 256];
/// At effort default the pass goes on if the sample saves one byte of its packed literals in this number.
const SAVED_SHARE: usize = 16;
/// The same at effort small.
const SAVED_SHARE_OF_SMALL: usize = 32;

/// The bounds on the third pass.
struct Limits {
    /// The most bytes of the old content per unmatched byte: of a short content and of a long one.
    old_per_gap_max: [usize; 2],
    /// The sample must save one byte of its packed literals in this number.
    saved_share: usize,
}

impl Effort {
    fn fine(self) -> Option<Limits> {
        match self {
            Effort::Fast => None,
            Effort::Default => {
                Some(Limits { old_per_gap_max: [OLD_PER_GAP_MAX; 2], saved_share: SAVED_SHARE })
            }
            Effort::Small => Some(Limits {
                old_per_gap_max: OLD_PER_GAP_MAX_OF_SMALL,
                saved_share: SAVED_SHARE_OF_SMALL,
            }),
        }
    }
}

/// The segments, and between them the short pieces that pay, or `None` if hardly any seem to.
///
/// # Errors
/// zstd has no memory for a sample.
pub(crate) fn refine(
    pair: Pair<'_>,
    segments: &[Segment],
    effort: Effort,
) -> std::io::Result<Option<Vec<Segment>>> {
    let Some(limits) = effort.fine() else { return Ok(None) };
    let mut gaps = gaps(pair.new.len(), segments);
    gaps.retain(|it| it.len() >= GAP_MIN);
    let unmatched = total(&gaps);
    let old = pair.old.len();
    let old_per_gap_max = limits.old_per_gap_max[usize::from(old > HINT_MIN)];
    if unmatched == 0 || old.max(unmatched) > LENGTH_MAX || old / old_per_gap_max > unmatched {
        return Ok(None);
    }
    let sample = sampled(&gaps);
    let literals: Vec<u8> = sample.iter().flat_map(|it| &pair.new[it.clone()]).copied().collect();
    let price = (Packer::default().length(&literals, LEVEL_OF_SAMPLE)? * BYTE / literals.len())
        .clamp(1, BYTE);
    let whole = 0..old;
    let whole = slice::from_ref(&whole);
    let saved = |places: &[Range<usize>]| {
        let sampled = fill(pair, segments, sample.clone(), price, places, RARER_LOG2);
        sampled.saved * limits.saved_share
    };
    let wanted = literals.len() * price;
    // A part of the old content takes less time to read. It rules out most unrelated contents; and all of
    // the content saves no less than the part.
    let by_part = (old > HINT_MIN).then(|| saved(&sample::old_stripes(pair.old)));
    let is_worth_it = match by_part {
        Some(saved) if saved >= wanted => true,
        Some(saved) if saved * HINT_PART < wanted => false,
        _ => saved(whole) >= wanted,
    };
    if !is_worth_it {
        return Ok(None);
    }
    let found = fill(pair, segments, gaps, price, whole, 0).segments;
    Ok(Some(merged(segments, &found)))
}

/// Whether short pieces are likely to pay between these segments: in text, and where most of the new
/// content is unmatched. The pass finds them all over machine code, where they save a tenth of the patch and
/// take five times the time.
pub(crate) fn is_likely(pair: Pair<'_>, segments: &[Segment]) -> bool {
    let gaps = gaps(pair.new.len(), segments);
    let sample = sampled(&gaps);
    let sample: Vec<u8> = sample.iter().flat_map(|it| &pair.new[it.clone()]).copied().collect();
    total(&gaps) > pair.new.len() / 2 || resembles_text(&sample)
}

/// Pieces of the gaps, evenly spread. A piece goes on over short gaps: alone, their literals would seem to
/// be packed badly.
fn sampled(gaps: &[Range<usize>]) -> Vec<Range<usize>> {
    let step = (total(gaps) / PIECES).max(PIECE);
    let (mut pieces, mut before) = (Vec::new(), 0usize);
    for gap in gaps {
        // Of all gaps one behind the other, those bytes are sampled that lie up to a piece behind a step.
        let mut at = gap.start;
        while at < gap.end {
            let within = (before + at - gap.start) % step;
            let end = match within {
                ..PIECE => gap.end.min(at + PIECE - within),
                _ => gap.end.min(at + step - within),
            };
            if within < PIECE {
                pieces.push(at..end);
            }
            at = end;
        }
        before += gap.len();
    }
    pieces
}

/// The segments that were found in some gaps.
#[derive(Default)]
struct Filled {
    /// In the order of the new content.
    segments: Vec<Segment>,
    /// The saving, in parts of a byte.
    saved: usize,
}

/// Fills the gaps between the segments, whose literals have this price for each byte.
fn fill(
    pair: Pair<'_>,
    around: &[Segment],
    gaps: Vec<Range<usize>>,
    price: usize,
    places: &[Range<usize>],
    rarer_log2: u32,
) -> Filled {
    let dense = Dense::new(pair, &gaps, places, Search::of_short_pieces(rarer_log2));
    let mut filled = Filled::default();
    let mut recent = Recent::with(OF_SHORT_PIECES);
    let mut around = around.iter().peekable();
    for gap in gaps {
        while let Some(segment) = around.next_if(|it| it.new_start < gap.start) {
            recent.remember(*segment);
        }
        let pair = Pair { new: &pair.new[..gap.end], ..pair };
        fill_gap(pair, &dense, gap, price, &mut recent, &mut filled);
    }
    filled
}

fn fill_gap(
    pair: Pair<'_>,
    dense: &Dense,
    gap: Range<usize>,
    price: usize,
    recent: &mut Recent,
    filled: &mut Filled,
) {
    let mut lookups = Lookups::new(dense, pair, gap.start);
    let mut floor = gap.start;
    loop {
        let mut best: Option<(Segment, usize)> = None;
        let mut until = usize::MAX;
        for lookup in lookups.by_ref() {
            let at = lookup.at;
            if at >= until || best.is_some_and(|it| it.0.length >= PLENTY) {
                break;
            }
            let expected = recent.places(at).filter(|it| pair.are_equal(*it, 8));
            for place in expected.chain(lookup.places(dense, pair)) {
                if best.is_some_and(|(it, _)| it.at(at) == Some(place) && it.new_end() > at) {
                    continue;
                }
                let segment = grow(pair, place, floor);
                let saved = (segment.length * price).saturating_sub(recent.price(segment));
                let is_better = best.map_or(saved > 0, |(it, least)| {
                    saved > least && segment.new_start <= it.new_start + HEAD_MAX
                });
                if is_better {
                    until = until.min(at + PATIENCE);
                    best = Some((segment, saved));
                }
            }
        }
        let Some((segment, saved)) = best else { return };
        filled.segments.push(segment);
        filled.saved += saved;
        recent.remember(segment);
        floor = segment.new_end();
        lookups.seek(floor);
    }
}

/// The equal bytes around `place`.
fn grow(pair: Pair<'_>, place: Place, floor: usize) -> Segment {
    let before = pair.equal_run_before(place, floor);
    let length = before + pair.equal_run(place);
    Segment { old_start: place.old - before, new_start: place.new - before, length, exact: true }
}

/// Both in the order of the new content.
fn merged(segments: &[Segment], found: &[Segment]) -> Vec<Segment> {
    let mut all = [segments, found].concat();
    all.sort_by_key(|it| it.new_start);
    all
}
