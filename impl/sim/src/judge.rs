//! The cluster as the guarantees see it, and when they look.

use steadfast_guarantees::{
    ClusterView, GuaranteeId, History, NodeView, broken_by_step, guarantees, holds,
};
use steadfast_node::{Cluster, ContentCopy, NodeStorage};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Epoch, LogIndex, NodeId, Outcome, Record, Replica, RequestId,
    Role, Settings, first_index, last_index,
};

use crate::network::Scene;
use crate::nodes::{Nodes, SimulatedNode};
use crate::{Ledger, Time};

/// A simulated cluster as the guarantees see it: as it is, or as it was before one of its nodes
/// changed.
#[derive(Clone, Copy)]
pub struct View<'a> {
    scene: Scene<'a>,
    history: &'a History,
    past: Option<(NodeId, &'a Shadow)>,
}

impl<'a> View<'a> {
    pub(crate) fn of(scene: Scene<'a>, history: &'a History) -> View<'a> {
        View { scene, history, past: None }
    }
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
        let now = &self.scene.nodes[node].node;
        match self.past {
            Some((changed, shadow)) if changed == node => shadow.view(now.storage().records()),
            _ => NodeView::of(now),
        }
    }

    /// Judged by the bytes on the disk: the store may not know yet that they are damaged.
    fn copy(&self, node: NodeId, content: ContentId) -> ContentCopy {
        self.scene.nodes[node].node.storage().copy_on_disk(content)
    }

    /// A damaged copy is served only by a twin. To read it, as a node does, would change what the store knows.
    fn served(&self, node: NodeId, content: ContentId) -> ContentCopy {
        let (storage, decisions) =
            (self.scene.nodes[node].node.storage(), self.scene.setup.decisions());
        let serves_bad = decisions.serves_bad_copies()
            || decisions.trusts_unverified_content()
            || storage.reads_unverified();
        match storage.copy_on_disk(content) {
            ContentCopy::Wrong if !serves_bad => ContentCopy::Missing,
            copy => copy,
        }
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
}

/// Everything in one node that guarantees look at and that can change: nodes with equal marks are
/// judged alike.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Mark {
    life: u64,
    is_up: bool,
    first: LogIndex,
    length: LogIndex,
    synced: LogIndex,
    promise: Epoch,
    leads: bool,
    has_stopped: bool,
    /// How often a copy of a content was made, went bad or got lost.
    copies: u64,
}

impl Mark {
    fn of(node: &SimulatedNode) -> Mark {
        let (replica, storage) = (node.node.replica(), node.node.storage());
        Mark {
            life: node.life,
            is_up: replica.is_some(),
            first: first_index(storage.records()),
            length: last_index(storage.records()),
            synced: storage.synced(),
            promise: replica.map(Replica::promise).unwrap_or_default(),
            leads: replica.is_some_and(Replica::leads),
            has_stopped: replica.is_some_and(|it| !it.takes_part()),
            copies: storage.copies(),
        }
    }
}

impl Mark {
    /// The records of that time, given those that have been appended to since.
    fn records(self, now: &[Record]) -> &[Record] {
        let count = (self.length.0 + 1).saturating_sub(self.first.0);
        now.get(..usize::try_from(count).unwrap_or(usize::MAX)).unwrap_or(now)
    }
}

/// A node as it was when it was last judged.
#[derive(Clone, Debug, Default)]
struct Shadow {
    mark: Mark,
    replica: Option<Replica>,
    /// The records on its disk, if a crash or a trim has taken some of them since.
    records: Option<Vec<Record>>,
}

impl Shadow {
    fn of(node: &SimulatedNode) -> Shadow {
        Shadow { mark: Mark::of(node), replica: node.node.replica().cloned(), records: None }
    }

    /// The node as it was, given the records that it has now.
    fn view<'a>(&'a self, now: &'a [Record]) -> NodeView<'a> {
        let records = self.records.as_deref().unwrap_or_else(|| self.mark.records(now));
        NodeView { replica: self.replica.as_ref(), records, synced: self.mark.synced }
    }
}

/// A node of a quiet cluster: whether it is idle, and has answered its clients.
type Rest = (Mark, bool, bool);

/// An answer to a client.
pub(crate) type Answer = (RequestId, Outcome);

/// Judges every step by the guarantees.
pub(crate) struct Judge {
    /// Whether steps are judged. If not, they are only noted in the history.
    judges_steps: bool,
    /// The nodes as they were when they were last judged.
    shadows: Vec<Shadow>,
    /// The nodes as they were when the cluster was last judged while it was quiet.
    rested: Vec<Rest>,
    /// The guarantees that were broken, each with the moment.
    broken: Vec<(GuaranteeId, Time)>,
}

impl Judge {
    pub(crate) fn new(judges_steps: bool) -> Judge {
        Judge { judges_steps, shadows: Vec::new(), rested: Vec::new(), broken: Vec::new() }
    }

    /// Takes the nodes as they are for the beginning.
    pub(crate) fn begin(&mut self, nodes: &Nodes) {
        self.shadows = nodes.iter().map(Shadow::of).collect();
    }

    pub(crate) fn broken(&self) -> &[(GuaranteeId, Time)] {
        &self.broken
    }

    /// Keeps the records of a node from which a crash, a rollback or a trim is about to take some.
    pub(crate) fn keep_records(&mut self, node: NodeId, records: &[Record]) {
        let shadow = &mut self.shadows[node.index()];
        shadow.records = Some(shadow.mark.records(records).to_vec());
    }

    /// Brings the history up to date after a step, and judges the step if it changed its node. `node` is
    /// the only one that the step may have changed, and `answers` are those that it gave.
    pub(crate) fn judge(
        &mut self,
        scene: Scene<'_>,
        history: &mut History,
        (node, answers): (Option<NodeId>, Vec<Answer>),
        now: Time,
        ledger: &mut Ledger,
    ) {
        let differs = |node: &NodeId| {
            let shadow = &self.shadows[node.index()];
            shadow.records.is_some() || shadow.mark != Mark::of(&scene.nodes[*node])
        };
        let changed = node.filter(|it| !answers.is_empty() || differs(it));
        if let Some(node) = changed {
            let (past, at) = (&self.shadows[node.index()], &scene.nodes[node]);
            let after = NodeView::of(&at.node);
            let before = past.view(after.records);
            ledger.count_step(node, &before, &after, &answers);
            let old_history = self.judges_steps.then(|| history.clone());
            history.on_stepped(&before, &after, answers);
            if let Some(old_history) = old_history {
                let before = View { scene, history: &old_history, past: Some((node, past)) };
                let broken = broken_by_step(&before, &View::of(scene, history), node);
                broken.iter().for_each(|it| history.note_broken(it));
            }
            self.shadows[node.index()] = Shadow::of(at);
        }
        if self.judges_steps && (self.has_come_to_rest(scene) || changed.is_some()) {
            self.judge_state(&View::of(scene, history), now);
        }
    }

    /// Whether the cluster is quiet, and not as it was when it was last judged while it was quiet.
    fn has_come_to_rest(&mut self, scene: Scene<'_>) -> bool {
        if !scene.is_quiet() {
            return false;
        }
        let rests = || {
            self.shadows.iter().zip(scene.nodes.iter()).map(|(shadow, at)| {
                let replica = at.node.replica();
                let has_answered = match replica.map(Replica::role) {
                    Some(Role::Leader(it)) => it.writes.is_empty() && it.reads.is_empty(),
                    _ => true,
                };
                (shadow.mark, replica.is_some_and(Replica::is_idle), has_answered)
            })
        };
        let is_same = rests().eq(self.rested.iter().copied());
        if !is_same {
            self.rested = rests().collect();
        }
        !is_same
    }

    /// Judges the present state. Each guarantee is found broken once.
    fn judge_state(&mut self, view: &View<'_>, now: Time) {
        for guarantee in guarantees() {
            let id = guarantee.id();
            let is_known = self.broken.iter().any(|(it, _)| *it == id);
            if guarantee.is_promised(view.settings()) && !is_known && !holds(id, view) {
                self.broken.push((id, now));
            }
        }
    }
}
