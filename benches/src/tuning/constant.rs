//! A constant, and what it is called.

use std::path::PathBuf;

use proc_macro2::TokenTree;

/// A constant by the path of its module and its name, such as `diff::fill::GAP_MIN`.
pub(super) type Key = String;

/// A constant as its source says it.
#[derive(Clone, Debug)]
pub(super) struct Constant {
    /// Its file below `src`.
    pub(super) file: PathBuf,
    pub(super) name: String,
    /// As written, in one line.
    pub(super) value: String,
    pub(super) tokens: Vec<TokenTree>,
}

/// A value of one constant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Factor {
    Half,
    Double,
}

impl Factor {
    pub(super) fn name(self) -> &'static str {
        match self {
            Factor::Half => "half",
            Factor::Double => "double",
        }
    }
}

/// The key of the constant of this name in a module.
pub(super) fn key_of(module: &str, name: &str) -> Key {
    if module.is_empty() { name.to_owned() } else { format!("{module}::{name}") }
}

/// Whether this is the constant of this name in a module of this name: no two modules of one name have constants
/// of one name.
pub(super) fn is_called(key: &Key, module: &str, name: &str) -> bool {
    let mut parts = key.rsplit("::");
    parts.next() == Some(name) && parts.next() == Some(module)
}

/// Binary logarithms are doubled by adding one.
pub(super) fn is_logarithm(name: &str) -> bool {
    name.contains("LOG2") || name.contains("_BITS") || name.contains("LOG_")
}
