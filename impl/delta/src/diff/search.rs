//! How closely the second and the third pass look for pieces.

use crate::anchors::ANCHOR_BYTES;
use crate::effort::Effort;

/// The candidates that are kept for the bytes of an anchor, and the most that are tried.
pub(crate) const WAYS: usize = 4;

/// The time that a pass may spend, as the numbers that decide on it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Search {
    /// One position in two to the power of these is looked at: where less than 256 KiB are unmatched,
    /// less than 8 MiB, and more. Fewer yet where the table is full.
    pub rarities_log2: [u32; 3],
    /// The equal bytes from an anchor on that make a candidate: one to three words.
    pub key: usize,
    /// The candidates that are tried for an anchor.
    pub ways: usize,
    /// Whether the old bytes that are already used are searched in any case.
    pub everywhere: bool,
    /// A segment that saves no more bytes is not worth its operation.
    pub gain_min: isize,
    /// This number of literals is packed into about one byte.
    pub packed: usize,
    /// The bytes behind a first find in which a better one is looked for.
    pub patience: usize,
}

/// The rarities of anchors at efforts default and small.
const RARITIES_LOG2: [u32; 3] = [4, 5, 6];
const RARITIES_OF_SMALL_LOG2: [u32; 3] = [4, 4, 4];
/// The same where short pieces are looked for, of a dozen bytes.
const RARITIES_OF_SHORT_LOG2: [u32; 3] = [1, 1, 2];
/// Anchors are rarer by this where pieces of some hundred bytes are looked for.
const LONG_PIECES_RARER_LOG2: u32 = 2;
/// In noise, anchors are no rarer than this.
const RARITY_OF_NOISE_LOG2_MAX: u32 = 3;
/// The equal bytes that make a candidate; chance makes them equal in a text.
pub(super) const KEY: usize = 24;
/// The same in noise, where chance makes no eight bytes equal,
const KEY_OF_NOISE: usize = 16;
/// and of short pieces: the bytes of an anchor.
const KEY_OF_SHORT: usize = ANCHOR_BYTES;
/// The candidates that are tried at effort default.
const WAYS_OF_DEFAULT: usize = 2;
/// Literals are packed, the better the longer they are.
const GAIN_MIN: isize = 48;
/// Noise is not packed.
const GAIN_MIN_OF_NOISE: isize = 12;
/// The literals that are packed into a byte, in general.
pub(super) const PACKED: usize = 4;
/// The bytes behind a first find in which a better one is looked for.
const PATIENCE: usize = 64;

impl Search {
    /// The search of the second pass, or `None` at an effort without one.
    pub(crate) fn of(effort: Effort) -> Option<Search> {
        let default = Search {
            rarities_log2: RARITIES_LOG2,
            key: KEY,
            ways: WAYS_OF_DEFAULT,
            everywhere: false,
            gain_min: GAIN_MIN,
            packed: PACKED,
            patience: PATIENCE,
        };
        match effort {
            Effort::Fast => None,
            Effort::Default => Some(default),
            Effort::Small => Some(Search {
                rarities_log2: RARITIES_OF_SMALL_LOG2,
                ways: WAYS,
                everywhere: true,
                ..default
            }),
        }
    }

    /// The search for new pieces that repeat.
    pub(crate) fn of_repeats(effort: Effort) -> Search {
        let search = Search::of(effort).or(Search::of(Effort::Default));
        search.expect("the default effort has a search")
    }

    /// The search for pieces of a dozen bytes, of the third pass.
    pub(crate) fn of_short_pieces(rarer_log2: u32) -> Search {
        Search {
            rarities_log2: RARITIES_OF_SHORT_LOG2.map(|it| it + rarer_log2),
            key: KEY_OF_SHORT,
            ways: WAYS,
            everywhere: true,
            gain_min: 0,
            packed: 1,
            patience: 0,
        }
    }

    /// The same search for pieces of some hundred bytes.
    pub(crate) fn of_long_pieces(self) -> Search {
        Search { rarities_log2: self.rarities_log2.map(|it| it + LONG_PIECES_RARER_LOG2), ..self }
    }

    /// The same search where the literals would be noise: each byte that is found saves one.
    pub(crate) fn of_noise(self) -> Search {
        Search {
            rarities_log2: self.rarities_log2.map(|it| it.min(RARITY_OF_NOISE_LOG2_MAX)),
            key: KEY_OF_NOISE,
            ways: WAYS,
            everywhere: false,
            gain_min: GAIN_MIN_OF_NOISE,
            packed: 1,
            patience: 0,
        }
    }
}
