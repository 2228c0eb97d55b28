//! G10 content-is-exact.

use super::Judge;
use crate::ClusterView;

/// G10: a reader gets the bytes that a client wrote; or none, if the copy went bad or got lost.
pub(super) struct ContentIsExact;

impl Judge for ContentIsExact {
    fn promise(&self) -> &'static str {
        "content read at any node is byte for byte the content that a client wrote under that version; \
         no node serves a bad copy, or goes without the content of a version that it shows, unless its \
         copy went bad or got lost and it asks for another"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        !cluster.ids().any(|it| cluster.shows_wrong_content(it))
    }
}
