//! Which literals a decoder keeps, and where.

use std::ops::Range;

use crate::wire::frame::{KEPT_MAX, LITERALS_MAX};

/// The literals that later copies need.
pub(super) struct KeptLiterals {
    /// The new bytes that are copied later and are not described yet, in ascending order.
    sources: std::iter::Peekable<std::vec::IntoIter<Range<usize>>>,
    /// In ascending order of both.
    runs: Vec<Run>,
    /// The kept bytes of the frames before.
    length: usize,
    /// Whether the frame keeps its literals.
    keeps: bool,
}

/// Kept literals that follow each other in the new content as well.
struct Run {
    new_start: usize,
    kept_start: usize,
    length: usize,
}

impl KeptLiterals {
    /// None yet; these new bytes are copied later.
    pub(super) fn new(sources: Vec<Range<usize>>) -> KeptLiterals {
        let sources = sources.into_iter().peekable();
        KeptLiterals { sources, runs: Vec::new(), length: 0, keeps: false }
    }

    /// Notes that the new bytes from `new_start` on are the frame's literals from `at` on. Returns
    /// whether the frame keeps them.
    pub(super) fn push(&mut self, new_start: usize, at: usize, length: usize) -> bool {
        while self.sources.next_if(|it| it.end <= new_start).is_some() {}
        let is_source = self.sources.peek().is_some_and(|it| it.start < new_start + length);
        let has_room = self.length + LITERALS_MAX <= KEPT_MAX as usize;
        if is_source && has_room {
            self.keeps = true;
            let kept_start = self.length + at;
            match self.runs.last_mut().filter(|it| {
                it.new_start + it.length == new_start && it.kept_start + it.length == kept_start
            }) {
                Some(last) => last.length += length,
                None => self.runs.push(Run { new_start, kept_start, length }),
            }
        }
        self.keeps
    }

    /// Whether the frame keeps its literals.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Notes that the frame was written, with this number of bytes of literals.
    pub(super) fn end_frame(&mut self, literals: usize) {
        self.length += if self.keeps { literals } else { 0 };
        self.keeps = false;
    }

    /// Where the first of these new bytes are kept, and how many, if they are.
    pub(super) fn find(&self, new: Range<usize>) -> Option<(usize, usize)> {
        let run = self.runs[..self.runs.partition_point(|it| it.new_start <= new.start)].last()?;
        let offset = new.start - run.new_start;
        let length = run.length.checked_sub(offset)?.min(new.len());
        (length > 0).then_some((run.kept_start + offset, length))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn literals_are_kept_where_a_source_lies_and_while_there_is_room() {
        let mut kept = KeptLiterals::new(vec![100..200, 900..5000, 9000..9001]);
        assert!(!kept.push(0, 0, 100));
        assert!(kept.push(150, 100, 30));
        assert_eq!(kept.find(160..999), Some((110, 20)));
        assert!(kept.push(300, 130, 7), "the frame keeps all of its literals");
        kept.end_frame(137);
        assert!(kept.push(1000, 0, 500) && kept.keeps());
        kept.end_frame(500);
        assert!(kept.push(1500, 0, 500));
        assert_eq!(kept.find(1200..1900), Some((337, 700)), "over the end of a frame");
        assert_eq!([kept.find(0..5), kept.find(180..190), kept.find(300..301)], [None; 3]);
        kept.end_frame(KEPT_MAX as usize);
        assert!(!kept.push(9000, 0, 1));
    }
}
