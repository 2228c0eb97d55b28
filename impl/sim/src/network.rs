//! The network: connections, cuts, and the messages under way.

use steadfast_node::{Cluster, Node};
use steadfast_protocol::{Decisions, NodeId};
use steadfast_trace::{Bounds, Network as Kind, World};

use crate::Setup;
use crate::channels::Channels;
use crate::nodes::Nodes;
use crate::storage::Storage;

/// The surroundings of the nodes, with every message that is under way between them.
pub(crate) struct Network {
    /// Connections with their sessions, and the cut that lasts. Its bounds are not used: nothing
    /// that a simulation does is bounded.
    pub world: World,
    pub channels: Channels,
}

impl Network {
    pub(crate) fn new(setup: &Setup) -> Network {
        let world = World::new(setup.settings.nodes(), Bounds::default());
        Network { world, channels: Channels::new(setup) }
    }

    /// Loses the messages that no connection carries any more; returns their number.
    pub(crate) fn lose_uncarried(&mut self, setup: &Setup, nodes: &Nodes) -> u64 {
        let scene = Scene { setup, nodes, world: &self.world, has_messages: true };
        self.channels.retain(|from, to, packet| scene.carries(from, to, packet))
    }
}

/// Nodes and network, as the rules that concern several nodes see them.
#[derive(Clone, Copy)]
pub(crate) struct Scene<'a> {
    pub setup: &'a Setup,
    pub nodes: &'a Nodes,
    pub world: &'a World,
    pub has_messages: bool,
}

impl<'a> Scene<'a> {
    pub(crate) fn of(setup: &'a Setup, nodes: &'a Nodes, network: &'a Network) -> Scene<'a> {
        let has_messages = !network.channels.is_empty();
        Scene { setup, nodes, world: &network.world, has_messages }
    }
}

impl Cluster for Scene<'_> {
    type Storage = Storage;

    fn world(&self) -> &World {
        self.world
    }

    fn network(&self) -> Kind {
        self.setup.network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.setup.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Storage>> {
        self.nodes.iter().map(|it| &it.node)
    }

    fn node(&self, node: NodeId) -> &Node<Storage> {
        &self.nodes[node].node
    }

    fn has_messages(&self) -> bool {
        self.has_messages
    }
}
