//! Which parts of a content are complete, and how the others are to come.

use std::collections::VecDeque;
use std::ops::Range;
use std::sync::Arc;

use steadfast_delta::manifest::{Chunk, Hash, Manifest, Section};

use super::Gap;
use crate::transfer::STRETCH_MAX;
use crate::transfer::matching::{OldChunks, OldSections};
use crate::transfer::outline::Named;

/// The bytes of the old content that are copied at once.
const COPY_MAX: u64 = 256 << 10;

/// The parts of a content: its sections.
pub(super) struct Plan {
    length: u64,
    parts: Vec<Part>,
    /// The parts that are not complete.
    left: usize,
    old_chunks: OldChunks,
    /// All parts before it have been asked for or are held.
    next_list: usize,
    /// Parts whose list did not come before the connection ended.
    lists: VecDeque<usize>,
    /// All parts before it that are held have been turned into copies.
    next_held: usize,
    /// The parts behind that are held.
    held_left: usize,
    copies: VecDeque<Copy>,
    wants: VecDeque<Stretch>,
    /// The bytes of all stretches that are wanted.
    wanted: u64,
}

struct Part {
    named: Named,
    /// Where the old content has it, if it does.
    old_offset: Option<u64>,
    state: State,
}

enum State {
    /// Its chunks are unknown.
    Unknown,
    /// The old content has it, and it is not copied yet.
    Held { section: Arc<Section> },
    /// Its chunks are known, and this number of them is not written.
    Known { section: Arc<Section>, left: usize },
}

/// Chunks of a part that follow each other and are copied from the old content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Copy {
    pub part: usize,
    pub chunks: Range<usize>,
    pub offset: u64,
    pub old_offset: u64,
    /// Whether the section is one of the old manifest. Then its cuts are known to be right, and the hashes alone are
    /// compared. The peer's list of chunks could name wrong cuts.
    pub is_of_held: bool,
}

/// Chunks of a part that follow each other and come from the peer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Stretch {
    pub part: usize,
    pub chunks: Range<usize>,
    pub offset: u64,
    pub length: u64,
    /// The bytes of the old content that it probably replaces; `None` if it is to come whole.
    pub region: Option<Range<u64>>,
}

impl Plan {
    pub(super) fn new(length: u64, sections: Vec<Named>, old: Option<&Manifest>) -> Plan {
        let left = sections.len();
        let held = old.map(|old| (old, OldSections::new(old), offsets(old)));
        let parts = sections.into_iter().enumerate().map(|(index, named)| {
            let found = held.as_ref().and_then(|(old, by_hash, offsets)| {
                let found = by_hash.find(old, &named.hash, index + 1 == left)?;
                let section = &old.sections()[found];
                // Else the peer has lied about the length, and its list of chunks will not fit.
                let fits = section.length() == u64::from(named.length);
                fits.then(|| (Arc::clone(section), offsets[found]))
            });
            match found {
                Some((section, old_offset)) => {
                    let state = State::Held { section };
                    Part { named, old_offset: Some(old_offset), state }
                }
                None => Part { named, old_offset: None, state: State::Unknown },
            }
        });
        let parts: Vec<Part> = parts.collect();
        let held_left = parts.iter().filter(|it| matches!(it.state, State::Held { .. })).count();
        Plan {
            length,
            parts,
            left,
            old_chunks: old.map(OldChunks::new).unwrap_or_default(),
            next_list: 0,
            lists: VecDeque::new(),
            next_held: 0,
            held_left,
            copies: VecDeque::new(),
            wants: VecDeque::new(),
            wanted: 0,
        }
    }

    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// Whether the old content has any part where the new one has it.
    pub(super) fn keeps_parts_in_place(&self) -> bool {
        self.parts.iter().any(|it| it.old_offset == Some(it.named.offset))
    }

    pub(super) fn is_complete(&self) -> bool {
        self.left == 0
    }

    /// The hash of a part, and whether the content ends with it.
    pub(super) fn named(&self, part: usize) -> (Hash, bool) {
        (self.parts[part].named.hash, part + 1 == self.parts.len())
    }

    /// A chunk of a part whose chunks are known.
    pub(super) fn chunk(&self, part: usize, index: usize) -> &Chunk {
        match &self.parts[part].state {
            State::Held { section } | State::Known { section, .. } => &section.chunks()[index],
            State::Unknown => panic!("requests-name-known-chunks"),
        }
    }

    /// The next part whose chunks must be listed.
    pub(super) fn next_list(&mut self) -> Option<usize> {
        if let Some(part) = self.lists.pop_front() {
            return Some(part);
        }
        loop {
            let part = self.parts.get(self.next_list)?;
            self.next_list += 1;
            if matches!(part.state, State::Unknown) {
                return Some(self.next_list - 1);
            }
        }
    }

    pub(super) fn list_again(&mut self, part: usize) {
        self.lists.push_front(part);
    }

    /// The bytes that are wanted and have not been asked for.
    pub(super) fn wanted(&self) -> u64 {
        self.wanted
    }

    pub(super) fn next_stretch(&mut self) -> Option<Stretch> {
        let stretch = self.wants.pop_front()?;
        self.wanted -= stretch.length;
        Some(stretch)
    }

    pub(super) fn want_first(&mut self, stretch: Stretch) {
        self.wanted += stretch.length;
        self.wants.push_front(stretch);
    }

    fn want(&mut self, stretch: Stretch) {
        self.wanted += stretch.length;
        self.wants.push_back(stretch);
    }

    /// Wants a chunk that could not be copied.
    pub(super) fn want_chunk(&mut self, part: usize, index: usize, offset: u64) {
        let length = u64::from(self.chunk(part, index).length());
        let chunks = index..index + 1;
        self.want(Stretch { part, chunks, offset, length, region: None });
    }

    /// Takes note that chunks of a part are written.
    pub(super) fn complete(&mut self, part: usize, chunks: usize) {
        if let State::Known { left, .. } = &mut self.parts[part].state {
            *left -= chunks;
            if *left == 0 {
                self.left -= 1;
            }
        }
    }

    /// Whether these are the bytes of a stretch.
    pub(super) fn is_stretch(&self, stretch: &Stretch, bytes: &[u8]) -> bool {
        self.is_run(stretch.part, &stretch.chunks, bytes, Chunk::is_of)
    }

    /// Whether these are the bytes of a copy.
    pub(super) fn is_copy(&self, copy: &Copy, bytes: &[u8]) -> bool {
        let is_of = if copy.is_of_held { Chunk::matches } else { Chunk::is_of };
        self.is_run(copy.part, &copy.chunks, bytes, is_of)
    }

    fn is_run(
        &self,
        part: usize,
        chunks: &Range<usize>,
        bytes: &[u8],
        is_of: fn(&Chunk, &[u8]) -> bool,
    ) -> bool {
        let mut rest = bytes;
        let mut chunks = chunks.clone().map(|it| self.chunk(part, it));
        let fit = chunks.all(|chunk| {
            let its = rest.split_off(..chunk.length() as usize);
            its.is_some_and(|its| is_of(chunk, its))
        });
        fit && rest.is_empty()
    }

    pub(super) fn has_copies(&self) -> bool {
        !self.copies.is_empty() || self.held_left > 0
    }

    /// The next bytes to copy from the old content, at most [`COPY_MAX`] or a chunk.
    pub(super) fn next_copy(&mut self) -> Option<Copy> {
        let copy = match self.copies.pop_front() {
            Some(copy) => copy,
            None => self.next_held()?,
        };
        let (mut end, mut length) = (copy.chunks.start, 0);
        while end < copy.chunks.end && (end == copy.chunks.start || length < COPY_MAX) {
            length += u64::from(self.chunk(copy.part, end).length());
            end += 1;
        }
        if end < copy.chunks.end {
            let (offset, old_offset) = (copy.offset + length, copy.old_offset + length);
            let chunks = end..copy.chunks.end;
            self.copies.push_front(Copy { chunks, offset, old_offset, ..copy });
        }
        Some(Copy { chunks: copy.chunks.start..end, ..copy })
    }

    /// The whole next part that the old content has.
    fn next_held(&mut self) -> Option<Copy> {
        loop {
            let index = self.next_held;
            let part = self.parts.get_mut(index)?;
            self.next_held += 1;
            if let (State::Held { section }, Some(old_offset)) = (&part.state, part.old_offset) {
                let section = Arc::clone(section);
                let (chunks, left) = (0..section.chunks().len(), section.chunks().len());
                part.state = State::Known { section, left };
                self.held_left -= 1;
                let offset = part.named.offset;
                return Some(Copy { part: index, chunks, offset, old_offset, is_of_held: true });
            }
        }
    }

    /// Takes the chunks of a part, and returns whether the old content has any of them.
    ///
    /// # Errors
    /// The outline was wrong about the length of the part.
    pub(super) fn list(
        &mut self,
        index: usize,
        section: Section,
        old: Option<&Manifest>,
    ) -> Result<bool, &'static str> {
        let named = self.parts[index].named;
        if section.length() != u64::from(named.length) {
            return Err("a section has another length than they say");
        }
        let chunks = section.chunks().iter();
        let chunks = chunks.map(|chunk| Matched {
            length: u64::from(chunk.length()),
            old_offset: old.and_then(|old| self.old_chunks.find(old, chunk)),
        });
        let chunks: Vec<Matched> = chunks.collect();
        let old_length = old.map_or(0, |it| it.length());
        let neighbours = (self.old_end_before(index), self.old_start_behind(index, old_length));
        let (copies, wants) = split(index, named.offset, &chunks, neighbours, old_length);
        let has_any = !copies.is_empty();
        self.copies.extend(copies);
        wants.into_iter().for_each(|stretch| self.want(stretch));
        self.parts[index].state = State::Known { left: chunks.len(), section: Arc::new(section) };
        Ok(has_any)
    }

    /// Where the part before ends in the old content, if that has it.
    fn old_end_before(&self, index: usize) -> Option<u64> {
        let Some(before) = index.checked_sub(1) else { return Some(0) };
        let part = self.parts.get(before)?;
        Some(part.old_offset? + u64::from(part.named.length))
    }

    /// Where the part behind begins in the old content, if that has it.
    fn old_start_behind(&self, index: usize, old_length: u64) -> Option<u64> {
        self.parts.get(index + 1).map_or(Some(old_length), |part| part.old_offset)
    }

    pub(super) fn into_manifest(self) -> Manifest {
        let sections = self.parts.into_iter().map(|part| match part.state {
            State::Held { section } | State::Known { section, .. } => section,
            State::Unknown => panic!("complete-contents-have-known-chunks"),
        });
        Manifest::from_sections(sections.collect())
    }
}

/// Where each section begins.
fn offsets(manifest: &Manifest) -> Vec<u64> {
    let sections = manifest.sections().iter();
    let offsets = sections.scan(0, |end, section| {
        let start = *end;
        *end += section.length();
        Some(start)
    });
    offsets.collect()
}

/// A chunk of a part, and its place in the old content.
#[derive(Clone, Copy)]
struct Matched {
    length: u64,
    old_offset: Option<u64>,
}

/// Splits a part that begins at `offset` into what is copied and what is wanted. The neighbours are where the
/// part before ends and the part behind begins in the old content.
fn split(
    part: usize,
    mut offset: u64,
    chunks: &[Matched],
    (mut old_start, behind): (Option<u64>, Option<u64>),
    old_length: u64,
) -> (Vec<Copy>, Vec<Stretch>) {
    let (mut copies, mut wants) = (Vec::<Copy>::new(), Vec::new());
    let mut index = 0;
    while let Some(chunk) = chunks.get(index) {
        if let Some(old_offset) = chunk.old_offset {
            match copies.last_mut() {
                Some(last) if last.chunks.end == index && old_start == Some(old_offset) => {
                    last.chunks.end += 1;
                }
                _ => {
                    let (chunks, is_of_held) = (index..index + 1, false);
                    copies.push(Copy { part, chunks, offset, old_offset, is_of_held });
                }
            }
            old_start = Some(old_offset + chunk.length);
            offset += chunk.length;
            index += 1;
            continue;
        }
        let rest = &chunks[index..];
        let count = rest.iter().position(|it| it.old_offset.is_some()).unwrap_or(rest.len());
        let missing = &rest[..count];
        let end = offset + missing.iter().map(|it| it.length).sum::<u64>();
        let old_end = rest.get(count).map_or(behind, |it| it.old_offset);
        let gap = Gap { new: offset..end, old_start, old_end };
        wants.extend(stretches(part, index, missing, &gap, old_length));
        old_start = None;
        offset = end;
        index += count;
    }
    (copies, wants)
}

/// Splits the missing chunks from `first` on into stretches.
fn stretches(
    part: usize,
    first: usize,
    missing: &[Matched],
    gap: &Gap,
    old_length: u64,
) -> Vec<Stretch> {
    let mut stretches = Vec::<Stretch>::new();
    let mut offset = gap.new.start;
    for (index, chunk) in (first..).zip(missing) {
        match stretches.last_mut() {
            Some(last) if last.length + chunk.length <= STRETCH_MAX => {
                last.length += chunk.length;
                last.chunks.end += 1;
            }
            _ => {
                let (chunks, length) = (index..index + 1, chunk.length);
                stretches.push(Stretch { part, chunks, offset, length, region: None });
            }
        }
        offset += chunk.length;
    }
    for stretch in &mut stretches {
        let new = stretch.offset..stretch.offset + stretch.length;
        stretch.region = gap.region(&new, old_length);
    }
    stretches
}
