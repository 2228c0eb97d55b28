//! The oracle: the smaller scopes are searched by stateright as well, and the counts compared.

use serde::Serialize;
use steadfast_cluster::shipped;

use crate::colour::{green, red, yellow};
use crate::job::{Engine, Job, Limits, Run};
use crate::verdict::Verdict;

/// The scopes that both engines search.
const COMPARED: &[&str] = &[
    "rot",
    "missing-content",
    "unordered",
    "lossy",
    "lossy-contents",
    "lossy-reads",
    "votes",
    "doubled-votes",
    "rejected",
    "reads",
    "link-events",
    "cold",
];

/// What both engines counted in one scope.
#[derive(Debug, Serialize)]
pub(crate) struct Compared {
    pub scope: String,
    pub unique: usize,
    pub generated: usize,
    pub stateright_unique: usize,
    pub stateright_generated: usize,
    /// Whether the counts are the same, and the same guarantees were found broken.
    pub equal: bool,
    #[serde(skip)]
    is_complete: bool,
}

/// The searches with stateright.
pub(crate) fn jobs(limits: Limits) -> Vec<Job> {
    let scopes = COMPARED.iter().filter_map(|name| shipped(name));
    let engine = Engine::Stateright;
    scopes
        .map(|it| {
            let job = Job::new(it.scope(), &[]);
            Job { engine, search: engine.full_search(), limits, ..job }
        })
        .collect()
}

/// Compares a search with stateright with that of the same scope with our engine.
pub(crate) fn compared(their: &Run, ours: &[Run]) -> Option<Compared> {
    let our = ours.iter().find(|it| it.scope == their.scope)?;
    let broken = |it: &Run| {
        let violated = it.guarantees.iter().filter(|it| it.is_violated());
        violated.map(|it| it.id.clone()).collect::<Vec<_>>()
    };
    let counts = |it: &Run| (it.unique, it.generated);
    Some(Compared {
        scope: our.scope.clone(),
        unique: our.unique,
        generated: our.generated,
        stateright_unique: their.unique,
        stateright_generated: their.generated,
        equal: counts(our) == counts(their) && broken(our) == broken(their),
        is_complete: our.complete && their.complete,
    })
}

/// The verdict on the engine: counts that differ mean that one of the two is wrong.
pub(crate) fn verdict(compared: &[Compared]) -> Verdict {
    let verdict = |it: &Compared| match (it.is_complete, it.equal) {
        (true, true) => Verdict::Kept,
        (true, false) => Verdict::Broken,
        (false, _) => Verdict::Incomplete,
    };
    compared.iter().map(verdict).max().unwrap_or(Verdict::Kept)
}

/// The head of the table of counts.
pub(crate) fn head() -> String {
    format!(
        "{:<18} {:>9} {:>10} {:>11} {:>10}",
        "two engines", "unique", "generated", "stateright", "generated"
    )
}

/// The counts of one scope as a row.
pub(crate) fn row(it: &Compared) -> String {
    let Compared { scope, unique, generated, stateright_unique, stateright_generated, .. } = it;
    let counts = format!("{stateright_unique:>11} {stateright_generated:>10}");
    let verdict = match (it.is_complete, it.equal) {
        (false, _) => yellow("INCOMPLETE"),
        (true, true) => green("the same"),
        (true, false) => red("DIFFERENT"),
    };
    format!("{scope:<18} {unique:>9} {generated:>10} {counts}  {verdict}")
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::Tier;

    use super::*;

    #[test]
    fn every_scope_that_is_compared_is_searched_by_default() {
        for name in COMPARED {
            assert!(shipped(name).is_some_and(|it| it.tier == Tier::Default), "{name}");
        }
    }
}
