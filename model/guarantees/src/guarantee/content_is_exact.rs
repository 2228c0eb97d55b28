//! G10 content-is-exact.

use super::Judge;
use crate::ClusterView;

/// G10: what is read is what was written, or nothing.
pub(super) struct ContentIsExact;

impl Judge for ContentIsExact {
    fn promise(&self) -> &'static str {
        "content read anywhere is byte for byte what a client wrote under that version; a bad copy \
         is not served"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn state(&self, cluster: &dyn ClusterView) -> bool {
        !cluster.ids().any(|it| cluster.shows_wrong_content(it))
    }
}
