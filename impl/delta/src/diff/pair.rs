//! Both contents and what is asked of them.

use std::ops::Add;

use super::segment::Segment;
use crate::compare::{WINDOW, common_prefix, common_prefix_in_block, common_suffix, equal_bytes};

/// The two versions of a content.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub old: &'a [u8],
    pub new: &'a [u8],
}

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

/// A scan for likeness gives up once it is this much worse than at its best.
const SLACK: usize = 48;

impl Pair<'_> {
    /// The equal bytes from `place` on.
    pub(crate) fn equal_run(&self, place: Place) -> usize {
        common_prefix(&self.old[place.old..], &self.new[place.new..])
    }

    /// The same for what is likely to differ soon.
    pub(crate) fn short_equal_run(&self, place: Place) -> usize {
        let Some(old) = self.old.get(place.old..) else { return 0 };
        let new = &self.new[place.new..];
        let near = old.len().min(new.len()).min(WINDOW * 4);
        let run = common_prefix_in_block(&old[..near], &new[..near]);
        if run < near { run } else { near + common_prefix(&old[near..], &new[near..]) }
    }

    /// The equal bytes before `place`, not before `floor` of the new content.
    pub(crate) fn equal_run_before(&self, place: Place, floor: usize) -> usize {
        common_suffix(&self.old[..place.old], &self.new[floor..place.new])
    }

    /// How much of the window at `place` is equal, or `None` where a content ends.
    pub(crate) fn window_likeness(&self, place: Place) -> Option<usize> {
        let old = self.old.get(place.old..place.old + WINDOW)?;
        let new = self.new.get(place.new..place.new + WINDOW)?;
        Some(equal_bytes(old, new))
    }

    /// How far from `place` on, and at most to `limit` bytes, the contents are alike: the length
    /// at which most bytes more are equal than different.
    pub(crate) fn like_run(&self, place: Place, limit: usize) -> usize {
        let old = self.old[place.old..].iter();
        best_length(old.zip(&self.new[place.new..]).take(limit))
    }

    /// The same backward from `place`.
    pub(crate) fn like_run_before(&self, place: Place, floor: usize) -> usize {
        let old = self.old[..place.old].iter().rev();
        best_length(old.zip(self.new[floor..place.new].iter().rev()))
    }

    /// The segment without the tail in which fewer bytes are equal than differ.
    pub(crate) fn trimmed(&self, segment: Segment) -> Segment {
        let tail = segment.length.min(4 * WINDOW);
        let head = segment.length - tail;
        let place = Place { old: segment.old_start + head, new: segment.new_start + head };
        let kept = self.like_run(place, tail);
        Segment { length: head + kept, ..segment }
    }
}

fn best_length<'a>(bytes: impl Iterator<Item = (&'a u8, &'a u8)>) -> usize {
    let (mut best, mut length, mut score, mut best_score) = (0, 0, 0isize, 0isize);
    for (a, b) in bytes {
        length += 1;
        score += if a == b { 1 } else { -1 };
        if score > best_score {
            (best, best_score) = (length, score);
        } else if best_score - score > SLACK as isize {
            break;
        }
    }
    best
}
