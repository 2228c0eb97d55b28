//! G11 nothing-from-nowhere.

use steadfast_protocol::{Change, Entry, Intent, NodeId};

use super::Judge;
use super::no_gaps::fresh_entries;
use crate::focus::files_in;
use crate::{ClusterView, History, OperationKind, Status};

/// G11: nodes show only versions that a client requested.
pub(super) struct NothingFromNowhere;

impl Judge for NothingFromNowhere {
    fn promise(&self) -> &'static str {
        "a client requested every visible version for that path, and no leader refused the request; no \
         node makes a second entry for a request, except to replace the entry of an older leader"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        if fresh_entries(&before.node(node), &after.node(node)).any(|it| is_again(it, node, after))
        {
            return false;
        }
        let (old, new) = (before.node(node).replica, after.node(node).replica);
        let Some(new) = new else {
            return true;
        };
        let refusals =
            |it: &History| it.operations().iter().filter(|it| it.status == Status::Refused).count();
        let is_unchanged = after.focus().is_none()
            && old.is_some_and(|it| it.files() == new.files())
            && (after.has_answers_of(before)
                || refusals(before.history()) == refusals(after.history()));
        is_unchanged
            || files_in(after.focus(), new.files())
                .filter_map(|(_, heads)| heads.first())
                .all(|visible| was_asked_for(visible, after.history()))
    }
}

/// Whether a node made a second entry for a request, other than to replace one that a leader of an older
/// epoch had made.
fn is_again(fresh: &Entry, node: NodeId, cluster: &dyn ClusterView) -> bool {
    let history = cluster.history();
    let is_same = |it: &&Entry| it.request == fresh.request && fresh.context.covers(it.dot);
    let is_renewed =
        |it: &Entry| fresh.replaces == [it.dot] && history.epoch_of(it) < history.epoch_of(fresh);
    let mut known = cluster.known_entries(cluster.node(node)).filter(is_same).peekable();
    fresh.dot.origin == node && known.peek().is_some() && !known.any(is_renewed)
}

/// Whether a client requested this version of this path.
fn was_asked_for(visible: &Entry, history: &History) -> bool {
    let Some(operation) = history.operation(visible.request) else {
        return false;
    };
    let OperationKind::Write { intent, .. } = &operation.kind else {
        return false;
    };
    let is_asked = match intent {
        Intent::Put(content) => visible.change == Change::Put(content.clone()),
        Intent::Delete => visible.change == Change::Delete,
        Intent::Restore(dot) => history.has_made(*dot, &visible.change),
    };
    is_asked && operation.path == visible.path && operation.status != Status::Refused
}
