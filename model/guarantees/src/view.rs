//! The view of a cluster that the guarantees judge.

use std::collections::BTreeSet;

use steadfast_node::{ContentCopy, Node, NodeStorage};
use steadfast_protocol::{
    Change, ContentId, Decisions, Dot, Entry, Files, Fold, Halt, LogIndex, NodeId, NodeSet, Path,
    Record, Replica, Settings, VersionVector, last_index,
};

use crate::focus::{Focus, files_in};
use crate::{GuaranteeSet, History};

/// One node as the guarantees see it.
#[derive(Clone, Copy, Debug)]
pub struct NodeView<'a> {
    /// The state machine; `None` while the node is down.
    pub replica: Option<&'a Replica>,
    /// The records on its disk, synced or not, in order. The first may be a checkpoint, which stands for
    /// those before it.
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

    /// Whether a node has synced this entry, or knows of it by state or by a checkpoint.
    fn has_synced(&self, node: NodeId, entry: &Entry) -> bool {
        self.disk(node).has_synced(entry)
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

    /// All entries of the same path that were made after an entry, if the driver has them at hand; `None` if
    /// they must be looked for in the logs.
    fn entries_behind(&self, entry: &Entry) -> Option<&[Entry]> {
        let _ = entry;
        None
    }

    /// The part of the cluster that is to be judged; `None` for all of it.
    fn focus(&self) -> Option<&Focus> {
        None
    }

    /// Whether the records of nodes hold deletes that the nodes have forgotten: the driver keeps logs longer than the
    /// nodes do.
    fn keeps_forgotten_deletes(&self) -> bool {
        false
    }

    /// Why a node that is up has halted; `None` if it has not.
    fn halted(&self, node: NodeId) -> Option<&Halt> {
        self.node(node).replica.and_then(Replica::halted)
    }

    /// Whether a reader of a version that a node shows gets other bytes than its name says, or none although
    /// the node knows that it has no copy and does not ask for one.
    fn shows_wrong_content(&self, node: NodeId) -> bool {
        let replica = self.node(node).replica;
        replica.is_some_and(|it| {
            let files = files_in(self.focus(), it.files());
            serves_wrong_content(it, files, |content| self.served(node, content))
        })
    }
}

/// Whether a reader of a version that a replica shows gets other bytes than its name says, given
/// which copies its node serves; or none, although the replica knows that it has no copy and does not ask
/// for one.
pub fn shows_wrong_content(replica: &Replica, served: impl Fn(ContentId) -> ContentCopy) -> bool {
    serves_wrong_content(replica, replica.files().iter(), served)
}

fn serves_wrong_content<'a>(
    replica: &Replica,
    files: impl Iterator<Item = (&'a Path, &'a [Entry])>,
    served: impl Fn(ContentId) -> ContentCopy,
) -> bool {
    let heads = files.flat_map(|(_, heads)| heads);
    let mut named = heads.filter_map(|head| head.change.named());
    let is_given_up = |content| {
        let is_wanted = || replica.wants().iter().any(|it| it.content == content);
        replica.takes_part() && !replica.has_content(content) && !is_wanted()
    };
    named.any(|content| match served(content) {
        ContentCopy::Exact => false,
        ContentCopy::Wrong => true,
        ContentCopy::Missing => is_given_up(content),
    })
}

impl<'a> NodeView<'a> {
    /// The view of a node.
    #[must_use]
    pub fn of(node: &'a Node<impl NodeStorage>) -> NodeView<'a> {
        let storage = node.storage();
        NodeView { replica: node.replica(), records: storage.records(), synced: storage.synced() }
    }

    /// The index of the last record.
    #[must_use]
    pub fn length(&self) -> LogIndex {
        last_index(self.records)
    }

    /// The synced records, which a crash cannot take back.
    #[must_use]
    pub fn synced_records(&self) -> &'a [Record] {
        let unsynced = self.length().0.saturating_sub(self.synced.0);
        let unsynced = usize::try_from(unsynced).unwrap_or(usize::MAX);
        &self.records[..self.records.len().saturating_sub(unsynced)]
    }

    /// The records that were not there before.
    #[must_use]
    pub fn fresh_since(&self, before: &NodeView<'_>) -> &'a [Record] {
        let fresh = self.length().0.saturating_sub(before.length().0);
        let fresh = usize::try_from(fresh).unwrap_or(usize::MAX).min(self.records.len());
        let fresh = &self.records[self.records.len() - fresh..];
        // A checkpoint is no news: it stands for records that were there.
        fresh.get(usize::from(matches!(fresh, [Record::Checkpoint(_), ..]))..).unwrap_or_default()
    }

    /// Whether the records stand for entries that they do not hold.
    #[must_use]
    pub fn has_dropped_entries(&self) -> bool {
        self.records.iter().any(|it| matches!(it, Record::State(_) | Record::Checkpoint(_)))
    }

    /// Whether the node has synced this entry, or knows of it by state or by a checkpoint.
    #[must_use]
    pub fn has_synced(&self, entry: &Entry) -> bool {
        let mut held = self.synced_entries().filter(|it| it.dot == entry.dot).peekable();
        match held.peek() {
            Some(_) => held.any(|it| it == entry),
            None => self.has_dropped_entries() && self.synced_vv().covers(entry.dot),
        }
    }

    /// The synced entries that the node holds, which a crash cannot take back.
    pub fn synced_entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.synced_records())
    }

    /// The entries on disk, synced or not.
    pub fn entries(&self) -> impl Iterator<Item = &'a Entry> + use<'a> {
        entries(self.records)
    }

    /// Whether each entry and each state may follow the records before it, so that every prefix that a crash
    /// may leave is closed as well.
    #[must_use]
    pub fn is_prefix_closed(&self) -> bool {
        self.is_closed(None)
    }

    /// The same, with the heads of a checkpoint as far as they are to be judged.
    pub(crate) fn is_closed(&self, focus: Option<&Focus>) -> bool {
        let mut held = VersionVector::default();
        self.records.iter().all(|record| match record {
            Record::Identity(_) | Record::Promise(_) => true,
            Record::Entry(entry) => {
                let follows = entry.dot.sequence == held.sequence(entry.dot.origin).next();
                let is_closed = follows && held.includes(&entry.context);
                held.insert(entry.dot);
                is_closed
            }
            Record::State(state) => {
                let is_closed = held.includes(&state.since);
                if state.until.is_none() {
                    held.merge(&state.vv);
                }
                is_closed && state.heads.iter().all(|head| is_within(head, &state.vv))
            }
            Record::Checkpoint(checkpoint) => {
                held = *checkpoint.fold.vv();
                match focus {
                    None => checkpoint.fold.heads().all(|head| is_within(head, &held)),
                    Some(_) => files_in(focus, checkpoint.fold.files())
                        .flat_map(|(_, heads)| heads)
                        .all(|head| is_within(head, &held)),
                }
            }
        })
    }

    /// The synced entries, as a version vector.
    #[must_use]
    pub fn synced_vv(&self) -> VersionVector {
        match self.replica {
            Some(replica) if replica.synced() == self.synced => *replica.synced_vv(),
            _ => vv_of(self.synced_records()),
        }
    }

    /// The files that the node shows; of a node that is down, those that it will show after recovery.
    #[must_use]
    pub fn shown(&self, decisions: &dyn Decisions) -> Files {
        match self.replica {
            Some(replica) => replica.files().clone(),
            None => self.replayed(decisions).files().clone(),
        }
    }

    /// The fold of the synced records, given that of those up to `length`, which the records hold.
    #[must_use]
    pub(crate) fn replayed_after(
        &self,
        fold: &Fold,
        length: LogIndex,
        decisions: &dyn Decisions,
    ) -> Fold {
        let mut fold = fold.clone();
        self.synced_since(length).iter().for_each(|record| fold.apply(record, decisions));
        fold
    }

    /// The synced records behind those up to `length`, which the records hold.
    pub(crate) fn synced_since(&self, length: LogIndex) -> &[Record] {
        let count = usize::try_from(self.synced.0.saturating_sub(length.0)).unwrap_or(usize::MAX);
        let synced = self.synced_records();
        &synced[synced.len().saturating_sub(count)..]
    }

    /// The fold of the synced records.
    #[must_use]
    pub fn replayed(&self, decisions: &dyn Decisions) -> Fold {
        let mut fold = Fold::default();
        self.synced_records().iter().for_each(|record| fold.apply(record, decisions));
        fold
    }
}

/// Whether the only head of a path is a delete. A node may forget such a path.
pub(crate) fn is_lone_delete(heads: &[Entry]) -> bool {
    matches!(heads, [only] if only.change == Change::Delete)
}

/// Whether a node shows these files, except deleted paths that it may have forgotten.
pub(crate) fn shows(node: &Replica, files: &Files) -> bool {
    let has_forgotten = || {
        let differing = node.files().changed_since(files);
        differing.len() == forgotten(node, files).len()
    };
    node.files() == files || has_forgotten()
}

/// The deletes among these files that a node may have forgotten: it shows no version of their paths.
pub(crate) fn forgotten(node: &Replica, files: &Files) -> Vec<Entry> {
    if !node.parameters().forgets_deletes {
        return Vec::new();
    }
    let differing = node.files().changed_since(files);
    let lone = differing
        .iter()
        .filter(|path| node.files().heads(path).is_empty() && is_lone_delete(files.heads(path)));
    lone.flat_map(|path| files.heads(path)).cloned().collect()
}

/// Whether a vector covers an entry and its context.
fn is_within(entry: &Entry, vv: &VersionVector) -> bool {
    vv.covers(entry.dot) && vv.includes(&entry.context)
}

/// The entries that records stand for, as a version vector.
fn vv_of(records: &[Record]) -> VersionVector {
    let mut vv = VersionVector::default();
    for record in records {
        match record {
            Record::Identity(_) | Record::Promise(_) => {}
            Record::Entry(entry) => vv.insert(entry.dot),
            Record::State(state) if state.until.is_some() => {}
            Record::State(state) => vv.merge(&state.vv),
            Record::Checkpoint(checkpoint) => vv.merge(checkpoint.fold.vv()),
        }
    }
    vv
}

/// The entries that records hold. The heads of a state are held once its last part has come.
fn entries(records: &[Record]) -> impl Iterator<Item = &Entry> {
    let is_complete = |at: usize, record: &Record| match record {
        Record::State(part) if part.until.is_some() => records[at..].iter().any(|it| match it {
            Record::State(later) => later.until.is_none() && later.is_of(part),
            _ => false,
        }),
        _ => true,
    };
    let records = records.iter().enumerate().filter(move |(at, it)| is_complete(*at, it));
    records.flat_map(|(_, record)| record.entries())
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

    /// All entries that a node knows of, synced or not, dropped ones included. Looks at the history only if
    /// there are any of these.
    pub(crate) fn known_entries<'a>(
        &'a self,
        node: NodeView<'a>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let are_dropped = self.history().keeps_entries() && node.has_dropped_entries();
        let dropped = are_dropped.then(|| {
            let vv = vv_of(node.records);
            let held: BTreeSet<Dot> = node.entries().map(|it| it.dot).collect();
            // After a rollback a dot may name two entries, and the history has only the newer one.
            let reused = self.rolled_back();
            let is_dropped = move |it: &&Entry| {
                let dot = it.dot;
                vv.covers(dot) && !held.contains(&dot) && !reused.contains(dot.origin)
            };
            self.history().entries().filter(is_dropped)
        });
        self.held_entries(node).chain(dropped.into_iter().flatten())
    }

    /// The entries that a node holds. With a focus, those that the first record stands for, if it is a checkpoint,
    /// are left out unless they are heads of its paths.
    pub(crate) fn held_entries<'a>(
        &'a self,
        node: NodeView<'a>,
    ) -> impl Iterator<Item = &'a Entry> + use<'a> {
        let (checkpoint, records) = match (self.focus(), node.records) {
            (Some(focus), [Record::Checkpoint(first), behind @ ..]) => {
                (Some(files_in(Some(focus), first.fold.files())), behind)
            }
            (_, records) => (None, records),
        };
        let heads = checkpoint.into_iter().flatten().flat_map(|(_, heads)| heads);
        heads.chain(entries(records))
    }

    /// The later entries of the path of an entry that a node knows of, synced or not, dropped ones included.
    pub(crate) fn known_entries_behind<'a>(
        &'a self,
        entry: &'a Entry,
        node: NodeView<'a>,
    ) -> Box<dyn Iterator<Item = &'a Entry> + 'a> {
        match self.entries_behind(entry) {
            None => Box::new(self.known_entries(node).filter(move |it| it.path == entry.path)),
            Some(entries) => {
                let vv = vv_of(node.records);
                Box::new(entries.iter().filter(move |it| vv.covers(it.dot)))
            }
        }
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
            files_in(self.focus(), &files).flat_map(|(_, heads)| heads).all(|head| {
                head.change.named().is_none_or(|it| self.copy(id, it) == ContentCopy::Exact)
            })
        })
    }
}
