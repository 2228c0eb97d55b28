//! G8 no-gaps.

use steadfast_protocol::{Entry, NodeId, Record, first_index};

use super::Judge;
use crate::{ClusterView, NodeView};

/// G8: logs have no gaps, and dots are unique.
pub(super) struct NoGaps;

impl Judge for NoGaps {
    fn promise(&self) -> &'static str {
        "every node holds a prefix of the entries of each origin; a dot always names one entry, unless \
         the log of its node was rolled back; a node that holds an entry holds its context"
    }

    fn outlives_rollback(&self) -> bool {
        true
    }

    fn step(&self, before: &dyn ClusterView, after: &dyn ClusterView, node: NodeId) -> bool {
        let (old, new) = (before.node(node), after.node(node));
        let fresh: Vec<&Entry> = fresh_entries(&old, &new).collect();
        // A node whose log was rolled back reuses the dots of the entries that it lost.
        let reused = after.rolled_back();
        let are_unique = |it: &[&Entry]| {
            it.iter().all(|it| reused.contains(it.dot.origin) || is_unique(it, after))
        };
        let is_unchanged =
            old.length() == new.length() && first_index(old.records) == first_index(new.records);
        is_unchanged || (new.is_closed(after.focus()) && are_unique(&fresh))
    }
}

/// Whether no node holds a different entry with the same dot.
fn is_unique(entry: &Entry, cluster: &dyn ClusterView) -> bool {
    let entries = cluster.ids().flat_map(|it| cluster.held_entries(cluster.disk(it)));
    let mut namesakes = entries.filter(|it| it.dot == entry.dot);
    namesakes.all(|it| it == entry)
}

/// The entries that a step added to a node's disk.
pub(super) fn fresh_entries<'a>(
    before: &NodeView<'a>,
    after: &NodeView<'a>,
) -> impl Iterator<Item = &'a Entry> + use<'a> {
    after.fresh_since(before).iter().filter_map(Record::entry)
}
