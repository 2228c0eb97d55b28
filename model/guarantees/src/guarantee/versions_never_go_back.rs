//! G6 versions-never-go-back.

use steadfast_protocol::NodeId;

use super::Judge;
use crate::focus::files_in;
use crate::view::is_lone_delete;
use crate::{ClusterView, NodeView, OperationKind};

/// G6: the versions that a node shows only move forward, and so do the answers of its stale reads.
pub(super) struct VersionsNeverGoBack;

impl Judge for VersionsNeverGoBack {
    fn promise(&self) -> &'static str {
        "per node and path the visible version's stamp never decreases, across crashes too, and a \
         stale read returns the version that its node shows; only the rollback and the loss of a log take \
         versions away; a path without a version may have been deleted before"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        if !stale_reads_return_what_is_shown(before, after) {
            return false;
        }
        let (old, new) = (before.node(node), after.node(node));
        // The rollback or the loss of a log itself takes versions away.
        let is_rolled_back = after.rolled_back().contains(node) && new.synced < old.synced;
        if is_rolled_back || has_another_log(&old, &new) {
            return true;
        }
        if let (Some(old), Some(new)) = (old.replica, new.replica)
            && old.files() == new.files()
        {
            return true;
        }
        let forgets = new.replica.is_none_or(|it| it.parameters().forgets_deletes);
        let (old, new) = (old.shown(before.decisions()), new.shown(after.decisions()));
        files_in(after.focus(), &old).all(|(path, heads)| {
            let is_forgotten = || forgets && is_lone_delete(heads);
            heads.first().is_none_or(|was| {
                new.visible(path).map_or_else(is_forgotten, |is| is.stamp >= was.stamp)
            })
        })
    }
}

/// Whether a node has another log than before the step. Without a node that runs and trims it, only a replacement
/// changes the first record of a log. A second one may begin with the same record; then it has fewer synced ones.
fn has_another_log(old: &NodeView<'_>, new: &NodeView<'_>) -> bool {
    let begins_otherwise = || old.records.first() != new.records.first();
    new.replica.is_none() && (begins_otherwise() || new.synced < old.synced)
}

/// Whether each stale read of a step returned the version that the node that answered it shows.
fn stale_reads_return_what_is_shown(before: &dyn ClusterView, after: &dyn ClusterView) -> bool {
    if after.has_answers_of(before) {
        return true;
    }
    after.answered_since(before).all(|(read, _)| {
        let replica = after.node(read.node).replica;
        match (&read.kind, replica) {
            (OperationKind::StaleRead { version }, Some(it)) => {
                it.files().visible(&read.path) == version.as_ref()
            }
            _ => true,
        }
    })
}
