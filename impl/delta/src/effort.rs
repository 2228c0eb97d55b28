//! How long to look for what is equal.

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
    /// One position in `2^rarity_log2` is looked at, fewer if much is unmatched:
    pub rarity_log2: u32,
    /// from 8 MiB on, one in `2^rarity_of_much_log2`, and fewer yet where the table is full.
    pub rarity_of_much_log2: u32,
    /// The candidates that are tried for an anchor.
    pub ways: usize,
    /// A segment that saves no more bytes than so many is not worth its operation: literals are
    /// packed, the better the longer they are.
    pub gain_min: isize,
    /// Behind a first find, a better one is looked for in so many bytes.
    pub patience: usize,
    /// Whether the old bytes that are already used are searched in any case.
    pub everywhere: bool,
}

impl Effort {
    /// What the second pass may spend, if there is one.
    pub(crate) fn search(self) -> Option<Search> {
        match self {
            Effort::Fast => None,
            Effort::Default => Some(Search {
                rarity_log2: 5,
                rarity_of_much_log2: 6,
                ways: 2,
                gain_min: 64,
                patience: 16,
                everywhere: false,
            }),
            Effort::Small => Some(Search {
                rarity_log2: 4,
                rarity_of_much_log2: 4,
                ways: 4,
                gain_min: 48,
                patience: 64,
                everywhere: true,
            }),
        }
    }

    /// The nanoseconds that packing a stream of a frame with so many new bytes may take: any other
    /// than the literals, and these.
    pub(crate) fn packing_times(self, new_length: usize) -> [usize; 2] {
        match self {
            Effort::Fast => [new_length / 64, new_length / 16].map(|it| it.max(500_000)),
            Effort::Default => {
                let start = (new_length / 4).clamp(1_000_000, 4_000_000);
                [start / 8 + new_length / 256, start + new_length / 32]
            }
            Effort::Small => [new_length / 2, new_length * 3].map(|it| it.max(4_000_000)),
        }
    }
}
