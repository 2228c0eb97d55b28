//! A piece of the new content that resembles a piece of the old one.

use std::ops::Add;

/// A place in both contents that are taken to be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    pub old: usize,
    pub new: usize,
}

impl Add<usize> for Place {
    type Output = Place;

    fn add(self, bytes: usize) -> Place {
        Place { old: self.old + bytes, new: self.new + bytes }
    }
}

/// `new[new_start..][..length]` resembles `old[old_start..][..length]`. The bytes between
/// segments resemble no old ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Segment {
    /// Where it begins in the old content.
    pub old_start: usize,
    /// Where it begins in the new content.
    pub new_start: usize,
    /// Its bytes.
    pub length: usize,
    /// Whether all of its bytes are known to be equal.
    pub exact: bool,
}

impl Segment {
    /// Where it begins in both contents.
    pub(crate) fn start(&self) -> Place {
        Place { old: self.old_start, new: self.new_start }
    }

    /// The place in its alignment with this position in the new content, if there is one.
    pub(crate) fn at(&self, new: usize) -> Option<Place> {
        let old = (self.old_start + new).checked_sub(self.new_start)?;
        Some(Place { old, new })
    }

    /// Where it ends in both contents.
    pub(crate) fn end(&self) -> Place {
        Place { old: self.old_end(), new: self.new_end() }
    }

    /// The same alignment, from its end on.
    pub(crate) fn behind(&self) -> Segment {
        Segment { old_start: self.old_end(), new_start: self.new_end(), ..*self }
    }

    /// Whether `next` begins where this one ends and is known as well.
    pub(crate) fn is_continued_by(&self, next: &Segment) -> bool {
        self.end() == Place { old: next.old_start, new: next.new_start } && self.exact == next.exact
    }

    /// Whether `next` has the same alignment, or begins at most `distance_max` from the end of this one
    /// in both contents.
    pub(crate) fn is_near(&self, next: &Segment, distance_max: usize) -> bool {
        let distance = self.old_end().abs_diff(next.old_start);
        self.at(next.new_start) == Some(next.start())
            || distance.max(next.new_start - self.new_end()) <= distance_max
    }

    pub(crate) fn new_end(&self) -> usize {
        self.new_start + self.length
    }

    pub(crate) fn old_end(&self) -> usize {
        self.old_start + self.length
    }
}
