//! Variants of the protocol, and twins: variants with one decision deliberately wrong, which a guarantee
//! must catch.

mod table;

use std::fmt;

use steadfast_protocol::Decisions;

use crate::GuaranteeId;

pub use table::TWINS;

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
