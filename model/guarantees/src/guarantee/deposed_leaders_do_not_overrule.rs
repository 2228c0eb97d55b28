//! G9 deposed-leaders-do-not-overrule.

use steadfast_protocol::{Entry, Epoch, NodeId, Record, Settings};

use super::Judge;
use crate::{ClusterView, History, NodeView};

/// G9: no write of a deposed leader wins against an acknowledged one of its successor. Judged by the
/// epochs that the history recorded, not by the fences in the entries.
pub(super) struct DeposedLeadersDoNotOverrule;

impl Judge for DeposedLeadersDoNotOverrule {
    fn promise(&self) -> &'static str {
        "with E+W>N, a node's promise is at least the epoch of every entry it holds, and no \
         unacknowledged write of an older epoch overrides an acknowledged one of a newer epoch"
    }

    fn is_promised(&self, settings: Settings) -> bool {
        settings.is_consistent()
    }

    /// A node that logs or syncs entries may break the promise at this node; an acknowledgement may break
    /// it at any node.
    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        if !after.settings().is_consistent() {
            return true;
        }
        let acknowledged = |cluster: &dyn ClusterView| cluster.history().acknowledged().count();
        if !after.has_answers_of(before) && acknowledged(before) != acknowledged(after) {
            return after.nodes().all(|(_, node)| keeps(node, after));
        }
        let (old, new) = (before.node(node), after.node(node));
        let is_unchanged = old.length() == new.length() && old.synced == new.synced;
        is_unchanged || keeps(new, after)
    }
}

fn keeps(node: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let history = cluster.history();
    let promise = promise_of(node.records);
    if cluster
        .known_entries(node)
        .any(|it| history.epoch_of(it).is_some_and(|epoch| epoch > promise))
    {
        return false;
    }
    let shown = node.shown(cluster.decisions());
    shown.iter().filter_map(|(_, heads)| heads.first()).all(|it| !overrules(it, node, history))
}

fn promise_of(records: &[Record]) -> Epoch {
    let promises = records.iter().filter_map(|record| match record {
        Record::Promise(epoch) => Some(*epoch),
        Record::Checkpoint(checkpoint) => Some(checkpoint.fold.promise()),
        Record::Identity(_) | Record::Entry(_) | Record::State(_) => None,
    });
    promises.max().unwrap_or_default()
}

/// Whether a visible entry that no leader acknowledged hides an acknowledged one of a newer epoch.
fn overrules(visible: &Entry, node: NodeView<'_>, history: &History) -> bool {
    let Some(epoch) = history.epoch_of(visible) else {
        return false;
    };
    !history.is_acknowledged(visible)
        && history.acknowledged().any(|(acked, newer)| {
            acked.path == visible.path && *newer > epoch && node.synced_vv().covers(acked.dot)
        })
}
