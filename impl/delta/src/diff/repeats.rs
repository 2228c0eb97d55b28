//! New pieces that occur more than once: all but the first are copied from the literals of the first.

use std::cmp::Ordering;
use std::ops::Range;

use super::coarse::{Coarse, Grain};
use super::dense::Dense;
use super::gaps::{gaps, total};
use super::lookups::Lookups;
use super::sample;
use super::search::Search;
use crate::pair::Pair;
use crate::segment::{Place, Segment};

/// Shorter gaps hold no repeat that is worth an operation.
const GAP_MIN: usize = 64;
/// Fewer literals are searched without a sample.
const SAMPLED_MIN: usize = 1 << 20;
/// Of more literals, a sample reads one stride in this number.
const SAMPLE_SHARE: usize = 64;
/// A sample reads at most this number of strides. If 2% of the literals repeat, it misses all repeats with a
/// probability below 1%.
const SAMPLES_MAX: usize = 256;
/// The packing finds shorter repeats of bytes that can be packed.
const REPEAT_MIN: usize = 512;
/// The shortest repeat of noise that is worth an operation.
const REPEAT_MIN_OF_NOISE: usize = 32;

/// Adds the repeats to the segments of the new content. The old start of one is the length of the old
/// content and the start of the first occurrence in the new one.
pub(crate) fn add(pair: Pair<'_>, segments: Vec<Segment>, search: Search) -> Vec<Segment> {
    let mut gaps = gaps(pair.new.len(), &segments);
    gaps.retain(|it| it.len() >= GAP_MIN);
    let new = Pair { old: pair.new, new: pair.new };
    let (search, length_min) = match sample::is_noise(new.new, &gaps) {
        true => (search.of_noise(), REPEAT_MIN_OF_NOISE),
        false => (search.of_long_pieces(), REPEAT_MIN),
    };
    if gaps.is_empty() || !may_repeat(new, &gaps, length_min) {
        return segments;
    }
    let dense = Dense::new(new, &gaps, &gaps, search);
    let mut repeats = Vec::new();
    gaps.into_iter().for_each(|gap| find_in(new, &dense, gap, length_min, &mut repeats));
    let old = pair.old.len();
    let repeats = repeats.into_iter().map(|it| Segment { old_start: old + it.old_start, ..it });
    merge(segments, repeats)
}

/// The new bytes that the repeats among `segments` are copied from, in ascending order.
pub(crate) fn sources(old_length: usize, segments: &[Segment]) -> Vec<Range<usize>> {
    let repeats = segments.iter().filter(|it| it.old_start >= old_length);
    let sources = repeats.map(|it| it.old_start - old_length..it.old_end() - old_length);
    let mut sources: Vec<_> = sources.collect();
    sources.sort_unstable_by_key(|it| it.start);
    sources.dedup_by(|next, last| {
        let joins = next.start <= last.end;
        if joins {
            last.end = last.end.max(next.end);
        }
        joins
    });
    sources
}

/// Whether a sample holds a piece of such a length that occurs twice.
fn may_repeat(new: Pair<'_>, gaps: &[Range<usize>], length_min: usize) -> bool {
    if total(gaps) < SAMPLED_MIN {
        return true;
    }
    // Only literals are copied.
    let coarse = Coarse::of(new.new, gaps, Grain::LARGE);
    let stride = coarse.stride();
    let distance = (total(gaps) / SAMPLES_MAX).max(SAMPLE_SHARE * stride);
    let mut before = 0usize;
    gaps.iter().any(|gap| {
        let first = gap.start + before.next_multiple_of(distance) - before;
        before += gap.len();
        let mut starts = (first..gap.end).step_by(distance);
        starts.any(|at| {
            let found = coarse.search(new, at, stride.min(gap.end - at));
            found.is_some_and(|it| {
                new.equal_run_before(it, gap.start) + new.equal_run(it) >= length_min
            })
        })
    })
}

/// Appends the repeats in a gap to those found before.
fn find_in(
    new: Pair<'_>,
    dense: &Dense,
    gap: Range<usize>,
    length_min: usize,
    found: &mut Vec<Segment>,
) {
    let inside = Pair { new: &new.new[..gap.end], ..new };
    let mut lookups = Lookups::new(dense, inside, gap.start);
    let mut floor = gap.start;
    while let Some(lookup) = lookups.next() {
        let places = lookup.places(dense, inside);
        let earlier = places.filter(|it| it.old < it.new);
        let repeats = earlier.filter_map(|it| grow(inside, it, floor, found));
        let longest = repeats.max_by_key(|it| it.length);
        if let Some(repeat) = longest.filter(|it| it.length >= length_min) {
            floor = repeat.new_end();
            lookups.seek(floor);
            found.push(repeat);
        }
    }
}

/// The equal bytes around `place`, without overlap of both; only literals are copied, so nothing of an
/// earlier repeat.
///
/// No byte is compared that could not be in the repeat: a record that repeats throughout is equal to
/// the end of the content, and to compare that far for each of its anchors would take quadratic time.
fn grow(new: Pair<'_>, place: Place, floor: usize, earlier: &[Segment]) -> Option<Segment> {
    let (before, behind) =
        earlier.split_at(earlier.partition_point(|it| it.new_start <= place.old));
    let source_start = before.last().map_or(0, Segment::new_end);
    let source_end = behind.first().map_or(place.new, |it| it.new_start);
    let back_max = place.old.checked_sub(source_start)?.min(place.new - floor);
    let back = new.equal_run_before(place, place.new - back_max);
    let start = Place { old: place.old - back, new: place.new - back };
    let length_max = source_end.min(start.new) - start.old;
    let inside = Pair { new: &new.new[..new.new.len().min(start.new + length_max)], ..new };
    let length = match back.cmp(&length_max) {
        Ordering::Less => back + inside.equal_run(place),
        _ => length_max,
    };
    Some(Segment { old_start: start.old, new_start: start.new, length, exact: true })
}

/// Both in the order of the new content.
fn merge(segments: Vec<Segment>, repeats: impl Iterator<Item = Segment>) -> Vec<Segment> {
    let mut repeats = repeats.peekable();
    let mut all = Vec::with_capacity(segments.len() + repeats.size_hint().0);
    for segment in segments {
        while let Some(repeat) = repeats.next_if(|it| it.new_start < segment.new_start) {
            all.push(repeat);
        }
        all.push(segment);
    }
    all.extend(repeats);
    all
}
