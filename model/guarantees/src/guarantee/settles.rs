//! G12 settles.
//!
//! Its first half is judged in states: where nothing is left to happen, the cluster is in the right
//! place. Its second half (deliveries always run out, and a leaderless cluster needs few timeouts) is
//! about everything that can follow a state, and is judged on the graph of a [`Continuation`] that a
//! driver which knows all steps builds.

use std::collections::HashMap;
use std::hash::Hash;

use steadfast_protocol::{Halt, NodeId, Replica, Role};

use super::replicas_converge::ReplicasConverge;
use super::{GuaranteeId, Judge, holds};
use crate::ClusterView;

/// G12: once faults stop, the cluster comes to rest in the right place.
pub(super) struct Settles;

impl Judge for Settles {
    fn promise(&self) -> &'static str {
        "once faults stop, deliveries, syncs and link events alone always run out; a cluster with a \
         leader has then converged and answered its clients, a leaderless one needs at most two \
         timeouts of any one node; no node stops taking part unless a log was rolled back"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        // What is excused of a node that has stopped is excused after a rollback only.
        let is_whole = cluster.rolled_back().is_empty();
        let has_stopped = |it| cluster.halted(it).is_some_and(|it| *it != Halt::LogFailed);
        if is_whole && cluster.ids().any(has_stopped) {
            return false;
        }
        !cluster.is_quiet()
            || !cluster.is_led()
            || is_at_rest(cluster)
            || cluster.lacks_content_of_a_stopped_node()
    }
}

/// Settled, converged, with one leader whose clients all have their answers.
fn is_at_rest(cluster: &dyn ClusterView) -> bool {
    let is_answered = |role: &Role| match role {
        Role::Leader(leadership) => leadership.writes.is_empty() && leadership.reads.is_empty(),
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => true,
    };
    // With too few nodes left to acknowledge, writes wait until one is replaced.
    let can_acknowledge = cluster.taking_part().count() >= cluster.settings().write();
    let leaders = cluster.replicas().filter(|it| it.leads()).count();
    cluster.is_settled()
        && leaders == 1
        && (!can_acknowledge || cluster.replicas().all(|it| is_answered(it.role())))
        && ReplicasConverge.state(cluster)
}

/// More timeouts of one node than this must never be needed.
const TIMEOUTS_MAX: usize = 2;

/// Everything that can follow a state once no fault and no client acts any more.
pub trait Continuation {
    /// A state of the cluster.
    type State: Clone + Eq + Hash;

    /// The state as the guarantees see it.
    fn view<'a>(&'a self, state: &'a Self::State) -> impl ClusterView + 'a;

    /// The ends of all that can follow the election timeout of a node: the states in which nothing
    /// is left to happen.
    fn ends_after_timeout(&self, state: &Self::State, node: NodeId) -> Vec<Self::State>;
}

/// How many timeouts of one node it takes until every end has a leader and has settled; `None` if
/// it takes more than the two that are promised. The state is quiet and has no leader.
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

/// How many states of a graph lie on or before a cycle, given per state the states that follow it:
/// those that are left when states whose successors are all peeled are peeled (Kahn, "Topological
/// Sorting of Large Networks", CACM 5(11), 1962).
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
    fn a_cycle_is_never_peeled_and_a_line_is() {
        assert_eq!(cyclic(&[vec![1], vec![2], vec![]]), 0);
        assert_eq!(cyclic(&[vec![1], vec![2], vec![1]]), 3);
        assert_eq!(cyclic(&[vec![1, 2], vec![], vec![2]]), 2);
    }
}
