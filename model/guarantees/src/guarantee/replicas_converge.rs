//! G2 replicas-converge.

use steadfast_protocol::Replica;

use super::Judge;
use crate::ClusterView;

/// G2: all nodes end up with the same files.
pub(super) struct ReplicasConverge;

impl Judge for ReplicasConverge {
    fn promise(&self) -> &'static str {
        "in every settled cluster with a leader all nodes, except those that have halted and say why, \
         hold the same files, versions, heads and content; only of a path that is deleted some may still \
         hold the delete while others have forgotten it"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        if !cluster.is_settled() || !cluster.is_led() {
            return true;
        }
        let mut replicas = cluster.taking_part();
        let Some(first) = replicas.next() else {
            return true;
        };
        let has_the_same =
            |it: &Replica| it.synced_vv() == first.synced_vv() && cluster.show_the_same(it, first);
        replicas.all(has_the_same)
    }
}
