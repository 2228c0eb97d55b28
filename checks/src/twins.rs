//! Twins: each must be caught.

use serde::Serialize;
use steadfast_cluster::script;
use steadfast_guarantees::twins::Twin;

use crate::catalog::{self, find_scope};
use crate::job::{Job, Limits, Run, Search};
use crate::verdict::Verdict;

/// What became of one twin.
#[derive(Debug, Serialize)]
pub(crate) struct Caught {
    pub name: String,
    /// The guarantee that caught it; `None` when none did.
    pub caught_by: Option<String>,
    pub scope: String,
    /// How it was found.
    pub search: Search,
    pub steps: Option<usize>,
    pub cpu_s: f64,
    #[serde(skip)]
    pub is_complete: bool,
}

/// The searches for the twins.
pub(crate) fn jobs(twins: &[&Twin], limits: Limits) -> Vec<Job> {
    let job = |twin: &&Twin| {
        let scope = find_scope(twin.scope).ok()?.scope;
        let mut job = Job::new(scope, &[]).of_variant(Some(&twin.variant));
        job.search = match (twin.on_graph, script(twin.variant.name)) {
            (true, _) => Search::Graph,
            (false, Some(_)) => Search::Script,
            (false, None) => Search::Bfs,
        };
        job.stop_at = Some(twin.caught_by);
        job.limits = limits;
        Some(job)
    };
    twins.iter().filter_map(job).collect()
}

/// All twins.
pub(crate) fn all() -> Vec<&'static Twin> {
    catalog::twins().collect()
}

/// What the searches came to.
pub(crate) fn caught(twins: &[&Twin], runs: &[Run]) -> Vec<Caught> {
    let caught = |(twin, run): (&&Twin, &Run)| {
        let finding = run.finding(twin.caught_by).filter(|it| it.is_violated());
        Caught {
            name: twin.variant.name.to_owned(),
            caught_by: finding.map(|it| it.id.clone()),
            scope: twin.scope.to_owned(),
            search: run.search,
            steps: finding.and_then(|it| it.steps),
            cpu_s: run.cpu_s,
            is_complete: run.complete,
        }
    };
    twins.iter().zip(runs).map(caught).collect()
}

/// The verdict on the twins: one that is not caught fails the run, and one whose search ran out
/// of time leaves it incomplete.
pub(crate) fn verdict(caught: &[Caught]) -> Verdict {
    let missed = caught.iter().filter(|it| it.caught_by.is_none());
    match missed.map(|it| it.is_complete).max() {
        None => Verdict::Kept,
        Some(true) => Verdict::Broken,
        Some(false) => Verdict::Incomplete,
    }
}

/// The twins as a table.
pub(crate) fn table(caught: &[Caught]) -> String {
    let mut text = format!(
        "{:<32} {:<10} {:<18} {:<6} {:>5} {:>7}\n",
        "twin", "caught by", "scope", "search", "steps", "cpu s"
    );
    for it in caught {
        let caught_by = match (&it.caught_by, it.is_complete) {
            (Some(id), _) => id.as_str(),
            (None, true) => "NOT CAUGHT",
            (None, false) => "NOT YET",
        };
        let steps = it.steps.map_or("-".to_owned(), |it| it.to_string());
        text += &format!(
            "{:<32} {caught_by:<10} {:<18} {:<6} {steps:>5} {:>7.2}\n",
            it.name, it.scope, it.search, it.cpu_s
        );
    }
    if caught.iter().any(|it| it.search == Search::Graph) {
        text += "graph: no single state shows it; what follows once faults stop does.\n";
    }
    if caught.iter().any(|it| it.search == Search::Script) {
        text += "script: a search for it takes long; a shipped schedule was run instead.\n";
    }
    text
}
