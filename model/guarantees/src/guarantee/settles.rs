//! G12 settles.
//!
//! The first half is judged in states: a cluster in which nothing is left to happen must have converged.
//! The rest concerns all continuations of a state: deliveries always run out, a leaderless cluster needs few
//! timeouts, and while a cut lasts, a leader that reaches enough nodes serves its clients and stays. It is
//! judged on the graph of a [`Continuation`], which a driver builds that knows all possible steps.

use std::collections::HashMap;
use std::hash::Hash;

use steadfast_protocol::{Epoch, Halt, NodeId, NodeSet, Replica, Role};

use super::replicas_converge::ReplicasConverge;
use super::{GuaranteeId, Judge, holds};
use crate::ClusterView;

/// G12: once faults stop, the cluster comes to rest, and has then converged.
pub(super) struct Settles;

impl Judge for Settles {
    fn promise(&self) -> &'static str {
        "once faults stop, deliveries, syncs and link events alone always run out; a cluster with a \
         leader has then converged and answered its clients, a leaderless one needs at most two \
         timeouts of any one node; while a cut lasts, a leader that reaches E and W nodes that \
         follow it answers its clients, and the timers of other nodes do not depose it; no node \
         halts unless a log was rolled back or its own log failed"
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
    // With too few nodes left to acknowledge, writes wait until an operator replaces a halted node.
    let can_acknowledge = cluster.taking_part().count() >= cluster.settings().write();
    let leaders = cluster.replicas().filter(|it| it.leads()).count();
    cluster.is_settled()
        && leaders == 1
        && (!can_acknowledge || cluster.replicas().all(|it| is_answered(it.role())))
        && ReplicasConverge.state(cluster)
}

/// Whether no client waits for the node.
fn is_answered(role: &Role) -> bool {
    match role {
        Role::Leader(leadership) => leadership.writes.is_empty() && leadership.reads.is_empty(),
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => true,
    }
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

    /// The final states of all continuations after a heartbeat of a leader.
    fn ends_after_heartbeat(&self, state: &Self::State, leader: NodeId) -> Vec<Self::State>;

    /// The peers that a node reaches and that reach it.
    fn reached(&self, state: &Self::State, node: NodeId) -> NodeSet;
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
        if ends.is_empty() {
            return None;
        }
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

/// A leader that reaches enough nodes that follow it to be elected and to acknowledge writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedLeader {
    leader: NodeId,
    epoch: Epoch,
    /// The leader, and the nodes that follow it and that it reaches.
    supporters: NodeSet,
}

impl SupportedLeader {
    /// The supported leaders of a state: at most one where E is a majority.
    pub fn all<C: Continuation>(continuation: &C, state: &C::State) -> Vec<SupportedLeader> {
        let view = continuation.view(state);
        let view: &dyn ClusterView = &view;
        let supported = |it: &Replica| {
            let reached = continuation.reached(state, it.id());
            let follows = |peer: &&Replica| {
                reached.contains(peer.id()) && !peer.leads() && peer.promise() == it.promise()
            };
            let followers = view.replicas().filter(follows).map(Replica::id);
            let supporters = followers.chain([it.id()]).collect();
            SupportedLeader { leader: it.id(), epoch: it.promise(), supporters }
        };
        let settings = view.settings();
        let leaders = view.replicas().filter(|it| it.leads()).map(supported);
        leaders
            .filter(|it| settings.elects(it.supporters) && settings.acknowledges(it.supporters))
            .collect()
    }

    /// Whether, in a state in which nothing is left to happen while the cut lasts, the leader has answered
    /// its clients and its followers hold its entries.
    pub fn serves<C: Continuation>(self, continuation: &C, state: &C::State) -> bool {
        let view = continuation.view(state);
        let view: &dyn ClusterView = &view;
        let Some(leader) = view.node(self.leader).replica else {
            return false;
        };
        let mut supporters = view.replicas().filter(|it| self.supporters.contains(it.id()));
        is_answered(leader.role()) && supporters.all(|it| it.log().vv() == leader.log().vv())
    }

    /// Whether the leader leads on in its epoch, and is supported, after each election timeout of each node
    /// that does not support it. Every timeout follows a heartbeat of the leader, because an election timer
    /// is longer than the interval of heartbeats. If these nodes can elect a leader among themselves, the
    /// guarantee promises nothing.
    pub fn stays<C: Continuation>(self, continuation: &C, state: &C::State) -> bool {
        let nodes = NodeId::all(continuation.view(state).settings().nodes());
        let others: NodeSet = nodes.filter(|it| !self.supporters.contains(*it)).collect();
        if continuation.view(state).settings().elects(others) {
            return true;
        }
        // Without an end there is nothing to judge: every continuation would go round in a cycle.
        let all_support = |ends: &[C::State]| {
            !ends.is_empty() && ends.iter().all(|it| self.is_supported(continuation, it))
        };
        let ends = continuation.ends_after_heartbeat(state, self.leader);
        let mut timeouts = ends.iter().flat_map(|end| others.iter().map(move |it| (end, it)));
        all_support(&ends)
            && timeouts.all(|(end, it)| all_support(&continuation.ends_after_timeout(end, it)))
    }

    fn is_supported<C: Continuation>(self, continuation: &C, state: &C::State) -> bool {
        let supported = SupportedLeader::all(continuation, state);
        supported.iter().any(|it| (it.leader, it.epoch) == (self.leader, self.epoch))
    }
}

/// Whether some node believes that it leads.
fn has_leader(cluster: &impl ClusterView) -> bool {
    let cluster: &dyn ClusterView = cluster;
    cluster.replicas().any(Replica::leads)
}
