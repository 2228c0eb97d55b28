//! The price of an operation in a patch of many.

use crate::segment::{Place, Segment};
use crate::wire::alignments::REMEMBERED;

/// Prices are in parts of a byte: this many are one.
pub(super) const BYTE: usize = 64;
/// The prices of an operation whose alignment is remembered, and of one that moves by up to 2^6, 2^13,
/// 2^20 bytes and farther.
pub(super) type Prices = [usize; 5];
/// The prices of moved pieces. Measured on the streams of patches of re-sorted rows: both lengths take
/// about a byte and a half when they are packed, and a shift hardly less than its varint.
pub(super) const OF_MOVED_PIECES: Prices =
    [3 * BYTE / 2, 5 * BYTE / 2, 13 * BYTE / 4, 17 * BYTE / 4, 5 * BYTE];
/// The prices of short pieces. Where many places changed in the same way, such as lines with an
/// indentation, lengths and short shifts are alike, and an operation takes a byte or a byte and a half. Far
/// shifts are alike nowhere, and cost more than their varint, probably because an operation also parts literals
/// that would be packed together.
///
/// Chosen by the patches of nine pairs: tables with swapped or quoted columns, text with indented, sorted
/// or squeezed lines or other line ends, JSON with sorted keys or other spaces, and re-sorted rows. With
/// the prices of moved pieces, the patches of indented text and JSON are a third longer, and those of sorted
/// text and keys 3% and 10%.
pub(super) const OF_SHORT_PIECES: Prices =
    [BYTE, 3 * BYTE / 2, 5 * BYTE / 2, 17 * BYTE / 4, 25 * BYTE / 4];

/// The latest different alignments, as the format remembers them.
pub(super) struct Recent {
    /// Old position minus new one, the latest first.
    alignments: [i64; REMEMBERED],
    prices: Prices,
}

impl Recent {
    /// None but that of equal positions.
    pub(super) fn with(prices: Prices) -> Recent {
        Recent { alignments: [0; REMEMBERED], prices }
    }

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
            return self.prices[0];
        }
        let distance = match alignment.abs_diff(self.alignments[0]) {
            ..0x40 => 1,
            0x40..0x2000 => 2,
            0x2000..0x10_0000 => 3,
            _ => 4,
        };
        self.prices[distance]
    }
}

fn alignment(segment: Segment) -> i64 {
    segment.old_start as i64 - segment.new_start as i64
}
