//! The continuation of a state without further faults, on which G12 is judged.

use std::collections::HashSet;

use steadfast_guarantees::{ClusterView, Continuation};
use steadfast_protocol::{NodeId, NodeSet};
use steadfast_trace::Step;

use crate::{ClusterModel, ClusterState, View};

impl Continuation for ClusterModel {
    type State = ClusterState;

    fn view<'a>(&'a self, state: &'a ClusterState) -> impl ClusterView + 'a {
        View { model: self, state }
    }

    fn ends_after_timeout(&self, state: &ClusterState, node: NodeId) -> Vec<ClusterState> {
        let asked = self.perform(&state.with_elections(1), &Step::Timeout { node });
        asked.map_or(Vec::new(), |it| self.ends_of(it))
    }

    fn ends_after_heartbeat(&self, state: &ClusterState, leader: NodeId) -> Vec<ClusterState> {
        let sent = self.perform(&state.with_ticks(1), &Step::Tick { node: leader });
        sent.map_or(Vec::new(), |it| self.ends_of(it))
    }

    fn reached(&self, state: &ClusterState, node: NodeId) -> NodeSet {
        let world = state.world();
        let nodes = NodeId::all(self.scope().settings.nodes()).filter(|it| *it != node);
        nodes.filter(|it| world.reaches(node, *it) && world.reaches(*it, node)).collect()
    }
}

impl ClusterModel {
    /// The ends of every continuation without further faults.
    fn ends_of(&self, state: ClusterState) -> Vec<ClusterState> {
        let mut visited = HashSet::from([state.clone()]);
        let mut pending = vec![state];
        let mut ends = Vec::new();
        while let Some(state) = pending.pop() {
            let mut actions = Vec::new();
            self.collect_progress(&state, &mut actions);
            if actions.is_empty() {
                ends.push(state);
                continue;
            }
            for next in actions.iter().filter_map(|it| self.perform(&state, &it.step)) {
                if visited.insert(next.clone()) {
                    pending.push(next);
                }
            }
        }
        ends
    }
}
