//! A node as the guarantees see it while they look at nothing else.

use std::cell::Cell;

use steadfast_guarantees::{ClusterView, History, NodeView};
use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{ContentId, Decisions, NodeId, NodeSet, Settings};

use super::ClusterComponents;
use crate::ActorNode;

/// A node as the guarantees see it, without the rest of the cluster. Any other part that a
/// guarantee looks at is made up, and the look is noted: then the guarantee's verdict means
/// nothing.
pub(super) struct Alone<'a> {
    pub(super) system: &'a ClusterComponents,
    pub(super) actor: &'a ActorNode,
    pub(super) keeps_answers: bool,
    pub(super) looks_elsewhere: &'a Cell<bool>,
}

impl Alone<'_> {
    fn note(&self, node: NodeId) {
        if node != self.actor.node.id() {
            self.looks_elsewhere.set(true);
        }
    }
}

impl ClusterView for Alone<'_> {
    fn settings(&self) -> Settings {
        self.system.model.scope().settings
    }

    fn history(&self) -> &History {
        self.looks_elsewhere.set(true);
        &self.system.no_history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.system.model.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        self.note(node);
        NodeView::of(&self.actor.node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.note(node);
        self.actor.node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.note(node);
        self.actor.node.served(content, self.decisions())
    }

    fn is_quiet(&self) -> bool {
        self.looks_elsewhere.set(true);
        false
    }

    fn rolled_back(&self) -> NodeSet {
        match self.system.model.scope().bounds.rollbacks {
            0 => NodeSet::default(),
            _ => self.history().rolled_back(),
        }
    }

    fn has_answers_of(&self, _: &dyn ClusterView) -> bool {
        self.keeps_answers
    }
}
