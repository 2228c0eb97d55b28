//! The old and the new content, and comparisons between them.

use crate::compare::{WINDOW, common_prefix, common_prefix_in_block, common_suffix, word};
use crate::differing::differing;
use crate::segment::{Place, Segment};

/// The two versions of a content.
#[derive(Clone, Copy)]
pub(crate) struct Pair<'a> {
    pub old: &'a [u8],
    pub new: &'a [u8],
}

/// The cost of a different byte, in equal bytes. A patch has a gap and a difference for it, which take about
/// the bytes of two or three literals once all are packed.
const DIFFERENT_COST: isize = 2;
/// A longer segment is not looked at again.
const COVERED_MAX: usize = 4 << 10;
/// The end of a segment that is looked at again has at most this number of bytes.
const TAIL_MAX: usize = 4 * WINDOW;
/// A scan for likeness gives up once it is this much worse than at its best.
const SLACK: isize = 48;

impl Pair<'_> {
    /// The equal bytes from `place` on.
    pub(crate) fn equal_run(&self, place: Place) -> usize {
        common_prefix(&self.old[place.old..], &self.new[place.new..])
    }

    /// Whether the next `length` bytes from `place` on are there and equal.
    pub(crate) fn are_equal(&self, place: Place, length: usize) -> bool {
        let old = self.old.get(place.old..place.old + length);
        let both = old.zip(self.new.get(place.new..place.new + length));
        both.is_some_and(|(old, new)| word(old) == word(new) && old == new)
    }

    /// The equal bytes before `place`, not before `floor` of the new content.
    pub(crate) fn equal_run_before(&self, place: Place, floor: usize) -> usize {
        common_suffix(&self.old[..place.old], &self.new[floor..place.new])
    }

    /// Removes the last segments that the equal bytes before `place` cover, and returns the place where these
    /// bytes begin: of two pieces that are alike the wrong one may have been found first.
    pub(crate) fn cover(&self, segments: &mut Vec<Segment>, mut place: Place) -> Place {
        while let Some(last) = segments.last().filter(|it| it.length <= COVERED_MAX) {
            let before = self.equal_run_before(place, last.new_start);
            if place.new - before > last.new_start {
                break;
            }
            place = Place { old: place.old - before, new: place.new - before };
            segments.pop();
        }
        place
    }

    /// How much of the window at `place` is equal, or `None` where a content ends.
    pub(crate) fn window_likeness(&self, place: Place) -> Option<usize> {
        let old = self.old.get(place.old..place.old + WINDOW)?;
        let new = self.new.get(place.new..place.new + WINDOW)?;
        Some(WINDOW - differing(old, new).count_ones() as usize)
    }

    /// How far from `place` on, and at most to `limit` bytes, the contents are alike.
    pub(crate) fn like_run(&self, place: Place, limit: usize) -> Alike {
        let (old, new) = (&self.old[place.old..], &self.new[place.new..]);
        let end = old.len().min(new.len()).min(limit);
        let (old, new) = (&old[..end], &new[..end]);
        most_alike(
            end,
            |at| old[at] == new[at],
            |at| common_prefix_in_block(&old[at..], &new[at..]),
        )
    }

    /// The same backward from `place`.
    pub(crate) fn like_run_before(&self, place: Place, floor: usize) -> Alike {
        let (old, new) = (&self.old[..place.old], &self.new[floor..place.new]);
        let end = old.len().min(new.len());
        let (old, new) = (&old[old.len() - end..], &new[new.len() - end..]);
        let equal = |at: usize| old[end - 1 - at] == new[end - 1 - at];
        most_alike(end, equal, |at| common_suffix(&old[..end - at], &new[..end - at]))
    }

    /// The segment without the tail that costs more than it saves.
    pub(crate) fn trimmed(&self, segment: Segment) -> Segment {
        let tail = segment.length.min(TAIL_MAX);
        let head = segment.length - tail;
        let place = Place { old: segment.old_start + head, new: segment.new_start + head };
        let kept = self.like_run(place, tail).length;
        Segment { length: head + kept, ..segment }
    }
}

/// A stretch that is worth being a copy.
#[derive(Clone, Copy, Default)]
pub(crate) struct Alike {
    /// Its bytes.
    pub length: usize,
    /// The equal ones of these, less the cost of the different ones.
    pub gain: isize,
}

/// Walks up to `end` bytes and returns the stretch that gains most. `equal` judges the byte at an index;
/// `run` returns the number of equal bytes from an index on.
fn most_alike(end: usize, equal: impl Fn(usize) -> bool, run: impl Fn(usize) -> usize) -> Alike {
    let (mut best, mut at, mut gain) = (Alike::default(), 0, 0);
    while at < end && best.gain - gain <= SLACK {
        if !equal(at) {
            (at, gain) = (at + 1, gain - DIFFERENT_COST);
            continue;
        }
        let run = run(at);
        (at, gain) = (at + run, gain + run as isize);
        if gain > best.gain {
            best = Alike { length: at, gain };
        }
    }
    best
}
