//! G2 replicas-converge.

use steadfast_protocol::Replica;

use super::Judge;
use crate::ClusterView;
use crate::view::is_lone_delete;

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
        replicas.all(|it| it.synced_vv() == first.synced_vv() && show_the_same(it, first))
    }
}

/// Whether two nodes show the same files, except deletes that one of them has forgotten.
fn show_the_same(one: &Replica, other: &Replica) -> bool {
    let forgot = |node: &Replica, path, at: &Replica| {
        node.parameters().forgets_deletes
            && node.files().heads(path).is_empty()
            && is_lone_delete(at.files().heads(path))
    };
    let differing = one.files().changed_since(other.files());
    differing.iter().all(|path| forgot(one, path, other) || forgot(other, path, one))
}
