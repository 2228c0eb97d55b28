//! How long to look for equal pieces.

/// How much time an encoder spends to make a patch small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Finds what stayed in place, shifted a little or moved as a large piece.
    Fast,
    /// Also looks for small pieces, in the old bytes that no other piece uses.
    #[default]
    Default,
    /// Looks for small pieces everywhere, closely, and compresses well.
    Small,
}
