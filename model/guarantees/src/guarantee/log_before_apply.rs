//! G3 log-before-apply.

use steadfast_protocol::{Entry, Fold, LogIndex, NodeId, Record, Replica, first_index};

use super::Judge;
use crate::view::{forgotten, shows};
use crate::{ClusterView, NodeView};

/// G3: a node shows nothing that a crash could take back.
pub(super) struct LogBeforeApply;

impl Judge for LogBeforeApply {
    fn promise(&self) -> &'static str {
        "a node's applied state is exactly the replay of its synced log, at every moment, and the \
         heads are those of all entries that the log ever stood for, whether it still holds them or \
         not, except forgotten deletes"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (old, new) = (before.node(node), after.node(node));
        let Some(replica) = new.replica else {
            return true;
        };
        let is_same = |it: &Replica| it.files() == replica.files() && it.fold() == replica.fold();
        let is_unchanged = old.synced == new.synced
            && first_index(old.records) == first_index(new.records)
            && old.replica.is_some_and(is_same);
        let is_replayed = || {
            let mut replayed = replayed(&old, &new, after);
            if after.keeps_forgotten_deletes() {
                replayed.forget(&forgotten(replica, replayed.files()));
                // Later versions hide that the node has forgotten a delete of their path.
                replayed = replayed.having_forgotten(replica.fold().forgotten());
            }
            *replica.fold() == replayed && replica.files() == replayed.files()
        };
        // Heads do not depend on the entries that the log has dropped. After a rollback a dot may name two
        // entries, and the history has only the newer one.
        let folded = || after.history().fold_of(replica.synced_vv(), after.decisions());
        let is_folded = || {
            !new.has_dropped_entries()
                || !after.rolled_back().is_empty()
                || folded().is_none_or(|it| shows(replica, &it))
        };
        is_unchanged || (is_replayed() && is_folded())
    }
}

/// The fold of the synced records. With a focus, the state before was judged, so the records go on behind it, unless
/// they write to a path whose delete the node has forgotten: what it forgot must make no difference.
fn replayed(old: &NodeView<'_>, new: &NodeView<'_>, cluster: &dyn ClusterView) -> Fold {
    let is_cut = first_index(old.records) != first_index(new.records) || new.synced < old.synced;
    let judged = old.replica.filter(|_| cluster.focus().is_some() && !is_cut);
    let judged = judged.filter(|it| !writes_forgotten(it, old.synced, new, cluster));
    match judged {
        None => new.replayed(cluster.decisions()),
        Some(judged) => new.replayed_after(judged.fold(), old.synced, cluster.decisions()),
    }
}

/// Whether records that were synced since write to a path that the node showed no version of, although its log has
/// stood for one.
fn writes_forgotten(
    judged: &Replica,
    since: LogIndex,
    new: &NodeView<'_>,
    cluster: &dyn ClusterView,
) -> bool {
    let is_empty = |it: &&Entry| judged.fold().files().heads(&it.path).is_empty();
    let has_others = |entry: &Entry| {
        cluster.held_entries(*new).any(|it| it.path == entry.path && it.dot != entry.dot)
    };
    cluster.keeps_forgotten_deletes()
        && new.synced_since(since).iter().flat_map(Record::entries).filter(is_empty).any(has_others)
}
