//! The network: connections, cuts, and the messages under way.

use steadfast_node::{Cluster, Node};
use steadfast_protocol::{Decisions, NodeId, NodeSet};
use steadfast_trace::{Cut, Network as Kind, World};

use crate::Setup;
use crate::channels::Channels;
use crate::nodes::Nodes;
use crate::recorder::unbounded;
use crate::storage::Storage;

/// The surroundings of the nodes, with every message that is under way between them.
pub(crate) struct Network {
    world: World,
    channels: Channels,
}

impl Network {
    pub(crate) fn new(setup: &Setup) -> Network {
        let nodes = setup.settings.nodes();
        Network { world: World::new(nodes, unbounded()), channels: Channels::new(nodes) }
    }

    pub(crate) fn world(&self) -> &World {
        &self.world
    }

    /// The world, whose counts go up and whose connections follow the nodes.
    pub(crate) fn world_mut(&mut self) -> &mut World {
        &mut self.world
    }

    pub(crate) fn channels(&self) -> &Channels {
        &self.channels
    }

    /// The messages under way, which arrive, wait and get lost.
    pub(crate) fn channels_mut(&mut self) -> &mut Channels {
        &mut self.channels
    }

    /// Begins a cut; one that lasts ends.
    pub(crate) fn cut(&mut self, cut: Cut) -> Option<()> {
        self.world.spend(|left| &mut left.partitions)?;
        self.world.cut = Some(cut);
        Some(())
    }

    pub(crate) fn heal(&mut self) {
        self.world.cut = None;
    }

    /// Lets connections follow a fault that left these nodes taking part.
    pub(crate) fn reconnect(&mut self, taking_part: NodeSet) {
        self.world.refresh_links(taking_part);
    }

    /// Loses what no connection carries any more; returns the number of messages.
    pub(crate) fn lose_uncarried(&mut self, setup: &Setup, nodes: &Nodes) -> u64 {
        let scene = Scene { setup, nodes, world: &self.world, has_messages: true };
        self.channels.retain(|from, to, packet| scene.carries(from, to, packet)) as u64
    }

    /// Loses what is under way to a node that crashed; returns the number of messages.
    pub(crate) fn lose_all_to(&mut self, node: NodeId) -> u64 {
        self.channels.retain(|_, to, _| to != node) as u64
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
        &self.nodes.at(node).node
    }

    fn has_messages(&self) -> bool {
        self.has_messages
    }
}
