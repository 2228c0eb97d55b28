//! A patch by an end that learns of the old content only what it asks for: first the outline, then the chunks of
//! the sections that the new content lacks. It suits an interface of requests and answers, which keeps no state
//! between them.

use std::collections::{HashMap, HashSet};
use std::io;
use std::ops::Range;

use super::patch::{Piece, Writer};
use crate::manifest::{Hash, Manifest, Outline, Section, ShortHash};
use crate::old_content::OldContent;
use crate::wire::frame::LITERALS_MAX;

/// A patch that is still to be written, as pieces of both contents.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PatchPlan {
    pieces: Vec<Piece>,
    old_length: u64,
    new_length: u64,
    new_bytes: u64,
}

impl Outline {
    /// The sections, by number, that the new content does not have as they are: their chunks may be in it.
    #[must_use]
    pub fn sections_not_in(&self, new: &Manifest) -> Vec<usize> {
        let known: HashSet<_> = new.sections().iter().map(|it| it.hash().short()).collect();
        let sections = self.sections().iter().enumerate();
        sections.filter(|(_, it)| !known.contains(&it.hash)).map(|(index, _)| index).collect()
    }
}

impl PatchPlan {
    /// The way from the content `old` to the content `new`. `listed` are sections of the old content, by number,
    /// whose chunks are known; others are used only as a whole.
    #[must_use]
    pub fn new(new: &Manifest, old: &Outline, listed: &[(usize, Section)]) -> PatchPlan {
        let mut held = Held::new(old, listed);
        let mut plan =
            PatchPlan { pieces: vec![], old_length: old.length(), new_length: 0, new_bytes: 0 };
        for section in new.sections() {
            if let Some(range) = held.section(section) {
                plan.push_old(range);
                continue;
            }
            for chunk in section.chunks() {
                match held.find(chunk.hash(), chunk.length()) {
                    Some(range) => plan.push_old(range),
                    None => plan.push_new(chunk.length().into()),
                }
            }
        }
        plan
    }

    /// The bytes of the new content that the patch carries, before they are packed.
    #[must_use]
    pub fn new_bytes(&self) -> u64 {
        self.new_bytes
    }

    fn push_old(&mut self, range: Range<u64>) {
        self.new_length += range.end - range.start;
        match self.pieces.last_mut() {
            Some(Piece::Old(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::Old(range)),
        }
    }

    fn push_new(&mut self, length: u64) {
        let range = self.new_length as usize..(self.new_length + length) as usize;
        self.new_length += length;
        self.new_bytes += length;
        match self.pieces.last_mut() {
            Some(Piece::New(last)) if last.end == range.start => last.end = range.end,
            _ => self.pieces.push(Piece::New(range)),
        }
    }

    /// Writes the patch, in pieces of at most some 4 MiB that are handed to `send` in their order; it returns
    /// whether to go on. `new` is read where the patch carries its bytes. The patch has no sum: its reader compares
    /// the root of the result.
    ///
    /// # Errors
    /// The new content cannot be read, or there is no memory to pack its bytes.
    pub fn write(
        &self,
        new: &(impl OldContent + ?Sized),
        mut send: impl FnMut(Vec<u8>) -> bool,
    ) -> io::Result<()> {
        let mut writer = Writer::new(self.old_length, self.new_length);
        for piece in &self.pieces {
            match piece {
                Piece::Old(range) => writer.copy(range)?,
                Piece::New(range) => {
                    for start in range.clone().step_by(LITERALS_MAX) {
                        let mut bytes = vec![0; LITERALS_MAX.min(range.end - start)];
                        new.read_exact_at(&mut bytes, start as u64)?;
                        writer.literal(bytes.into())?;
                        if writer.has_output() && !send(writer.take_output()) {
                            return Ok(());
                        }
                    }
                }
            }
        }
        send(writer.finish()?);
        Ok(())
    }
}

/// The old content as far as it is known.
struct Held<'a> {
    sections: HashMap<ShortHash, Range<u64>>,
    chunks: HashMap<&'a Hash, u64>,
    /// Behind the last bytes that were found. Chunks that follow each other are preferred, where several are alike.
    next: u64,
    by_offset: HashMap<u64, &'a Hash>,
}

impl<'a> Held<'a> {
    fn new(old: &'a Outline, listed: &'a [(usize, Section)]) -> Held<'a> {
        let sections = old.sections().iter().rev();
        let sections = sections.map(|it| (it.hash, it.offset..it.offset + u64::from(it.length)));
        let (mut chunks, mut by_offset) = (HashMap::new(), HashMap::new());
        for (index, section) in listed {
            let Some(outlined) = old.sections().get(*index) else { continue };
            let mut at = outlined.offset;
            for chunk in section.chunks() {
                chunks.entry(chunk.hash()).or_insert(at);
                by_offset.insert(at, chunk.hash());
                at += u64::from(chunk.length());
            }
        }
        Held { sections: sections.collect(), chunks, next: 0, by_offset }
    }

    fn section(&mut self, section: &Section) -> Option<Range<u64>> {
        let range = self.sections.get(&section.hash().short());
        let range = range.filter(|it| it.end - it.start == section.length())?.clone();
        self.next = range.end;
        Some(range)
    }

    fn find(&mut self, hash: &Hash, length: u32) -> Option<Range<u64>> {
        let start = match self.by_offset.get(&self.next) {
            Some(following) if *following == hash => self.next,
            _ => *self.chunks.get(hash)?,
        };
        self.next = start + u64::from(length);
        Some(start..self.next)
    }
}
