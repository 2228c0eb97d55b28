//! The stretches of the new content that the segments leave out.

use std::ops::Range;

use crate::segment::Segment;

/// The stretches of the new content between the segments.
pub(crate) fn gaps(length: usize, segments: &[Segment]) -> Vec<Range<usize>> {
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

/// The bytes of all ranges.
pub(crate) fn total(ranges: &[Range<usize>]) -> usize {
    ranges.iter().map(|it| it.len()).sum()
}
