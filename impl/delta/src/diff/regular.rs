//! Ends of copies where they are most regular.
//!
//! A copy goes on for as long as the bytes are equal, by chance also into the bytes that were inserted behind
//! it: of a byte that was inserted after every hundred, one in 256 equals the old byte in its place. Such
//! an end makes two lengths of a patch exceptions, and in a patch of many operations that are alike, their
//! exceptions are all there is to pack. So an operation gives up a few bytes if that makes it one of the
//! many: its bytes become literals, which are then alike, too. Between two copies without literals, where
//! bytes were deleted, the later copy takes them.

use std::collections::HashMap;

use crate::pair::Pair;
use crate::segment::Segment;

/// A copy gives up at most this number of bytes, which chance does not often make equal.
const GIVEN_MAX: usize = 3;
/// An operation is one of the many if this number is like it for each that is as the operation was.
const MANY: usize = 8;
/// With fewer changed operations than one in this number, a patch is not measured again for them.
const CHANGED_SHARE: usize = 1 << 10;

/// The number of bytes of a copy, and of the literals on one side of it.
type Lengths = (usize, usize);

/// The same segments with more regular ends, or `None` if hardly any end changes.
pub(crate) fn regular(pair: Pair<'_>, segments: &[Segment]) -> Option<Vec<Segment>> {
    let mut changed = segments.to_vec();
    let ends = slide_ends(pair, &mut changed) + give_ends(&mut changed);
    let starts = give_starts(&mut changed);
    (ends + starts > segments.len() / CHANGED_SHARE).then_some(changed)
}

/// Lets copies give up bytes at their ends to copies right behind them. Returns the number of them that do.
fn slide_ends(pair: Pair<'_>, segments: &mut [Segment]) -> usize {
    let counts = counts(segments.iter().map(|it| (it.length, 0)));
    let mut changed = 0;
    for at in 1..segments.len() {
        let [left, right] = [segments[at - 1], segments[at]];
        let is_old = right.old_end() <= pair.old.len();
        if left.new_end() != right.new_start || !is_old {
            continue;
        }
        let count = |given: usize| counts.get(&(left.length - given, 0)).copied().unwrap_or(0);
        let equal = pair.equal_run_before(
            right.start(),
            left.new_end() - GIVEN_MAX.min(left.length.saturating_sub(1)),
        );
        let given = most(equal, count);
        segments[at - 1].length -= given;
        let Segment { old_start, new_start, length, exact } = right;
        let (old_start, new_start) = (old_start - given, new_start - given);
        segments[at] = Segment { old_start, new_start, length: length + given, exact };
        changed += usize::from(given > 0);
    }
    changed
}

/// Lets copies give up bytes at their ends. Returns the number of them that do.
fn give_ends(segments: &mut [Segment]) -> usize {
    let lengths = |it: &[Segment]| (it[0].length, it[1].new_start - it[0].new_end());
    let counts = counts(segments.windows(2).map(lengths));
    let mut changed = 0;
    for at in 1..segments.len() {
        let given = given(&counts, lengths(&segments[at - 1..=at]));
        segments[at - 1].length -= given;
        changed += usize::from(given > 0);
    }
    changed
}

/// The same at their starts.
fn give_starts(segments: &mut [Segment]) -> usize {
    let lengths = |it: &[Segment]| (it[1].length, it[1].new_start - it[0].new_end());
    let counts = counts(segments.windows(2).map(lengths));
    let mut changed = 0;
    for at in 1..segments.len() {
        let given = given(&counts, lengths(&segments[at - 1..=at]));
        let Segment { old_start, new_start, length, exact } = segments[at];
        let (old_start, new_start) = (old_start + given, new_start + given);
        segments[at] = Segment { old_start, new_start, length: length - given, exact };
        changed += usize::from(given > 0);
    }
    changed
}

fn counts(lengths: impl Iterator<Item = Lengths>) -> HashMap<Lengths, usize> {
    let mut counts = HashMap::new();
    lengths.for_each(|it| *counts.entry(it).or_default() += 1);
    counts
}

/// The number of bytes that a copy gives to the literals beside it, so that both have the lengths of many.
fn given(counts: &HashMap<Lengths, usize>, (copy, literal): Lengths) -> usize {
    let count = |given: usize| counts.get(&(copy - given, literal + given)).copied().unwrap_or(0);
    most(GIVEN_MAX.min(copy.saturating_sub(1)), count)
}

/// The number of given bytes, up to `given_max`, that makes an operation one of the many, or 0.
fn most(given_max: usize, count: impl Fn(usize) -> usize) -> usize {
    let most = (1..=given_max).max_by_key(|it| count(*it));
    most.filter(|it| count(*it) >= count(0) * MANY).unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::noise::noise;

    /// Without contents no bytes are known to be equal.
    const EMPTY: Pair<'_> = Pair { old: &[], new: &[] };

    /// Copies of these lengths behind literals of these lengths.
    fn segments(lengths: &[Lengths]) -> Vec<Segment> {
        let (mut old, mut new) = (0, 0);
        let segment = |(literal, length): &Lengths| {
            let (old_start, new_start) = (old, new + literal);
            (old, new) = (old + length, new_start + length);
            Segment { old_start, new_start, length: *length, exact: true }
        };
        lengths.iter().map(segment).collect()
    }

    fn lengths(segments: &[Segment]) -> Vec<Lengths> {
        let mut end = 0;
        let lengths = segments.iter().map(|it| {
            let literal = it.new_start - end;
            end = it.new_end();
            (literal, it.length)
        });
        lengths.collect()
    }

    #[test]
    fn a_copy_gives_up_bytes_that_chance_made_equal() {
        let many = [(5, 100); 20];
        let at_the_end = [&many[..], &[(5, 101), (4, 100)], &many].concat();
        let at_the_start = [&many[..], &[(3, 102)], &many].concat();
        for irregular in [at_the_end, at_the_start] {
            let made = regular(EMPTY, &segments(&irregular)).expect("one end of forty changes");
            assert!(lengths(&made).iter().all(|it| *it == (5, 100)), "{:?}", lengths(&made));
            let shifts = |it: &[Segment]| -> Vec<usize> {
                it.iter().map(|it| it.new_start - it.old_start).collect()
            };
            assert_eq!(shifts(&made), shifts(&segments(&irregular)), "the same bytes are copied");
        }
    }

    #[test]
    fn a_copy_gives_up_bytes_to_the_copy_behind_it() {
        let mut old = noise(5000);
        // Every fiftieth byte is deleted. One is equal to the byte behind it.
        old[49 + 50 * 20] = old[50 * 21];
        let new: Vec<u8> = old.chunks(50).flat_map(|it| &it[..49]).copied().collect();
        let copy = |at: usize| {
            let (before, after) = (usize::from(at == 21), usize::from(at == 20));
            let (old_start, new_start) = (at * 50 + before, at * 49 + before);
            Segment { old_start, new_start, length: 49 - before + after, exact: true }
        };
        let segments: Vec<Segment> = (0..100).map(copy).collect();
        let pair = Pair { old: &old, new: &new };
        assert!(segments.iter().all(|it| pair.are_equal(it.start(), it.length)));
        let made = regular(pair, &segments).expect("one end of a hundred changes");
        assert!(made.iter().all(|it| it.length == 49), "{made:?}");
        assert!(made.iter().all(|it| pair.are_equal(it.start(), it.length)));
    }

    #[test]
    fn operations_that_are_not_like_many_stay_as_they_are() {
        for lengths in [
            [[(5, 100); 7].as_slice(), &[(5, 101), (4, 100)]].concat(),
            [[(5, 100); 90].as_slice(), &[(5, 104), (1, 100)]].concat(),
            [[(0, 1); 30].as_slice(), &[(0, 2), (9, 1)]].concat(),
            vec![(1, 1)],
            Vec::new(),
        ] {
            assert_eq!(regular(EMPTY, &segments(&lengths)), None, "{lengths:?}");
        }
    }
}
