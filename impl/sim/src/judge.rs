//! The cluster as the guarantees see it, and when they look.

use steadfast_guarantees::{
    ClusterView, GUARANTEES, GuaranteeSet, History, NodeView, broken_by_step, holds,
};
use steadfast_node::{ContentCopy, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Epoch, NodeId, NodeSet, Position, Record, Replica, Role, Settings,
};

use crate::Simulation;
use crate::simulation::SimulatedNode;

/// A simulated cluster as the guarantees see it.
#[derive(Clone, Copy)]
pub struct View<'a>(pub(crate) &'a Simulation);

impl ClusterView for View<'_> {
    fn settings(&self) -> Settings {
        self.0.setup.settings
    }

    fn history(&self) -> &History {
        &self.0.history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.0.setup.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        NodeView::of(&self.0.nodes[node.index()].node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.0.nodes[node.index()].node.storage().copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.0.nodes[node.index()].node.served(content, self.0.setup.decisions())
    }

    fn is_quiet(&self) -> bool {
        self.0.is_quiet()
    }

    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        let view = self.node(node);
        match view.replica {
            Some(replica) if replica.synced() == view.synced => {
                replica.synced_vv().covers(entry.dot)
                    && replica.log().entry(entry.dot) == Some(entry)
            }
            _ => view.synced_entries().any(|it| it == entry),
        }
    }
}

/// What guarantees look at in one node, in so far as it can change: equal marks, equal judgement.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Mark {
    life: u64,
    is_up: bool,
    length: usize,
    synced: Position,
    promise: Epoch,
    leads: bool,
    has_stopped: bool,
    /// How often a copy of a content was made or went bad.
    copies: u64,
}

impl Mark {
    fn of(node: &SimulatedNode) -> Mark {
        let replica = node.node.replica();
        Mark {
            life: node.life,
            is_up: replica.is_some(),
            length: node.node.storage().records().len(),
            synced: node.node.storage().synced(),
            promise: replica.map(Replica::promise).unwrap_or_default(),
            leads: replica.is_some_and(Replica::leads),
            has_stopped: replica.is_some_and(|it| !it.takes_part()),
            copies: node.node.storage().copies(),
        }
    }
}

/// What is judged besides in a quiet cluster: whether a node is idle and has answered its clients.
pub(crate) type Rest = (Mark, bool, bool);

fn rest(node: &SimulatedNode) -> Rest {
    let replica = node.node.replica();
    let has_answered = match replica.map(Replica::role) {
        Some(Role::Leader(leader)) => leader.writes.is_empty() && leader.reads.is_empty(),
        _ => true,
    };
    (Mark::of(node), replica.is_some_and(Replica::is_idle), has_answered)
}

/// A node as it was when it was last judged.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shadow {
    mark: Mark,
    replica: Option<Replica>,
    length: usize,
    synced: Position,
    /// What was on its disk, if a crash has taken some of it since.
    records: Option<Vec<Record>>,
}

impl Shadow {
    pub(crate) fn of(node: &SimulatedNode) -> Shadow {
        Shadow {
            mark: Mark::of(node),
            replica: node.node.replica().cloned(),
            length: node.node.storage().records().len(),
            synced: node.node.storage().synced(),
            records: None,
        }
    }

    /// Keeps what a crash is about to take from the disk.
    pub(crate) fn keep_records(&mut self, records: &[Record]) {
        self.records = Some(records[..self.length.min(records.len())].to_vec());
    }

    fn view<'a>(&'a self, node: &'a SimulatedNode) -> NodeView<'a> {
        let records = self.records.as_deref().unwrap_or_else(|| {
            let now = node.node.storage().records();
            now.get(..self.length).unwrap_or(now)
        });
        NodeView { replica: self.replica.as_ref(), records, synced: self.synced }
    }

    /// Whether a node has changed in what guarantees look at.
    fn differs(&self, node: &SimulatedNode) -> bool {
        self.records.is_some() || !node.answers.is_empty() || self.mark != Mark::of(node)
    }
}

/// The cluster before one of its nodes changed.
struct Before<'a> {
    now: View<'a>,
    node: NodeId,
    history: &'a History,
}

impl ClusterView for Before<'_> {
    fn settings(&self) -> Settings {
        self.now.settings()
    }

    fn history(&self) -> &History {
        self.history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.now.0.setup.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        let at = &self.now.0.nodes[node.index()];
        if node == self.node { at.shadow.view(at) } else { NodeView::of(&at.node) }
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.copy(node, content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.now.served(node, content)
    }

    fn is_quiet(&self) -> bool {
        self.now.is_quiet()
    }
}

impl Simulation {
    /// Brings the history up to date and judges what changed.
    pub(crate) fn judge(&mut self) {
        let ids = NodeId::all(self.setup.settings.nodes()).zip(&self.nodes);
        let changed: NodeSet = ids.filter(|it| it.1.shadow.differs(it.1)).map(|it| it.0).collect();
        if !changed.is_empty() {
            let before = self.history.clone();
            changed.iter().for_each(|node| self.chronicle(node));
            changed.iter().for_each(|node| self.judge_step(node, &before));
            for node in changed.iter() {
                let at = &mut self.nodes[node.index()];
                at.shadow = Shadow::of(at);
            }
        }
        if self.has_come_to_rest_anew() || !changed.is_empty() {
            self.judge_state();
        }
    }

    /// Whether the cluster is quiet, and not as it was when it was last judged while it was quiet.
    fn has_come_to_rest_anew(&mut self) -> bool {
        if !self.is_quiet() {
            return false;
        }
        let is_same = self.nodes.iter().map(rest).eq(self.rested.iter().cloned());
        if !is_same {
            self.rested = self.nodes.iter().map(rest).collect();
        }
        !is_same
    }

    fn judge_step(&mut self, node: NodeId, history: &History) {
        let now = View(self);
        let broken: GuaranteeSet = broken_by_step(&Before { now, node, history }, &now, node);
        broken.iter().for_each(|it| self.history.note_broken(it));
    }

    /// Judges the present state. Each guarantee is found broken once.
    fn judge_state(&mut self) {
        for guarantee in GUARANTEES {
            let id = guarantee.id();
            let is_known = self.broken.iter().any(|(it, _)| *it == id);
            let is_promised = guarantee.is_promised(self.setup.settings);
            if is_promised && !is_known && !holds(id, &View(self)) {
                self.broken.push((id, self.now));
            }
        }
    }

    /// Notes in history and ledger what one node did.
    fn chronicle(&mut self, node: NodeId) {
        let at = &mut self.nodes[node.index()];
        let answers = std::mem::take(&mut at.answers);
        let (before, after) = (at.shadow.view(at), NodeView::of(&at.node));
        self.ledger.conflicts += new_conflicts(before.replica, after.replica);
        answers.iter().for_each(|(_, outcome)| self.ledger.count_answer(outcome));
        self.history.on_stepped(&before, &after, answers);
    }
}

/// How many versions have become conflicts.
fn new_conflicts(before: Option<&Replica>, after: Option<&Replica>) -> u64 {
    let (Some(before), Some(after)) = (before, after) else {
        return 0;
    };
    let losers = |it: &Replica, path| it.files().heads(path).len().saturating_sub(1);
    let paths = after.files().changed_since(before.files());
    let fresh = paths.iter().map(|it| losers(after, it).saturating_sub(losers(before, it)));
    fresh.sum::<usize>() as u64
}
