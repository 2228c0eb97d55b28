//! G12 settles.
//!
//! The first half is judged in states: a cluster in which nothing is left to happen must have converged.
//! The second half (deliveries always run out, and a leaderless cluster needs few timeouts) concerns all
//! continuations of a state. It is judged on the graph of a [`Continuation`], which a driver builds that
//! knows all possible steps.

use std::collections::HashMap;
use std::hash::Hash;

use steadfast_protocol::{Halt, NodeId, Replica, Role};

use super::replicas_converge::ReplicasConverge;
use super::{GuaranteeId, Judge, holds};
use crate::ClusterView;

/// G12: once faults stop, the cluster comes to rest, and has then converged.
pub(super) struct Settles;

impl Judge for Settles {
    fn promise(&self) -> &'static str {
        "once faults stop, deliveries, syncs and link events alone always run out; a cluster with a \
         leader has then converged and answered its clients, a leaderless one needs at most two \
         timeouts of any one node; no node halts unless a log was rolled back or its own log failed"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        // A node may halt only after a rollback, or when its log failed.
        let is_whole = cluster.rolled_back().is_empty();
        let has_halted = |it| cluster.halted(it).is_some_and(|it| *it != Halt::LogFailed);
        if is_whole && cluster.ids().any(has_halted) {
            return false;
        }
        !cluster.is_quiet()
            || !cluster.is_led()
            || is_at_rest(cluster)
            || cluster.lacks_content_of_a_halted_node()
    }
}

/// Whether the cluster has settled and converged, with one leader whose clients all have their answers.
fn is_at_rest(cluster: &dyn ClusterView) -> bool {
    let is_answered = |role: &Role| match role {
        Role::Leader(leadership) => leadership.writes.is_empty() && leadership.reads.is_empty(),
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => true,
    };
    // With too few nodes left to acknowledge, writes wait until an operator replaces a halted node.
    let can_acknowledge = cluster.taking_part().count() >= cluster.settings().write();
    let leaders = cluster.replicas().filter(|it| it.leads()).count();
    cluster.is_settled()
        && leaders == 1
        && (!can_acknowledge || cluster.replicas().all(|it| is_answered(it.role())))
        && ReplicasConverge.state(cluster)
}

/// The number of timeouts of one node that always suffices to elect a leader.
const TIMEOUTS_MAX: usize = 2;

/// All continuations of a state without further faults and client requests.
pub trait Continuation {
    /// A state of the cluster.
    type State: Clone + Eq + Hash;

    /// The state as the guarantees see it.
    fn view<'a>(&'a self, state: &'a Self::State) -> impl ClusterView + 'a;

    /// The final states of all continuations after an election timeout of a node: the states in which
    /// nothing is left to happen.
    fn ends_after_timeout(&self, state: &Self::State, node: NodeId) -> Vec<Self::State>;
}

/// The number of timeouts of one node after which every final state has a leader and has settled; `None`
/// if two, the promised number, do not suffice. `state` must be quiet and have no leader.
pub fn timeouts_needed<C: Continuation>(
    continuation: &C,
    state: &C::State,
    node: NodeId,
) -> Option<usize> {
    let mut leaderless = vec![state.clone()];
    for timeouts in 1..=TIMEOUTS_MAX {
        let ends = leaderless.iter().flat_map(|it| continuation.ends_after_timeout(it, node));
        let ends: HashMap<C::State, bool> = ends
            .map(|end| {
                let is_led = has_leader(&continuation.view(&end));
                (end, is_led)
            })
            .collect();
        let settles = |end| holds(GuaranteeId::Settles, &continuation.view(end));
        if ends.iter().any(|(end, is_led)| *is_led && !settles(end)) {
            return None;
        }
        leaderless = ends.into_iter().filter(|(_, is_led)| !is_led).map(|(end, _)| end).collect();
        if leaderless.is_empty() {
            return Some(timeouts);
        }
    }
    None
}

/// Whether some node believes that it leads.
fn has_leader(cluster: &impl ClusterView) -> bool {
    let cluster: &dyn ClusterView = cluster;
    cluster.replicas().any(Replica::leads)
}

/// The number of states from which a graph has a path to a cycle; `successors` lists the successors of
/// each state. The algorithm removes states whose successors are all removed until none is left to
/// remove, and counts the rest (Kahn, "Topological Sorting of Large Networks", CACM 5(11), 1962).
#[must_use]
pub fn cyclic(successors: &[Vec<u32>]) -> usize {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn states_on_or_before_a_cycle_are_counted() {
        assert_eq!(cyclic(&[vec![1], vec![2], vec![]]), 0);
        assert_eq!(cyclic(&[vec![1], vec![2], vec![1]]), 3);
        assert_eq!(cyclic(&[vec![1, 2], vec![], vec![2]]), 2);
    }
}
