//! The second pass: pieces of what the first one left unmatched.

use std::io;
use std::ops::Range;

use super::dense::Dense;
use super::lookups::Lookups;
use super::pair::{Pair, Place};
use super::sample::{self, total};
use super::segment::Segment;
use crate::effort::Search;

/// Shorter gaps are left as literals.
const GAP_MIN: usize = 24;
/// An outline's stretch of one alignment that is shorter may hide a better one, which only the
/// second pass sees.
const STRONG_MIN: usize = 1024;
/// A stretch that is dropped and longer shows that the gap around it has something in common with
/// the old content.
const RELATED_MIN: usize = 128;
/// No sample is taken if such stretches are one byte of the gaps in so many.
const DROPPED_SHARE: usize = 32;
/// What an operation takes in a patch, about, if it does not go on with the last alignment.
const OPERATION_COST: isize = 8;
/// A segment that saves no more bytes than so many is not worth its operation: literals are packed,
/// the better the longer they are.
const GAIN_MIN: isize = 48;
/// Behind a first find, a better one is looked for in so many bytes.
const PATIENCE: usize = 64;
/// With so much saved, nothing better is looked for.
const GAIN_PLENTY: isize = 4 << 10;
/// A better segment replaces one that was found before if it leaves fewer bytes of its head out.
/// Both are taken else, as of lines that are packed badly and were put into another order.
const HEAD_MAX: usize = 24;
/// What is a real share of the new content: one byte in so many.
const REAL_SHARE: usize = 16;
/// So many bytes that go on in an alignment nearby make a candidate, too.
const EXPECTED_MIN: usize = 24;

/// Emits the segments of the outline and those that it finds in the gaps between them, in the order
/// of the new content.
///
/// # Errors
/// `emit` fails.
pub(crate) fn fill(
    pair: Pair<'_>,
    mut outline: Vec<Segment>,
    search: Search,
    emit: &mut dyn FnMut(Segment) -> io::Result<()>,
) -> io::Result<()> {
    let dropped = drop_weak(&mut outline);
    let mut gaps = gaps(pair.new.len(), &outline);
    gaps.retain(|it| it.len() >= GAP_MIN);
    let places = places(pair, &outline, &gaps, search);
    let is_related = || {
        dropped > total(&gaps) / DROPPED_SHARE || sample::is_related(pair, &gaps, &places, search)
    };
    if gaps.is_empty() || places.is_empty() || !is_related() {
        return outline.into_iter().try_for_each(emit);
    }
    let dense = Dense::new(pair, &gaps, &places, search);
    let mut filling = Filling { pair, dense: &dense, last: None, emit };
    let mut gaps = gaps.into_iter().peekable();
    for segment in outline {
        if let Some(gap) = gaps.next_if(|it| it.start < segment.new_start) {
            filling.fill(gap, Some(segment))?;
        }
        filling.emit(segment)?;
    }
    gaps.try_for_each(|gap| filling.fill(gap, None))
}

/// Drops short stretches of one alignment, and returns how many bytes there are in those that a
/// sample would take for related.
fn drop_weak(segments: &mut Vec<Segment>) -> usize {
    let (mut strong, mut dropped) = (Vec::new(), 0);
    for stretch in segments.chunk_by(|a, b| a.at(b.new_start) == Some(b.start())) {
        match stretch.iter().map(|it| it.length).sum::<usize>() {
            STRONG_MIN.. => strong.extend_from_slice(stretch),
            length @ RELATED_MIN.. => dropped += length,
            _ => {}
        }
    }
    *segments = strong;
    dropped
}

/// Where to look for what is unmatched: in the unused stretches of the old content, and everywhere
/// if a real share of the new one is unmatched and they cannot account for it.
fn places(
    pair: Pair<'_>,
    outline: &[Segment],
    gaps: &[Range<usize>],
    search: Search,
) -> Vec<Range<usize>> {
    let mut unused = unused(pair.old.len(), outline);
    let unmatched = total(gaps);
    let real_share = unmatched > pair.new.len() / REAL_SHARE && total(&unused) < unmatched / 2;
    if search.everywhere || real_share {
        return std::iter::once(0..pair.old.len()).collect();
    }
    unused.retain(|it| it.len() >= GAP_MIN);
    unused
}

struct Filling<'a> {
    pair: Pair<'a>,
    dense: &'a Dense,
    last: Option<Segment>,
    emit: &'a mut dyn FnMut(Segment) -> io::Result<()>,
}

impl Filling<'_> {
    /// Finds segments in a gap; `next` is the one that follows it.
    fn fill(&mut self, gap: Range<usize>, next: Option<Segment>) -> io::Result<()> {
        let pair = Pair { old: self.pair.old, new: &self.pair.new[..gap.end] };
        let mut lookups = self.dense.lookups(pair, gap.start);
        let mut floor = gap.start;
        while let Some(found) = self.best_from(pair, &mut lookups, floor, next) {
            floor = found.new_end();
            lookups.seek(floor);
            self.emit(found)?;
        }
        Ok(())
    }

    fn emit(&mut self, segment: Segment) -> io::Result<()> {
        self.last = Some(segment);
        (self.emit)(segment)
    }

    /// The first segment behind `floor` that saves enough, or a better one that begins soon after.
    fn best_from(
        &self,
        pair: Pair<'_>,
        lookups: &mut Lookups<'_>,
        floor: usize,
        next: Option<Segment>,
    ) -> Option<Segment> {
        let last = self.last;
        let mut best: Option<(Segment, isize)> = None;
        let mut until = usize::MAX;
        for lookup in lookups {
            let at = lookup.at;
            if at >= until || best.is_some_and(|(_, gain)| gain >= GAIN_PLENTY) {
                break;
            }
            let expected = [last, next].into_iter().flatten().filter_map(|it| it.at(at));
            let expected = expected.filter(|it| pair.are_equal(*it, EXPECTED_MIN));
            for place in expected.chain(lookup.places(self.dense, pair)) {
                let covers = |it: Segment| it.at(at) == Some(place) && it.new_end() > at;
                if best.is_some_and(|(it, gain)| covers(it) || gain >= GAIN_PLENTY) {
                    continue;
                }
                let (segment, gain) = grow(pair, place, floor, last);
                let is_better = |(it, least): (Segment, isize)| {
                    gain > least && segment.new_start < it.new_start + HEAD_MAX
                };
                if best.map_or(gain > GAIN_MIN, is_better) {
                    best = Some((segment, gain));
                    until = until.min(at + PATIENCE);
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
    let on = pair.like_run(place, usize::MAX);
    let (old_start, new_start) = (start.old - more.length, start.new - more.length);
    let length = more.length + before + on.length;
    let segment = Segment { old_start, new_start, length, exact: false };
    let aligned = last.is_some_and(|it| it.at(new_start) == Some(segment.start()));
    let cost = if aligned { 0 } else { OPERATION_COST };
    (segment, more.gain + before as isize + on.gain - cost)
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

/// The stretches of the old content that no segment uses.
fn unused(length: usize, segments: &[Segment]) -> Vec<Range<usize>> {
    let mut used: Vec<_> = segments.iter().map(|it| it.old_start..it.old_end()).collect();
    used.sort_unstable_by_key(|it| it.start);
    let mut unused = Vec::new();
    let mut end = 0;
    for range in used {
        if range.start > end {
            unused.push(end..range.start);
        }
        end = end.max(range.end);
    }
    if end < length {
        unused.push(end..length);
    }
    unused
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::effort::Effort;
    use crate::noise::noise;

    #[test]
    fn of_lines_in_another_order_none_is_left_out_for_a_longer_one() {
        let noise = noise(300 * 90);
        let line = |index: usize| {
            let own = &noise[index * 90..][..56 + index % 2 * 34];
            [b"package/module.py,sha256=", own, b"\n"].concat()
        };
        let old: Vec<u8> = (0..300).flat_map(line).collect();
        let new: Vec<u8> = (0..300).map(|it| it * 131 % 300).flat_map(line).collect();
        let search = Effort::Small.search().expect("there is a second pass");
        let mut found = 0;
        let mut emit = |segment: Segment| {
            found += segment.length;
            Ok(())
        };
        fill(Pair { old: &old, new: &new }, Vec::new(), search, &mut emit).expect("no error");
        assert!(found > new.len() / 100 * 96, "{found} of {}", new.len());
    }
}
