//! The oracle: the smaller scopes are searched by stateright as well, and the counts compared.

use serde::Serialize;
use steadfast_cluster::shipped;

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

/// Compares searches with stateright with those of the same scopes with our engine.
pub(crate) fn compared(theirs: &[Run], ours: &[Run]) -> Vec<Compared> {
    let pair = |their: &Run| {
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
    };
    theirs.iter().filter_map(pair).collect()
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

/// The counts as a table.
pub(crate) fn table(compared: &[Compared]) -> String {
    let mut text = format!(
        "{:<20} {:>10} {:>11} {:>10} {:>11}\n",
        "two engines", "unique", "generated", "stateright", "generated"
    );
    for it in compared {
        text += &format!(
            "{:<20} {:>10} {:>11} {:>10} {:>11}  {}\n",
            it.scope,
            it.unique,
            it.generated,
            it.stateright_unique,
            it.stateright_generated,
            match (it.is_complete, it.equal) {
                (false, _) => "INCOMPLETE",
                (true, true) => "the same",
                (true, false) => "DIFFERENT",
            }
        );
    }
    text
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
