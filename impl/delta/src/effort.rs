//! How long to look for what is equal.

use crate::diff::dense::WAYS;

/// How much time an encoder spends to make a patch small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Finds what stayed in place, shifted a little or moved as a large piece.
    Fast,
    /// Also looks for small pieces, in what the old content no longer uses.
    #[default]
    Default,
    /// Looks for small pieces everywhere, closely, and compresses well.
    Small,
}

/// What the second pass may spend.
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
    /// So many literals are packed into about one byte.
    pub packed: usize,
    /// The bytes behind a first find in which a better one is looked for.
    pub patience: usize,
}

const LONG_PIECES_RARER_LOG2: u32 = 2;
const KEY: usize = 24;
const KEY_OF_NOISE: usize = 16;
const KEY_OF_SHORT: usize = 8;
/// Literals are packed, the better the longer they are.
const GAIN_MIN: isize = 48;
const PACKED: usize = 4;
const PATIENCE: usize = 64;
const TEXT_TIME: usize = 24;
/// Noise is not packed.
const GAIN_MIN_OF_NOISE: isize = 12;

impl Search {
    /// What may be spent on pieces of a dozen bytes.
    pub(crate) fn of_short_pieces(rarer_log2: u32) -> Search {
        Search {
            rarities_log2: [1, 1, 2].map(|it| it + rarer_log2),
            key: KEY_OF_SHORT,
            ways: WAYS,
            everywhere: true,
            gain_min: 0,
            packed: 1,
            patience: 0,
        }
    }

    /// What may be spent on pieces of some hundred bytes.
    pub(crate) fn of_long_pieces(self) -> Search {
        Search { rarities_log2: self.rarities_log2.map(|it| it + LONG_PIECES_RARER_LOG2), ..self }
    }

    /// What may be spent where the literals would be noise: each byte that is found saves one.
    pub(crate) fn of_noise(self) -> Search {
        let rarities_log2 = self.rarities_log2.map(|it| it.min(3));
        Search {
            rarities_log2,
            key: KEY_OF_NOISE,
            ways: WAYS,
            everywhere: false,
            gain_min: GAIN_MIN_OF_NOISE,
            packed: 1,
            patience: 0,
        }
    }
}

impl Effort {
    /// What the second pass may spend, if there is one.
    pub(crate) fn search(self) -> Option<Search> {
        match self {
            Effort::Fast => None,
            Effort::Default => Some(Search {
                rarities_log2: [4, 5, 6],
                key: KEY,
                ways: 2,
                everywhere: false,
                gain_min: GAIN_MIN,
                packed: PACKED,
                patience: PATIENCE,
            }),
            Effort::Small => Some(Search {
                rarities_log2: [4, 4, 4],
                key: KEY,
                ways: 4,
                everywhere: true,
                gain_min: GAIN_MIN,
                packed: PACKED,
                patience: PATIENCE,
            }),
        }
    }

    /// What the search for new pieces that repeat may spend.
    pub(crate) fn repeats(self) -> Search {
        self.search().or(Effort::Default.search()).expect("the default has a search")
    }

    /// This effort and those below it, the highest first.
    pub(crate) fn and_less(self) -> &'static [Effort] {
        match self {
            Effort::Fast => &[Effort::Fast],
            Effort::Default => &[Effort::Default, Effort::Fast],
            Effort::Small => &[Effort::Small, Effort::Default, Effort::Fast],
        }
    }

    /// The nanoseconds that packing a byte of a text may take, if that is more: the higher levels make
    /// it shorter by a third, and binary literals by a tenth.
    pub(crate) fn text_time(self) -> usize {
        match self {
            Effort::Fast => 0,
            Effort::Default | Effort::Small => TEXT_TIME,
        }
    }

    /// The nanoseconds that packing a stream of a frame with so many new bytes may take: any other
    /// than the literals, and these.
    pub(crate) fn packing_times(self, new_length: usize) -> [usize; 2] {
        match self {
            // No longer than by default: the patches of more effort are no larger.
            Effort::Fast => {
                let [others, literals] = Effort::Default.packing_times(new_length);
                [others, literals.min((new_length / 16).max(500_000))]
            }
            Effort::Default => {
                let start = (new_length / 4).clamp(1_000_000, 4_000_000);
                [125_000 + new_length / 1024, start + new_length / 32]
            }
            Effort::Small => [new_length / 2, new_length * 3].map(|it| it.max(4_000_000)),
        }
    }
}
