//! The second pass: pieces of the bytes that the first one left unmatched.

use std::ops::Range;

use super::dense::Dense;
use super::gaps::{gaps, total};
use super::lookups::Lookups;
use super::sample;
use super::search::{KEY, Search};
use crate::pair::Pair;
use crate::segment::{Place, Segment};

/// The estimated costs of two lists do not decide between them if they differ by no more than one byte in this
/// number.
const UNSURE_SHARE: usize = 4;
/// Measuring two patches takes the time of comparing both contents. It is not worth that where either list
/// costs less than one byte of the new content in this number.
const LITTLE_SHARE: usize = 1 << 10;
/// With more literals the estimates decide alone: measuring a patch packs all of its literals once more.
const PACKED_TWICE_MAX: usize = 32 << 20;
/// Packing a literal takes as long as comparing this number of bytes.
const PACKING_SHARE: usize = 64;
/// Making a patch takes next to no time if it takes no longer than comparing one byte of the new content in
/// this number.
const SOON_SHARE: usize = 8;
/// The same where it takes no longer than comparing this number of bytes.
const SOON_MIN: usize = 512 << 10;
/// Shorter gaps are left as literals: no key fits into them.
const GAP_MIN: usize = KEY;
/// A shorter stretch of the outline may hide a better one, which only the second pass sees.
const STRONG_MIN: usize = 1024;
/// The segments of a stretch are of one alignment, or no farther apart: lines with an insertion in
/// each have an alignment each.
const TIGHT_MAX: usize = 32;
/// Segments up to this far apart are one loose stretch: short lines between them were not found.
const LOOSE_MAX: usize = 64;
/// A loose stretch is strong from this number of bytes on, which chance does not bring about.
const LOOSE_STRONG_MIN: usize = 16 << 10;
/// An outline is complete if it leaves less than this fraction of the bytes (its reciprocal).
const COMPLETE_SHARE: usize = 8;
/// A weak segment of no more bytes becomes literals.
const PUT_BACK_MIN: usize = 32;
/// A dropped segment of at least this number of bytes shows that the gap around it has something in common
/// with the old content.
const RELATED_MIN: usize = 128;
/// No sample is taken if such segments are more than one byte of the gaps in this number.
const DROPPED_SHARE: usize = 32;
/// The bytes that an operation takes in a short patch if it does not go on with the last alignment.
const OPERATION_COST: isize = 8;
/// In a patch of many operations, one takes a byte, and this number more if it does not go on nearby.
const FAR_COST: usize = 4;
/// Once a segment saves this number of bytes, no better one is looked for.
const GAIN_PLENTY: isize = 4 << 10;
/// A better segment replaces one that was found before if it leaves out fewer bytes than this at its head.
/// Otherwise the pass takes both, such as lines in another order that are packed badly.
const HEAD_MAX: usize = 24;
/// The pass searches old bytes that are used already if more than one new byte in this number is unmatched and
/// the unused old bytes are less than half of the unmatched new ones.
const REAL_SHARE: usize = 16;
/// The equal bytes that make the alignment of the segment before or behind a candidate, too.
const EXPECTED_MIN: usize = 24;

/// The segments of the outline, and these with those found in the gaps between them, in the order of
/// the new content: the list that costs less, or both if that is hard to tell.
pub(crate) fn fill(
    pair: Pair<'_>,
    outline: &[Segment],
    search: Search,
) -> [Option<Vec<Segment>>; 2] {
    let mut strong = outline.to_vec();
    let weak = take_weak(pair.new.len(), &mut strong);
    let mut gaps = gaps(pair.new.len(), &strong);
    gaps.retain(|it| it.len() >= GAP_MIN);
    let search = if sample::is_noise(pair.new, &gaps) { search.of_noise() } else { search };
    let places = places(pair, &strong, &gaps, search);
    // Dropped segments of such length prove a relation as well as a sample does.
    let related = weak.iter().map(|it| it.length).filter(|it| *it >= RELATED_MIN).sum::<usize>();
    let is_related = || {
        related > total(&gaps) / DROPPED_SHARE || sample::is_related(pair, &gaps, &places, search)
    };
    if gaps.is_empty() || places.is_empty() || !is_related() {
        return [Some(outline.to_vec()), None];
    }
    let dense = Dense::new(pair, &gaps, &places, search);
    let filled = put_back(
        weak,
        Filling { pair, dense: &dense, search, segments: Vec::new() }.fill(strong, gaps),
    );
    let [outline_cost, cost] = [outline, &filled].map(|it| cost(pair.new.len(), it, search));
    // Making both patches tells; where it takes next to no time, it is better than any estimate.
    if is_told_soon(pair.new.len(), outline) && is_told_soon(pair.new.len(), &filled) {
        return [Some(outline.to_vec()), Some(filled)];
    }
    let is_little = outline_cost.max(cost) < pair.new.len() / LITTLE_SHARE;
    let is_dear = pair.new.len() - length(&filled) > PACKED_TWICE_MAX;
    let unsure = |cost: usize| if is_little || is_dear { 0 } else { cost / UNSURE_SHARE };
    let may_be_best = |it: usize, other: usize| it - unsure(it) <= other;
    [
        may_be_best(outline_cost, cost).then(|| outline.to_vec()),
        may_be_best(cost, outline_cost).then_some(filled),
    ]
}

/// Whether the patch of these segments is made in a small part of the time that comparing both contents
/// took: nearly all is known to be equal, and so is not compared again, and hardly any is to be packed.
pub(crate) fn is_told_soon(new_length: usize, segments: &[Segment]) -> bool {
    let inexact: usize = segments.iter().filter(|it| !it.exact).map(|it| it.length).sum();
    let literals = new_length - length(segments);
    inexact + literals * PACKING_SHARE < (new_length / SOON_SHARE).max(SOON_MIN)
}

/// About the bytes that a patch of these segments takes.
fn cost(new_length: usize, segments: &[Segment], search: Search) -> usize {
    let far = segments.windows(2).filter(|it| !it[0].is_near(&it[1], LOOSE_MAX)).count();
    (new_length - length(segments)) / search.packed + segments.len() + far * FAR_COST
}

/// Takes out the segments that are short on their own, unless most of the new content is, as rows in another order,
/// and hardly any is unmatched.
fn take_weak(new_length: usize, segments: &mut Vec<Segment>) -> Vec<Segment> {
    let (mut strong, mut weak) = (Vec::new(), Vec::new());
    for loose in segments.chunk_by(|a, b| a.is_near(b, LOOSE_MAX)) {
        if length(loose) >= LOOSE_STRONG_MIN {
            strong.extend_from_slice(loose);
            continue;
        }
        for stretch in loose.chunk_by(|a, b| a.is_near(b, TIGHT_MAX)) {
            match length(stretch) {
                STRONG_MIN.. => strong.extend_from_slice(stretch),
                _ => weak.extend_from_slice(stretch),
            }
        }
    }
    let unmatched = new_length - length(segments);
    if length(&weak) > new_length / 2 && unmatched < new_length / COMPLETE_SHARE {
        return Vec::new();
    }
    *segments = strong;
    weak
}

/// Puts those of the weak segments back that lie where nothing better was found.
fn put_back(weak: Vec<Segment>, found: Vec<Segment>) -> Vec<Segment> {
    let mut all = Vec::with_capacity(weak.len() + found.len());
    let mut weak = weak.into_iter().peekable();
    let mut end = 0;
    for segment in found {
        while let Some(one) = weak.next_if(|it| it.new_start < segment.new_start) {
            if one.new_start >= end
                && one.new_end() <= segment.new_start
                && one.length > PUT_BACK_MIN
            {
                all.push(one);
            }
        }
        end = segment.new_end();
        all.push(segment);
    }
    all.extend(weak.filter(|it| it.new_start >= end));
    all
}

/// The bytes of all segments.
fn length(segments: &[Segment]) -> usize {
    segments.iter().map(|it| it.length).sum()
}

/// Where to look for unmatched bytes: in the unused stretches of the old content, and everywhere
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
    search: Search,
    /// In the order of the new content.
    segments: Vec<Segment>,
}

impl Filling<'_> {
    fn fill(mut self, outline: Vec<Segment>, gaps: Vec<Range<usize>>) -> Vec<Segment> {
        let mut gaps = gaps.into_iter().peekable();
        for segment in outline {
            if let Some(gap) = gaps.next_if(|it| it.start < segment.new_start) {
                self.fill_gap(gap, Some(segment));
            }
            self.segments.push(segment);
        }
        gaps.for_each(|gap| self.fill_gap(gap, None));
        self.segments
    }

    /// Finds segments in a gap; `next` is the one that follows it.
    fn fill_gap(&mut self, gap: Range<usize>, next: Option<Segment>) {
        let pair = Pair { old: self.pair.old, new: &self.pair.new[..gap.end] };
        let mut lookups = Lookups::new(self.dense, pair, gap.start);
        let mut floor = gap.start;
        while let Some(found) = self.best_from(pair, &mut lookups, floor, next) {
            floor = found.new_end();
            lookups.seek(floor);
            let start = pair.cover(&mut self.segments, found.start());
            let length = floor - start.new;
            self.segments.push(Segment {
                old_start: start.old,
                new_start: start.new,
                length,
                ..found
            });
        }
    }

    /// The first segment behind `floor` that saves enough, or a better one that begins soon after.
    fn best_from(
        &self,
        pair: Pair<'_>,
        lookups: &mut Lookups<'_>,
        floor: usize,
        next: Option<Segment>,
    ) -> Option<Segment> {
        let last = self.segments.last().copied();
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
                if best.map_or(gain > self.search.gain_min, is_better) {
                    best = Some((segment, gain));
                    until = until.min(at + self.search.patience);
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
        let search = Search::of(Effort::Small).expect("there is a second pass");
        let [_, segments] = fill(Pair { old: &old, new: &new }, &[], search);
        let found = length(&segments.expect("lines are found"));
        assert!(found > new.len() / 100 * 96, "{found} of {}", new.len());
    }

    #[test]
    fn the_patches_of_both_lists_are_compared_where_that_takes_next_to_no_time() {
        let old = noise(1 << 20);
        let (to, from, length) = (300_000, 700_000, 500);
        let piece = &old[from..from + length];
        let new = [&old[..to], piece, &old[to..from], &old[from + length..]].concat();
        let exact =
            |old_start, new_start, length| Segment { old_start, new_start, length, exact: true };
        let outline = [
            exact(0, 0, to),
            exact(to, to + length, from - to),
            exact(from + length, from + length, old.len() - from - length),
        ];
        let search = Search::of(Effort::Default).expect("there is a second pass");
        let lists = fill(Pair { old: &old, new: &new }, &outline, search);
        let matched = lists.map(|it| it.map(|it| self::length(&it)));
        // By the estimates the outline costs more than the unsure share allows.
        assert_eq!(matched, [Some(new.len() - length), Some(new.len())]);
    }
}
