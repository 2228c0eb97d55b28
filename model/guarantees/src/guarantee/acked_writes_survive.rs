//! G1 acked-writes-survive.

use std::cell::LazyCell;

use steadfast_protocol::{Change, Entry, NodeId};

use super::Judge;
use crate::{ClusterView, NodeView, OperationKind};

/// G1: an acknowledged write is never lost, nor a version that a linearizable read has returned.
pub(super) struct AckedWritesSurvive;

impl Judge for AckedWritesSurvive {
    fn promise(&self) -> &'static str {
        "an acknowledged write is synced on at least W nodes and stays so; in every settled cluster \
         with a leader it is, on every node, visible, replaced by a write that named it, or a listed \
         conflict (with E+W>N only if a later write had seen it and named other heads); a delete may also \
         be forgotten, once its path has no other version on any node, and any later write of the path that \
         saw no other version replaces it; the version \
         that a linearizable read returns is also synced on at least W nodes"
    }

    /// A synced version stays synced, so a version that was read is judged only when the read returns.
    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, _: NodeId) -> bool {
        if after.has_answers_of(before) {
            return true;
        }
        let done = after.answered_since(before);
        done.filter_map(|(it, _)| match &it.kind {
            OperationKind::Read { version } => version.as_ref(),
            OperationKind::Write { .. } | OperationKind::StaleRead { .. } => None,
        })
        .all(|version| copies(after, version) >= after.settings().write())
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        let settings = cluster.settings();
        let mut acknowledged = cluster.acknowledged().map(|(entry, _)| entry).peekable();
        if acknowledged.peek().is_none() {
            return true;
        }
        let is_settled = LazyCell::new(|| cluster.is_settled() && cluster.has_leader());
        acknowledged.all(|entry| {
            let survives = |(_, node)| is_accounted_for(entry, node, cluster);
            copies(cluster, entry) >= settings.write()
                && (!*is_settled || cluster.nodes().all(survives))
        })
    }
}

/// The number of nodes that have synced an entry.
fn copies(cluster: &dyn ClusterView, entry: &Entry) -> usize {
    cluster.ids().filter(|id| cluster.has_synced(*id, entry)).count()
}

/// Whether an entry is visible, replaced by a write that named it, or listed where that is allowed.
fn is_accounted_for(entry: &Entry, node: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let Some(replica) = node.replica else {
        return true;
    };
    let heads = replica.files().heads(&entry.path);
    let rank = heads.iter().position(|head| head.dot == entry.dot);
    let history = cluster.history();
    let is_replaced =
        || cluster.known_entries_behind(entry, node).any(|it| history.names(it, entry.dot));
    match rank {
        Some(0) => true,
        Some(_) => !cluster.settings().is_consistent() || is_listed_rightly(entry, node, cluster),
        None => is_replaced() || is_settled_delete(entry, node, cluster),
    }
}

/// Whether an entry is a delete that the node has forgotten, or that gave way to a write whose author saw no
/// version of the path but the delete, or had forgotten it.
fn is_settled_delete(entry: &Entry, node: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let Some(replica) = node.replica.filter(|_| entry.change == Change::Delete) else {
        return false;
    };
    let is_forgotten =
        replica.parameters().forgets_deletes && replica.files().heads(&entry.path).is_empty();
    let history = cluster.history();
    let outlasts = |it: &Entry| match it.replaces.is_empty() {
        true => it.path == entry.path && it.context.covers(entry.dot),
        false => it.replaces.contains(&entry.dot) && history.has_named_base(it),
    };
    is_forgotten || cluster.known_entries_behind(entry, node).any(outlasts)
}

/// Whether a consistent store may list an acknowledged write as a conflict: a later write had seen it
/// and named other heads to replace.
fn is_listed_rightly(entry: &Entry, node: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let leaves = |it: &&Entry| it.context.covers(entry.dot) && !it.replaces.contains(&entry.dot);
    let history = cluster.history();
    cluster.known_entries_behind(entry, node).filter(leaves).any(|it| history.has_named_base(it))
}
