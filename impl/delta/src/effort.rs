//! How long to look for what is equal.

/// How much time an encoder spends to make a patch small.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Effort {
    /// Finds what stayed in place or moved as a whole; compresses lightly.
    Fast,
    /// Also looks for pieces where much is unmatched.
    #[default]
    Default,
    /// Looks everywhere and compresses well.
    Small,
}
