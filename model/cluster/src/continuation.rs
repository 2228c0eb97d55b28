//! The continuation of a state without further faults, on which G12 is judged.

use steadfast_guarantees::{ClusterView, Continuation, GuaranteeId};
use steadfast_protocol::{NodeId, NodeSet};
use steadfast_search::{Ended, Options, Search};
use steadfast_trace::Step;

use crate::{ClusterComponents, ClusterModel, ClusterState, View};

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
        let continued = ClusterComponents::continued(self, state);
        let settles = GuaranteeId::Settles as usize;
        let graph = Search::new(&continued, Options::default()).settling(&|_, _| true, settles);
        let is_whole = matches!(graph.ended, Ended::Complete);
        assert!(is_whole, "invariant: a continuation is searched to its end: {}", graph.ended);
        graph.ends.iter().map(|it| continued.join(it)).collect()
    }
}
