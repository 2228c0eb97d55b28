//! Looking up many anchors at once.
//!
//! A lookup waits twice for memory: for the bucket and for the old bytes that it names. The loads of
//! a batch do not depend on each other, so that the CPU waits for all of them together.

use super::dense::{Dense, NONE, WAYS};
use super::pair::{Pair, Place};
use crate::anchors::Anchors;
use crate::compare::word;

/// Anchors looked up at once.
const BATCH: usize = 8;

/// The anchors of a new content with their candidates in the old one.
pub(crate) struct Lookups<'a> {
    dense: &'a Dense,
    pair: Pair<'a>,
    anchors: Anchors<'a>,
    batch: [Lookup; BATCH],
    next: usize,
    length: usize,
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
    pub(super) fn new(dense: &'a Dense, pair: Pair<'a>, anchors: Anchors<'a>) -> Lookups<'a> {
        Lookups { dense, pair, anchors, batch: [Lookup::default(); BATCH], next: 0, length: 0 }
    }

    fn refill(&mut self) {
        (self.next, self.length) = (0, 0);
        while self.length < BATCH
            && let Some(at) = self.anchors.next()
            && let Some(kept) = self.dense.kept(self.pair.new, at)
        {
            self.batch[self.length] = Lookup { at, kept };
            self.length += 1;
        }
        for lookup in &mut self.batch[..self.length] {
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
            if *kept != NONE && word(&pair.old[*kept as usize..]) != expected {
                *kept = NONE;
            }
        }
    }
}

impl Iterator for Lookups<'_> {
    type Item = Lookup;

    fn next(&mut self) -> Option<Lookup> {
        if self.next == self.length {
            self.refill();
        }
        let lookup = self.batch[..self.length].get(self.next).copied();
        self.next += 1;
        lookup
    }
}
