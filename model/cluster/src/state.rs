//! The state of a cluster, and how the guarantees see it.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use stateright::actor::{ActorModelState, Id, Network};
use steadfast_guarantees::{ClusterView, History, NodeView};
use steadfast_node::{Cluster, ContentCopy, Node, NodeStorage};
use steadfast_protocol::{ContentId, Decisions, NodeId, NodeSet, Packet, Replica, Settings};

use steadfast_trace::{Network as Delivery, World};

use crate::{ActorNode, ClusterModel, Disk, ReplicaActor, text};

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
    pub fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actors.actor_states[node.index()].node
    }

    /// All nodes as stateright keeps them, each with its hash.
    #[must_use]
    pub fn actor_nodes(&self) -> &[Arc<ActorNode>] {
        &self.actors.actor_states
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        self.actors.actor_states.iter().map(|it| &it.node)
    }

    /// The replica of a node that is up.
    #[must_use]
    pub fn replica(&self, node: NodeId) -> Option<&Replica> {
        self.node(node).replica()
    }

    /// The replicas of the nodes that are up.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes().filter_map(Node::replica)
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
        self.replicas().filter(|it| it.takes_part()).map(Replica::id).collect()
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
    pub fn packet(&self, from: NodeId, to: NodeId, nth: u32) -> Option<&Packet> {
        let Network::Ordered(channels) = &self.actors.network else {
            return None;
        };
        channels.get(&(Id::from(from.index()), Id::from(to.index())))?.get(nth as usize)
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
        NodeView::of(self.state.node(node))
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.state.node(node).storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.state.node(node).served(content, self.model.decisions())
    }

    fn is_quiet(&self) -> bool {
        Cluster::is_quiet(self)
    }
}

impl Cluster for View<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        &self.state.world
    }

    fn network(&self) -> Delivery {
        self.model.scope().network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        self.state.nodes()
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        self.state.node(node)
    }

    fn has_messages(&self) -> bool {
        self.state.channels().next().is_some()
    }
}
