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
