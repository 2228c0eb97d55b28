//! The cluster as the guarantees see it, and when they look.

use steadfast_guarantees::{
    ClusterView, Copy, GUARANTEES, GuaranteeSet, History, NodeView, broken_by_step, holds,
};
use steadfast_protocol::{
    ContentId, Decisions, Entry, Epoch, NodeId, NodeSet, Outcome, Position, Record, Replica, Role,
    Settings,
};

use crate::Simulation;
use crate::simulation::Node;

/// A simulated cluster as the guarantees see it.
#[derive(Clone, Copy)]
pub struct View<'a>(pub(crate) &'a Simulation);

pub(crate) fn node_view(node: &Node) -> NodeView<'_> {
    NodeView {
        replica: node.replica.as_ref(),
        records: node.storage.records(),
        synced: node.storage.synced(),
    }
}

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
        node_view(&self.0.nodes[node.index()])
    }

    fn copy(&self, node: NodeId, content: ContentId) -> Copy {
        self.0.nodes[node.index()].storage.copy(content)
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
    fn of(node: &Node) -> Mark {
        let replica = node.replica.as_ref();
        Mark {
            life: node.life,
            is_up: replica.is_some(),
            length: node.storage.records().len(),
            synced: node.storage.synced(),
            promise: replica.map(Replica::promise).unwrap_or_default(),
            leads: replica.is_some_and(Replica::leads),
            has_stopped: replica.is_some_and(|it| it.halted().is_some()),
            copies: node.storage.copies(),
        }
    }
}

/// What is judged besides in a quiet cluster: whether a node is idle and has answered its clients.
pub(crate) type Rest = (Mark, bool, bool);

fn rest(node: &Node) -> Rest {
    let replica = node.replica.as_ref();
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
    pub(crate) fn of(node: &Node) -> Shadow {
        Shadow {
            mark: Mark::of(node),
            replica: node.replica.clone(),
            length: node.storage.records().len(),
            synced: node.storage.synced(),
            records: None,
        }
    }

    /// Keeps what a crash is about to take from the disk.
    pub(crate) fn keep_records(&mut self, records: &[Record]) {
        self.records = Some(records[..self.length.min(records.len())].to_vec());
    }

    fn view<'a>(&'a self, node: &'a Node) -> NodeView<'a> {
        let records = self.records.as_deref().unwrap_or_else(|| {
            let now = node.storage.records();
            now.get(..self.length).unwrap_or(now)
        });
        NodeView { replica: self.replica.as_ref(), records, synced: self.synced }
    }

    /// Whether a node has changed in what guarantees look at.
    fn differs(&self, node: &Node) -> bool {
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
        if node == self.node { at.shadow.view(at) } else { node_view(at) }
    }

    fn copy(&self, node: NodeId, content: ContentId) -> Copy {
        self.now.copy(node, content)
    }

    fn is_quiet(&self) -> bool {
        self.now.is_quiet()
    }
}

impl Simulation {
    /// Whether nothing can happen any more but faults, time and clients.
    #[must_use]
    pub fn is_quiet(&self) -> bool {
        self.world.cut.is_none()
            && self.channels.is_empty()
            && self.nodes.iter().all(|it| {
                it.replica.is_some() && it.storage.tail() == 0 && it.storage.storing.is_empty()
            })
            && self.replicas().all(|it| self.has_heard_of_its_links(it) && !self.lags(it))
            && self.scrubs().is_empty()
    }

    fn has_heard_of_its_links(&self, replica: &Replica) -> bool {
        let peers = NodeId::all(self.setup.settings.nodes()).filter(|it| *it != replica.id());
        let mut peers = peers;
        peers.all(|peer| replica.session(peer) == self.world.session(replica.id(), peer))
    }

    /// Whether a node's next tick is progress: where messages are neither lost nor refused, none is.
    pub(crate) fn lags(&self, replica: &Replica) -> bool {
        !self.is_ordered() && replica.lags()
    }

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

    /// Notes in the history what one node did: entries made, leaderships begun, clients answered.
    fn chronicle(&mut self, node: NodeId) {
        let at = &mut self.nodes[node.index()];
        let answers = std::mem::take(&mut at.answers);
        let fresh = at.storage.records().get(at.shadow.length..).unwrap_or_default();
        if let Some(replica) = &at.replica {
            for record in fresh {
                if let Record::Entry(entry) = record
                    && entry.dot.origin == node
                {
                    self.history.on_made(entry, replica.promise());
                }
            }
            self.history.on_stepped(at.shadow.replica.as_ref(), replica);
            self.ledger.conflicts += at.shadow.replica.as_ref().map_or(0, |was| {
                let paths = replica.files().changed_since(was.files());
                let fresh = paths.iter().map(|path| {
                    let losers = |it: &Replica| it.files().heads(path).len().saturating_sub(1);
                    losers(replica).saturating_sub(losers(was))
                });
                fresh.sum::<usize>() as u64
            });
        }
        for (request, outcome) in answers {
            self.history.on_answered(request, &outcome);
            match outcome {
                Outcome::Acknowledged { .. } => self.ledger.acknowledged += 1,
                Outcome::Refused(_) => self.ledger.refused += 1,
                Outcome::Unknown => self.ledger.unknown += 1,
                Outcome::Value { .. } => self.ledger.answered += 1,
            }
        }
    }
}
