//! Looking up many anchors at once.
//!
//! A lookup waits twice for memory: for the bucket and for the old bytes that it names. The loads of
//! a batch do not depend on each other, so that the CPU waits for all of them together.

use std::ops::Range;

use super::dense::{Dense, NONE};
use super::search::WAYS;
use crate::anchors::Anchors;
use crate::compare::word;
use crate::pair::Pair;
use crate::segment::Place;

/// Anchors looked up at once,
const BATCH: usize = 16;
/// and behind a find: the next anchors are not needed if a better find covers them.
const FIRST_BATCH: usize = 4;

/// The anchors of a new content with their candidates in the old one.
pub(crate) struct Lookups<'a> {
    dense: &'a Dense,
    pair: Pair<'a>,
    anchors: Anchors<'a>,
    batch: [Lookup; BATCH],
    /// Those of the batch that are still to be returned.
    left: Range<usize>,
    /// How many are looked up next.
    next: usize,
}

/// An anchor, and where the same bytes may be in the old content.
#[derive(Clone, Copy, Default)]
pub(crate) struct Lookup {
    /// The anchor's position in the new content.
    pub at: usize,
    kept: [u32; WAYS],
}

impl Lookup {
    /// The places in the old content that go on, at least for the bytes of a key, as the new one
    /// does from the anchor on.
    pub(crate) fn places<'a>(
        &'a self,
        dense: &'a Dense,
        pair: Pair<'a>,
    ) -> impl Iterator<Item = Place> + 'a {
        let kept = self.kept.iter().filter(|it| **it != NONE);
        kept.flat_map(move |it| dense.places(pair, self.at, *it))
    }
}

impl<'a> Lookups<'a> {
    /// The candidates for the anchors of `pair.new` from `at` on.
    pub(super) fn new(dense: &'a Dense, pair: Pair<'a>, at: usize) -> Lookups<'a> {
        let anchors = dense.anchors(pair.new, at);
        let batch = [Lookup::default(); BATCH];
        Lookups { dense, pair, anchors, batch, left: 0..0, next: FIRST_BATCH }
    }

    /// Goes on with the first anchor from `at` on, in either direction.
    pub(crate) fn seek(&mut self, at: usize) {
        let batch = &self.batch[..self.left.end];
        let is_ahead = batch.first().is_some_and(|it| it.at <= at);
        self.left.start = batch.partition_point(|it| it.at < at);
        if !is_ahead || self.left.is_empty() {
            self.left = 0..0;
            self.next = FIRST_BATCH;
            self.anchors.seek(at);
        }
    }

    fn refill(&mut self) {
        let mut positions = [0; BATCH];
        let count = self.anchors.take(&mut positions[..self.next]);
        self.next = BATCH.min(2 * self.next);
        self.left = 0..count;
        let batch = &mut self.batch[..count];
        for (lookup, at) in batch.iter_mut().zip(positions) {
            *lookup = Lookup { at, kept: self.dense.kept(self.pair.new, at) };
        }
        for lookup in batch {
            lookup.kept[self.dense.ways()..].fill(NONE);
            if self.dense.is_exact() {
                lookup.drop_unlike(self.pair);
            }
        }
    }
}

impl Lookup {
    /// Drops the candidates whose first bytes differ.
    fn drop_unlike(&mut self, pair: Pair<'_>) {
        let expected = word(&pair.new[self.at..]);
        for kept in &mut self.kept {
            let old = pair.old.get(*kept as usize..).filter(|it| it.len() >= 8);
            if old.is_none_or(|it| word(it) != expected) {
                *kept = NONE;
            }
        }
    }
}

impl Iterator for Lookups<'_> {
    type Item = Lookup;

    fn next(&mut self) -> Option<Lookup> {
        if self.left.is_empty() {
            self.refill();
        }
        self.left.next().map(|it| self.batch[it])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::diff::search::Search;
    use crate::effort::Effort;
    use crate::noise::noise;

    #[test]
    fn lookups_go_on_where_they_are_sought() {
        let new = noise(60_000);
        let pair = Pair { old: &new[300..40_000], new: &new };
        let whole = |bytes: &[u8]| std::iter::once(0..bytes.len()).collect::<Vec<_>>();
        let search = Search::of(Effort::Small).expect("there is a second pass");
        let dense = Dense::new(pair, &whole(pair.new), &whole(pair.old), search);
        let next = |lookups: &mut Lookups<'_>, count| {
            let next = lookups.take(count).map(|it| (it.at, it.places(&dense, pair).collect()));
            next.collect::<Vec<(usize, Vec<Place>)>>()
        };
        let mut lookups = Lookups::new(&dense, pair, 0);
        for (at, count) in [(500, 3), (570, 20), (590, 2), (30_000, 9), (29_000, 1), (29_010, 40)] {
            lookups.seek(at);
            let expected = next(&mut Lookups::new(&dense, pair, at), count);
            assert_eq!(expected.len(), count);
            assert!(expected.iter().any(|(new, old)| old.iter().any(|it| it.old + 300 == *new)));
            assert_eq!(next(&mut lookups, count), expected, "from {at}");
        }
    }
}
