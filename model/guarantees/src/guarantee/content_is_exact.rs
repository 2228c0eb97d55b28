//! G10 content-is-exact.

use steadfast_node::ContentCopy;

use super::Judge;
use crate::ClusterView;

/// G10: a reader gets the bytes that a client wrote, or none.
pub(super) struct ContentIsExact;

impl Judge for ContentIsExact {
    fn promise(&self) -> &'static str {
        "content read at any node is byte for byte the content that a client wrote under that version; \
         no node serves a bad copy"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        cluster.nodes().filter_map(|(id, node)| Some((id, node.replica?))).all(|(id, replica)| {
            let heads = replica.files().iter().flat_map(|(_, heads)| heads);
            let named = heads.filter_map(|head| head.change.named());
            named.into_iter().all(|content| cluster.served(id, content) != ContentCopy::Wrong)
        })
    }
}
