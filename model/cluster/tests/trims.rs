//! Trims change how nodes learn of entries, and nothing that a client or a settled cluster shows.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

use stateright::Model;
use steadfast_cluster::{ClusterModel, View, shipped};
use steadfast_guarantees::{ClusterView, Operation, OperationKind};
use steadfast_node::Cluster;
use steadfast_protocol::{Change, Dot, Entry, Files, Path, Replica, VersionVector};
use steadfast_trace::{Scope, Step};

/// Every end of a scope, as `end` sees it, with the number of states and of possible trims.
fn ends<E: Eq + Hash>(scope: Scope, end: fn(&View<'_>) -> E) -> (HashSet<E>, usize, usize) {
    let model = ClusterModel::new(scope, None);
    let mut pending: VecDeque<_> = model.init_states().into();
    let mut visited: HashSet<_> = pending.iter().cloned().collect();
    let (mut ends, mut trims) = (HashSet::new(), 0);
    while let Some(state) = pending.pop_front() {
        let view = View { model: &model, state: &state };
        let cluster: &dyn ClusterView = &view;
        if cluster.is_settled() && cluster.has_leader() {
            ends.insert(end(&view));
        }
        let mut actions = Vec::new();
        model.actions(&state, &mut actions);
        trims += actions.iter().filter(|it| matches!(it.step, Step::Trim { .. })).count();
        for next in model.next_states(&state) {
            if visited.insert(next.clone()) {
                pending.push_back(next);
            }
        }
    }
    (ends, visited.len(), trims)
}

/// Whether the set of ends is the same with trims and without.
fn trims_change_no_end<E: Eq + Hash>(scopes: &[&str], end: fn(&View<'_>) -> E) {
    for name in scopes {
        let with = shipped(name).expect("a shipped scope").scope();
        let mut without = with.clone();
        without.bounds.trims = 0;
        let (ends_with, states_with, trims) = ends(with, end);
        let (ends_without, states_without, _) = ends(without, end);
        assert!(trims > 0 && states_with > states_without, "{name}: nothing is trimmed");
        assert!(ends_without.len() > 5, "{name}: {} ends", ends_without.len());
        assert!(ends_with == ends_without, "{name}");
    }
}

#[test]
fn a_cluster_settles_to_the_same_ends_with_trims_and_without() {
    let scopes = [
        "trims",
        "trims-crash",
        "trims-promise",
        "trims-retries",
        "trims-parts-crash",
        "trims-lossy",
        "discards",
        "discards-election",
        "discards-parts",
    ];
    trims_change_no_end(&scopes, |view| {
        let shown = |it: &Replica| (it.files().clone(), *it.synced_vv());
        let shown: Vec<_> = Cluster::replicas(view).map(shown).collect();
        let cluster: &dyn ClusterView = view;
        (shown, cluster.history().operations().to_vec())
    });
}

/// For each node the heads that it shows, lone deletes aside, and the entries that it has synced.
type Shown = Vec<(Vec<(Path, Vec<Dot>)>, VersionVector)>;

/// A write that follows a forgotten delete does not name it, so entries differ in what they replace.
fn shown(view: &View<'_>) -> Shown {
    let heads = |files: &Files| -> Vec<(Path, Vec<Dot>)> {
        let is_deleted = |it: &[Entry]| it.len() == 1 && it[0].change == Change::Delete;
        let shown = files.iter().filter(|(_, heads)| !is_deleted(heads));
        let dots = |heads: &[Entry]| heads.iter().map(|it| it.dot).collect();
        shown.map(|(path, heads)| (path.clone(), dots(heads))).collect()
    };
    Cluster::replicas(view).map(|it| (heads(it.files()), *it.synced_vv())).collect()
}

#[test]
fn a_cluster_that_forgets_deletes_settles_to_the_same_heads_and_answers() {
    trims_change_no_end(&["forgets", "forgets-cut", "forgets-crash"], |view| {
        let acked = |it: &Operation| match &it.kind {
            OperationKind::Write { acked, .. } => *acked,
            OperationKind::Read { .. } | OperationKind::StaleRead { .. } => None,
        };
        let cluster: &dyn ClusterView = view;
        let operations = cluster.history().operations().iter();
        let answers: Vec<_> =
            operations.map(|it| (it.node, it.path.clone(), it.status, acked(it))).collect();
        (shown(view), answers)
    });
}

/// A leader that shows the delete refuses the retry of a write which the delete replaced; one that has forgotten
/// the delete acknowledges it. Both is true, and neither writes again.
#[test]
fn a_cluster_that_forgets_deletes_settles_to_the_same_heads_after_retries() {
    trims_change_no_end(&["forgets-retries"], shown);
}
