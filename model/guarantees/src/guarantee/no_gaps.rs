//! G8 no-gaps.

use steadfast_protocol::{Entry, NodeId, Record, VersionVector};

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
        let new = after.node(node);
        let fresh: Vec<&Entry> = fresh_entries(&before.node(node), &new).collect();
        // A node whose log was rolled back reuses the dots of the entries that it lost.
        let reused = after.rolled_back();
        let are_unique = |it: &[&Entry]| {
            it.iter().all(|it| reused.contains(it.dot.origin) || is_unique(it, after))
        };
        fresh.is_empty() || (is_prefix_closed(new) && are_unique(&fresh))
    }
}

/// Whether each entry may follow those before it, so that every prefix that a crash may leave is closed
/// as well.
fn is_prefix_closed(node: NodeView<'_>) -> bool {
    let mut held = VersionVector::default();
    node.entries().all(|entry| {
        let follows = entry.dot.sequence == held.sequence(entry.dot.origin).next();
        let is_closed = follows && held.includes(&entry.context);
        held.insert(entry.dot);
        is_closed
    })
}

/// Whether no node holds a different entry with the same dot.
fn is_unique(entry: &Entry, cluster: &dyn ClusterView) -> bool {
    let entries = cluster.ids().flat_map(|it| cluster.disk(it).entries());
    let mut namesakes = entries.filter(|it| it.dot == entry.dot);
    namesakes.all(|it| it == entry)
}

/// The entries that a step added to a node's disk.
pub(super) fn fresh_entries<'a>(
    before: &NodeView<'a>,
    after: &NodeView<'a>,
) -> impl Iterator<Item = &'a Entry> + use<'a> {
    let fresh = after.records.get(before.records.len()..).unwrap_or_default();
    fresh.iter().filter_map(|record| match record {
        Record::Entry(entry) => Some(entry),
        Record::Identity(_) | Record::Promise(_) => None,
    })
}
