//! Guarantees that a program adds to the shipped ones.

use std::sync::OnceLock;

use thiserror::Error;

use super::{Judge, SHIPPED};
use crate::ClusterView;

/// A guarantee of one's own. It is judged like the shipped ones: in every state of a search, after every
/// step of a simulation, and when a trace is replayed, drawn or shrunk.
#[derive(Clone, Copy)]
pub struct OwnGuarantee {
    /// The short id that reports and traces use, unlike G1 to G13.
    pub short: &'static str,
    /// The name: letters, digits and `-`.
    pub name: &'static str,
    /// The promise, in one sentence.
    pub promise: &'static str,
    /// Whether a state keeps the promise. It must depend on nothing but the view.
    pub holds: fn(&dyn ClusterView) -> bool,
}

/// Why guarantees cannot be added.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum AddError {
    /// There are more than places.
    #[error("{count} guarantees: a program can add {max} at most")]
    TooMany {
        /// How many there are.
        count: usize,
        /// How many places there are.
        max: usize,
    },
    /// A short id or a name is that of another guarantee, or could not be a part of a file's name.
    #[error(
        "guarantee {name:?}: its short id and its name consist of letters, digits and '-', and differ from \
         those of all other guarantees"
    )]
    Name {
        /// The short id or the name.
        name: String,
    },
    /// They were added before.
    #[error("a process adds its guarantees once")]
    Twice,
}

static ADDED: OnceLock<Vec<&'static OwnGuarantee>> = OnceLock::new();

/// Adds guarantees to the shipped ones, for the rest of the process. The first one is
/// [`GuaranteeId::Own1`](crate::GuaranteeId::Own1), and so on. Call it before anything is judged: a
/// state that was judged before is not judged again.
///
/// # Errors
/// There are more than four, a name is unfit or not new, or guarantees were added before.
pub fn add_guarantees(own: Vec<&'static OwnGuarantee>) -> Result<(), AddError> {
    let max = super::GUARANTEES.len() - SHIPPED;
    if own.len() > max {
        return Err(AddError::TooMany { count: own.len(), max });
    }
    let shipped = super::GUARANTEES.iter().take(SHIPPED);
    let mut names: Vec<&str> = shipped.flat_map(|it| [it.short, it.name]).collect();
    for name in own.iter().flat_map(|it| [it.short, it.name]) {
        let is_fit =
            !name.is_empty() && name.chars().all(|it| it.is_ascii_alphanumeric() || it == '-');
        if !is_fit || names.contains(&name) {
            return Err(AddError::Name { name: name.to_owned() });
        }
        names.push(name);
    }
    ADDED.set(own).map_err(|_| AddError::Twice)
}

pub(super) fn added() -> &'static [&'static OwnGuarantee] {
    ADDED.get().map_or(&[], Vec::as_slice)
}

/// The judge of the guarantee that was added at this place.
pub(super) struct Own(pub usize);

impl Judge for Own {
    fn promise(&self) -> &'static str {
        self.own().map_or("nothing, because no guarantee was added here", |it| it.promise)
    }

    fn own(&self) -> Option<&'static OwnGuarantee> {
        added().get(self.0).copied()
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        self.own().is_none_or(|it| (it.holds)(cluster))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GuaranteeId, guarantees};

    const NAMED: OwnGuarantee =
        OwnGuarantee { short: "A1", name: "first", promise: "all is well", holds: |_| true };

    #[test]
    fn guarantees_with_unfit_names_or_without_a_place_are_refused() {
        let leaked = |own: OwnGuarantee| -> &'static OwnGuarantee { Box::leak(Box::new(own)) };
        let name = |name: &str| Err(AddError::Name { name: name.to_owned() });
        let add = |own: OwnGuarantee| add_guarantees(vec![leaked(own)]);
        assert_eq!(add(OwnGuarantee { short: "G5", ..NAMED }), name("G5"));
        assert_eq!(add(OwnGuarantee { name: "settles", ..NAMED }), name("settles"));
        assert_eq!(add(OwnGuarantee { name: "A1", ..NAMED }), name("A1"));
        assert_eq!(add(OwnGuarantee { name: "a/b", ..NAMED }), name("a/b"));
        let five = vec![leaked(NAMED); 5];
        assert_eq!(add_guarantees(five), Err(AddError::TooMany { count: 5, max: 4 }));
        assert_eq!(guarantees().len(), SHIPPED, "nothing was added");
        assert_eq!(GuaranteeId::Own1.short(), "own-1");
    }
}
