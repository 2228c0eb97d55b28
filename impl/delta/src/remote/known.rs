//! The delta against an old content whose manifest is known and whose bytes are not.

use std::collections::HashMap;
use std::ops::Range;

use super::ids::{Id, Salt, Width, grain_ids};
use super::matching::{Grains, Slot, Slots, replaced};
use super::patch::Piece;
use crate::manifest::{Chunk, Depth, Manifest};

/// The pieces that make `content`, whose manifest is `new`, from the content whose manifest is
/// `old`.
pub(crate) fn pieces(content: &[u8], new: &Manifest, old: &Manifest) -> Vec<Piece> {
    let mut old_chunks = OldChunks::new(old);
    let mut slots = Slots::default();
    for (_, chunk) in new.chunks() {
        match old_chunks.find(chunk) {
            Some(range) => slots.push_old(range),
            None => slots.push_missing(1),
        }
    }
    let slots = slots.into_vec();
    let unused = old_chunks.unused();
    let grains = Grains::new(unused.flat_map(|(offset, chunk)| grains_of(offset, chunk)));
    let mut pieces = Pieces::default();
    let mut replaced = replaced(&slots, old.length()).into_iter();
    let mut chunks = new.chunks();
    for slot in slots {
        match slot {
            Slot::Old(range) => {
                skip(&mut chunks, range.end - range.start);
                pieces.push_old(range);
            }
            Slot::Missing(count) => {
                let missing = chunks.by_ref().take(count).map(|(at, chunk)| {
                    let at = at as usize;
                    &content[at..at + chunk.length() as usize]
                });
                let replaced = replaced.next().unwrap_or(0..0);
                if old.depth() == Depth::Grains {
                    pieces.push_grains(missing, &grains, &replaced);
                } else {
                    missing.for_each(|chunk| pieces.push_new(chunk.len()));
                }
            }
        }
    }
    pieces.pieces
}

/// The widest names: bytes that are found under one are taken for equal until the whole is checked.
fn widest() -> Width {
    Width::for_comparisons(u64::MAX, 0, 64)
}

fn grains_of(offset: u64, chunk: &Chunk) -> impl Iterator<Item = (Id, Range<u64>)> {
    let ids = chunk.grains().iter().map(|grain| (grain.length(), Id::of_grain(*grain, widest())));
    ids.scan(offset, |at, (length, id)| {
        let start = *at;
        *at += length as u64;
        Some((id, start..*at))
    })
}

fn skip<'a>(chunks: &mut impl Iterator<Item = (u64, &'a Chunk)>, length: u64) {
    let mut left = length;
    while left > 0
        && let Some((_, chunk)) = chunks.next()
    {
        left -= u64::from(chunk.length());
    }
}

#[derive(Default)]
struct Pieces {
    pieces: Vec<Piece>,
    new_end: usize,
}

impl Pieces {
    fn push_old(&mut self, range: Range<u64>) {
        let length = (range.end - range.start) as usize;
        self.new_end += length;
        match self.pieces.last_mut() {
            Some(Piece::Old(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::Old(range)),
        }
    }

    fn push_new(&mut self, length: usize) {
        let range = self.new_end..self.new_end + length;
        self.new_end = range.end;
        match self.pieces.last_mut() {
            Some(Piece::New(last)) => last.end = range.end,
            _ => self.pieces.push(Piece::New(range)),
        }
    }

    fn push_grains<'a>(
        &mut self,
        missing: impl Iterator<Item = &'a [u8]>,
        grains: &Grains,
        replaced: &Range<u64>,
    ) {
        let (lengths, ids): (Vec<usize>, Vec<Id>) =
            missing.flat_map(|chunk| grain_ids(chunk, Salt(0), widest())).unzip();
        for (length, found) in lengths.into_iter().zip(grains.find(&ids, replaced)) {
            match found {
                Some(range) => self.push_old(range),
                None => self.push_new(length),
            }
        }
    }
}

/// The chunks of the old content, and which of them were found again.
struct OldChunks<'a> {
    chunks: Vec<(u64, &'a Chunk)>,
    by_hash: HashMap<u64, usize>,
    used: Vec<bool>,
    /// The one after the last that was found, which is often the next to be found.
    next: usize,
}

impl<'a> OldChunks<'a> {
    fn new(old: &'a Manifest) -> OldChunks<'a> {
        let chunks: Vec<_> = old.chunks().collect();
        let by_hash = chunks.iter().enumerate().rev();
        let by_hash = by_hash.map(|(index, (_, chunk))| (chunk.hash().words().0, index)).collect();
        let used = vec![false; chunks.len()];
        OldChunks { chunks, by_hash, used, next: 0 }
    }

    fn find(&mut self, new: &Chunk) -> Option<Range<u64>> {
        let is_it = |index: &usize| {
            self.chunks.get(*index).is_some_and(|(_, chunk)| chunk.hash() == new.hash())
        };
        let by_hash = || self.by_hash.get(&new.hash().words().0).copied();
        let index = Some(self.next).filter(is_it).or_else(|| by_hash().filter(is_it))?;
        self.used[index] = true;
        self.next = index + 1;
        let (offset, chunk) = self.chunks[index];
        Some(offset..offset + u64::from(chunk.length()))
    }

    fn unused(&self) -> impl Iterator<Item = (u64, &'a Chunk)> {
        let chunks = self.chunks.iter().zip(&self.used);
        chunks.filter(|(_, used)| !**used).map(|((offset, chunk), _)| (*offset, *chunk))
    }
}
