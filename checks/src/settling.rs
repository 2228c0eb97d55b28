//! G12 on the graph of the fault-free continuation: it has no cycles, and a leaderless end needs
//! at most two timeouts of any one node.
//!
//! stateright's `eventually` is unsound on cycles and joins, so the graph is built here: every
//! reachable state of a scope, with the edges that deliveries, syncs, link events and due
//! heartbeats make. The edges are peeled from the ends (Kahn, "Topological Sorting of Large
//! Networks", CACM 5(11), 1962); what cannot be peeled lies on or before a cycle.

use std::collections::HashMap;
use std::hash::Hash;
use std::time::Instant;

use ahash::RandomState;
use serde::Serialize;
use stateright::Model;
use steadfast_cluster::{ClusterModel, ClusterState, View};
use steadfast_guarantees::twins::Twin;
use steadfast_guarantees::{ClusterView, GuaranteeId};
use steadfast_protocol::{NodeId, Replica};
use steadfast_trace::{Scope, Step};

use crate::job::Limits;
use crate::search::exceeded;
use crate::verdict::Verdict;

/// What the graph of one scope showed.
#[derive(Debug, Serialize)]
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

/// More timeouts of one node than this must never be needed.
const TIMEOUTS_MAX: usize = 2;

fn fingerprint(value: &impl Hash) -> u64 {
    RandomState::with_seeds(5, 6, 7, 8).hash_one(value)
}

/// Builds the graph of a scope, of a twin or of the protocol as it is, and judges it. Each graph has
/// the limits to itself.
pub(crate) fn judge(scope: Scope, twin: Option<&'static Twin>, limits: Limits) -> Settling {
    let begun = Instant::now();
    let is_exceeded = || exceeded(limits, begun.elapsed()).is_some();
    let name = scope.name.clone();
    let model = ClusterModel::new(scope, twin, &[]);
    let graph = explore(&model, &is_exceeded);
    let mut settling = Settling {
        scope: name,
        complete: graph.is_whole,
        states: graph.successors.len(),
        edges: graph.successors.iter().map(Vec::len).sum(),
        cyclic: unpeeled(&graph.successors),
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

/// How many states are left when those whose successors are all peeled are peeled.
fn unpeeled(successors: &[Vec<u32>]) -> usize {
    let mut predecessors = vec![Vec::new(); successors.len()];
    let mut open: Vec<usize> = successors.iter().map(Vec::len).collect();
    for (from, to) in (0..).zip(successors) {
        to.iter().for_each(|to| predecessors[*to as usize].push(from));
    }
    let mut ends: Vec<u32> = (0..).zip(&open).filter(|(_, it)| **it == 0).map(|it| it.0).collect();
    let mut left = successors.len();
    while let Some(end) = ends.pop() {
        left -= 1;
        for from in &predecessors[end as usize] {
            open[*from as usize] -= 1;
            if open[*from as usize] == 0 {
                ends.push(*from);
            }
        }
    }
    left
}

/// How many timeouts of one node it takes until every end of every continuation has a leader and
/// has settled; `None` if more than [`TIMEOUTS_MAX`].
fn timeouts_needed(model: &ClusterModel, state: &ClusterState, node: NodeId) -> Option<usize> {
    let mut leaderless = vec![state.clone()];
    for timeouts in 1..=TIMEOUTS_MAX {
        let mut after = HashMap::new();
        for state in leaderless {
            let asked = model.perform(&state.with_elections(1), &Step::Timeout { node })?;
            for end in ends_of(model, asked) {
                after.entry(fingerprint(&end)).or_insert(end);
            }
        }
        let has_leader = |state: &ClusterState| state.replicas().any(Replica::leads);
        if after.values().any(|it| has_leader(it) && !model.keeps(GuaranteeId::Settles, it)) {
            return None;
        }
        leaderless = after.into_values().filter(|it| !has_leader(it)).collect();
        if leaderless.is_empty() {
            return Some(timeouts);
        }
    }
    None
}

/// The ends of every fault-free continuation.
fn ends_of(model: &ClusterModel, state: ClusterState) -> Vec<ClusterState> {
    let mut visited = std::collections::HashSet::from([fingerprint(&state)]);
    let mut pending = vec![state];
    let mut ends = Vec::new();
    while let Some(state) = pending.pop() {
        let mut actions = Vec::new();
        model.collect_progress(&state, &mut actions);
        if actions.is_empty() {
            ends.push(state);
            continue;
        }
        for next in actions.iter().filter_map(|it| model.perform(&state, &it.step)) {
            if visited.insert(fingerprint(&next)) {
                pending.push(next);
            }
        }
    }
    ends
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
    use steadfast_protocol::Decisions;

    use super::*;

    #[test]
    fn timeouts_do_not_help_a_leader_that_keeps_what_it_learned_to_itself() {
        let cold = shipped("cold").expect("a shipped scope").scope();
        let settling = judge(cold, twin("no-forwarding"), Limits::default());
        assert!(settling.stuck > 0 && settling.cyclic == 0, "{settling:?}");
    }

    /// A heartbeat does not send again what may be lost.
    struct NoRewind;

    impl Decisions for NoRewind {
        fn rewinds(&self) -> bool {
            false
        }
    }

    static NO_REWIND: Twin = Twin {
        name: "no-rewind",
        about: "a heartbeat does not send again what may be lost",
        decisions: &NoRewind,
        caught_by: GuaranteeId::Settles,
        scope: "lossy-window",
    };

    #[test]
    fn heartbeats_that_send_nothing_again_go_on_without_end() {
        let lossy = shipped("lossy-window").expect("a shipped scope").scope();
        let settling = judge(lossy.clone(), None, Limits::default());
        assert!(settling.complete && settling.cyclic == 0, "{settling:?}");
        let settling = judge(lossy, Some(&NO_REWIND), Limits::default());
        assert!(settling.cyclic > 0, "{settling:?}");
    }

    #[test]
    fn a_cycle_is_never_peeled_and_a_line_is() {
        assert_eq!(unpeeled(&[vec![1], vec![2], vec![]]), 0);
        assert_eq!(unpeeled(&[vec![1], vec![2], vec![1]]), 3);
        assert_eq!(unpeeled(&[vec![1, 2], vec![], vec![2]]), 2);
    }
}
