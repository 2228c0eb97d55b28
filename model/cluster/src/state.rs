//! The state of a cluster, and how the guarantees see it.

use std::fmt;
use std::hash::{Hash, Hasher};

use stateright::actor::{ActorModelState, Id, Network};
use steadfast_guarantees::{ClusterView, Copy, History, NodeView};
use steadfast_protocol::{
    ContentId, Decisions, NodeId, NodeSet, Packet, Replica, SessionId, Settings,
};

use steadfast_trace::World;

use crate::{ClusterModel, Node, ReplicaActor, text};

/// Everything that the model knows: the actors with the network between them, the ghost history,
/// and the world.
#[derive(Clone, PartialEq)]
pub struct ClusterState {
    pub(crate) actors: ActorModelState<ReplicaActor, History>,
    pub(crate) world: World,
}

impl Eq for ClusterState {}

impl Hash for ClusterState {
    /// Leaves out the parts of `ActorModelState` that this model never uses (timers, random
    /// choices, crash flags, storages): they hash badly and are always empty.
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.actors.actor_states.hash(state);
        for ((from, to), packets) in self.channels() {
            (from.0, to.0, packets.len()).hash(state);
            packets.for_each(|packet| packet.hash(state));
        }
        self.actors.history.hash(state);
        self.world.hash(state);
    }
}

impl fmt::Debug for ClusterState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        text::state(self, f)
    }
}

impl ClusterState {
    /// One node.
    #[must_use]
    pub fn node(&self, node: NodeId) -> &Node {
        &self.actors.actor_states[node.index()]
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, &Node)> {
        (0..).map(NodeId).zip(self.actors.actor_states.iter().map(|it| &**it))
    }

    /// The replica of a node that is up.
    #[must_use]
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.node(node).replica.as_ref()
    }

    /// The replicas of the nodes that are up.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes().filter_map(|(_, node)| node.replica.as_ref())
    }

    /// The same state with this many election timeouts left.
    #[must_use]
    pub fn with_elections(&self, elections: u32) -> ClusterState {
        let mut state = self.clone();
        state.world.left.elections = elections;
        state
    }

    /// The nodes that are up.
    #[must_use]
    pub fn up(&self) -> NodeSet {
        self.replicas().map(Replica::id).collect()
    }

    /// The nodes that are up and have not stopped taking part: those that keep connections.
    #[must_use]
    pub fn taking_part(&self) -> NodeSet {
        self.replicas().filter(|it| it.halted().is_none()).map(Replica::id).collect()
    }

    /// The world around the nodes.
    #[must_use]
    pub fn world(&self) -> &World {
        &self.world
    }

    /// The ghost history.
    #[must_use]
    pub fn history(&self) -> &History {
        &self.actors.history
    }

    /// What is under way, per ordered pair of nodes, oldest first.
    pub fn channels(
        &self,
    ) -> impl Iterator<Item = ((NodeId, NodeId), impl ExactSizeIterator<Item = &Packet>)> {
        let Network::Ordered(channels) = &self.actors.network else {
            unreachable!("the model begins with an ordered network and never replaces it");
        };
        channels.iter().map(|((from, to), packets)| {
            ((crate::actor::node_id(*from), crate::actor::node_id(*to)), packets.iter())
        })
    }

    /// A message that is under way.
    #[must_use]
    pub fn packet(&self, from: NodeId, to: NodeId, nth: u16) -> Option<&Packet> {
        let Network::Ordered(channels) = &self.actors.network else {
            return None;
        };
        channels.get(&(Id::from(from.index()), Id::from(to.index())))?.get(usize::from(nth))
    }

    /// The session that an end has seen begin and not end.
    pub(crate) fn seen(&self, end: NodeId, peer: NodeId) -> Option<SessionId> {
        self.replica(end).and_then(|it| it.session(peer))
    }

    /// The link events that ends have not seen yet: (end, peer, whether it came up).
    pub(crate) fn link_events(&self) -> Vec<(NodeId, NodeId, bool)> {
        let mut events = Vec::new();
        for replica in self.replicas() {
            for (peer, _) in self.nodes().filter(|(peer, _)| *peer != replica.id()) {
                let (seen, now) = (replica.session(peer), self.world.session(replica.id(), peer));
                if seen != now {
                    events.push((replica.id(), peer, seen.is_none()));
                }
            }
        }
        events
    }
}

/// A state together with the model it belongs to.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// The model.
    pub model: &'a ClusterModel,
    /// The state.
    pub state: &'a ClusterState,
}

impl ClusterView for View<'_> {
    fn settings(&self) -> Settings {
        self.model.scope().settings
    }

    fn history(&self) -> &History {
        self.state.history()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        self.state.node(node).view()
    }

    fn copy(&self, node: NodeId, content: ContentId) -> Copy {
        self.state.node(node).disk.copy(content)
    }

    fn is_quiet(&self) -> bool {
        let state = self.state;
        state.world.cut.is_none()
            && state.channels().next().is_none()
            && state.nodes().all(|(_, node)| {
                node.replica.is_some() && node.disk.tail() == 0 && node.disk.storing.is_empty()
            })
            && state.link_events().is_empty()
            && state.nodes().all(|(_, node)| self.model.scrubs(node).next().is_none())
            && self.model.due_ticks(state).next().is_none()
    }
}
