//! G3 log-before-apply.

use steadfast_protocol::NodeId;

use super::Judge;
use crate::ClusterView;

/// G3: a node shows nothing that a crash could take back.
pub(super) struct LogBeforeApply;

impl Judge for LogBeforeApply {
    fn promise(&self) -> &'static str {
        "a node's applied state is exactly the replay of its synced log, at every moment"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (old, new) = (before.node(node), after.node(node));
        let Some(replica) = new.replica else {
            return true;
        };
        let is_unchanged =
            old.synced == new.synced && old.replica.is_some_and(|it| it.files() == replica.files());
        is_unchanged || *replica.files() == new.replayed(after.decisions())
    }
}
