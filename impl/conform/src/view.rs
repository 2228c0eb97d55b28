//! A replayed cluster as the guarantees see it.

use steadfast_guarantees::{ClusterView, Focus, History, NodeView};
use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{ContentId, Decisions, Entry, NodeId, Settings};

use super::channels::Channels;
use super::entries::Entries;
use super::replayed::Replayed;
use super::window::Window;

/// The nodes and the messages between them.
#[derive(Clone, Copy)]
pub(super) struct Scene<'a> {
    pub nodes: &'a [Replayed],
    pub channels: &'a Channels,
}

impl Scene<'_> {
    /// Whether all nodes are up and connected, and only faults, time and clients can cause a step.
    pub(super) fn is_quiet(self) -> bool {
        let mut pairs = self.nodes.iter().flat_map(|it| self.nodes.iter().map(move |to| (it, to)));
        self.nodes.iter().all(|it| it.replica().is_some() && it.node.storage().is_at_rest())
            && pairs.all(|(a, b)| a.identity.node == b.identity.node || self.is_still(a, b))
    }

    /// Whether two nodes are connected, and nothing is under way from the first to the second.
    fn is_still(self, a: &Replayed, b: &Replayed) -> bool {
        let (from, to) = (a.identity.node, b.identity.node);
        let session = |it: &Replayed, peer| it.replica().and_then(|it| it.session(peer));
        match (session(a, to), session(b, from)) {
            (Some(one), Some(other)) => one == other && !self.channels.has(from, to, one),
            _ => false,
        }
    }
}

/// The cluster as it is, or as it was before one of its nodes changed.
#[derive(Clone, Copy)]
pub(super) struct View<'a> {
    pub settings: Settings,
    pub decisions: &'static dyn Decisions,
    pub scene: Scene<'a>,
    pub windows: &'a [&'a Window],
    pub history: &'a History,
    /// A node as it was, instead of as it is.
    pub past: Option<(NodeId, NodeView<'a>)>,
    pub entries: &'a Entries,
    /// The part that is to be judged; everything if `None`.
    pub focus: Option<&'a Focus>,
}

impl ClusterView for View<'_> {
    fn settings(&self) -> Settings {
        self.settings
    }

    fn history(&self) -> &History {
        self.history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.decisions
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        if let Some((changed, past)) = self.past
            && changed == node
        {
            return past;
        }
        let now = &self.scene.nodes[node.index()];
        let records = self.windows[node.index()].records();
        NodeView { replica: now.replica(), records, synced: now.node.storage().synced() }
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.scene.nodes[node.index()].node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.scene.nodes[node.index()].node.served(content, self.decisions())
    }

    fn is_quiet(&self) -> bool {
        self.scene.is_quiet()
    }

    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        let view = self.node(node);
        match view.replica {
            Some(replica) if replica.synced() == view.synced => {
                replica.synced_vv().covers(entry.dot)
                    && replica.log().entry(entry.dot).map_or_else(
                        || replica.log().floor().covers(entry.dot),
                        |held| held == entry,
                    )
            }
            _ => view.has_synced(entry),
        }
    }

    fn focus(&self) -> Option<&Focus> {
        self.focus
    }

    /// A window goes on behind the node's own checkpoints.
    fn keeps_forgotten_deletes(&self) -> bool {
        true
    }

    fn entries_behind(&self, entry: &Entry) -> Option<&[Entry]> {
        Some(self.entries.behind(entry))
    }
}
