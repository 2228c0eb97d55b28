//! G12 settles.

use steadfast_protocol::{Halt, Role};

use super::{Guarantee, GuaranteeId};
use crate::ClusterView;

/// G12: once faults stop, the cluster comes to rest in the right place. Here the ends are judged;
/// that there is always an end (no cycles), and that a leaderless end needs at most two timeouts,
/// is judged on the graph of the fault-free continuation.
pub(super) struct Settles;

impl Guarantee for Settles {
    fn id(&self) -> GuaranteeId {
        GuaranteeId::Settles
    }

    fn promise(&self) -> &'static str {
        "once faults stop, deliveries, syncs and link events alone always run out; a cluster with a \
         leader has then converged and answered its clients, a leaderless one needs at most two \
         timeouts of any one node; no node stops taking part unless a log was rolled back"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        // What is excused of a node that has stopped is excused after a rollback only.
        let is_whole = cluster.history().rolled_back().is_empty();
        if is_whole
            && cluster.replicas().any(|it| it.halted().is_some_and(|it| *it != Halt::LogFailed))
        {
            return false;
        }
        !cluster.is_quiet()
            || !cluster.is_led()
            || is_at_rest(cluster)
            || cluster.lacks_content_of_a_stopped_node()
    }
}

/// Settled, converged, with one leader whose clients all have their answers.
fn is_at_rest(cluster: &dyn ClusterView) -> bool {
    let is_answered = |role: &Role| match role {
        Role::Leader(leadership) => leadership.writes.is_empty() && leadership.reads.is_empty(),
        Role::Follower(_) | Role::PreCandidate(_) | Role::Candidate(_) => true,
    };
    // With too few nodes left to acknowledge, writes wait until one is replaced.
    let can_acknowledge = cluster.taking_part().count() >= cluster.settings().write();
    let leaders = cluster.replicas().filter(|it| it.leads()).count();
    cluster.is_settled()
        && leaders == 1
        && (!can_acknowledge || cluster.replicas().all(|it| is_answered(it.role())))
        && GuaranteeId::ReplicasConverge.guarantee().state(cluster)
}
