//! Variants of the protocol, and twins: variants with one decision deliberately wrong, which a guarantee
//! must catch.

use std::fmt;

use steadfast_protocol::Decisions;

use crate::GuaranteeId;

/// Makes the variants of a file, and their table.
macro_rules! twins {
    ($($twin:ident $name:literal $about:literal, $guarantee:ident in $scope:literal $($on_graph:ident)? {
        $($body:tt)*
    })*) => {
        $(
            struct $twin;
            impl Decisions for $twin { $($body)* }
        )*

        /// The twins of this file.
        pub(super) const TWINS: &[Twin] = &[$(Twin {
            variant: Variant { name: $name, about: $about, decisions: &$twin },
            caught_by: GuaranteeId::$guarantee,
            scope: $scope,
            on_graph: !stringify!($($on_graph)?).is_empty(),
        }),*];
    };
}

mod replacements;
mod table;
mod trims;

const COUNT: usize = table::TWINS.len() + trims::TWINS.len() + replacements::TWINS.len();

const ALL: [Twin; COUNT] = {
    let mut all = [table::TWINS[0]; COUNT];
    let (front, back) = all.split_at_mut(table::TWINS.len());
    front.copy_from_slice(table::TWINS);
    let (front, back) = back.split_at_mut(trims::TWINS.len());
    front.copy_from_slice(trims::TWINS);
    back.copy_from_slice(replacements::TWINS);
    all
};

/// All twins.
pub static TWINS: &[Twin] = &ALL;

/// The protocol with decisions of its own.
#[derive(Clone, Copy)]
pub struct Variant {
    /// The name.
    pub name: &'static str,
    /// How it differs from the protocol, in a sentence.
    pub about: &'static str,
    /// The decisions with which nodes run it.
    pub decisions: &'static dyn Decisions,
}

impl fmt::Debug for Variant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Variant").field("name", &self.name).finish_non_exhaustive()
    }
}

/// A variant that a guarantee must catch.
#[derive(Clone, Copy, Debug)]
pub struct Twin {
    /// The variant, with the wrong decision.
    pub variant: Variant,
    /// The guarantee that must catch it.
    pub caught_by: GuaranteeId,
    /// The scope in which the guarantee catches it.
    pub scope: &'static str,
    /// Whether it breaks the guarantee in no single state, but in the graph of the fault-free
    /// continuation ([`Continuation`](crate::Continuation)).
    pub on_graph: bool,
}

/// The twin of this name.
#[must_use]
pub fn twin(name: &str) -> Option<&'static Twin> {
    TWINS.iter().find(|it| it.variant.name == name)
}

/// The variant of the twin of this name.
#[must_use]
pub fn variant(name: &str) -> Option<&'static Variant> {
    twin(name).map(|it| &it.variant)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_twins_share_a_name() {
        for (at, one) in TWINS.iter().enumerate() {
            assert!(
                TWINS[at + 1..].iter().all(|it| it.variant.name != one.variant.name),
                "{}",
                one.variant.name
            );
        }
    }

    #[test]
    fn every_guarantee_catches_a_twin() {
        for guarantee in crate::guarantees() {
            let is_caught = |it: &Twin| it.caught_by == guarantee.id();
            assert!(TWINS.iter().any(is_caught), "{}", guarantee.id());
        }
    }
}
