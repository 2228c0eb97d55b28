//! Trims change how nodes learn of entries, and nothing that a client or a settled cluster shows.

use std::collections::{HashSet, VecDeque};

use stateright::Model;
use steadfast_cluster::{ClusterModel, View, shipped};
use steadfast_guarantees::{ClusterView, Operation};
use steadfast_node::Cluster;
use steadfast_protocol::{Files, Replica, VersionVector};
use steadfast_trace::{Scope, Step};

/// The files of a settled cluster, and the answers to its clients.
type End = (Vec<(Files, VersionVector)>, Vec<Operation>);

/// Every end of a scope, with the number of states and of possible trims.
fn ends(scope: Scope) -> (HashSet<End>, usize, usize) {
    let model = ClusterModel::new(scope, None);
    let mut pending: VecDeque<_> = model.init_states().into();
    let mut visited: HashSet<_> = pending.iter().cloned().collect();
    let (mut ends, mut trims) = (HashSet::new(), 0);
    while let Some(state) = pending.pop_front() {
        let view = View { model: &model, state: &state };
        let cluster: &dyn ClusterView = &view;
        if cluster.is_settled() && cluster.has_leader() {
            let shown = |it: &Replica| (it.files().clone(), *it.synced_vv());
            let shown = Cluster::replicas(&view).map(shown).collect();
            ends.insert((shown, cluster.history().operations().to_vec()));
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
    for name in scopes {
        let with = shipped(name).expect("a shipped scope").scope();
        let mut without = with.clone();
        without.bounds.trims = 0;
        let (ends_with, states_with, trims) = ends(with);
        let (ends_without, states_without, _) = ends(without);
        assert!(trims > 0 && states_with > states_without, "{name}: nothing is trimmed");
        assert!(ends_without.len() > 10, "{name}: {} ends", ends_without.len());
        assert!(ends_with == ends_without, "{name}");
    }
}
