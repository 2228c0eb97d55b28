//! The second pass: pieces of what the first one left unmatched.

use std::ops::Range;

use super::dense::{Dense, Density};
use super::outline::push;
use super::pair::{Pair, Place};
use super::segment::Segment;

/// Shorter gaps are left as literals.
const GAP_MIN: usize = 24;

fn var(name: &str, default: usize) -> usize {
    std::env::var(name).map_or(default, |it| it.parse().unwrap())
}

/// Finds segments in the gaps between those of the outline.
pub(crate) fn fill(pair: Pair<'_>, mut outline: Vec<Segment>, density: Density) -> Vec<Segment> {
    drop_weak(&mut outline);
    let gaps = gaps(pair.new.len(), &outline);
    if gaps.iter().all(|it| it.len() < GAP_MIN) {
        return outline;
    }
    let dense = Dense::new(pair, &gaps, density);
    let mut filling = Filling { pair, dense, segments: Vec::new() };
    let mut gaps = gaps.into_iter().peekable();
    for segment in outline {
        if let Some(gap) = gaps.next_if(|it| it.start < segment.new_start) {
            filling.fill(gap, Some(segment));
        }
        push(&mut filling.segments, segment);
    }
    if let Some(gap) = gaps.next() {
        filling.fill(gap, None);
    }
    filling.segments
}

/// Drops short stretches of one alignment, as they may hide a better one, which only the second
/// pass sees.
fn drop_weak(segments: &mut Vec<Segment>) {
    let weak = var("WEAK", 128);
<<<<<<< HEAD
    let mut kept: Vec<Segment> = Vec::with_capacity(segments.len());
    for (at, segment) in segments.iter().enumerate() {
        let touches =
            |other: &Segment| other.end() == segment.start() || segment.end() == other.start();
        let joined =
            at > 0 && touches(&segments[at - 1]) || segments.get(at + 1).is_some_and(touches);
        if joined || segment.length >= weak {
            kept.push(*segment);
        }
    }
    *segments = kept;
=======
    let stretches = segments.chunk_by(|a, b| a.at(b.new_start) == Some(b.start()));
    let strong = |it: &&[Segment]| it.iter().map(|it| it.length).sum::<usize>() >= weak;
    *segments = stretches.filter(strong).flatten().copied().collect();
>>>>>>> delta
}

struct Filling<'a> {
    pair: Pair<'a>,
    dense: Dense,
    segments: Vec<Segment>,
}

impl Filling<'_> {
    /// Finds segments in a gap; `next` is the one that follows it.
    fn fill(&mut self, gap: Range<usize>, next: Option<Segment>) {
        let pair = Pair { old: self.pair.old, new: &self.pair.new[..gap.end] };
        let mut floor = gap.start;
        while let Some(found) = self.best_from(pair, floor, next) {
            push(&mut self.segments, found);
            floor = found.new_end();
        }
    }

    /// The first segment behind `floor` that saves enough, or a better one that begins soon after.
    fn best_from(&self, pair: Pair<'_>, floor: usize, next: Option<Segment>) -> Option<Segment> {
        let last = self.segments.last().copied();
        let mut best: Option<(Segment, isize)> = None;
        let mut until = usize::MAX;
        let lazy = var("LAZY", 48);
        for at in self.dense.anchors(pair.new, floor) {
            if at >= until {
                break;
            }
            let expected = [last, next].into_iter().flatten().filter_map(|it| it.at(at));
            let expected = expected.filter(|it| pair.short_equal_run(*it) >= 24);
            for place in expected.chain(self.dense.find(pair, at)) {
                if best.is_some_and(|(it, _)| it.at(at) == Some(place) && it.new_end() > at) {
                    continue;
                }
                let (segment, gain) = grow(pair, place, floor, last);
                if gain > best.map_or(var("GAIN", 24) as isize, |it| it.1) {
                    best = Some((segment, gain));
                    until = until.min(at + lazy);
                }
            }
        }
        best.map(|it| it.0)
    }
}

/// The segment around `place`, and the bytes that it saves.
fn grow(pair: Pair<'_>, place: Place, floor: usize, last: Option<Segment>) -> (Segment, isize) {
    let before = pair.equal_run_before(place, floor);
    let start = Place { old: place.old - before, new: place.new - before };
    let more = pair.like_run_before(start, floor);
    let length = more + before + pair.like_run(place, usize::MAX);
    let (old_start, new_start) = (start.old - more, start.new - more);
    let segment = Segment { old_start, new_start, length, exact: false };
    let aligned = last.is_some_and(|it| it.at(new_start) == Some(segment.start()));
    let cost = if aligned { 0 } else { var("COST", 8) as isize };
    (segment, length as isize - cost)
}

/// The stretches of the new content between the segments.
fn gaps(length: usize, segments: &[Segment]) -> Vec<Range<usize>> {
    let mut gaps = Vec::new();
    let mut end = 0;
    for segment in segments {
        if segment.new_start > end {
            gaps.push(end..segment.new_start);
        }
        end = segment.new_end();
    }
    if end < length {
        gaps.push(end..length);
    }
    gaps
}
