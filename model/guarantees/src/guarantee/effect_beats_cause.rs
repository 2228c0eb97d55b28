//! G7 effect-beats-cause.

use steadfast_protocol::NodeId;

use super::{Judge, no_gaps::fresh_entries};
use crate::ClusterView;

/// G7: a write wins against every write that its author had seen.
pub(super) struct EffectBeatsCause;

impl Judge for EffectBeatsCause {
    fn promise(&self) -> &'static str {
        "a write that saw another always has the higher stamp"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let new = after.node(node);
        fresh_entries(&before.node(node), &new).all(|effect| {
            let known = after.known_entries(new);
            let mut causes = known.filter(|it| effect.context.covers(it.dot));
            causes.all(|cause| effect.stamp > cause.stamp)
        })
    }
}
