//! The chunks of the old content by name, and which of them were found in the new one.

use std::ops::Range;

use super::ids::{Id, Places, Salt, Width};
use crate::manifest::Manifest;

/// The chunks of the old content, and which of them were found.
pub(super) struct HeldChunks {
    chunks: Vec<HeldChunk>,
    /// Per section the index of its first chunk; behind the last section the number of chunks.
    sections: Vec<usize>,
    by_id: Places<usize>,
    /// The one after the last that was found, which is often the next to be found.
    next: usize,
}

struct HeldChunk {
    id: Id,
    bytes: Range<u64>,
    is_used: bool,
}

impl HeldChunks {
    /// All chunks of `base`; none if there is no base.
    pub(super) fn new(base: Option<&Manifest>, salt: Salt, width: Width) -> HeldChunks {
        let mut held =
            HeldChunks { chunks: vec![], sections: vec![0], by_id: Places::default(), next: 0 };
        let mut at = 0;
        for section in base.map_or(&[][..], |base| base.sections()) {
            for chunk in section.chunks() {
                let id = Id::of_hash(chunk.hash(), salt, width);
                let bytes = at..at + u64::from(chunk.length());
                at = bytes.end;
                held.by_id.insert(id, held.chunks.len());
                held.chunks.push(HeldChunk { id, bytes, is_used: false });
            }
            held.sections.push(held.chunks.len());
        }
        held
    }

    /// The bytes of these sections, or `None` if they are not held.
    pub(super) fn find_sections(&self, first: u64, count: u64) -> Option<Range<u64>> {
        let chunks = self.chunks_of(first, count)?;
        let start = self.chunks.get(chunks.start)?.bytes.start;
        let last = self.chunks.get(chunks.end.checked_sub(1)?)?;
        (start < last.bytes.end).then_some(start..last.bytes.end)
    }

    /// Notes that these sections were found. Takes time for each of their chunks.
    pub(super) fn use_sections(&mut self, first: u64, count: u64) {
        if let Some(chunks) = self.chunks_of(first, count) {
            self.next = chunks.end;
            self.chunks[chunks].iter_mut().for_each(|chunk| chunk.is_used = true);
        }
    }

    fn chunks_of(&self, first: u64, count: u64) -> Option<Range<usize>> {
        let first = usize::try_from(first).ok()?;
        let end = first.checked_add(usize::try_from(count).ok()?)?;
        Some(*self.sections.get(first)?..*self.sections.get(end)?)
    }

    /// The bytes of the chunk of this name, that after the last one if there are several.
    pub(super) fn find(&mut self, id: Id) -> Option<Range<u64>> {
        let follows = self.chunks.get(self.next).is_some_and(|chunk| chunk.id == id);
        let index = if follows { self.next } else { self.by_id.find(id)? };
        self.next = index + 1;
        self.chunks[index].is_used = true;
        Some(self.chunks[index].bytes.clone())
    }

    /// The stretches of chunks that were not found, in their order.
    pub(super) fn unused(self) -> Vec<Range<u64>> {
        let mut stretches = Vec::<Range<u64>>::new();
        for HeldChunk { bytes, .. } in self.chunks.into_iter().filter(|chunk| !chunk.is_used) {
            match stretches.last_mut() {
                Some(last) if last.end == bytes.start => last.end = bytes.end,
                _ => stretches.push(bytes),
            }
        }
        stretches
    }
}
