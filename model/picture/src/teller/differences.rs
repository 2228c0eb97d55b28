//! The changes of a step at the nodes.

use steadfast_guarantees::NodeView;
use steadfast_node::ContentCopy;
use steadfast_protocol::{NodeId, Record, Role as Doing, first_index};

use super::{Teller, dot_of};
use crate::story::{Change, NodeFacts, Role};
use crate::{Scene, words};

/// A node as it is.
pub(super) fn facts(id: NodeId, node: &NodeView<'_>) -> NodeFacts {
    let shown = node.replica.map(|it| it.files());
    let shows = shown.into_iter().flat_map(|it| it.iter());
    let (role, epoch) = role(node);
    let peers = (0..8).map(NodeId).filter(|it| *it != id);
    let session = |peer: NodeId| Some((peer, node.replica?.session(peer)?.0));
    NodeFacts {
        role,
        epoch,
        log: node.records.iter().map(words::record).collect(),
        synced: node.synced_records().len(),
        shows: shows
            .map(|(path, heads)| (words::path(path), heads.iter().map(words::version).collect()))
            .collect(),
        copies: Default::default(),
        sessions: peers.filter_map(session).collect(),
    }
}

fn role(node: &NodeView<'_>) -> (Role, String) {
    let Some(replica) = node.replica else {
        return (Role::Down, String::new());
    };
    let role = match replica.role() {
        _ if !replica.takes_part() => Role::Halted,
        Doing::Leader(_) => Role::Leads,
        Doing::Candidate(_) => Role::Asks,
        Doing::Follower(_) | Doing::PreCandidate(_) => Role::Follows,
    };
    (role, replica.promise().to_string())
}

fn copy_state(copy: ContentCopy) -> &'static str {
    match copy {
        ContentCopy::Exact => "good",
        ContentCopy::Wrong => "bad",
        ContentCopy::Missing => "missing",
    }
}

impl Teller {
    pub(super) fn begin_copies(&mut self, scene: &dyn Scene) {
        for (id, facts) in NodeId::all(self.story.nodes).zip(&mut self.story.start) {
            for content in &self.contents {
                let copy = scene.cluster().copy(id, *content);
                self.copies[id.index()].insert(*content, copy);
                if copy != ContentCopy::Missing {
                    facts.copies.insert(content.to_string(), copy_state(copy));
                }
            }
        }
    }

    /// Adds the changes of each node.
    pub(super) fn follow_nodes(
        &mut self,
        number: usize,
        before: &dyn Scene,
        after: &dyn Scene,
        changes: &mut Vec<Change>,
    ) {
        let (old, new) = (before.cluster(), after.cluster());
        for (id, node) in new.nodes() {
            let was = old.node(id);
            self.follow_role(number, id, &was, &node, changes);
            self.follow_links(id, &was, &node, changes);
            self.follow_log(number, id, &was, &node, changes);
            self.follow_copies(id, after, changes);
            self.follow_files(id, &node, changes);
        }
    }

    fn follow_role(
        &mut self,
        number: usize,
        node: NodeId,
        was: &NodeView<'_>,
        is: &NodeView<'_>,
        changes: &mut Vec<Change>,
    ) {
        let (role, epoch) = role(is);
        if self::role(was) == (role, epoch.clone()) {
            return;
        }
        if role == Role::Down {
            self.trail.crashed.insert(node, number);
        }
        if let Some(replica) = is.replica.filter(|it| it.leads()) {
            self.trail.led.entry((replica.promise(), node)).or_insert(number);
        }
        self.on_role(number, node, role, &epoch);
        changes.push(Change::Became { node, role, epoch });
    }

    fn follow_links(
        &mut self,
        node: NodeId,
        was: &NodeView<'_>,
        is: &NodeView<'_>,
        changes: &mut Vec<Change>,
    ) {
        let (Some(was), Some(is)) = (was.replica, is.replica) else {
            return;
        };
        for peer in NodeId::all(self.story.nodes).filter(|it| *it != node) {
            let (old, new) = (was.session(peer), is.session(peer));
            if old != new {
                changes.push(Change::Link { node, peer, session: new.map(|it| it.0) });
            }
        }
    }

    fn follow_log(
        &mut self,
        number: usize,
        node: NodeId,
        was: &NodeView<'_>,
        is: &NodeView<'_>,
        changes: &mut Vec<Change>,
    ) {
        if first_index(was.records) < first_index(is.records) {
            let records = is.records.iter().map(words::record).collect();
            changes.push(Change::Trimmed { node, records });
            return;
        }
        let is_restarted = was.replica.is_some() != is.replica.is_some()
            || was.records.first() != is.records.first();
        let common = match is_restarted || is.records.len() < was.records.len() {
            true => was.records.iter().zip(is.records).take_while(|(old, new)| old == new).count(),
            false => was.records.len(),
        };
        if common < was.records.len() {
            let gone = was.records.len() - common;
            changes.push(Change::Truncated { node, left: common, gone });
        }
        let fresh: &[Record] = is.records.get(common..).unwrap_or_default();
        for dot in fresh.iter().filter_map(dot_of) {
            self.trail.logged.insert((node, dot), number);
        }
        if !fresh.is_empty() {
            let records = fresh.iter().map(words::record).collect();
            changes.push(Change::Appended { node, records });
        }
        if was.synced != is.synced {
            let synced = is.synced_records().len();
            changes.push(Change::Synced { node, synced, of: is.records.len() });
        }
    }

    fn follow_files(&mut self, node: NodeId, is: &NodeView<'_>, changes: &mut Vec<Change>) {
        let Some(replica) = is.replica else {
            return;
        };
        let (old, new) = (&self.files[node.index()], replica.files());
        for name in new.changed_since(old) {
            let versions = new.heads(&name).iter().map(words::version).collect();
            changes.push(Change::Shows { node, path: words::path(&name), versions });
        }
        self.files[node.index()] = new.clone();
    }

    fn follow_copies(&mut self, node: NodeId, after: &dyn Scene, changes: &mut Vec<Change>) {
        let known = &mut self.copies[node.index()];
        for content in &self.contents {
            let copy = after.cluster().copy(node, *content);
            let old = known.insert(*content, copy).unwrap_or(ContentCopy::Missing);
            if old != copy {
                let (content, state) = (content.to_string(), copy_state(copy));
                changes.push(Change::Copy { node, content, state });
            }
        }
    }
}
