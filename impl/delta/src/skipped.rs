//! The old bytes that a frame's copies leave out between them.

use std::ops::Range;

use crate::wire::frame::SKIPPED_MAX;

/// Of the bytes that a frame skips before a copy, the first are its prefix: this number for each literal, and
/// [`LIKELY_MORE`] more.
const LIKELY_PER_LITERAL: u64 = 2;
/// See [`LIKELY_PER_LITERAL`].
const LIKELY_MORE: u64 = 64;

/// Collects the skipped stretches of a frame, alike at both ends.
#[derive(Default)]
pub(crate) struct Skipped {
    last_end: Option<u64>,
    length: u64,
    ranges: Vec<Range<u64>>,
}

impl Skipped {
    /// Notes the next copy of the frame and the bytes of the literals before it.
    pub(crate) fn copy(&mut self, literal: usize, old: Range<u64>) {
        if literal > 0
            && let Some(end) = self.last_end.filter(|it| *it < old.start)
        {
            let likely = literal as u64 * LIKELY_PER_LITERAL + LIKELY_MORE;
            let length = (old.start - end).min(likely).min(SKIPPED_MAX - self.length);
            if length > 0 {
                self.ranges.push(end..end + length);
                self.length += length;
            }
        }
        self.last_end = Some(old.end);
    }

    /// Takes the stretches out, in the order of the copies. Later copies belong to the next frame.
    pub(crate) fn take(&mut self) -> Vec<Range<u64>> {
        std::mem::take(self).ranges
    }
}
