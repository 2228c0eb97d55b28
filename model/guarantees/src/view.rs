//! What a cluster must show to be judged.

use steadfast_node::{ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Files, Halt, LogIndex, NodeId, NodeSet, Record, Replica, Settings,
};

use crate::History;

/// One node as the guarantees see it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// The state machine; `None` while the node is down.
    pub replica: Option<&'a Replica>,
    /// What is on its disk, synced or not, in order.
    pub records: &'a [Record],
    /// How many of these records are synced; of a node that is down all.
    pub synced: LogIndex,
}

/// A cluster that can be judged: what its driver knows beyond what its nodes know.
pub trait ClusterView {
    /// N, E and W.
    fn settings(&self) -> Settings;

    /// What happened to clients and leaders so far.
    fn history(&self) -> &History;

    /// The decisions that the nodes run with.
    fn decisions(&self) -> &dyn Decisions;

    /// One node.
    fn node(&self, node: NodeId) -> NodeView<'_>;

    /// What the disk of a node holds of a content.
    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy;

    /// What a client that reads a content of a node gets, as the node's own code serves it.
    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy;

    /// Whether every node is up, no cut remains, and nothing can happen any more but faults, time
    /// and clients: no delivery, sync or link event, and no bad copy to be found.
    fn is_quiet(&self) -> bool;

    /// Whether a node's disk is known to hold, synced, the entry that this one is a copy of.
    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        self.disk(node).synced_entries().any(|it| it == entry)
    }

    // A driver that looks at as little as it can answers the rest from less than everything.

    /// What is on a node's disk, without its state machine.
    fn disk(&self, node: NodeId) -> NodeView<'_> {
        NodeView { replica: None, ..self.node(node) }
    }

    /// The nodes whose logs lost synced records.
    fn rolled_back(&self) -> NodeSet {
        self.history().rolled_back()
    }

    /// Whether the history is known to be that of an earlier state.
    fn has_history_of(&self, before: &dyn ClusterView) -> bool {
        let _ = before;
        false
    }

    /// Why a node that is up has stopped taking part, if it has.
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

    /// The records that no crash can take.
    #[must_use]
    pub fn synced_records(&self) -> &'a [Record] {
        let synced = usize::try_from(self.synced.0).unwrap_or(usize::MAX);
        self.records.get(..synced).unwrap_or(self.records)
    }

    /// The entries that no crash can take.
    pub fn synced_entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.synced_records())
    }

    /// The entries on disk, synced or not.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.records)
    }

    /// What the node shows; of a node that is down what it will show.
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

/// Helpers that every driver gets.
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

    /// The nodes that are up and have not stopped taking part.
    pub(crate) fn taking_part(&self) -> impl Iterator<Item = &Replica> {
        self.replicas().filter(|it| it.takes_part())
    }

    /// Whether some node believes that it leads.
    #[must_use]
    pub fn has_leader(&self) -> bool {
        self.replicas().any(Replica::leads)
    }

    /// Whether some node leads, as far as messages alone can tell. A node whose promise was rolled back
    /// may have led a newer epoch than the leader's; those that followed it tell the leader so at its
    /// next heartbeat.
    #[must_use]
    pub(crate) fn is_led(&self) -> bool {
        let highest = self.taking_part().map(Replica::promise).max();
        let is_current = |it: &Replica| it.leads() && Some(it.promise()) == highest;
        match self.rolled_back().is_empty() {
            true => self.has_leader(),
            false => self.taking_part().any(is_current),
        }
    }

    /// Whether a node that takes part wants a content whose only good copies are on stopped nodes. It
    /// waits until a stopped node is replaced.
    #[must_use]
    pub fn lacks_content_of_a_stopped_node(&self) -> bool {
        let has = |node: &Replica, content| self.copy(node.id(), content) == ContentCopy::Exact;
        let is_lost = |content| {
            let mut holders = self.replicas().filter(|it| has(it, content)).peekable();
            holders.peek().is_some() && holders.all(|it| !it.takes_part())
        };
        self.taking_part().flat_map(Replica::wants).any(|it| is_lost(it.content))
    }

    /// All nodes up, every link event seen, nothing in flight, held, awaited or unsynced, no bad
    /// or missing content.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.is_quiet() && self.replicas().all(Replica::is_idle) && self.has_good_contents()
    }

    /// Whether every node that takes part has a good copy of every content that it shows.
    fn has_good_contents(&self) -> bool {
        let has_stopped = |it: &NodeView<'_>| it.replica.is_some_and(|it| !it.takes_part());
        self.nodes().filter(|(_, node)| !has_stopped(node)).all(|(id, node)| {
            let files = node.shown(self.decisions());
            files.iter().flat_map(|(_, heads)| heads).all(|head| {
                head.change.named().is_none_or(|it| self.copy(id, it) == ContentCopy::Exact)
            })
        })
    }
}
