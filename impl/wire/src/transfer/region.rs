//! Which region of an old content a stretch of a new one probably replaces.

use std::ops::Range;

use super::REGION_MAX;

/// The bytes of the old content before and behind the likely place that a region includes.
const SLACK: u64 = 64 << 10;

/// Missing chunks that follow each other, between chunks that the old content has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Gap {
    /// Where it lies in the new content.
    pub new: Range<u64>,
    /// Where the chunk before it ends in the old content, if that has it.
    pub old_start: Option<u64>,
    /// Where the chunk behind it begins in the old content, if that has it.
    pub old_end: Option<u64>,
}

impl Gap {
    /// The region for the part of the gap at `new`; `None` if there is no old content for it.
    pub(super) fn region(&self, new: &Range<u64>, old_length: u64) -> Option<Range<u64>> {
        let (start, end) = match (self.old_start, self.old_end) {
            (Some(start), Some(end)) if start <= end && end - start <= REGION_MAX => (start, end),
            (Some(start), Some(end)) if start <= end => {
                let likely = start + (new.start - self.new.start);
                let region = around(likely, new.end - new.start);
                (region.start.max(start), region.end.min(end))
            }
            (Some(start), _) => {
                let region = around(start + (new.start - self.new.start), new.end - new.start);
                (region.start.max(start), region.end)
            }
            (None, Some(end)) => {
                let likely = end.saturating_sub(self.new.end - new.start);
                let region = around(likely, new.end - new.start);
                (region.start, region.end.min(end))
            }
            (None, None) => {
                let region = around(new.start, new.end - new.start);
                (region.start, region.end)
            }
        };
        let end = end.min(old_length).min(start.saturating_add(REGION_MAX));
        (start < end).then_some(start..end)
    }
}

fn around(start: u64, length: u64) -> Range<u64> {
    let end = start.saturating_add(length).saturating_add(SLACK);
    start.saturating_sub(SLACK)..end
}

#[cfg(test)]
mod tests {
    use super::*;

    const K: u64 = 1 << 10;

    fn region(
        new: Range<u64>,
        part: Range<u64>,
        old: (Option<u64>, Option<u64>),
    ) -> Option<Range<u64>> {
        Gap { new, old_start: old.0, old_end: old.1 }.region(&part, 10_000 * K)
    }

    #[test]
    fn a_region_lies_between_the_neighbours_and_is_bounded() {
        let gap = 1000 * K..1100 * K;
        // All that was replaced, if it is short.
        assert_eq!(region(gap.clone(), gap.clone(), (Some(5), Some(500 * K))), Some(5..500 * K));
        // A likely part of it, if it is long.
        let long = region(gap.clone(), 1050 * K..1100 * K, (Some(500 * K), Some(5000 * K)));
        assert_eq!(long, Some(500 * K..664 * K));
        // Neighbours that are out of order or unknown.
        assert_eq!(
            region(gap.clone(), gap.clone(), (Some(500 * K), Some(400 * K))),
            Some(500 * K..664 * K)
        );
        assert_eq!(region(gap.clone(), gap.clone(), (None, Some(400 * K))), Some(236 * K..400 * K));
        assert_eq!(region(gap.clone(), gap.clone(), (None, None)), Some(936 * K..1164 * K));
        // An insertion replaces nothing; nor does the end of a content that has become longer.
        assert_eq!(region(gap.clone(), gap.clone(), (Some(7), Some(7))), None);
        assert_eq!(region(gap.clone(), gap, (Some(10_000 * K), None)), None);
        // Whatever the numbers are.
        for at in [0, 1, u64::MAX - 1] {
            for old in [(None, None), (Some(at), None), (None, Some(at)), (Some(0), Some(at))] {
                let found = region(at..at + 1, at..at + 1, old);
                assert!(found.is_none_or(|it| it.end - it.start <= REGION_MAX));
            }
        }
    }
}
