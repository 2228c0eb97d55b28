//! G9 deposed-leaders-do-not-overrule.

use steadfast_protocol::{Entry, Epoch, NodeId, Record, Settings};

use super::Judge;
use super::no_gaps::fresh_entries;
use crate::focus::files_in;
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
        if after.has_acknowledged_since(before) {
            return after.nodes().all(|(id, it)| keeps(it, &before.node(id), after));
        }
        let (old, new) = (before.node(node), after.node(node));
        let is_unchanged = old.length() == new.length() && old.synced == new.synced;
        is_unchanged || keeps(new, &old, after)
    }
}

fn keeps(now: NodeView<'_>, before: &NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let (promise, history) = (promise_of(now.records), cluster.history());
    let follows = |it: &Entry| history.epoch_of(it).is_none_or(|epoch| epoch <= promise);
    let follows_all = match cluster.focus() {
        None => cluster.known_entries(now).all(follows),
        // The others were judged when they were fresh, and a promise never shrinks.
        Some(_) => fresh_entries(before, &now).all(follows),
    };
    follows_all && shows_no_overruler(now, cluster)
}

fn shows_no_overruler(node: NodeView<'_>, cluster: &dyn ClusterView) -> bool {
    let shown = node.shown(cluster.decisions());
    let mut visible = files_in(cluster.focus(), &shown).filter_map(|(_, heads)| heads.first());
    !visible.any(|it| overrules(it, node, cluster.history()))
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
        && history.has_acknowledged_after(epoch, &visible.path, &node.synced_vv())
}
