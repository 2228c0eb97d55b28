//! G12 on the graph of the fault-free continuation: it has no cycles, and a leaderless end needs
//! at most two timeouts of any one node.
//!
//! stateright's `eventually` is unsound on cycles and joins, so the graph is built here: every
//! reachable state of a scope, with the edges that deliveries, syncs, link events and due
//! heartbeats make. The guarantee itself judges it.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use ahash::RandomState;
use serde::Serialize;
use stateright::Model;
use steadfast_cluster::{ClusterModel, ClusterState, View};
use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::{ClusterView, cyclic, timeouts_needed};
use steadfast_protocol::{NodeId, Replica};
use steadfast_trace::Scope;

use crate::job::Limits;
use crate::usage::exceeded;
use crate::verdict::Verdict;

/// What the graph of one scope showed.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Settling {
    pub scope: String,
    /// Whether the graph is whole and all of it was judged.
    pub complete: bool,
    pub states: usize,
    /// Edges of the fault-free continuation.
    pub edges: usize,
    /// States on or before a cycle of such edges; none if G12 holds.
    pub cyclic: usize,
    /// Different quiet states without a leader.
    pub leaderless: usize,
    /// Those that two timeouts of some node did not help.
    pub stuck: usize,
    /// The largest number of timeouts that one of them needed.
    pub timeouts: usize,
}

impl Settling {
    pub(crate) fn verdict(&self) -> Verdict {
        match self.cyclic + self.stuck {
            0 if self.complete => Verdict::Kept,
            0 => Verdict::Incomplete,
            _ => Verdict::Broken,
        }
    }
}

fn fingerprint(value: &impl Hash) -> u64 {
    RandomState::with_seeds(5, 6, 7, 8).hash_one(value)
}

/// Builds the graph of a scope, of a twin or of the protocol as it is, and judges it. Each graph has
/// the limits to itself.
pub(crate) fn judge(scope: Scope, twin: Option<&'static Twin>, limits: Limits) -> Settling {
    let begun = Instant::now();
    let is_exceeded = || exceeded(limits, begun.elapsed()).is_some();
    let name = scope.name.clone();
    let model = ClusterModel::new(scope, twin);
    let graph = explore(&model, &is_exceeded);
    let mut settling = Settling {
        scope: name,
        complete: graph.is_whole,
        states: graph.successors.len(),
        edges: graph.successors.iter().map(Vec::len).sum(),
        cyclic: cyclic(&graph.successors),
        leaderless: graph.leaderless.len(),
        stuck: 0,
        timeouts: 0,
    };
    for state in graph.leaderless.values() {
        if is_exceeded() {
            settling.complete = false;
            break;
        }
        for node in NodeId::all(model.scope().settings.nodes()) {
            match timeouts_needed(&model, state, node) {
                Some(timeouts) => settling.timeouts = settling.timeouts.max(timeouts),
                None => settling.stuck += 1,
            }
        }
    }
    settling
}

struct Graph {
    is_whole: bool,
    /// Per state the states that progress leads to.
    successors: Vec<Vec<u32>>,
    /// The quiet states without a leader, by what the nodes are: history and bounds do not matter
    /// to what timeouts can do.
    leaderless: HashMap<u64, ClusterState>,
}

/// Builds the graph, or as much of it as the limits allow.
fn explore(model: &ClusterModel, is_exceeded: &dyn Fn() -> bool) -> Graph {
    let mut graph = Graph { is_whole: true, successors: Vec::new(), leaderless: HashMap::new() };
    let mut numbers: HashMap<u64, u32> = HashMap::new();
    let mut pending = Vec::new();
    let mut number = |state: ClusterState, pending: &mut Vec<(u32, ClusterState)>| {
        let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
        *numbers.entry(fingerprint(&state)).or_insert_with(|| {
            pending.push((next, state));
            next
        })
    };
    for state in model.init_states() {
        number(state, &mut pending);
    }
    while let Some((at, state)) = pending.pop() {
        if is_exceeded() {
            graph.is_whole = false;
            break;
        }
        let mut progress = Vec::new();
        for (action, next) in model.next_steps(&state) {
            let to = number(next, &mut pending);
            if model.is_progress(&state, &action.step) {
                progress.push(to);
            }
        }
        let length = graph.successors.len().max(at as usize + 1);
        graph.successors.resize(length, Vec::new());
        graph.successors[at as usize] = progress;
        let view = View { model, state: &state };
        if view.is_quiet() && !state.replicas().any(Replica::leads) {
            graph.leaderless.entry(fingerprint(&state.actor_nodes())).or_insert(state);
        }
    }
    // Those that were found and not gone on from.
    graph.successors.resize(numbers.len(), Vec::new());
    graph
}

/// The graphs as a table.
pub(crate) fn table(graphs: &[Settling]) -> String {
    let mut text = format!(
        "{:<16} {:>9} {:>10} {:>8} {:>11} {:>6} {:>9}\n",
        "fault-free graph", "states", "edges", "cyclic", "leaderless", "stuck", "timeouts"
    );
    for it in graphs {
        text += &format!(
            "{:<16} {:>9} {:>10} {:>8} {:>11} {:>6} {:>9}{}\n",
            it.scope,
            it.states,
            it.edges,
            it.cyclic,
            it.leaderless,
            it.stuck,
            it.timeouts,
            if it.complete { "" } else { "  INCOMPLETE" }
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use steadfast_cluster::shipped;
    use steadfast_guarantees::twins::twin;

    use super::*;

    #[test]
    fn timeouts_do_not_help_a_leader_that_keeps_what_it_learned_to_itself() {
        let cold = shipped("cold").expect("a shipped scope").scope();
        let settling = judge(cold, twin("no-forwarding"), Limits::default());
        assert!(settling.stuck > 0 && settling.cyclic == 0, "{settling:?}");
    }
}
