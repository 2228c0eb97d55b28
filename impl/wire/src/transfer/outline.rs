//! The sections of a content on their way.

use steadfast_delta::manifest::{
    CHUNK_LENGTH_MAX, Hash, Manifest, Root, SECTION_LENGTH_MAX, SECTION_LENGTH_MIN,
};
use steadfast_protocol::ContentId;

use super::error::TransferError;
use super::lengths;
use super::matching::{OldSections, ends_content};
use super::messages::{Message, OUTLINE_HEAD, RUN_LENGTH_MAX, Run};

/// Writes the outline of a content, frame by frame.
#[derive(Debug, Default)]
pub(super) struct OutlineWriter {
    /// The next section.
    next: usize,
    /// Of the content that both ends have.
    old: OldSections,
}

impl OutlineWriter {
    pub(super) fn new(old: Option<&Manifest>) -> OutlineWriter {
        OutlineWriter { next: 0, old: old.map(OldSections::new).unwrap_or_default() }
    }

    /// For a receiver that has the outline: one frame without sections.
    pub(super) fn behind_all(new: &Manifest) -> OutlineWriter {
        OutlineWriter { next: new.sections().len(), old: OldSections::default() }
    }

    /// The next frame, and whether it is the last.
    pub(super) fn next(
        &mut self,
        new: &Manifest,
        old: Option<&Manifest>,
    ) -> (Message<'static>, bool) {
        let (mut runs, mut room) = (Vec::new(), lengths::OUTLINE - OUTLINE_HEAD);
        while room >= RUN_LENGTH_MAX
            && let Some(section) = new.sections().get(self.next)
        {
            let found =
                old.and_then(|old| self.old.find(old, section.hash(), ends_content(section)));
            let index = found.map(|it| it as u64);
            let merged = match (runs.last_mut(), index) {
                (Some(Run::Old { first, count }), Some(index)) if *first + *count == index => {
                    *count += 1;
                    true
                }
                _ => false,
            };
            if !merged {
                room -= RUN_LENGTH_MAX;
                runs.push(match index {
                    Some(first) => Run::Old { first, count: 1 },
                    None => {
                        // A section has at most 4 MiB and a chunk.
                        let length = u32::try_from(section.length()).unwrap_or(u32::MAX);
                        Run::Own { length, hash: *section.hash() }
                    }
                });
            }
            self.next += 1;
        }
        let is_last = self.next >= new.sections().len();
        let (has_old, length) = (old.is_some(), new.length());
        (Message::Outline { has_old, is_last, length, runs }, is_last)
    }
}

/// A section of a content, by its hash.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Named {
    pub offset: u64,
    pub length: u32,
    pub hash: Hash,
}

/// Gathers the outline of a content.
#[derive(Debug, Default)]
pub(super) struct OutlineReader {
    length: Option<u64>,
    sections: Vec<Named>,
    /// The sum of the lengths of the sections.
    end: u64,
}

impl OutlineReader {
    /// Takes a frame of an outline. With the last one, returns the length and the sections of the content,
    /// which are those that its name names.
    pub(super) fn receive(
        &mut self,
        content: ContentId,
        limit: u64,
        old: Option<&Manifest>,
        (length, is_last): (u64, bool),
        runs: &[Run],
    ) -> Result<Option<(u64, Vec<Named>)>, TransferError> {
        let wrong = |rule| TransferError::Outline { content, rule };
        if length > limit {
            return Err(TransferError::TooLong { content, length, limit });
        }
        if *self.length.get_or_insert(length) != length {
            return Err(wrong("they name several lengths"));
        }
        for run in runs {
            match *run {
                Run::Own { length, hash } => self.push(length, hash).map_err(wrong)?,
                Run::Old { first, count } => self.push_old(old, first, count).map_err(wrong)?,
            }
        }
        if !is_last {
            return match runs.is_empty() {
                true => Err(wrong("a frame that is not the last is empty")),
                false => Ok(None),
            };
        }
        if self.end != length {
            return Err(wrong("the sections are shorter than the content"));
        }
        let sections = std::mem::take(&mut self.sections);
        let root = Root::of_hashes(length, sections.iter().map(|it| &it.hash));
        match root.0 == content.0 {
            true => Ok(Some((length, sections))),
            false => Err(TransferError::OtherContent { content }),
        }
    }

    fn push_old(
        &mut self,
        old: Option<&Manifest>,
        first: u64,
        count: u64,
    ) -> Result<(), &'static str> {
        let old = old.ok_or("they refer to an old content that was not named")?;
        let first = usize::try_from(first).unwrap_or(usize::MAX);
        let end = first.saturating_add(usize::try_from(count).unwrap_or(usize::MAX));
        let held = old.sections().get(first..end).filter(|it| !it.is_empty());
        let held = held.ok_or("they name sections that are not held")?;
        held.iter().try_for_each(|section| {
            let length = u32::try_from(section.length()).unwrap_or(u32::MAX);
            self.push(length, *section.hash())
        })
    }

    fn push(&mut self, length: u32, hash: Hash) -> Result<(), &'static str> {
        // Bounds the number of sections.
        if self.sections.last().is_some_and(|it| u64::from(it.length) < SECTION_LENGTH_MIN) {
            return Err("a section that is not the last is too short");
        }
        if length == 0 || u64::from(length) > SECTION_LENGTH_MAX + CHUNK_LENGTH_MAX as u64 {
            return Err("a section is empty or too long");
        }
        let offset = self.end;
        self.end += u64::from(length);
        if self.length.is_some_and(|it| self.end > it) {
            return Err("the sections are longer than the content");
        }
        self.sections.push(Named { offset, length, hash });
        Ok(())
    }
}
