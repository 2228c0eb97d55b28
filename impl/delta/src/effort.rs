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
    /// One position in two to the power of these is looked at: where less than 256 KiB are unmatched,
    /// less than 8 MiB, and more. Fewer yet where the table is full.
    pub rarities_log2: [u32; 3],
    /// The candidates that are tried for an anchor.
    pub ways: usize,
    /// Whether the old bytes that are already used are searched in any case.
    pub everywhere: bool,
}

impl Effort {
    /// What the second pass may spend, if there is one.
    pub(crate) fn search(self) -> Option<Search> {
        match self {
            Effort::Fast => None,
            Effort::Default => {
                Some(Search { rarities_log2: [4, 5, 6], ways: 2, everywhere: false })
            }
            Effort::Small => Some(Search { rarities_log2: [4, 4, 4], ways: 4, everywhere: true }),
        }
    }

    /// The nanoseconds that packing a stream of a frame with so many new bytes may take: any other
    /// than the literals, and these.
    pub(crate) fn packing_times(self, new_length: usize) -> [usize; 2] {
        match self {
            Effort::Fast => [new_length / 64, new_length / 16].map(|it| it.max(500_000)),
            Effort::Default => {
                let start = (new_length / 4).clamp(1_000_000, 4_000_000);
                [125_000 + new_length / 1024, start + new_length / 32]
            }
            Effort::Small => [new_length / 2, new_length * 3].map(|it| it.max(4_000_000)),
        }
    }
}
