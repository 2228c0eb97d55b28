//! G1 acked-writes-survive.

use std::cell::LazyCell;

use steadfast_protocol::{Entry, NodeId, Replica, Settings};

use super::Judge;
use crate::{Action, ClusterView, History};

/// G1: what was acknowledged is never lost, nor what a linearizable read has shown.
pub(super) struct AckedWritesSurvive;

impl Judge for AckedWritesSurvive {
    fn promise(&self) -> &'static str {
        "an acknowledged write is synced on at least W nodes and stays so; in every settled cluster \
         with a leader it is, on every node, visible, replaced by a write that named it, or a listed \
         conflict (when E+W>N only by a client's doing: a later write that named other heads); what a \
         linearizable read returns is synced on at least W nodes, too"
    }

    /// What is synced once stays so, so a version that was read is judged when the read returns.
    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, _: NodeId) -> bool {
        if after.has_history_of(before) {
            return true;
        }
        let done = after.history().done_since(before.history());
        done.filter_map(|(it, _)| match &it.action {
            Action::Read { version } => version.as_ref(),
            Action::Write { .. } => None,
        })
        .all(|version| copies(after, version) >= after.settings().write())
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        let settings = cluster.settings();
        let mut acknowledged = cluster.history().acknowledged().map(|(entry, _)| entry).peekable();
        if acknowledged.peek().is_none() {
            return true;
        }
        let is_settled = LazyCell::new(|| cluster.is_settled() && cluster.has_leader());
        acknowledged.all(|entry| {
            let survives = |replica| is_accounted_for(entry, replica, cluster.history(), settings);
            copies(cluster, entry) >= settings.write()
                && (!*is_settled || cluster.replicas().all(survives))
        })
    }
}

/// How many nodes have synced an entry.
fn copies(cluster: &dyn ClusterView, entry: &Entry) -> usize {
    cluster.ids().filter(|id| cluster.has_synced(*id, entry)).count()
}

/// Visible, replaced by a write that named it, or listed where conflicts are allowed.
fn is_accounted_for(
    entry: &Entry,
    replica: &Replica,
    history: &History,
    settings: Settings,
) -> bool {
    let heads = replica.files().heads(&entry.path);
    let rank = heads.iter().position(|head| head.dot == entry.dot);
    let is_replaced = || replica.log().entries().any(|it| history.names(it, entry.dot));
    match rank {
        Some(0) => true,
        Some(_) => !settings.is_consistent() || is_listed_rightly(entry, replica, history),
        None => is_replaced(),
    }
}

/// Whether a consistent store may list an acknowledged write as a conflict: a later write had seen
/// it, and named other heads.
fn is_listed_rightly(entry: &Entry, replica: &Replica, history: &History) -> bool {
    let leaves = |it: &&Entry| {
        it.path == entry.path && it.context.covers(entry.dot) && !it.replaces.contains(&entry.dot)
    };
    replica.log().entries().filter(leaves).any(|it| history.has_named_base(it))
}
