//! Whether it is worth looking for the unmatched bytes in the old content, judged by a sample.

use std::ops::Range;

use super::dense::Dense;
use super::gaps::total;
use super::lookups::Lookups;
use super::search::Search;
use crate::pair::Pair;
use crate::wire::packing::noise::{self, PIECE as NOISE_PIECE};

/// Less is searched without a sample.
const SAMPLED_MIN: usize = 1 << 20;
/// Of less, pieces are looked up everywhere; of more, stripes in stripes of the old content.
const STRIPED_MIN: usize = 16 << 20;
/// The distance of two sampled pieces of the gaps, in bytes.
const PIECE_DISTANCE: usize = 4 << 10;
/// The length of a sampled piece, in bytes.
const PIECE: usize = 1 << 10;
/// The distance of two sampled stripes, in bytes, in either content.
pub(super) const DISTANCE: usize = 512 << 10;
/// The width of a stripe of the old content, in bytes.
pub(super) const OLD_STRIPE: usize = 64 << 10;
/// The width of a stripe of the new content, which lies in the middle of the old one, in bytes.
const NEW_STRIPE: usize = 4 << 10;
/// One anchor in `2^RARER_LOG2` is enough for a sample.
const RARER_LOG2: u32 = 2;
/// An anchor is related if the bytes behind it save this number more than a segment must.
const SAVED_MORE: isize = 16;
/// The bytes behind an anchor that are compared, at most.
const LOOK: usize = 256;
/// The gaps are judged to be noise or not by this number of pieces.
const NOISE_SAMPLES: usize = 64;
/// Nothing is searched unless more than one anchor of the sample in this number is related.
const RELATED_SHARE: usize = 256;
/// Nor unless more than one in this number is related to a quarter of the places, which is read first.
const HINT_SHARE: usize = 8 * RELATED_SHARE;

/// Whether enough of the `gaps` in the new content resembles some of the `places` in the old one.
///
/// A quarter of the gaps is sampled, or more where they are short; of large ones 1% of the new
/// content, which is looked up in 12% of the old one. That keys are equal is not enough: lines of a
/// log have phrases in common, which packing makes as short as copying does. Contents that have only
/// rare small pieces in common are taken for unrelated; the first pass has found the large pieces.
pub(crate) fn is_related(
    pair: Pair<'_>,
    gaps: &[Range<usize>],
    places: &[Range<usize>],
    search: Search,
) -> bool {
    let is_striped = match total(gaps) {
        ..SAMPLED_MIN => return true,
        ..STRIPED_MIN if total(places) > STRIPED_MIN => return true,
        unmatched => unmatched >= STRIPED_MIN,
    };
    let rarities_log2 = search.rarities_log2.map(|it| it + RARER_LOG2);
    let search = Search { rarities_log2, ..search };
    let (gaps, places) = match is_striped {
        true => (new_stripes(gaps), &old_stripes(pair.old)[..]),
        false => (pieces(gaps), places),
    };
    let has_hint = is_striped || are_related(pair, &gaps, &pieces(places), search, HINT_SHARE);
    has_hint && are_related(pair, &gaps, places, search, RELATED_SHARE)
}

/// Whether more than one anchor of `gaps` in `share` is related to `places`.
fn are_related(
    pair: Pair<'_>,
    gaps: &[Range<usize>],
    places: &[Range<usize>],
    search: Search,
    share: usize,
) -> bool {
    let dense = Dense::new(pair, gaps, places, search);
    let (mut anchors, mut related) = (0, 0);
    for gap in gaps {
        let inside = Pair { new: &pair.new[..gap.end], ..pair };
        for lookup in Lookups::new(&dense, inside, gap.start) {
            anchors += 1;
            let mut saved = lookup.places(&dense, inside).map(|it| inside.like_run(it, LOOK).gain);
            related += usize::from(saved.any(|it| it > search.gain_min + SAVED_MORE));
        }
    }
    related * share > anchors
}

/// Whether most of the gaps is noise, which is not packed.
pub(crate) fn is_noise(new: &[u8], gaps: &[Range<usize>]) -> bool {
    let length = total(gaps);
    let step = (length / NOISE_SAMPLES).max(NOISE_PIECE);
    let (mut pieces, mut noise, mut before) = (0, 0, 0usize);
    for gap in gaps {
        let first = before.next_multiple_of(step) - before;
        for at in (gap.start + first..gap.end).step_by(step) {
            if let Some(piece) = new.get(at..at + NOISE_PIECE) {
                pieces += 1;
                noise += usize::from(noise::is_noise(piece));
            }
        }
        before += gap.len();
    }
    noise * 2 > pieces
}

fn pieces(gaps: &[Range<usize>]) -> Vec<Range<usize>> {
    let starts = gaps
        .iter()
        .flat_map(|gap| gap.clone().step_by(PIECE_DISTANCE).map(|it| it..gap.end.min(it + PIECE)));
    starts.collect()
}

fn new_stripes(gaps: &[Range<usize>]) -> Vec<Range<usize>> {
    let before = (OLD_STRIPE - NEW_STRIPE) / 2;
    let stripes = gaps.iter().flat_map(|gap| {
        let first = before + gap.start.saturating_sub(before) / DISTANCE * DISTANCE;
        let stripes = (first..gap.end).step_by(DISTANCE).map(|it| it..it + NEW_STRIPE);
        stripes.map(|it| it.start.max(gap.start)..it.end.min(gap.end)).filter(|it| !it.is_empty())
    });
    stripes.collect()
}

pub(super) fn old_stripes(old: &[u8]) -> Vec<Range<usize>> {
    let starts = (0..old.len()).step_by(DISTANCE);
    starts.map(|it| it..(it + OLD_STRIPE).min(old.len())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Effort;
    use crate::noise::noise;

    /// Lines that begin with one of a few phrases, longer than a key, and end each on its own.
    fn log(seed: u64, length: usize) -> Vec<u8> {
        let own = noise(length + seed as usize);
        let phrases = noise(64 * 40);
        let lines = own[seed as usize..].chunks_exact(40).flat_map(|own| {
            let phrase = usize::from(own[0] % 64) * 40;
            phrases[phrase..phrase + 40].iter().chain(own).copied()
        });
        lines.take(length).collect()
    }

    fn is_worth_it(old: &[u8], new: &[u8], effort: Effort) -> bool {
        let search = Search::of(effort).expect("there is a second pass");
        let whole = |bytes: &[u8]| std::iter::once(0..bytes.len()).collect::<Vec<_>>();
        is_related(Pair { old, new }, &whole(new), &whole(old), search)
    }

    #[test]
    fn gaps_are_searched_if_that_saves_something() {
        for length in [SAMPLED_MIN + 3, 2 * STRIPED_MIN] {
            let (old, mut new) = (log(1, length), log(20_021, length));
            for effort in [Effort::Default, Effort::Small] {
                assert!(!is_worth_it(&old, &new, effort), "{effort:?}, {length} of phrases");
            }
            let moved = length / 16;
            let to = length / 2;
            new[to..to + moved].copy_from_slice(&old[to - moved - 77..to - 77]);
            for effort in [Effort::Default, Effort::Small] {
                assert!(is_worth_it(&old, &new, effort), "{effort:?}, {length} with a moved run");
            }
        }
    }

    #[test]
    fn small_gaps_are_searched_without_a_sample() {
        let (old, new) = (noise(SAMPLED_MIN), log(1, SAMPLED_MIN - 1));
        assert!(is_worth_it(&old, &new, Effort::Default));
    }
}
