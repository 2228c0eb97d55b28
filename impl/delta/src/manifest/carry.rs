//! The manifest of a new version, from the manifest of the old one and the kept stretches.

use super::build::Sections;
use super::cut::{Cut, first_chunk};
use super::{Chunk, Kept, Manifest, Section};

impl Manifest {
    /// The manifest of `content`, in which the given runs of this manifest's content were kept:
    /// equal to `Manifest::of(content, self.depth())`, without cutting and hashing chunks that lie
    /// within a run.
    ///
    /// The runs are in the order of the new content and do not overlap there. Whoever gives them
    /// promises that their bytes are equal, as a diff knows; runs that are out of order or out of
    /// bounds are not used.
    pub fn carry(&self, content: &[u8], kept: &[Kept]) -> Manifest {
        let mut sections = Sections::new(self.depth);
        let mut cursor = Cursor::new(self);
        let mut runs = kept.iter().filter(|run| run.is_within(self.length, content)).peekable();
        while sections.length() < content.len() as u64 {
            let at = sections.length();
            while runs.next_if(|run| run.new_offset + run.length <= at).is_some() {}
            let reused = runs.peek().is_some_and(|run| {
                run.new_offset <= at && cursor.reuse(run, content.len() as u64, &mut sections)
            });
            if !reused {
                sections.push(cut_and_hash(content, at, self));
            }
        }
        sections.finish()
    }
}

impl Kept {
    fn is_within(&self, old_length: u64, content: &[u8]) -> bool {
        let within = |offset: u64, whole: u64| {
            offset.checked_add(self.length).is_some_and(|end| end <= whole)
        };
        within(self.old_offset, old_length) && within(self.new_offset, content.len() as u64)
    }
}

fn cut_and_hash(content: &[u8], at: u64, like: &Manifest) -> Chunk {
    let rest = &content[at as usize..];
    let (length, cut) = first_chunk(rest);
    Chunk::of(&rest[..length], cut, like.depth)
}

/// A chunk of the old manifest, found by its offset; fast when one follows the other.
struct Cursor<'a> {
    manifest: &'a Manifest,
    section: usize,
    section_offset: u64,
    chunk: usize,
    chunk_offset: u64,
}

impl<'a> Cursor<'a> {
    fn new(manifest: &'a Manifest) -> Cursor<'a> {
        Cursor { manifest, section: 0, section_offset: 0, chunk: 0, chunk_offset: 0 }
    }

    /// Appends the old section or chunk that begins where the new sections end, and says whether
    /// there is one that lies within the run.
    fn reuse(&mut self, run: &Kept, new_length: u64, sections: &mut Sections) -> bool {
        let at = sections.length();
        self.seek(run.old_offset + (at - run.new_offset));
        if self.chunk_offset + run.new_offset != run.old_offset + at {
            return false;
        }
        // Whatever is reused was cut at the content's end if and only if it ends there again.
        let fits = |length: u64, cut: Cut| {
            let end = at + length;
            end <= run.new_offset + run.length && (cut == Cut::End) == (end == new_length)
        };
        if sections.is_between()
            && let Some(section) = self.whole_section()
            && fits(section.length, section.cut())
        {
            sections.push_section(section);
            return true;
        }
        match self.chunk() {
            Some(chunk) if fits(u64::from(chunk.length), chunk.cut) => {
                sections.push(chunk.clone());
                true
            }
            _ => false,
        }
    }

    /// Goes to the last chunk that begins at the offset or before it.
    fn seek(&mut self, offset: u64) {
        if offset < self.section_offset {
            *self = Cursor::new(self.manifest);
        } else if offset < self.chunk_offset {
            (self.chunk, self.chunk_offset) = (0, self.section_offset);
        }
        while let Some(section) = self.manifest.sections.get(self.section)
            && self.section_offset + section.length <= offset
        {
            self.section += 1;
            self.section_offset += section.length;
            (self.chunk, self.chunk_offset) = (0, self.section_offset);
        }
        while let Some(chunk) = self.chunk()
            && self.chunk_offset + u64::from(chunk.length) <= offset
        {
            self.chunk += 1;
            self.chunk_offset += u64::from(chunk.length);
        }
    }

    fn chunk(&self) -> Option<&'a Chunk> {
        self.manifest.sections.get(self.section)?.chunks.get(self.chunk)
    }

    /// The section that begins here.
    fn whole_section(&self) -> Option<&'a std::sync::Arc<Section>> {
        if self.chunk == 0 { self.manifest.sections.get(self.section) } else { None }
    }
}
