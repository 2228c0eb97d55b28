//! The view of a cluster that the guarantees judge.

use steadfast_node::{ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Files, Halt, LogIndex, NodeId, NodeSet, Record, Replica, Settings,
};

use crate::{GuaranteeSet, History};

/// One node as the guarantees see it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// The state machine; `None` while the node is down.
    pub replica: Option<&'a Replica>,
    /// The records on its disk, synced or not, in order.
    pub records: &'a [Record],
    /// The index of the last synced record; of a node that is down, all records are synced.
    pub synced: LogIndex,
}

/// A cluster that can be judged. The driver implements this trait.
pub trait ClusterView {
    /// N, E and W.
    fn settings(&self) -> Settings;

    /// The operations of clients and the leaders so far.
    fn history(&self) -> &History;

    /// The decisions with which the nodes run.
    fn decisions(&self) -> &dyn Decisions;

    /// One node.
    fn node(&self, node: NodeId) -> NodeView<'_>;

    /// The state of a node's copy of a content.
    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy;

    /// The state of the copy that a node serves to readers, as the node's own code decides it.
    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy;

    /// Whether every node is up, no cut remains, and only faults, time and clients can cause further steps:
    /// there is no delivery, sync or link event left, and no bad copy to be found.
    fn is_quiet(&self) -> bool;

    /// Whether a node has synced this entry.
    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        self.disk(node).synced_entries().any(|it| it == entry)
    }

    // A driver that looks at as little as it can answers the rest from less than everything.

    /// What is on a node's disk, without its state machine.
    fn disk(&self, node: NodeId) -> NodeView<'_> {
        NodeView { replica: None, ..self.node(node) }
    }

    /// The guarantees that steps have broken, as the history records them.
    fn broken(&self) -> GuaranteeSet {
        self.history().broken()
    }

    /// The nodes whose logs lost synced records.
    fn rolled_back(&self) -> NodeSet {
        self.history().rolled_back()
    }

    /// Whether the history is known to say the same of answers and of acknowledged entries as that of
    /// an earlier state.
    fn has_answers_of(&self, before: &dyn ClusterView) -> bool {
        let _ = before;
        false
    }

    /// Why a node that is up has halted; `None` if it has not.
    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.node(node).replica.and_then(Replica::halted)
    }

    /// Whether a reader of a version that a node shows gets other bytes than its name says.
    fn shows_wrong_content(&self, node: NodeId) -> bool {
        let replica = self.node(node).replica;
        replica.is_some_and(|it| shows_wrong_content(it, |content| self.served(node, content)))
    }
}

/// Whether a reader of a version that a replica shows gets other bytes than its name says, given
/// which copies its node serves.
pub fn shows_wrong_content(replica: &Replica, served: impl Fn(ContentId) -> ContentCopy) -> bool {
    let heads = replica.files().iter().flat_map(|(_, heads)| heads);
    let mut named = heads.filter_map(|head| head.change.named());
    named.any(|content| served(content) == ContentCopy::Wrong)
}

impl<'a> NodeView<'a> {
    /// The view of a node.
    #[must_use]
    pub fn of(node: &'a Node<impl NodeStorage>) -> NodeView<'a> {
        let storage = node.storage();
        NodeView { replica: node.replica(), records: storage.records(), synced: storage.synced() }
    }

    /// The synced records, which a crash cannot take back.
    #[must_use]
    pub fn synced_records(&self) -> &'a [Record] {
        let synced = usize::try_from(self.synced.0).unwrap_or(usize::MAX);
        self.records.get(..synced).unwrap_or(self.records)
    }

    /// The synced entries, which a crash cannot take back.
    pub fn synced_entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.synced_records())
    }

    /// The entries on disk, synced or not.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.records)
    }

    /// The files that the node shows; of a node that is down, those that it will show after recovery.
    #[must_use]
    pub fn shown(&self, decisions: &dyn Decisions) -> Files {
        match self.replica {
            Some(replica) => replica.files().clone(),
            None => self.replayed(decisions),
        }
    }

    /// The fold of the synced records.
    #[must_use]
    pub fn replayed(&self, decisions: &dyn Decisions) -> Files {
        let mut files = Files::default();
        self.synced_entries().for_each(|entry| files.apply(entry, decisions));
        files
    }
}

fn entries(records: &[Record]) -> impl Iterator<Item = &Entry> {
    records.iter().filter_map(Record::entry)
}

/// Queries that follow from those of the driver.
impl dyn ClusterView + '_ {
    /// The ids of all nodes.
    pub fn ids(&self) -> impl Iterator<Item = NodeId> + use<> {
        NodeId::all(self.settings().nodes())
    }

    /// All nodes.
    pub fn nodes(&self) -> impl Iterator<Item = (NodeId, NodeView<'_>)> {
        NodeId::all(self.settings().nodes()).map(|node| (node, self.node(node)))
    }

    /// The nodes that are up.
    pub fn replicas(&self) -> impl Iterator<Item = &Replica> {
        self.nodes().filter_map(|(_, node)| node.replica)
    }

    /// The nodes that are up and have not halted.
    pub(crate) fn taking_part(&self) -> impl Iterator<Item = &Replica> {
        self.replicas().filter(|it| it.takes_part())
    }

    /// Whether some node believes that it leads.
    #[must_use]
    pub fn has_leader(&self) -> bool {
        self.replicas().any(Replica::leads)
    }

    /// Whether the cluster has a leader that no message will depose. After a rollback, a node may have lost
    /// the promise of a newer epoch that it led. The nodes that followed it will reject the present leader
    /// at its next heartbeat, so a leader counts only if no node has a higher promise.
    #[must_use]
    pub(crate) fn is_led(&self) -> bool {
        let highest = self.taking_part().map(Replica::promise).max();
        let is_current = |it: &Replica| it.leads() && Some(it.promise()) == highest;
        match self.rolled_back().is_empty() {
            true => self.has_leader(),
            false => self.taking_part().any(is_current),
        }
    }

    /// Whether a node that takes part wants a content whose only good copies are on halted nodes. It waits
    /// until an operator replaces a halted node.
    #[must_use]
    pub fn lacks_content_of_a_halted_node(&self) -> bool {
        let has = |node: &Replica, content| self.copy(node.id(), content) == ContentCopy::Exact;
        let is_lost = |content| {
            let mut holders = self.replicas().filter(|it| has(it, content)).peekable();
            holders.peek().is_some() && holders.all(|it| !it.takes_part())
        };
        self.taking_part().flat_map(Replica::wants).any(|it| is_lost(it.content))
    }

    /// Whether the cluster has settled: it is quiet, every node is idle, and every node that takes part has
    /// a good copy of every content.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_quiet() && self.replicas().all(Replica::is_idle) && self.has_good_contents()
    }

    /// Whether every node that takes part has a good copy of every content that it shows.
    fn has_good_contents(&self) -> bool {
        let has_halted = |it: &NodeView<'_>| it.replica.is_some_and(|it| !it.takes_part());
        self.nodes().filter(|(_, node)| !has_halted(node)).all(|(id, node)| {
            let files = node.shown(self.decisions());
            files.iter().flat_map(|(_, heads)| heads).all(|head| {
                head.change.named().is_none_or(|it| self.copy(id, it) == ContentCopy::Exact)
            })
        })
    }
}
