//! A state of components as steps and guarantees see it.

use steadfast_guarantees::{ClusterView, GuaranteeSet, History, NodeView};
use steadfast_node::{Cluster, ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Halt, NodeId, NodeSet, Packet, SessionId, Settings,
};
use steadfast_search::Look;
use steadfast_trace::{Bounds, Network, World};

use super::{
    BOUNDS, BROKEN, ClusterComponents, Component, IS_EMPTY, JUDGED, LINKS, LOG, SESSIONS, STILLNESS,
};
use crate::parts::Parts;
use crate::{ActorNode, Disk};

/// A state that notes every part that is looked at.
#[derive(Clone, Copy)]
pub(super) struct Seen<'a> {
    pub(super) system: &'a ClusterComponents,
    pub(super) look: &'a Look<'a, Component>,
}

impl<'a> Seen<'a> {
    pub(super) fn actor(self, node: NodeId) -> &'a ActorNode {
        match &self.look[ClusterComponents::node_at(node)] {
            Component::Node(node) => node,
            other => unreachable!("{other:?} stands where a node does"),
        }
    }

    fn sessions(self, node: NodeId) -> (bool, bool, &'a [Option<SessionId>]) {
        match self.look.summary(ClusterComponents::node_at(node), SESSIONS) {
            Component::Sessions { is_up, takes_part, sessions } => (*is_up, *takes_part, sessions),
            other => unreachable!("{other:?} are no sessions"),
        }
    }

    fn stillness(self, node: NodeId) -> (bool, bool, bool) {
        match self.look.summary(ClusterComponents::node_at(node), STILLNESS) {
            Component::Stillness { is_at_rest, is_still, lags } => (*is_at_rest, *is_still, *lags),
            other => unreachable!("{other:?} is no stillness"),
        }
    }

    pub(super) fn world_summary(self, number: u16) -> &'a World {
        match self.look.summary(self.system.world_at(), number) {
            Component::World(world) => world,
            other => unreachable!("{other:?} is no world"),
        }
    }

    pub(super) fn packets_of(self, from: NodeId, to: NodeId) -> &'a [Packet] {
        match &self.look[self.system.packets_at(from, to)] {
            Component::Packets(packets) => packets,
            other => unreachable!("{other:?} stands where messages do"),
        }
    }

    fn is_empty(self, (from, to): (NodeId, NodeId)) -> bool {
        let place = self.system.packets_at(from, to);
        matches!(self.look.summary(place, IS_EMPTY), Component::IsEmpty(true))
    }

    fn judged(self, node: NodeId) -> (&'a Option<Halt>, bool) {
        match self.look.summary(ClusterComponents::node_at(node), JUDGED) {
            Component::Judged { halted, shows_wrong_content } => (halted, *shows_wrong_content),
            other => unreachable!("{other:?} is no judgement"),
        }
    }

    fn broken_of(self) -> GuaranteeSet {
        match self.look.summary(self.system.history_at(), BROKEN) {
            Component::Broken(broken) => *broken,
            other => unreachable!("{other:?} is no set of guarantees"),
        }
    }

    pub(super) fn history_of(self) -> &'a History {
        match &self.look[self.system.history_at()] {
            Component::History(history) => history,
            other => unreachable!("{other:?} stands where the history does"),
        }
    }
}

impl Cluster for Seen<'_> {
    type Storage = Disk;

    fn world(&self) -> &World {
        self.world_summary(LINKS)
    }

    fn network(&self) -> Network {
        self.system.model.scope().network
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn nodes(&self) -> impl Iterator<Item = &Node<Disk>> {
        NodeId::all(self.system.nodes()).map(|it| &self.actor(it).node)
    }

    fn node(&self, node: NodeId) -> &Node<Disk> {
        &self.actor(node).node
    }

    fn has_messages(&self) -> bool {
        !self.system.model.pairs().all(|it| self.is_empty(it))
    }

    fn is_up(&self, node: NodeId) -> bool {
        self.sessions(node).0
    }

    fn takes_part(&self, node: NodeId) -> bool {
        self.sessions(node).1
    }

    fn session_seen(&self, node: NodeId, peer: NodeId) -> Option<SessionId> {
        self.sessions(node).2.get(peer.index()).copied().flatten()
    }

    fn is_at_rest(&self, node: NodeId) -> bool {
        self.stillness(node).0
    }

    fn is_still(&self, node: NodeId) -> bool {
        self.stillness(node).1
    }

    fn lags(&self, node: NodeId) -> bool {
        self.stillness(node).2
    }

    fn ids(&self) -> impl Iterator<Item = NodeId> {
        NodeId::all(self.system.nodes())
    }
}

impl Parts for Seen<'_> {
    fn left(&self) -> Bounds {
        self.world_summary(BOUNDS).left
    }

    fn next_number(&self) -> u64 {
        self.world_summary(BOUNDS).next_number()
    }

    fn history(&self) -> &History {
        self.history_of()
    }

    fn packets(&self, from: NodeId, to: NodeId) -> impl Iterator<Item = &Packet> {
        self.packets_of(from, to).iter()
    }
}

impl ClusterView for Seen<'_> {
    fn settings(&self) -> Settings {
        self.system.model.scope().settings
    }

    fn history(&self) -> &History {
        self.history_of()
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        NodeView::of(&self.actor(node).node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.actor(node).node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.actor(node).node.served(content, self.system.model.decisions())
    }

    fn is_quiet(&self) -> bool {
        Cluster::is_quiet(self)
    }

    fn disk(&self, node: NodeId) -> NodeView<'_> {
        match self.look.summary(ClusterComponents::node_at(node), LOG) {
            Component::Log(disk) => {
                NodeView { replica: None, records: disk.records(), synced: disk.synced() }
            }
            other => unreachable!("{other:?} is no log"),
        }
    }

    fn rolled_back(&self) -> NodeSet {
        match self.system.model.scope().bounds.rollbacks {
            0 => NodeSet::default(),
            _ => self.history_of().rolled_back(),
        }
    }

    fn broken(&self) -> GuaranteeSet {
        self.broken_of()
    }

    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.judged(node).0.as_ref()
    }

    fn shows_wrong_content(&self, node: NodeId) -> bool {
        self.judged(node).1
    }
}

/// The state after a step, as the guarantees see it.
pub(super) struct SeenAfter<'a> {
    pub(super) now: Seen<'a>,
    pub(super) before: Seen<'a>,
    /// Whether the step is known to have kept answers and acknowledged entries as they were.
    pub(super) keeps_answers: bool,
}

impl ClusterView for SeenAfter<'_> {
    fn settings(&self) -> Settings {
        self.now.settings()
    }

    fn history(&self) -> &History {
        self.now.history_of()
    }

    fn decisions(&self) -> &dyn Decisions {
        ClusterView::decisions(&self.now)
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        ClusterView::node(&self.now, node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.copy(node, content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.served(node, content)
    }

    fn is_quiet(&self) -> bool {
        ClusterView::is_quiet(&self.now)
    }

    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        self.now.has_synced(node, entry)
    }

    fn disk(&self, node: NodeId) -> NodeView<'_> {
        self.now.disk(node)
    }

    fn rolled_back(&self) -> NodeSet {
        self.now.rolled_back()
    }

    /// The earlier state is the one before the step: no other is judged against.
    fn has_answers_of(&self, _: &dyn ClusterView) -> bool {
        let place = self.now.system.history_at();
        self.keeps_answers || self.now.look.has_kept(place, self.before.look)
    }

    fn broken(&self) -> GuaranteeSet {
        self.now.broken_of()
    }

    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.now.judged(node).0.as_ref()
    }

    fn shows_wrong_content(&self, node: NodeId) -> bool {
        self.now.judged(node).1
    }
}
