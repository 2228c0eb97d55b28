//! The nodes with their disks and clocks.

use std::ops::{Index, IndexMut};
use std::time::Duration;

use steadfast_node::Node;
use steadfast_protocol::{Identity, Incarnation, NodeId, NodeSet, Replica};

use crate::exchange::{Exchange, Parked};
use crate::random::Chance;
use crate::storage::Storage;
use crate::time::micros;
use crate::{Random, Setup, Time};

/// A node with its clock.
pub(crate) struct SimulatedNode {
    pub node: Node<Storage>,
    /// The exchange of contents with each node, by its id.
    pub exchanges: Vec<Exchange>,
    /// The contents whose transfer was cut off.
    pub parked: Parked,
    /// How often it has started: events planned in an earlier life are void.
    pub life: u64,
    /// How often its election timer was reset: the expiry of an earlier reset is void.
    pub election_timer: u64,
    /// How often its heartbeat timer was reset.
    pub heartbeat_timer: u64,
    /// It crashes in its next sync.
    pub is_doomed: bool,
    /// Its disk finishes nothing before this moment.
    pub hangs_until: Time,
    /// Its disk is full: each sync fails, and a node whose sync fails crashes.
    pub is_full: bool,
    /// How fast its clock runs, in parts per thousand.
    pub clock_per_mille: u64,
}

impl SimulatedNode {
    /// Loses the contents under way, as a crash does.
    pub(crate) fn drop_transfers(&mut self) {
        self.exchanges.iter_mut().for_each(|it| *it = Exchange::default());
        self.parked.clear();
    }

    /// How long the node's clock takes to measure a duration. A duration of `u64::MAX` microseconds
    /// never ends, by any clock.
    pub(crate) fn measured(&self, duration: Duration) -> Duration {
        let micros = u128::from(micros(duration)) * 1_000 / u128::from(self.clock_per_mille.max(1));
        Duration::from_micros(u64::try_from(micros).unwrap_or(u64::MAX))
    }
}

/// All nodes, in the order of their ids.
pub(crate) struct Nodes(Vec<SimulatedNode>);

/// The nodes that lead, take part and have halted at one moment.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Roles {
    /// The nodes that are up and believe that they lead.
    pub leaders: NodeSet,
    /// The nodes that are up and have not halted.
    pub participants: NodeSet,
    /// The nodes that are up and have halted.
    pub halted: NodeSet,
}

impl Roles {
    /// The number of nodes that lead and did not before.
    pub(crate) fn elected_since(self, before: Roles) -> u32 {
        (self.leaders.bits() & !before.leaders.bits()).count_ones()
    }

    /// The number of nodes that have halted and took part before.
    pub(crate) fn halted_since(self, before: Roles) -> u32 {
        (self.halted.bits() & before.participants.bits()).count_ones()
    }
}

impl Nodes {
    pub(crate) fn new(setup: &Setup) -> Nodes {
        Nodes(NodeId::all(setup.settings.nodes()).map(|it| new_node(it, setup)).collect())
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &SimulatedNode> {
        self.0.iter()
    }

    /// A node; `None` if the cluster has no node with this id.
    pub(crate) fn get(&self, node: NodeId) -> Option<&SimulatedNode> {
        self.0.get(node.index())
    }

    /// A node; `None` if the cluster has no node with this id.
    pub(crate) fn get_mut(&mut self, node: NodeId) -> Option<&mut SimulatedNode> {
        self.0.get_mut(node.index())
    }

    /// The state machines of the nodes that are up.
    pub(crate) fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.0.iter().filter_map(|it| it.node.replica())
    }

    pub(crate) fn roles(&self) -> Roles {
        let mut roles = Roles::default();
        for replica in self.0.iter().filter_map(|it| it.node.replica()) {
            let id = replica.id();
            if replica.leads() {
                roles.leaders.insert(id);
            }
            if replica.takes_part() {
                roles.participants.insert(id);
            } else {
                roles.halted.insert(id);
            }
        }
        roles
    }

    /// Ends every disk fault, and spares the nodes that were to crash in their next sync.
    pub(crate) fn spare_all(&mut self) {
        for it in &mut self.0 {
            (it.is_doomed, it.is_full, it.hangs_until) = (false, false, Time::default());
        }
    }
}

/// The node with this id, which must be one of the cluster's.
impl Index<NodeId> for Nodes {
    type Output = SimulatedNode;

    fn index(&self, node: NodeId) -> &SimulatedNode {
        &self.0[node.index()]
    }
}

impl IndexMut<NodeId> for Nodes {
    fn index_mut(&mut self, node: NodeId) -> &mut SimulatedNode {
        &mut self.0[node.index()]
    }
}

fn exchanges(setup: &Setup) -> Vec<Exchange> {
    (0..setup.settings.nodes()).map(|_| Exchange::default()).collect()
}

fn new_node(node: NodeId, setup: &Setup) -> SimulatedNode {
    let identity = Identity { node, settings: setup.settings };
    let (batches, policy) = (setup.records_per_batch, setup.trim_policy);
    let storage = Storage::new(identity, batches, setup.content_decisions, policy);
    let mut started = Node::new(identity, setup.parameters(), storage);
    let _ = started.start(Incarnation::default(), setup.decisions());
    let drift = u64::from(setup.clock_drift_per_mille);
    let mut random = Random::of(setup.seed, [Chance::Clock as u64, node.0.into()]);
    SimulatedNode {
        node: started,
        exchanges: exchanges(setup),
        parked: Parked::new(),
        life: 0,
        election_timer: 0,
        heartbeat_timer: 0,
        is_doomed: false,
        hangs_until: Time::default(),
        is_full: false,
        clock_per_mille: random.within(1_000 - drift.min(900)..=1_000 + drift),
    }
}
