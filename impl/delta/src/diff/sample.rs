//! Whether what is unmatched resembles the old content at all, judged by a sample.

use std::ops::Range;

use super::dense::Dense;
use super::pair::Pair;
use crate::effort::Search;

/// Less is searched without a sample.
const SAMPLED_MIN: usize = 4 << 20;
/// A stripe of the old content is sampled at this distance,
const DISTANCE: usize = 512 << 10;
/// so wide,
const OLD_STRIPE: usize = 64 << 10;
/// and one of the new content in the middle of it.
const NEW_STRIPE: usize = 4 << 10;
/// One anchor in `2^RARER_LOG2` is enough for a sample.
const RARER_LOG2: u32 = 2;
/// One anchor of the sample in so many has its like, or nothing is searched.
const RELATED_SHARE: usize = 512;

/// Whether some of the `gaps` in the new content resemble some of the old one.
///
/// A sample of 1% of the new content is looked up in one of 12% of the old one. Contents that have
/// nothing but rare small pieces in common, each moved far, are taken for unrelated; larger pieces
/// were found by the first pass.
pub(crate) fn is_related(pair: Pair<'_>, gaps: &[Range<usize>], search: Search) -> bool {
    if gaps.iter().map(|it| it.len()).sum::<usize>() < SAMPLED_MIN {
        return true;
    }
    let search = Search {
        rarity_log2: search.rarity_log2 + RARER_LOG2,
        rarity_of_much_log2: search.rarity_of_much_log2 + RARER_LOG2,
        ..search
    };
    let before = (OLD_STRIPE - NEW_STRIPE) / 2;
    let sampled = gaps.iter().flat_map(|gap| {
        let stripes = (before..gap.end).step_by(DISTANCE).map(|it| it..it + NEW_STRIPE);
        stripes.map(|it| it.start.max(gap.start)..it.end.min(gap.end)).filter(|it| !it.is_empty())
    });
    let sampled: Vec<_> = sampled.collect();
    let starts = (0..pair.old.len()).step_by(DISTANCE);
    let places: Vec<_> = starts.map(|it| it..(it + OLD_STRIPE).min(pair.old.len())).collect();
    let dense = Dense::new(pair, &sampled, &places, search);
    let (mut anchors, mut related) = (0, 0);
    for stripe in sampled {
        let inside = Pair { new: &pair.new[..stripe.end], ..pair };
        for lookup in dense.lookups(inside, stripe.start) {
            anchors += 1;
            related += usize::from(lookup.places(&dense, inside).next().is_some());
        }
    }
    related * RELATED_SHARE > anchors
}
