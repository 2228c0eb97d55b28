//! Twins: each must be caught.

use serde::Serialize;
use steadfast_cluster::script;
use steadfast_guarantees::twins::Twin;

use crate::catalog::{self, find_scope};
use crate::colour::{green, red, yellow};
use crate::job::{Job, Limits, Run, Search, Until};
use crate::options::ChangedBounds;
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

/// The search for a twin, in its scope with changed bounds.
///
/// # Errors
/// The bounds do not fit the scope.
pub(crate) fn job(twin: &Twin, bounds: &ChangedBounds, limits: Limits) -> Result<Job, String> {
    let shipped = find_scope(twin.scope)?.scope;
    let scope = bounds.changed(&shipped)?;
    // A shipped schedule is one of the scope as it is.
    let is_scripted = scope == shipped && script(twin.variant.name).is_some();
    let mut job = Job::new(scope, &[]).of_variant(Some(&twin.variant));
    job.search = match (twin.on_graph, is_scripted) {
        (true, _) => Search::Graph,
        (false, true) => Search::Script,
        (false, false) => Search::Bfs,
    };
    job.until = Until::Broken(twin.caught_by);
    job.limits = limits;
    Ok(job)
}

/// All twins.
pub(crate) fn all() -> Vec<&'static Twin> {
    catalog::twins().collect()
}

/// What the search for a twin came to.
pub(crate) fn caught(twin: &Twin, run: &Run) -> Caught {
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

/// The head of the table of twins.
pub(crate) fn head() -> String {
    format!(
        "{:<30} {:<10} {:<18} {:<6} {:>5} {:>6}",
        "twin", "caught by", "scope", "search", "steps", "cpu s"
    )
}

/// One twin as a row.
pub(crate) fn row(it: &Caught) -> String {
    let caught_by = match (&it.caught_by, it.is_complete) {
        (Some(id), _) => green(format_args!("{id:<10}")),
        (None, true) => red("NOT CAUGHT"),
        (None, false) => yellow("NOT YET   "),
    };
    let steps = it.steps.map_or("-".to_owned(), |it| it.to_string());
    let Caught { name, scope, search, cpu_s, .. } = it;
    format!("{name:<30} {caught_by} {scope:<18} {search:<6} {steps:>5} {cpu_s:>6.2}")
}

/// The meaning of unusual searches, if there are any.
pub(crate) fn foot(caught: &[Caught]) -> String {
    let mut text = String::new();
    if caught.iter().any(|it| it.search == Search::Graph) {
        text += "graph: no single state shows it; what follows once faults stop does.\n";
    }
    if caught.iter().any(|it| it.search == Search::Script) {
        text += "script: a search for it takes long; a shipped schedule was run instead.\n";
    }
    text
}
