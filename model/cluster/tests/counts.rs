//! The sizes of small state spaces: the same on every run and every machine.

use std::collections::{HashSet, VecDeque};

use stateright::{Checker, Model};
use steadfast_cluster::{ClusterModel, View, shipped};
use steadfast_node::Cluster;
use steadfast_protocol::{NodeId, Settings};
use steadfast_trace::{Bounds, Network, Scope, Step};

fn small() -> Scope {
    let settings = Settings::new(2, 1, 1).expect("legal settings");
    let bounds = Bounds { writes: 2, crashes: 1, elections: 1, paths: 1, ..Bounds::default() };
    Scope::new("small", settings, bounds)
}

fn by_fingerprint(scope: Scope) -> (usize, usize) {
    let checker = ClusterModel::new(scope, None).checker().spawn_dfs().join();
    (checker.unique_state_count(), checker.state_count())
}

/// A search that takes two states for one only if they are equal, however they hash.
fn by_equality(scope: Scope) -> usize {
    let model = ClusterModel::new(scope, None);
    let mut pending: VecDeque<_> = model.init_states().into();
    let mut visited: HashSet<_> = pending.iter().cloned().collect();
    while let Some(state) = pending.pop_front() {
        for next in model.next_states(&state) {
            if visited.insert(next.clone()) {
                pending.push_back(next);
            }
        }
    }
    visited.len()
}

#[test]
fn a_search_by_fingerprint_finds_as_many_states_as_one_by_equality() {
    for name in ["rot", "lossy"] {
        let scope = || shipped(name).expect("a shipped scope").scope();
        assert_eq!(by_fingerprint(scope()).0, by_equality(scope()), "{name}");
    }
    assert_eq!(by_fingerprint(small()).0, by_equality(small()));
}

#[test]
fn the_sizes_of_small_scopes_are_pinned() {
    let sizes = ["rot", "lossy", "unordered", "cold"].map(|name| {
        let (unique, generated) = by_fingerprint(shipped(name).expect("a shipped scope").scope());
        format!("{name} {unique} {generated}")
    });
    assert_eq!(sizes, PINNED);
}

#[test]
fn every_node_that_lags_ticks() {
    let bounds = Bounds { elections: 2, drops: 3, ..Bounds::default() };
    let model = ClusterModel::new(
        Scope { network: Network::Lossy, ..Scope::new("lagging", small().settings, bounds) },
        None,
    );
    let mut pending: VecDeque<_> = model.init_states().into();
    let mut visited: HashSet<_> = pending.iter().cloned().collect();
    while let Some(state) = pending.pop_front() {
        let lagging: Vec<NodeId> = View { model: &model, state: &state }.due_ticks().collect();
        if lagging.len() == 2 {
            let mut actions = Vec::new();
            model.collect_progress(&state, &mut actions);
            let ticks = actions.iter().map(|it| it.step);
            let expected = lagging.into_iter().map(|node| Step::Tick { node });
            assert!(ticks.eq(expected), "{actions:?}");
            return;
        }
        let next = model.next_states(&state).into_iter();
        pending.extend(next.filter(|it| visited.insert(it.clone())));
    }
    panic!("no state has two leaders that both lag");
}

const PINNED: [&str; 4] =
    ["rot 19737 62388", "lossy 5319 23357", "unordered 17612 66228", "cold 51612 165946"];
