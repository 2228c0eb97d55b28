//! The cluster as the guarantees see it, and when they look.

use steadfast_guarantees::{
    ClusterView, GUARANTEES, GuaranteeId, GuaranteeSet, History, NodeView, broken_by_step, holds,
};
use steadfast_node::{Cluster, ContentCopy, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Epoch, LogIndex, NodeId, NodeSet, Outcome, Record, Replica,
    RequestId, Role, Settings,
};

use crate::network::Scene;
use crate::nodes::{Nodes, SimulatedNode};
use crate::sizes::entry_bytes;
use crate::{Ledger, Time};

/// A simulated cluster as the guarantees see it.
#[derive(Clone, Copy)]
pub struct View<'a> {
    pub(crate) scene: Scene<'a>,
    history: &'a History,
}

impl ClusterView for View<'_> {
    fn settings(&self) -> Settings {
        self.scene.setup.settings
    }

    fn history(&self) -> &History {
        self.history
    }

    fn decisions(&self) -> &dyn Decisions {
        self.scene.setup.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        NodeView::of(&self.scene.nodes.at(node).node)
    }

    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.scene.nodes.disk(node).copy(content)
    }

    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.scene.nodes.at(node).node.served(content, self.scene.setup.decisions())
    }

    fn is_quiet(&self) -> bool {
        self.scene.is_quiet()
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
    synced: LogIndex,
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
    synced: LogIndex,
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
        self.records.is_some() || self.mark != Mark::of(node)
    }
}

/// The cluster before one of its nodes changed.
struct Before<'a> {
    now: View<'a>,
    node: NodeId,
    shadow: &'a Shadow,
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
        self.now.decisions()
    }

    fn node(&self, node: NodeId) -> NodeView<'_> {
        let at = self.now.scene.nodes.at(node);
        if node == self.node { self.shadow.view(at) } else { NodeView::of(&at.node) }
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

/// An answer to a client, with the node that gave it.
pub(crate) type Answer = (NodeId, RequestId, Outcome);

/// Keeps the history, and judges every step by the guarantees.
pub(crate) struct Judge {
    history: History,
    /// The nodes as they were when they were last judged.
    shadows: Vec<Shadow>,
    /// The nodes as they were when the cluster was last judged while it was quiet.
    rested: Vec<Rest>,
    /// The guarantees that were broken, each with the moment.
    broken: Vec<(GuaranteeId, Time)>,
}

impl Judge {
    pub(crate) fn new(nodes: &Nodes) -> Judge {
        Judge {
            history: History::new(true),
            shadows: nodes.iter().map(Shadow::of).collect(),
            rested: Vec::new(),
            broken: Vec::new(),
        }
    }

    /// Takes the nodes as they are for where judgement begins.
    pub(crate) fn begin(&mut self, nodes: &Nodes) {
        self.shadows = nodes.iter().map(Shadow::of).collect();
    }

    pub(crate) fn history(&self) -> &History {
        &self.history
    }

    /// The history, to note what clients ask and what faults do.
    pub(crate) fn history_mut(&mut self) -> &mut History {
        &mut self.history
    }

    pub(crate) fn broken(&self) -> &[(GuaranteeId, Time)] {
        &self.broken
    }

    pub(crate) fn view<'a>(&'a self, scene: Scene<'a>) -> View<'a> {
        View { scene, history: &self.history }
    }

    /// Keeps the records of a node from which a crash or a rollback is about to take some.
    pub(crate) fn keep_records(&mut self, node: NodeId, records: &[Record]) {
        self.shadows[node.index()].keep_records(records);
    }

    /// Brings the history up to date and judges what changed. `answers` are those of this step.
    pub(crate) fn judge(
        &mut self,
        scene: Scene<'_>,
        answers: &[Answer],
        now: Time,
        ledger: &mut Ledger,
    ) {
        let has_answered = |node| answers.iter().any(|it| it.0 == node);
        let ids = NodeId::all(scene.setup.settings.nodes());
        let changed: NodeSet = ids
            .filter(|it| self.shadows[it.index()].differs(scene.nodes.at(*it)) || has_answered(*it))
            .collect();
        if !changed.is_empty() {
            let before = self.history.clone();
            for node in changed.iter() {
                let given = answers.iter().filter(|it| it.0 == node);
                let given: Vec<_> = given.map(|(_, id, outcome)| (*id, outcome.clone())).collect();
                self.chronicle(scene, node, given, ledger);
            }
            changed.iter().for_each(|node| self.judge_step(scene, node, &before));
            for node in changed.iter() {
                self.shadows[node.index()] = Shadow::of(scene.nodes.at(node));
            }
        }
        if self.has_come_to_rest_anew(scene) || !changed.is_empty() {
            self.judge_state(scene, now);
        }
    }

    /// Whether the cluster is quiet, and not as it was when it was last judged while it was quiet.
    fn has_come_to_rest_anew(&mut self, scene: Scene<'_>) -> bool {
        if !scene.is_quiet() {
            return false;
        }
        let is_same = scene.nodes.iter().map(rest).eq(self.rested.iter().cloned());
        if !is_same {
            self.rested = scene.nodes.iter().map(rest).collect();
        }
        !is_same
    }

    fn judge_step(&mut self, scene: Scene<'_>, node: NodeId, history: &History) {
        let now = View { scene, history: &self.history };
        let shadow = &self.shadows[node.index()];
        let before = Before { now, node, shadow, history };
        let broken: GuaranteeSet = broken_by_step(&before, &now, node);
        broken.iter().for_each(|it| self.history.note_broken(it));
    }

    /// Judges the present state. Each guarantee is found broken once.
    fn judge_state(&mut self, scene: Scene<'_>, now: Time) {
        for guarantee in GUARANTEES {
            let id = guarantee.id();
            let is_known = self.broken.iter().any(|(it, _)| *it == id);
            let is_promised = guarantee.is_promised(scene.setup.settings);
            if is_promised && !is_known && !holds(id, &self.view(scene)) {
                self.broken.push((id, now));
            }
        }
    }

    /// Notes in history and ledger what one node did.
    fn chronicle(
        &mut self,
        scene: Scene<'_>,
        node: NodeId,
        answers: Vec<(RequestId, Outcome)>,
        ledger: &mut Ledger,
    ) {
        let at = scene.nodes.at(node);
        let (before, after) = (self.shadows[node.index()].view(at), NodeView::of(&at.node));
        ledger.conflicts += new_conflicts(before.replica, after.replica);
        ledger.useful_bytes += received_bytes(node, &before, &after);
        answers.iter().for_each(|(_, outcome)| ledger.count_answer(outcome));
        self.history.on_stepped(&before, &after, answers);
    }
}

/// How many bytes of entries a node has appended that others made.
fn received_bytes(node: NodeId, before: &NodeView<'_>, after: &NodeView<'_>) -> u64 {
    let fresh = after.records.get(before.records.len()..).unwrap_or_default();
    let entries = fresh.iter().filter_map(Record::entry);
    entries.filter(|it| it.dot.origin != node).map(entry_bytes).sum()
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
