//! G7 effect-beats-cause.

use steadfast_protocol::{Entry, NodeId};

use super::{Judge, no_gaps::fresh_entries};
use crate::{ClusterView, OperationKind};

/// G7: a write wins against every write that its author had seen, and has a higher counter than its client had seen.
pub(super) struct EffectBeatsCause;

impl Judge for EffectBeatsCause {
    fn promise(&self) -> &'static str {
        "a write that saw another always has the higher stamp, and its Lamport counter is above the one that its \
         client names"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let new = after.node(node);
        fresh_entries(&before.node(node), &new).all(|effect| {
            let known = after.known_entries(new);
            let mut causes = known.filter(|it| effect.context.covers(it.dot));
            causes.all(|cause| effect.stamp > cause.stamp) && is_above_client(effect, after)
        })
    }
}

/// Whether the counter of an entry is above the one that its client had seen.
fn is_above_client(entry: &Entry, cluster: &dyn ClusterView) -> bool {
    match cluster.history().operation(entry.request).map(|it| &it.kind) {
        Some(OperationKind::Write { seen, .. }) => entry.stamp.counter > *seen,
        _ => true,
    }
}
