//! The price of an operation in a patch of many.

use crate::segment::{Place, Segment};
use crate::wire::alignments::REMEMBERED;

/// Prices are in parts of a byte: this many are one.
pub(super) const BYTE: usize = 64;
/// The price of an operation whose alignment is remembered, and of one that moves by up to 2^6, 2^13,
/// 2^20 bytes and farther. Measured on the streams of patches of re-sorted rows: both lengths take
/// about a byte and a half when they are packed, and a shift hardly less than its varint.
const OPERATION: [usize; 5] = [3 * BYTE / 2, 5 * BYTE / 2, 13 * BYTE / 4, 17 * BYTE / 4, 5 * BYTE];

/// The latest different alignments, as the format remembers them.
#[derive(Default)]
pub(super) struct Recent {
    /// Old position minus new one, the latest first.
    alignments: [i64; REMEMBERED],
}

impl Recent {
    pub(super) fn remember(&mut self, segment: Segment) {
        let alignment = alignment(segment);
        let known = self.alignments.iter().position(|it| *it == alignment);
        self.alignments[..=known.unwrap_or(REMEMBERED - 1)].rotate_right(1);
        self.alignments[0] = alignment;
    }

    /// Where this place of the new content lies in the old one by the remembered alignments.
    pub(super) fn places(&self, new: usize) -> impl Iterator<Item = Place> {
        let alignments = self.alignments.into_iter();
        alignments.filter_map(move |it| {
            let old = new.checked_add_signed(isize::try_from(it).ok()?)?;
            Some(Place { old, new })
        })
    }

    /// The price of the operation that copies `segment` next.
    pub(super) fn price(&self, segment: Segment) -> usize {
        let alignment = alignment(segment);
        if self.alignments.contains(&alignment) {
            return OPERATION[0];
        }
        let distance = match alignment.abs_diff(self.alignments[0]) {
            ..0x40 => 1,
            0x40..0x2000 => 2,
            0x2000..0x10_0000 => 3,
            _ => 4,
        };
        OPERATION[distance]
    }
}

fn alignment(segment: Segment) -> i64 {
    segment.old_start as i64 - segment.new_start as i64
}
