//! Scopes and twins by name.

use steadfast_cluster::{SHIPPED, Shipped, shipped};
use steadfast_guarantees::twins::{TWINS, Twin, twin};

/// The twin of this name; an error that lists the valid names if there is none.
pub(crate) fn find_twin(name: &str) -> Result<&'static Twin, String> {
    twin(name).ok_or_else(|| {
        let names: Vec<&str> = TWINS.iter().map(|it| it.name).collect();
        format!("no twin is called {name:?}: valid twins: {}", names.join(", "))
    })
}

/// The shipped scope of this name; an error that lists the valid names if there is none.
pub(crate) fn find_scope(name: &str) -> Result<&'static Shipped, String> {
    shipped(name).ok_or_else(|| {
        let names: Vec<&str> = SHIPPED.iter().map(|it| it.name).collect();
        format!("no scope is called {name:?}: valid scopes: {}", names.join(", "))
    })
}
