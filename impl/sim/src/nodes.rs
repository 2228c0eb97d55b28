//! The nodes with their disks and clocks.

use steadfast_node::{Node, Output};
use steadfast_protocol::{Identity, Input, NodeId, NodeSet, Replica};

use crate::random::Chance;
use crate::storage::Storage;
use crate::{Random, Setup, Time};

/// A node with its clock.
pub(crate) struct SimulatedNode {
    pub node: Node<Storage>,
    /// How often it has started: what was on the agenda of an earlier life is void.
    pub life: u64,
    /// How often it has begun to wait for a leader.
    pub wait: u64,
    /// How often its clock was set to tick.
    pub tick: u64,
    pub is_storing: bool,
    /// It crashes in its next sync.
    pub is_doomed: bool,
    /// Its disk finishes nothing before this moment.
    pub hangs_until: Time,
    /// Its disk is full: each sync fails, and a node whose sync fails stops.
    pub is_full: bool,
    /// How fast its clock runs, in parts per thousand.
    pub clock_per_mille: u64,
}

/// All nodes, in the order of their ids.
pub(crate) struct Nodes {
    nodes: Vec<SimulatedNode>,
    /// Memory for what leaves a node; empty between inputs.
    outputs: Vec<Output>,
}

impl Nodes {
    pub(crate) fn new(setup: &Setup) -> Nodes {
        let nodes = NodeId::all(setup.settings.nodes()).map(|it| new_node(it, setup));
        Nodes { nodes: nodes.collect(), outputs: Vec::new() }
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SimulatedNode> {
        self.nodes.iter()
    }

    pub(crate) fn get(&self, node: NodeId) -> Option<&SimulatedNode> {
        self.nodes.get(node.index())
    }

    /// A node of the cluster.
    pub(crate) fn at(&self, node: NodeId) -> &SimulatedNode {
        &self.nodes[node.index()]
    }

    /// A node of the cluster, to change it.
    pub(crate) fn at_mut(&mut self, node: NodeId) -> &mut SimulatedNode {
        &mut self.nodes[node.index()]
    }

    pub(crate) fn disk(&self, node: NodeId) -> &Storage {
        self.at(node).node.storage()
    }

    pub(crate) fn disk_mut(&mut self, node: NodeId) -> &mut Storage {
        self.at_mut(node).node.storage_mut()
    }

    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes.iter().filter_map(|it| it.node.replica())
    }

    /// The nodes that are up and have not stopped taking part.
    pub(crate) fn taking_part(&self) -> NodeSet {
        self.replicas().filter(|it| it.takes_part()).map(Replica::id).collect()
    }

    /// The nodes that are up and believe that they lead.
    pub(crate) fn leaders(&self) -> NodeSet {
        self.replicas().filter(|it| it.leads()).map(Replica::id).collect()
    }

    /// Whether a node is up and in the life in which something was planned for it.
    pub(crate) fn lives(&self, node: NodeId, life: u64) -> bool {
        let at = self.at(node);
        at.node.is_up() && at.life == life
    }

    /// Lets a node hear an input; returns what leaves it, in memory that goes back with
    /// [`Nodes::reuse`].
    pub(crate) fn hear(&mut self, node: NodeId, input: Input, setup: &Setup) -> Vec<Output> {
        let mut outputs = std::mem::take(&mut self.outputs);
        self.at_mut(node).node.hear(input, setup.decisions(), &mut outputs);
        outputs
    }

    pub(crate) fn reuse(&mut self, outputs: Vec<Output>) {
        self.outputs = outputs;
    }

    /// No disk hangs or is full any more, and no node crashes in its next sync.
    pub(crate) fn spare_all(&mut self) {
        for it in &mut self.nodes {
            (it.is_doomed, it.is_full, it.hangs_until) = (false, false, Time::default());
        }
    }
}

fn new_node(node: NodeId, setup: &Setup) -> SimulatedNode {
    let identity = Identity { node, settings: setup.settings };
    let storage = Storage::new(identity, setup.records_per_batch);
    let mut started = Node::new(identity, setup.parameters(), storage);
    let _ = started.start(setup.decisions());
    let drift = u64::from(setup.clock_drift_per_mille);
    let mut random = Random::of(setup.seed, [Chance::Clock as u64, node.0.into()]);
    SimulatedNode {
        node: started,
        life: 0,
        wait: 0,
        tick: 0,
        is_storing: false,
        is_doomed: false,
        hangs_until: Time::default(),
        is_full: false,
        clock_per_mille: random.within(1_000 - drift.min(900)..=1_000 + drift),
    }
}
