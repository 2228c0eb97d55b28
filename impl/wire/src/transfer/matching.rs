//! The sections and chunks of an old content by hash.

use std::collections::HashMap;

use steadfast_delta::manifest::{Chunk, Cut, Hash, Manifest, Section};

/// The sections of an old content by hash.
#[derive(Debug, Default)]
pub(super) struct OldSections(HashMap<u64, usize>);

/// The chunks of an old content by hash.
#[derive(Debug, Default)]
pub(super) struct OldChunks {
    places: HashMap<u64, Place>,
    /// The one after the last that was found, which is often the next to be found.
    next: Option<Place>,
}

#[derive(Clone, Copy, Debug)]
struct Place {
    section: usize,
    chunk: usize,
    offset: u64,
}

/// The first bytes of a hash, for tables.
fn key(hash: &Hash) -> u64 {
    let first = hash.0.first_chunk().copied().unwrap_or_default();
    u64::from_le_bytes(first)
}

/// Whether a section ends its content.
pub(super) fn ends_content(section: &Section) -> bool {
    section.cut() == Cut::End
}

impl OldSections {
    /// The sections of this content.
    pub(super) fn new(old: &Manifest) -> OldSections {
        let sections = old.sections().iter().enumerate();
        OldSections(sections.map(|(index, it)| (key(it.hash()), index)).collect())
    }

    /// The index of the section with this hash that ends its content if and only if `ends` says so.
    pub(super) fn find(&self, old: &Manifest, hash: &Hash, ends: bool) -> Option<usize> {
        let index = *self.0.get(&key(hash))?;
        let section = old.sections().get(index)?;
        (section.hash() == hash && ends_content(section) == ends).then_some(index)
    }
}

impl OldChunks {
    /// The chunks of this content.
    pub(super) fn new(old: &Manifest) -> OldChunks {
        let (mut places, mut offset) = (HashMap::new(), 0);
        for (section, it) in old.sections().iter().enumerate() {
            for (chunk, it) in it.chunks().iter().enumerate() {
                places.entry(key(it.hash())).or_insert(Place { section, chunk, offset });
                offset += u64::from(it.length());
            }
        }
        OldChunks { places, next: None }
    }

    /// The offset of the bytes of a chunk in the old content.
    pub(super) fn find(&mut self, old: &Manifest, chunk: &Chunk) -> Option<u64> {
        let is_it = |place: &Place| at(old, *place).is_some_and(|it| it.hash() == chunk.hash());
        let by_hash = || self.places.get(&key(chunk.hash())).copied();
        let found = self.next.filter(is_it).or_else(|| by_hash().filter(is_it))?;
        self.next = Some(after(old, found));
        Some(found.offset)
    }
}

fn at(old: &Manifest, place: Place) -> Option<&Chunk> {
    old.sections().get(place.section)?.chunks().get(place.chunk)
}

/// The place of the chunk that follows.
fn after(old: &Manifest, place: Place) -> Place {
    let offset = place.offset + at(old, place).map_or(0, |it| u64::from(it.length()));
    let next = Place { chunk: place.chunk + 1, offset, ..place };
    match at(old, next) {
        Some(_) => next,
        None => Place { section: place.section + 1, chunk: 0, offset },
    }
}
