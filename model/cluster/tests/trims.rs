//! Trims change how nodes learn of entries, and nothing that a client or a settled cluster shows.

use std::collections::{HashSet, VecDeque};
use std::hash::Hash;

use stateright::Model;
use steadfast_cluster::{ClusterModel, View, shipped};
use steadfast_guarantees::{ClusterView, Operation, OperationKind, Status};
use steadfast_node::Cluster;
use steadfast_protocol::{Change, Dot, Entry, Files, NodeId, Path, Replica, VersionVector};
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

/// The ends of a shipped scope with its trims and without.
fn ends_with_and_without<E: Eq + Hash>(name: &str, end: fn(&View<'_>) -> E) -> [HashSet<E>; 2] {
    let with = shipped(name).expect("a shipped scope").scope();
    let mut without = with.clone();
    without.bounds.trims = 0;
    let (ends_with, states_with, trims) = ends(with, end);
    let (ends_without, states_without, _) = ends(without, end);
    assert!(trims > 0 && states_with > states_without, "{name}: nothing is trimmed");
    assert!(ends_without.len() > 10, "{name}: {} ends", ends_without.len());
    [ends_with, ends_without]
}

/// Whether the set of ends is the same with trims and without.
fn trims_change_no_end<E: Eq + Hash>(scopes: &[&str], end: fn(&View<'_>) -> E) {
    for name in scopes {
        let [with, without] = ends_with_and_without(name, end);
        assert!(with == without, "{name}");
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
        "trims-pre-vote",
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

/// The answers to clients, each with the entry that was acknowledged.
fn answers(view: &View<'_>) -> Vec<(NodeId, Path, Status, Option<Dot>)> {
    let acked = |it: &Operation| match &it.kind {
        OperationKind::Write { acked, .. } => *acked,
        OperationKind::Read { .. } | OperationKind::StaleRead { .. } => None,
    };
    let cluster: &dyn ClusterView = view;
    let operations = cluster.history().operations().iter();
    operations.map(|it| (it.node, it.path.clone(), it.status, acked(it))).collect()
}

#[test]
fn a_cluster_that_forgets_deletes_settles_to_the_same_heads_and_answers() {
    let scopes = ["forgets", "forgets-cut", "forgets-crash"];
    trims_change_no_end(&scopes, |view| (shown(view), answers(view)));
}

/// A new leader that shows the delete refuses a retry of the write that the delete replaced, and re-issues the delete
/// for a retry of it. A new leader that has forgotten the delete acknowledges the old entry in both cases, and writes
/// nothing. So forgetting adds ends with these answers, and takes none away.
#[test]
fn a_cluster_that_forgets_deletes_settles_to_the_same_heads_after_retries() {
    let [with, without] =
        ends_with_and_without("forgets-retries", |view| (shown(view), answers(view)));
    let heads = |ends: &HashSet<(Shown, _)>| -> HashSet<Shown> {
        ends.iter().map(|(shown, _)| shown.clone()).collect()
    };
    assert_eq!(heads(&with), heads(&without));
    assert!(without.is_subset(&with));
    let is_settled = |(_, status, acked): (NodeId, Status, Option<Dot>)| {
        status != Status::Done || acked.is_some()
    };
    for (_, answers) in with.difference(&without) {
        let mut answers = answers.iter().map(|it| (it.0, it.2, it.3));
        assert!(answers.all(is_settled), "only acknowledgements of old entries are added");
    }
}
