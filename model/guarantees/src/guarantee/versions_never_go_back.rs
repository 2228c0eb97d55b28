//! G6 versions-never-go-back.

use steadfast_protocol::NodeId;

use super::Judge;
use crate::ClusterView;

/// G6: the version that a node shows only moves forward.
pub(super) struct VersionsNeverGoBack;

impl Judge for VersionsNeverGoBack {
    fn promise(&self) -> &'static str {
        "at each node, the stamp of a path's visible version never decreases, not even across crashes; \
         only the rollback of a log takes versions away"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (old, new) = (before.node(node), after.node(node));
        // The rollback itself takes versions away.
        if after.rolled_back().contains(node) && new.synced < old.synced {
            return true;
        }
        if let (Some(old), Some(new)) = (old.replica, new.replica)
            && old.files() == new.files()
        {
            return true;
        }
        let (old, new) = (old.shown(before.decisions()), new.shown(after.decisions()));
        old.iter().all(|(path, heads)| {
            heads
                .first()
                .is_none_or(|was| new.visible(path).is_some_and(|is| is.stamp >= was.stamp))
        })
    }
}
